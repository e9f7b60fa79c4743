/**
 * Who did what, from where: each request that changes something leaves an event that says so, also
 * where what came of it was a no. And no page in an operator's browser can change anything, not
 * even under a name that was made to resolve to this machine.
 */
import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROUTES } from "../../src/arbiter/http/routes.ts";
import { fingerprint } from "../../src/protocol/caller.ts";
import { eventually, freePort, Rig } from "./arbiter-rig.ts";
import { reportOf } from "./security-rig.ts";

const TOKEN = "full-0123456789abcdef0123456789abcdef";
const bearer = { authorization: `Bearer ${TOKEN}` };
let rig: Rig;

beforeAll(async () => {
  rig = await Rig.create();
  rig.writeCluster("failback = manual\n[alerts]\ncommand = true\n[security]\ntoken_file = cluster.token\n");
  rig.write("cluster.token", `${TOKEN}\n`);
  for (const [name, role] of [
    ["scheduler-master", "master"],
    ["scheduler-spare", "spare"],
  ] as const) {
    const daemon = await rig.addDaemon(name, role);
    daemon.token = TOKEN;
    await daemon.start();
  }
  await rig.start();
  await eventually(async () => await rig.held("scheduler-master"), "scheduler-master@1 held");
});
afterAll(async () => {
  await rig.close();
});

type Asked = readonly [method: "POST" | "DELETE", target: string, body: Record<string, unknown>];
const SERVICE = "/v1/services/scheduler-master";

async function commands(): Promise<readonly Asked[]> {
  const late = { name: "late", type: "scheduler", address: "127.0.0.1", port: await freePort() };
  return [
    ["POST", `${SERVICE}/pause`, { forMs: 60_000 }],
    ["POST", `${SERVICE}/resume`, {}],
    ["POST", "/v1/pause", { forMs: 60_000, reason: "test" }],
    ["POST", "/v1/resume", {}],
    ["POST", "/v1/daemons/scheduler-spare/maintenance", { on: true }],
    ["POST", "/v1/daemons/scheduler-spare/maintenance", { on: false }],
    ["POST", `${SERVICE}/switchover`, {}],
    ["POST", `${SERVICE}/failback`, {}],
    ["POST", `${SERVICE}/drill`, { holdMs: 1 }],
    ["POST", `${SERVICE}/failover`, {}],
    ["POST", "/v1/daemons", late],
    ["DELETE", "/v1/daemons/late", {}],
    ["POST", "/v1/reload", {}],
    ["POST", "/v1/config/rollback", { version: 1 }],
    ["POST", "/v1/alerts/test", {}],
    ["POST", "/v1/events", { key: "k", value: 1 }],
    ["POST", "/v1/leader", { to: "nobody" }],
    ["POST", "/v1/leader/claim", {}],
  ];
}

/** Between arbiters and daemons; what they change is told by what comes of it. */
const OF_THE_PROTOCOL: ReadonlySet<string> = new Set([
  "/v1/reports",
  "/v1/arbiters/promise",
  "/v1/arbiters/opinion",
  "/v1/map",
]);

async function eventsBy(by: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const events = await rig.events();
  return events
    .map(({ evidence }) => evidence ?? {})
    .filter((evidence) => evidence["by"] === by || evidence["about"] === `by ${by}`);
}

test("every command leaves an event with who asked, from which address, with which token", async () => {
  for (const [at, [method, target, body]] of (await commands()).entries()) {
    const by = `operator ${at}`;
    const response = await fetch(rig.url + target, {
      method,
      headers: { ...bearer, "content-type": "application/json" },
      body: JSON.stringify({ ...body, by }),
    });
    const said = await response.text();
    expect([target, response.status < 300 || response.status === 409, said]).toEqual([target, true, said]);
    await eventually(async () => (await eventsBy(by)).length > 0, true);
    const [event] = await eventsBy(by);
    const token = response.status === 409 ? undefined : fingerprint(TOKEN);
    expect([target, event]).toMatchObject([target, { from: "127.0.0.1", ...(token && { token }) }]);
    await eventually(async () => (await rig.held("scheduler-master")).endsWith(" held"), true);
  }
}, 60_000);

test("no route was forgotten above", async () => {
  const asked = (await commands()).map(
    ([method, target]) => `${method} ${target.replace("scheduler-master", "{service}")}`,
  );
  const routes = ROUTES.filter(({ method, path: route }) => method !== "get" && !OF_THE_PROTOCOL.has(route))
    .map(({ method, path: route }) => `${method.toUpperCase()} ${route}`)
    .map((route) => route.replace("{daemon}", route.startsWith("DELETE") ? "late" : "scheduler-spare"));
  expect(new Set(asked)).toEqual(new Set(routes));
});

/** As a browser sends it: the name in the address bar, and whose page it is. */
async function fromPage(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: unknown,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const asked = request(
    url,
    { method, headers: { "content-type": "application/json", ...headers } },
    (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    },
  );
  asked.on("error", reject);
  asked.end(JSON.stringify(body));
  return await promise;
}

test("a page reports nothing, whatever its name resolves to and whatever token it has", async () => {
  const before = await rig.held("scheduler-master");
  const { port } = rig;
  const pages = [
    { host: `evil.example:${port}`, origin: `http://evil.example:${port}`, "sec-fetch-site": "same-origin" },
    { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` },
    { host: `127.0.0.1:${port}`, "sec-fetch-site": "cross-site" },
  ];
  const forged = reportOf("scheduler-master", { seq: 1_000_000 });
  for (const page of pages) {
    expect(await fromPage(`${rig.url}/v1/reports`, "POST", { ...bearer, ...page }, forged)).toBe(403);
  }
  expect(await rig.held("scheduler-master")).toBe(before);
});
