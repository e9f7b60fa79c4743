/**
 * A cluster in which every connection shows certificates on both sides: an arbiter and two library
 * daemons, real processes. Whose certificate it is decides what may be said, and the certificates
 * are replaced, authority and all, while the service goes on where it is.
 */
import { createServer } from "node:https";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, Rig, type ArbiterProcess } from "./arbiter-rig.ts";
import { Bench, freePort, type DaemonProcess } from "./library-processes.ts";
import {
  ask,
  Certificates,
  listIn,
  membersIn,
  reportOf,
  servedFingerprint,
  writeSecureCluster,
  type Answered,
  type Asked,
  type Identity,
} from "./security-rig.ts";

const NAMES = ["arbiter-master", "scheduler-master", "scheduler-slave", "alice"] as const;
let rig: Rig;
let bench: Bench;
let certificates: Certificates;
let arbiter: ArbiterProcess;
const daemons = new Map<string, DaemonProcess>();
const ports = new Map<string, number>();
let ca: string;

beforeAll(async () => {
  rig = await Rig.create();
  bench = new Bench();
  certificates = new Certificates(path.join(bench.folder, "pki"));
  for (const authority of ["first", "second"]) {
    await certificates.authority(authority);
    for (const name of NAMES) await certificates.issue(authority, name, ["127.0.0.1"]);
  }
  ca = certificates.read("first", "ca.crt");
  certificates.serve("ca.crt", ca);
  for (const name of NAMES) certificates.serveIdentity("first", name);
  writeSecureCluster(rig, certificates.served);
  for (const [name, spare] of [
    ["scheduler-master", 0],
    ["scheduler-slave", 1],
  ] as const) {
    const port = await freePort();
    ports.set(name, port);
    rig.write(
      `daemons/${name}.cfg`,
      `scheduler_name  ${name}\naddress  127.0.0.1\nport  ${port}\nspare  ${spare}\nuse_ssl  1\n`,
    );
  }
  arbiter = await rig.start();
  for (const [name, port] of ports) {
    const args = ["--config", rig.config, "--name", name, "--port", String(port)];
    daemons.set(name, await bench.spawn(name, args));
  }
  await eventually(held, "scheduler-master held");
}, 40_000);

afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await rig.close();
});

const arbiterUrl = (): string => `https://127.0.0.1:${rig.port}`;
const daemonUrl = (name: string): string => `https://127.0.0.1:${ports.get(name)}`;
const as = (name: string, authority = "first"): Identity => certificates.identity(authority, name);

async function asking(url: string, name: string | null, rest: Partial<Asked> = {}): Promise<Answered> {
  return await ask(url, { ca, as: name === null ? null : as(name), ...rest });
}

async function service(): Promise<Record<string, unknown>> {
  return (await asking(`${arbiterUrl()}/v1/services/scheduler-master`, "alice")).body;
}

async function held(): Promise<string> {
  const { holder, phase } = await service();
  return `${String(holder)} ${String(phase)}`;
}

async function healthOf(name: string): Promise<Record<string, unknown>> {
  const { clusterId, term, state, services, seenEpochs } = (
    await asking(`${daemonUrl(name)}/health`, "alice")
  ).body;
  return { clusterId, term, state, services, seenEpochs };
}

function assignmentBy(leader: string, to: string): Record<string, unknown> {
  return {
    protocol: 1,
    clusterId: "stolen",
    to,
    leader: { name: leader, url: "https://127.0.0.1:1" },
    arbiters: [],
    term: 1_000_000,
    seq: 1,
    mapVersion: 1,
    clockDrift: 0.01,
    nonce: null,
    services: [],
  };
}

test("who shows no certificate, or one of another authority, gets no answer at all", async () => {
  const stranger = as("alice", "second");
  for (const url of [`${arbiterUrl()}/healthz`, `${daemonUrl("scheduler-slave")}/health`]) {
    expect((await ask(url, { ca, as: null })).status).toBe(0);
    expect((await ask(url, { ca, as: stranger })).status).toBe(0);
    expect((await asking(url, "alice")).status).toBe(200);
  }
});

test("plain HTTP is not answered", async () => {
  await expect(fetch(`${arbiterUrl().replace("https", "http")}/healthz`)).rejects.toThrow(/fetch failed/u);
  await expect(fetch(`${daemonUrl("scheduler-slave").replace("https", "http")}/health`)).rejects.toThrow(
    /fetch failed/u,
  );
});

test("a report is taken from the daemon that it is about, and from nobody else", async () => {
  const before = await service();
  const url = `${arbiterUrl()}/v1/reports`;
  const forged = { method: "POST", body: reportOf("scheduler-master", { seq: 1_000_000 }) };
  for (const name of ["alice", "scheduler-slave", "arbiter-master"]) {
    const answer = await asking(url, name, forged);
    expect(answer).toMatchObject({ status: 403, body: { code: "ERR_ARB_FORBIDDEN" } });
    expect(answer.body["detail"]).toContain(`The certificate is ${name}'s; the report is scheduler-master's`);
  }
  expect(await service()).toEqual(before);
  const own = { method: "POST", body: reportOf("scheduler-slave", { role: "spare" }) };
  expect((await asking(url, "scheduler-slave", own)).status).toBe(204);
});

test("an assignment is obeyed when an arbiter sends it in its own name", async () => {
  const before = await healthOf("scheduler-slave");
  const url = `${daemonUrl("scheduler-slave")}/v1/assignment`;
  const send = async (name: string, leader: string): Promise<Answered> =>
    await asking(url, name, { method: "PUT", body: assignmentBy(leader, "scheduler-slave") });
  expect(await send("alice", "arbiter-master")).toMatchObject({ status: 403 });
  expect(await send("alice", "alice")).toMatchObject({ status: 403 });
  expect(await send("scheduler-master", "scheduler-master")).toMatchObject({ status: 403 });
  const inAnother = await send("arbiter-master", "arbiter-2");
  expect(inAnother.status).toBe(403);
  expect(inAnother.body["detail"]).toContain("the assignment is arbiter-2's");
  const map = { method: "PUT", body: { version: 1_000_000 } };
  expect(await asking(`${daemonUrl("scheduler-slave")}/v1/map`, "alice", map)).toMatchObject({ status: 403 });
  expect(await healthOf("scheduler-slave")).toEqual(before);
});

test("a promise is given to the holder that asks for it, in its own name", async () => {
  const url = `${daemonUrl("scheduler-slave")}/v1/promise`;
  const { stateId, clusterId } = (await asking(`${daemonUrl("scheduler-slave")}/health`, "alice")).body;
  const request = {
    protocol: 1,
    clusterId,
    to: "scheduler-slave",
    toStateId: stateId,
    round: 1,
    service: "scheduler-master",
    holder: "scheduler-master",
    epoch: 1,
    forMs: 50,
  };
  for (const name of ["alice", "arbiter-master", "scheduler-slave"]) {
    expect(await asking(url, name, { method: "POST", body: request })).toMatchObject({ status: 403 });
  }
  expect(await asking(url, "scheduler-master", { method: "POST", body: request })).toMatchObject({
    status: 200,
    body: { promised: true },
  });
});

async function refused(): Promise<readonly Record<string, unknown>[]> {
  const { body } = await asking(`${arbiterUrl()}/v1/events?limit=1000`, "alice");
  return listIn(body, "events")
    .filter(({ type }) => type === "security.refused")
    .map((event) => membersIn(event["evidence"]));
}

test("those turned away stand in the event log, with who they were and where they called from", async () => {
  await eventually(
    async () => (await refused()).map(({ certificate }) => certificate),
    ["alice", "scheduler-slave", "arbiter-master"],
  );
  expect((await refused())[0]).toMatchObject({
    method: "POST",
    path: "/v1/reports",
    from: "127.0.0.1",
    status: 403,
  });
  expect(daemons.get("scheduler-slave")?.stderr).toMatch(
    /PUT \/v1\/assignment from 127\.0\.0\.1 with the certificate alice and no token was refused with 403/u,
  );
});

test("certificates and their authority are replaced while the service goes on where it is", async () => {
  const before = await service();
  const both = `${ca}${certificates.read("second", "ca.crt")}`;
  const everywhere = [rig.port, ...ports.values()];
  const known = async (authority: string): Promise<boolean> => {
    const answers = [arbiterUrl(), ...[...ports.keys()].map((name) => daemonUrl(name))].map(
      async (url, at) =>
        await ask(`${url}${at === 0 ? "/healthz" : "/health"}`, { ca: both, as: as("alice", authority) }),
    );
    return (await Promise.all(answers)).every(({ status }) => status === 200);
  };
  // Both authorities, then the new certificates, then the new authority alone.
  expect(await known("second")).toBe(false);
  certificates.serve("ca.crt", both);
  await eventually(async () => await known("second"), true);
  for (const name of NAMES) certificates.serveIdentity("second", name);
  const fingerprints = async (): Promise<readonly string[]> =>
    await Promise.all(
      everywhere.map(async (port) => await servedFingerprint(port, both, as("alice", "second"))),
    );
  const first = await fingerprints();
  await eventually(async () => (await fingerprints()).every((now, at) => now !== first[at]), true);
  ca = certificates.read("second", "ca.crt");
  certificates.serve("ca.crt", ca);
  await eventually(
    async () =>
      (await ask(`${arbiterUrl()}/healthz`, { ca: both, as: as("alice") })).status === 0 &&
      (await ask(`${daemonUrl("scheduler-master")}/health`, { ca: both, as: as("alice") })).status === 0 &&
      (await ask(`${daemonUrl("scheduler-slave")}/health`, { ca: both, as: as("alice") })).status === 0,
    true,
  );
  const now = await ask(`${arbiterUrl()}/v1/services/scheduler-master`, { ca, as: as("alice", "second") });
  expect(now.body).toMatchObject({ holder: before["holder"], epoch: before["epoch"], phase: "held" });
  // And they still find each other: the holder leaves in good order, the spare takes over.
  daemons.get("scheduler-master")?.child.kill("SIGTERM");
  await eventually(
    async () =>
      (await ask(`${arbiterUrl()}/v1/services/scheduler-master`, { ca, as: as("alice", "second") })).body[
        "holder"
      ],
    "scheduler-slave",
  );
  expect(arbiter.errors).not.toContain("BEGIN");
}, 60_000);

test("an answer counts only under the certificate of whom was asked, though another's is good for the address", async () => {
  await daemons.get("scheduler-master")?.ended;
  let asked = 0;
  const impostor = createServer({ ...as("alice", "second"), ca }, (request, response) => {
    asked += 1;
    request.resume();
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(reportOf("scheduler-master")));
  });
  impostor.listen(ports.get("scheduler-master"), "127.0.0.1");
  try {
    await eventually(async () => {
      const { body } = await ask(`${arbiterUrl()}/v1/status`, { ca, as: as("alice", "second") });
      const master = listIn(body, "daemons").find(({ name }) => name === "scheduler-master");
      return JSON.stringify(master).includes("its certificate is alice's, not scheduler-master's");
    }, true);
    expect(asked).toBe(0);
  } finally {
    impostor.close();
    impostor.closeAllConnections();
  }
});
