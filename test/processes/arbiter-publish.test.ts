/** Programs publish their own events: durable once answered, once however often sent, found by filters. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "../../src/client.ts";
import type { ClusterEvent } from "../../src/client.ts";
import { eventually, membersOf, Rig } from "./arbiter-rig.ts";
import type { Answer, ArbiterProcess } from "./arbiter-rig.ts";

let rig: Rig;
let arbiter: ArbiterProcess;

beforeAll(async () => {
  rig = await Rig.create();
  rig.writeCluster();
  await (await rig.addDaemon("scheduler-master", "master")).start();
  arbiter = await rig.start();
  await eventually(() => rig.held("scheduler-master"), "scheduler-master@1 held");
}, 40_000);
afterAll(() => rig.close());

async function publish(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${rig.url}/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  const type = response.headers.get("content-type");
  return { status: response.status, headers: response.headers, type, text, body: membersOf(text) };
}

async function listed(query: string): Promise<readonly Record<string, unknown>[]> {
  const { body } = await rig.get(`/v1/events?${query}`);
  const list = body["events"];
  return Array.isArray(list) ? list.map((event: unknown) => membersOf(JSON.stringify(event))) : [];
}

it("an event is answered with its number, and stands in the log with all that it was given", async () => {
  const value = { rows: 120, tags: ["ä", null] };
  const { status, body } = await publish({ key: "etl", value, namespace: "jobs", by: "importer" });
  expect([status, body["repeated"]]).toEqual([201, false]);
  const [event] = await listed(`after=${Number(body["event"]) - 1}&limit=1`);
  expect(event).toMatchObject({
    seq: body["event"],
    type: "published",
    text: `jobs/etl: {"rows":120,"tags":["ä",null]}`,
    publication: { namespace: "jobs", key: "etl", value, idempotencyKey: body["idempotencyKey"] },
    evidence: { by: "importer" },
  });
});

it("sent again with its idempotency key, it is the same event; with other contents, an error", async () => {
  const first = await publish({ key: "a", value: 1 }, { "idempotency-key": "k-1" });
  const again = await publish({ key: "a", value: 1, idempotencyKey: "k-1" });
  expect([first.status, again.status]).toEqual([201, 200]);
  expect([again.body["event"], again.body["repeated"]]).toEqual([first.body["event"], true]);
  const other = await publish({ key: "a", value: 2 }, { "idempotency-key": '"k-1"' });
  expect([other.status, other.body["code"]]).toEqual([422, "ERR_ARB_IDEMPOTENCY_KEY"]);
  const twice = await publish({ key: "a", idempotencyKey: "k-3" }, { "idempotency-key": "k-2" });
  expect(twice.status).toBe(400);
});

it("what is too large, nameless or misspelt is refused", async () => {
  expect((await publish({ key: "a", value: "x".repeat(20_000) })).status).toBe(413);
  expect((await publish({ value: 1 })).status).toBe(400);
  expect((await publish({ key: "a", valeu: 1 })).text).toContain("no member `valeu`");
  expect((await publish({ key: "line\nbreak" })).status).toBe(400);
});

it("of a flood, all that was answered is in the log, and the rest was told to slow down", async () => {
  const sent = Array.from({ length: 1_600 }, (_, index) => publish({ key: "flood", value: index }));
  const answers = await Promise.all(sent);
  const taken = answers.filter(({ status }) => status === 201);
  const refused = answers.filter(({ status }) => status === 429);
  expect(taken.length + refused.length).toBe(1_600);
  for (const { headers } of refused) expect(headers.get("retry-after")).toBe("1");
  const flood = [...(await listed("key=flood&after=0&limit=1000"))];
  const more = await listed(`key=flood&after=${String(flood.at(-1)?.["seq"])}&limit=1000`);
  const seqs = new Set([...flood, ...more].map(({ seq }) => seq));
  expect(seqs.size).toBe(taken.length);
  for (const { body } of taken) expect(seqs.has(body["event"])).toBe(true);
});

it("filters: by type, service, namespace and time, forwards, from the end, and on the stream", async () => {
  await publish({ key: "one", namespace: "filters" });
  const before = new Date().toISOString();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const { body } = await publish({ key: "two", namespace: "filters" });
  expect((await listed("namespace=filters&limit=2")).map(({ seq }) => seq)).toContain(body["event"]);
  expect((await listed(`namespace=filters&since=${before}`)).map(({ seq }) => seq)).toEqual([body["event"]]);
  const earlier = await listed(`namespace=filters&until=${before}&after=0`);
  expect(earlier.map(({ seq }) => seq)).not.toContain(body["event"]);
  expect(earlier.length).toBeGreaterThan(0);
  const held = await listed("service=scheduler-master&type=service.h*,leader.*");
  expect(new Set(held.map(({ type }) => type))).toEqual(new Set(["service.held"]));
  expect((await rig.get("/v1/events?since=yesterday")).status).toBe(400);

  const abort = new AbortController();
  const stream = await fetch(`${rig.url}/v1/events/stream?namespace=filters&after=0`, {
    signal: abort.signal,
  });
  let text = "";
  for await (const chunk of stream.body ?? []) {
    text += Buffer.from(chunk).toString("utf8");
    if (text.includes('"key":"two"')) break;
  }
  abort.abort();
  expect(text).not.toContain("flood");
  expect(text).toContain('"key":"two"');
});

it("a client publishes through an arbiter that is killed and started again: nothing lost, nothing twice", async () => {
  const cluster = connect(rig.url);
  const after = Number((await rig.get("/v1/events?limit=0")).body["last"]);
  const receipts: number[] = [];
  const publishing = (async () => {
    for (let index = 0; index < 60; index++) {
      const { seq } = await cluster.publish({ key: "steady", value: index, namespace: "client" });
      receipts.push(seq);
    }
  })();
  await eventually(() => receipts.length > 15, true);
  await arbiter.stop("SIGKILL");
  arbiter = await rig.start();
  await publishing;
  const values: unknown[] = [];
  const seqs: number[] = [];
  const take = ({ publication, seq }: ClusterEvent): void => {
    if (publication?.namespace !== "client") return;
    values.push(publication.value);
    seqs.push(seq);
  };
  for await (const event of cluster.events({ after })) {
    take(event);
    if (values.length === 60) break;
  }
  cluster.close();
  expect(values).toEqual(Array.from({ length: 60 }, (_, index) => index));
  expect(seqs).toEqual(receipts);
}, 60_000);
