/** Two arbiters on one machine share a store: one leads, the other takes over and adopts the holder. */
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, membersOf, Rig } from "./arbiter-rig.ts";
import type { ArbiterProcess } from "./arbiter-rig.ts";

/** As the rig configures it. */
const ARBITER_LEASE_MS = 1000;
const SERVICE = "scheduler-master";

let rig: Rig;
let master: ScriptedDaemon;
let leader: ArbiterProcess;
let other: string;

beforeEach(async () => {
  rig = await Rig.create();
  rig.writeCluster();
  const port = await rig.addArbiter("arbiter-2");
  other = `http://127.0.0.1:${port}`;
  master = await rig.addDaemon("scheduler-master", "master");
  await master.start();
  leader = rig.spawn("arbiter-master");
  await leader.ready();
  await eventually(() => rig.held(SERVICE), "scheduler-master@1 held");
  await rig.spawn("arbiter-2").ready();
  await eventually(async () => (await read("/leader"))["leader"], "arbiter-master");
}, 40_000);
afterEach(() => rig.close());

async function read(target: string): Promise<Record<string, unknown>> {
  return membersOf(await (await fetch(other + target)).text());
}

async function takenOver(): Promise<void> {
  await eventually(async () => (await fetch(`${other}/leader`)).status, 200);
  await eventually(async () => {
    const { holder, epoch, phase } = await read(`/v1/services/${SERVICE}`);
    return [holder, epoch, phase];
  }, ["scheduler-master", 1, "held"]);
  expect(master.held).toEqual({ service: SERVICE, epoch: 1 });
}

/** What tells when it was asked, not how things are. */
function withoutMoments(value: unknown): unknown {
  const moments = new Set(["lastSeen", "latencyMs", "leaseRemainingMs"]);
  return JSON.parse(JSON.stringify(value, (key, member: unknown) => (moments.has(key) ? undefined : member)));
}

it("the standby says who leads, and answers every read as the leader does", async () => {
  expect((await fetch(`${other}/leader`)).status).toBe(503);
  expect((await fetch(`${other}/healthz`)).status).toBe(200);
  await eventually(async () => {
    const own = await rig.get("/v1/status");
    return isDeepStrictEqual(withoutMoments(await read("/v1/status")), withoutMoments(own.body));
  }, true);
  for (const target of ["/v1/map", "/v1/services", `/v1/services/${SERVICE}`, "/v1/peers"]) {
    // On a busy machine a service may be in doubt for a moment, just between the two questions.
    await eventually(async () => {
      const own = await rig.get(target);
      const theirs = await fetch(other + target);
      const isSame = isDeepStrictEqual(membersOf(await theirs.text()), own.body);
      return [
        theirs.status,
        isSame,
        theirs.headers.get("arbiter-version") === own.headers.get("arbiter-version"),
      ];
    }, [200, true, true]);
  }
  const tag = (await rig.get("/v1/map")).headers.get("etag") ?? "";
  expect((await fetch(`${other}/v1/map`, { headers: { "if-none-match": tag } })).status).toBe(304);
  const unknown = await fetch(`${other}/v1/services/nobody`);
  expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining(SERVICE)]);
  const own = await rig.events();
  expect((await read("/v1/events?after=0"))["events"]).toHaveLength(own.length);
});

it("a change sent to the standby is the leader's, with who asked and through whom", async () => {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ reason: "a new switch", forMs: 60_000 });
  const taken = await fetch(`${other}/v1/pause`, { method: "POST", headers, body });
  expect([taken.status, await taken.text()]).toEqual([202, expect.stringContaining("a new switch")]);
  const { evidence } = (await rig.events()).findLast(({ type }) => type === "operator.pause") ?? {};
  expect(evidence).toEqual({
    by: "someone at 127.0.0.1",
    from: "127.0.0.1",
    via: "arbiter-2 at 127.0.0.1",
  });
  expect(JSON.stringify((await read("/v1/status"))["problems"])).toContain("a new switch");
  // What the leader refuses is refused here, in its words.
  const refused = await fetch(`${other}/v1/services/nobody/switchover`, { method: "POST" });
  expect([refused.status, await refused.text()]).toEqual([404, expect.stringContaining(SERVICE)]);
  // What an arbiter passes on isn't passed on again.
  const looping = { "arbiter-forwarded-by": "arbiter-3", "arbiter-forwarded-for": "%7B%7D" };
  const ended = await fetch(`${other}/v1/resume`, { method: "POST", headers: looping });
  expect([ended.status, await ended.text()]).toEqual([503, expect.stringContaining("arbiter-master leads")]);
});

it("the leader is frozen: the standby answers from the store, and never with an older map", async () => {
  const before = await rig.get("/v1/map");
  const version = Number(before.headers.get("arbiter-version"));
  leader.child.kill("SIGSTOP");
  const known = await fetch(`${other}/v1/map`, { headers: { "arbiter-min-version": String(version) } });
  expect([known.status, membersOf(await known.text())["services"]]).toEqual([200, before.body["services"]]);
  const newer = await fetch(`${other}/v1/map`, { headers: { "arbiter-min-version": String(version + 50) } });
  expect([newer.status, newer.headers.get("retry-after")]).toEqual([503, "1"]);
  await takenOver();
  leader.child.kill("SIGCONT");
  await eventually(async () => (await rig.get("/leader")).status, 503);
  expect(Number((await rig.get("/v1/map")).headers.get("arbiter-version"))).toBeGreaterThanOrEqual(version);
});

it("the leader is killed: a change waits for the other, which leads a higher term; the holder stays", async () => {
  await leader.stop("SIGKILL");
  const headers = { "content-type": "application/json" };
  const taken = await fetch(`${other}/v1/pause`, { method: "POST", headers, body: "{}" });
  expect(taken.status).toBe(202);
  await takenOver();
  expect((await read("/v1/status"))["term"]).toBe(2);
});

it("the standby streams every event, also over the change when the leader stops in good order", async () => {
  const last = (await rig.events()).at(-1)?.seq ?? 0;
  const follow = async (after: number, until: string): Promise<number[]> => {
    const response = await fetch(`${other}/v1/events/stream`, {
      headers: { "last-event-id": String(after) },
    });
    if (response.body === null) throw new Error("the stream has no body");
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    while (!text.includes(until)) {
      const piece: { readonly value?: unknown } = await reader.read();
      if (!(piece.value instanceof Uint8Array)) throw new Error(`the stream has ended: ${text}`);
      text += decoder.decode(piece.value, { stream: true });
    }
    await reader.cancel();
    return [...text.matchAll(/^id: (\d+)$/gmu)].map(([, seq]) => Number(seq));
  };
  const first = follow(last, "operator.pause");
  await fetch(`${other}/v1/pause`, { method: "POST" });
  const seen = await first;
  const second = follow(seen.at(-1) ?? 0, "leader.elected");
  expect(await leader.stop()).toBe(0);
  const all = [...seen, ...(await second)];
  expect(all).toEqual(all.map((_, index) => last + 1 + index));
  await takenOver();
});

it("an operator hands the lead over: the other leads, the first stands by, the holder stays", async () => {
  const body = JSON.stringify({ to: "arbiter-2", by: "anna" });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${rig.url}/v1/leader`, { method: "POST", headers, body });
  expect([answer.status, await answer.text()]).toEqual([202, expect.stringContaining("arbiter-2")]);
  await takenOver();
  expect((await fetch(`${rig.url}/leader`)).status).toBe(503);
  expect((await read("/v1/status"))["term"]).toBe(2);
});

it("the store hangs: the leader goes on by the other's promise, in the same term", async () => {
  // They have met, and the record says so.
  await sleep(2 * ARBITER_LEASE_MS);
  const database = new DatabaseSync(path.join(rig.stateDir, "arbiter.db"));
  database.exec("BEGIN EXCLUSIVE");
  await sleep(3 * ARBITER_LEASE_MS);
  expect((await fetch(`${rig.url}/leader`)).status).toBe(200);
  expect(await rig.held(SERVICE)).toBe("scheduler-master@1 held");
  database.exec("ROLLBACK");
  database.close();
  await sleep(ARBITER_LEASE_MS);
  const status = membersOf(await (await fetch(`${rig.url}/v1/status`)).text());
  expect([status["term"], (await fetch(`${rig.url}/leader`)).status]).toEqual([1, 200]);
});
