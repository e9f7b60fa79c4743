/**
 * Finding the holder while parts of the cluster are gone: arbiters that are dead, silent, behind or
 * all away; and what the client refuses to believe.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { connect } from "../../src/client.ts";
import { ClientsRig, DAEMONS, SERVICE } from "./clients-rig.ts";
import { portOf, until } from "./library-processes.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    if (server.listening) await once(server, "close");
  }
});

async function serve(respond: RequestListener): Promise<string> {
  const server = createServer(respond).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${portOf(server)}`;
}

const entry = (holder: string, epoch: number, url: string): object => ({
  holder,
  epoch,
  url,
  address: "127.0.0.1",
  port: Number(new URL(url).port),
});

function json(value: object, version: number, status = 200): RequestListener {
  return (_request, response) => {
    const headers = { "content-type": "application/json", "arbiter-version": String(version) };
    response.writeHead(status, headers).end(JSON.stringify(value));
  };
}

const holder = (epoch: number, version: number, url: string): RequestListener =>
  json({ service: "s", version, ...entry("d", epoch, url) }, version);
const map = (epoch: number, version: number): RequestListener =>
  json({ version, services: { s: entry("d", epoch, "http://127.0.0.1:7768") } }, version);

test("with every arbiter gone the daemons answer, and the newest of them counts", async () => {
  await using rig = await ClientsRig.start({ arbiters: 2 });
  const cluster = rig.connect(rig.arbiterUrls.map((url) => new URL(url).host).join(","));
  const before = await cluster.resolve(SERVICE);
  expect(before).toMatchObject({ holder: DAEMONS[0], url: rig.urlOf(DAEMONS[0]) });
  for (const name of DAEMONS) {
    await until(`${name} has the map`, async () => {
      const text = await (await fetch(`${rig.urlOf(name)}/v1/map`)).text();
      return text.includes(`"holder":"${DAEMONS[0]}"`);
    });
  }
  // It learns of the daemons with its first answer.
  await until("a second answer", async () => (await cluster.resolve(SERVICE)).version >= before.version);
  await rig.kill("arbiter-0");
  await until(
    "one arbiter is enough",
    async () => (await cluster.resolve(SERVICE)).epoch === before.epoch,
    20_000,
  );
  await rig.kill("arbiter-1");
  expect(await cluster.resolve(SERVICE)).toMatchObject({ holder: DAEMONS[0], epoch: before.epoch });
  expect(await rig.resolveByCommand()).toContain(`${DAEMONS[0]} url=${rig.urlOf(DAEMONS[0])}`);
  await rig.kill(DAEMONS[1]);
  expect(await cluster.resolve(SERVICE)).toMatchObject({ holder: DAEMONS[0], epoch: before.epoch });
  // A service that is held needs no arbiter: its clients don't either.
  expect(await cluster.got(SERVICE).get("who").json()).toMatchObject({ name: DAEMONS[0] });
  const late = connect(rig.arbiterUrls, { daemons: [rig.urlOf(DAEMONS[0])] });
  expect(await late.resolve(SERVICE)).toMatchObject({ holder: DAEMONS[0] });
  await expect(connect(rig.arbiterUrls).resolve(SERVICE)).rejects.toMatchObject({
    code: "ERR_ARB_UNREACHABLE",
  });
}, 60_000);

test("a daemon's map that is older than what was seen is not believed", async () => {
  let isUp = true;
  const alive = holder(5, 9, "http://127.0.0.1:7768");
  const arbiter = await serve((request, response) => {
    if (isUp) alive(request, response);
    else response.destroy();
  });
  const older = await serve(map(4, 8));
  const cluster = connect(arbiter, { daemons: older });
  expect((await cluster.resolve("s")).epoch).toBe(5);
  isUp = false;
  await expect(cluster.resolve("s")).rejects.toMatchObject({ code: "ERR_ARB_UNREACHABLE" });
  const newer = await serve(map(5, 9));
  expect(await connect(arbiter, { daemons: [older, newer] }).resolve("s")).toMatchObject({
    epoch: 5,
    version: 9,
  });
});

test("an arbiter that takes long is not waited for when another answers", async () => {
  const silent = await serve(() => {});
  const quick = await serve(holder(3, 2, "http://127.0.0.1:7768"));
  const cluster = connect([silent, quick]);
  const fromMs = performance.now();
  expect((await cluster.resolve("s")).epoch).toBe(3);
  expect(performance.now() - fromMs).toBeLessThan(2500);
});

test("connect() without an argument takes $ARBITER_URL", async () => {
  const url = await serve(holder(3, 2, "http://127.0.0.1:7768"));
  process.env["ARBITER_URL"] = new URL(url).host;
  try {
    expect((await connect().resolve("s")).epoch).toBe(3);
  } finally {
    delete process.env["ARBITER_URL"];
  }
  expect(() => connect()).toThrow(/\$ARBITER_URL/u);
});

test("requests never go to a holder of an older epoch, whoever names it", async () => {
  const asked: string[] = [];
  const old = await serve((_request, response) => {
    asked.push("old");
    response.end("old");
  });
  const present = await serve((_request, response) => {
    response.writeHead(200, { "arbiter-epoch": "6", "arbiter-service": "s" }).end("present");
  });
  let [epoch, version, url] = [5, 1, present];
  const arbiter = await serve((request, response) => holder(epoch, version, url)(request, response));
  const cluster = connect(arbiter);
  const client = cluster.got("s", { deadlineMs: 600 });
  // The holder itself tells of epoch 6, before the arbiter does.
  expect(await client.get("").text()).toBe("present");
  [epoch, version, url] = [5, 2, old];
  await expect(client.get("")).rejects.toMatchObject({ code: "ERR_ARB_DEADLINE" });
  await expect(cluster.resolve("s")).rejects.toMatchObject({ code: "ERR_ARB_STALE_MAP" });
  expect(asked).toEqual([]);
  [epoch, version, url] = [6, 3, present];
  expect(await client.get("").text()).toBe("present");
});

test("what may have been done is not done twice, and the deadline ends everything", async () => {
  let asked = 0;
  const breaking = await serve((request) => {
    asked += 1;
    request.socket.destroy();
  });
  const cluster = connect(await serve(holder(1, 1, breaking)));
  await expect(cluster.got("s").post("", { json: { a: 1 } })).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(asked).toBe(1);
  await expect(cluster.got("s").get("", { retry: { limit: 0 } })).rejects.toMatchObject({
    code: "ECONNRESET",
  });
  expect(asked).toBe(2);
  await expect(cluster.got("s", { deadlineMs: 300 }).get("")).rejects.toMatchObject({
    code: "ERR_ARB_DEADLINE",
  });
  expect(asked).toBeGreaterThan(3);
  const silent = connect(await serve(holder(1, 1, await serve(() => {}))));
  await expect(silent.got("s", { deadlineMs: 300 }).post("")).rejects.toMatchObject({
    code: "ERR_ARB_DEADLINE",
  });
});

test("a request carries epoch and service, and goes where the service serves its users", async () => {
  const seen: unknown[] = [];
  const service = await serve((request, response) => {
    const { "arbiter-epoch": epoch, "arbiter-service": name, cookie } = request.headers;
    seen.push([request.method, request.url, epoch, name, cookie]);
    response.end("{}");
  });
  const cluster = connect(await serve(holder(7, 1, "http://127.0.0.1:1")));
  const client = cluster.got("s", { url: () => `${service}/api` }).extend({ headers: { cookie: "a=b" } });
  await client.post("jobs", { json: { a: 1 }, searchParams: { q: 1 } }).json();
  expect(seen).toEqual([["POST", "/api/jobs?q=1", "7", "s", "a=b"]]);
});

test("watching tells who holds it now, and every change, through outages", async () => {
  await using rig = await ClientsRig.start();
  const abort = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { holder: name, epoch } of rig.connect().watch(SERVICE, { signal: abort.signal })) {
      seen.push(`${name ?? "nobody"}@${epoch}`);
    }
  })();
  await until("it tells the first", () => seen.length === 1);
  await rig.order("switchover");
  await until("it tells the second", () => seen.some((each) => each.startsWith(`${DAEMONS[1]}@`)), 20_000);
  await rig.settled();
  await rig.kill("arbiter-0");
  rig.startArbiter(0);
  await rig.settled();
  await rig.order("failback");
  await until(
    "it tells the third",
    () => seen.at(-1)?.startsWith(`${DAEMONS[0]}@`) === true && seen.length > 2,
    20_000,
  );
  abort.abort();
  await watching;
  const epochs = seen.map((each) => Number(each.split("@")[1]));
  expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
}, 60_000);
