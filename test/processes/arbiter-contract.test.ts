/** The contract that the arbiter publishes, held against the arbiter that runs; and its word to another one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, Rig } from "./arbiter-rig.ts";

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.create();
  rig.writeCluster();
  const master = await rig.addDaemon("scheduler-master", "master");
  await rig.addDaemon("scheduler-slave", "spare");
  await master.start();
  await rig.start();
  await eventually(() => rig.held("scheduler-master"), "scheduler-master@1 held");
});
afterAll(() => rig.close());

interface Operation {
  readonly summary: string;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

async function operations(): Promise<readonly (readonly [string, string, Operation])[]> {
  const { text } = await rig.get("/openapi.json");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the arbiter's own, which this test is about
  const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, Operation>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [method, path, operation] as const),
  );
}

const NAMES: Readonly<Record<string, string>> = {
  "{service}": "scheduler-master",
  "{daemon}": "scheduler-master",
  "{file}": "style.css",
};

test("every GET is answered as the contract says: with one of its statuses, in its form", async () => {
  for (const [method, template, { responses }] of await operations()) {
    if (method !== "get" || template.endsWith("/stream")) continue;
    const path = template.replaceAll(/\{\w+\}/gu, (name) => NAMES[name] ?? "nothing");
    const { status, type } = await rig.get(path);
    expect([path, Object.keys(responses)]).toEqual([path, expect.arrayContaining([String(status)])]);
    const [promised] = Object.keys(responses[String(status)]?.content ?? {});
    const isOther = promised === undefined || status >= 400 || template === "/dashboard/{file}";
    expect([path, isOther ? promised : type?.split(";")[0]]).toEqual([path, promised]);
  }
});

test("every change that the contract has is there: an empty or wrong body is refused, never unknown", async () => {
  for (const [method, template, { responses }] of await operations()) {
    if (method !== "post") continue;
    const path = template.replaceAll(/\{\w+\}/gu, "nobody");
    const { status } = await rig.post(path, { nonsense: true });
    expect([path, status]).not.toEqual([path, 405]);
    expect([path, status]).not.toEqual([path, 500]);
    expect(Object.keys(responses).length).toBeGreaterThan(0);
  }
});

test("it says of how many daemons it has an answer, for an arbiter that doubts itself", async () => {
  const ask = { daemons: ["scheduler-master", "scheduler-slave", "nobody"] };
  const { status, body } = await rig.post("/v1/arbiters/opinion", ask);
  expect([status, body]).toEqual([200, { reached: 1, of: 2 }]);
  expect((await rig.post("/v1/arbiters/opinion", { daemons: [7] })).status).toBe(400);
});
