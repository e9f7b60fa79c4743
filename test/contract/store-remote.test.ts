/** What the layer between the contract and a server's engine promises, with an engine that misbehaves to order. */
import { expect, test } from "vitest";
import { StoreUnavailable } from "../../src/store/contract.ts";
import { EngineTrouble, type Attempt, type StoreEngine } from "../../src/store/engine.ts";
import type { WriteAnswer, WriteCall } from "../../src/store/group.ts";
import { openRemoteStore } from "../../src/store/remote.ts";
import { commit, event } from "./store-samples.ts";
import { troubleOf } from "./store-server-contract.ts";

type Transact = (calls: readonly WriteCall[], attempt: Attempt) => Promise<readonly WriteAnswer[]>;

/** Only `transact` matters; the rest answers nothing. */
function engineOf(transact: Transact): StoreEngine {
  const nothing = (): Promise<never> => Promise.reject(new EngineTrouble("reads nothing."));
  return {
    open: () => Promise.resolve(),
    transact,
    leadership: nothing,
    load: nothing,
    events: nothing,
    note: nothing,
    configurations: nothing,
    trim: nothing,
    watch: () => () => {},
    close: () => Promise.resolve(),
  };
}

function textsOf(calls: readonly WriteCall[]): string[] {
  return calls.flatMap((call) => (call.kind === "commit" ? call.commit.events.map(({ text }) => text) : []));
}

const DONE: WriteAnswer = { kind: "committed", revision: 0, events: [], repeats: [] };

test("a call that was told `refused` is never carried out, also when its group is tried one by one", async () => {
  const carriedOut: string[] = [];
  const engine = engineOf(async (calls, attempt) => {
    const texts = textsOf(calls);
    if (texts.length > 1) throw new EngineTrouble("can't take these together.", { isOfCall: true });
    // The first one hangs for longer than the second one waits.
    if (texts[0] === "hangs") await new Promise((resolve) => setTimeout(resolve, 400));
    attempt.decide();
    carriedOut.push(...texts);
    return calls.map(() => DONE);
  });
  const store = await openRemoteStore(engine, { description: "test", callTimeoutMs: 200 });
  const acknowledged: string[] = [];
  const send = async (text: string): Promise<string> => {
    try {
      await store.commit(commit({ events: [event(text)] }));
      acknowledged.push(text);
      return "done";
    } catch (error) {
      return error instanceof StoreUnavailable ? error.outcome : String(error);
    }
  };
  const outcomes = await Promise.all(["hangs", "waits", "waits, too"].map((text) => send(text)));
  expect(outcomes[0]).toBe("refused");
  expect(await send("later")).toBe("done");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(carriedOut).toEqual(acknowledged);
  await store.close();
});

test("what fails before it decides is refused, after it unknown, unless the server has said no", async () => {
  const outcomes: string[] = [];
  for (const [decides, isCertain] of [
    [false, false],
    [true, false],
    [true, true],
  ] as const) {
    const engine = engineOf(async (_, attempt) => {
      if (decides) attempt.decide();
      throw new EngineTrouble("fails.", { isCertain });
    });
    const store = await openRemoteStore(engine, { description: "test", callTimeoutMs: 1_000 });
    outcomes.push((await troubleOf(store.commit(commit({ events: [event("x")] })))).outcome);
    await store.close();
  }
  expect(outcomes).toEqual(["refused", "unknown", "refused"]);
});

test("closed in the midst of calls: each has its answer", async () => {
  const engine = engineOf((_, attempt) => {
    attempt.decide();
    return new Promise(() => {});
  });
  const store = await openRemoteStore(engine, { description: "test", callTimeoutMs: 60_000 });
  const first = troubleOf(store.commit(commit({ events: [event("on its way")] })));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = troubleOf(store.commit(commit({ events: [event("waits")] })));
  await store.close();
  expect([(await first).outcome, (await second).outcome]).toEqual(["unknown", "refused"]);
});
