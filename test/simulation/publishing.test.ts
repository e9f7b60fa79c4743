/**
 * Publishing once (I5) in virtual time: producers send through arbiters of which each believes to lead for
 * a while; answers are lost, on both ways, and writes of unknown outcome happen late or never. Whatever
 * was acknowledged stands in the log once, under the number that was told, in each producer's order.
 */
import { expect, test } from "vitest";
import type { LeadershipRecord } from "../../src/core/model.ts";
import { drawClock, Process } from "../../src/simulator/machine.ts";
import { SimulatedStore } from "../../src/simulator/store.ts";
import { World } from "../../src/simulator/world.ts";

const SEEDS = 60;
const RUN_MS = 20_000;
/** For the last answers. */
const SETTLE_MS = 60_000;
const PRODUCERS = 3;

class Arbiter {
  readonly process: Process;
  term = 0;
  readonly #name: string;
  readonly #store: SimulatedStore;

  constructor(world: World, store: SimulatedStore, name: string) {
    this.#name = name;
    this.#store = store;
    this.process = new Process(world, drawClock(world, 0.01), 1, name);
  }

  /** Takes the lead from whoever has it, if nobody is faster. */
  campaign(): void {
    const current = this.#store.record;
    const next: LeadershipRecord = {
      clusterId: "c",
      term: (current?.term ?? 0) + 1,
      leader: this.#name,
      instance: this.#name,
      url: "",
      beat: 1,
      released: false,
      ttlMs: 1_000,
      electable: [],
    };
    this.#store.campaign(this.process, current, next, (result) => {
      if (result.kind === "ok" && result.value.won) this.term = next.term;
    });
  }

  /** null: nobody can tell what came of it. */
  publish(type: string, done: (seq: number | null) => void): void {
    const [namespace = "", idempotencyKey = ""] = type.split(" ");
    const publication = { namespace, key: "k", value: null, idempotencyKey };
    const commit = {
      commitId: 0,
      term: this.term,
      changes: [],
      settings: null,
      configuration: null,
      events: [{ type, atWallMs: 0, text: "", publication }],
    };
    this.#store.commit(this.process, commit, (result) => {
      const isDone = result.kind === "ok";
      done(isDone ? (result.value.events[0]?.seq ?? result.value.repeats[0]?.seq ?? null) : null);
    });
  }
}

interface Outcome {
  readonly log: readonly string[];
  /** By producer: the numbers told for its events, in order. */
  readonly told: readonly (readonly number[])[];
  /** Answers that a producer never got. */
  readonly lost: number;
}

function play(seed: number, forgetsPublished: boolean): Outcome {
  const world = new World(seed);
  const store = new SimulatedStore(world, {
    latencyMs: 4,
    unknownProbability: 0.15,
    slowProbability: 0.1,
    slowMs: 500,
    forgetsPublished,
  });
  const arbiters = ["a", "b"].map((name) => new Arbiter(world, store, name));
  const random = world.stream("producers");
  const told: number[][] = Array.from({ length: PRODUCERS }, () => []);
  let lost = 0;
  const leadOn = (): void => {
    random.pick(arbiters).campaign();
    if (world.nowMs < RUN_MS) world.after(random.between(50, 1_500), leadOn);
  };
  const send = (producer: number): void => {
    const mine = told[producer] ?? [];
    const type = `p${producer} ${mine.length + 1}`;
    random.pick(arbiters).publish(type, (seq) => {
      const isHeard = seq !== null && !random.chance(0.15);
      if (seq !== null && !isHeard) lost += 1;
      if (isHeard) mine.push(seq);
      if (world.nowMs < RUN_MS || !isHeard) world.after(random.between(1, 60), () => send(producer));
    });
  };
  leadOn();
  for (let producer = 0; producer < PRODUCERS; producer++) send(producer);
  world.runUntil(RUN_MS + SETTLE_MS);
  const log: string[] = [];
  for (let seq = 1; ; seq++) {
    const type = store.eventType(seq);
    if (type === null) return { log, told, lost };
    log.push(type);
  }
}

/** What is wrong; empty: nothing. */
function faultsOf({ log, told }: Outcome): readonly string[] {
  return told.flatMap((seqs, producer) => {
    const expected = seqs.map((_, index) => `p${producer} ${index + 1}`);
    const standing = log.filter((type) => type.startsWith(`p${producer} `)).slice(0, expected.length);
    const faults = seqs.filter((seq, index) => log[seq - 1] !== expected[index]);
    return [
      ...(standing.join() === expected.join()
        ? []
        : [`p${producer}: ${standing.length} events, not once or not in order`]),
      ...faults.map((seq) => `p${producer}: another event has the number ${seq}`),
      ...(new Set(log).size === log.length ? [] : ["an event stands twice"]),
    ];
  });
}

test("whatever was acknowledged is in the log once, under its number, in order", () => {
  let acknowledged = 0;
  let lost = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = play(seed, false);
    expect([seed, ...faultsOf(outcome)]).toEqual([seed]);
    acknowledged += outcome.told.reduce((sum, seqs) => sum + seqs.length, 0);
    lost += outcome.lost;
  }
  // The run must have had something to get wrong.
  expect(acknowledged).toBeGreaterThan(1_000);
  expect(lost).toBeGreaterThan(100);
});

test("a store that doesn't know what was published before is found out, in every run", () => {
  const found = Array.from({ length: 10 }, (_, index) => faultsOf(play(index + 1, true)).length > 0);
  expect(found).toEqual(found.map(() => true));
});
