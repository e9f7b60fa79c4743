/** The simulator's own parts: what they are made of must be right before what they find counts. */
import { assert, array, double, integer, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { Agenda } from "../../src/simulator/agenda.ts";
import { drawClock, Process } from "../../src/simulator/machine.ts";
import type { Host } from "../../src/simulator/network.ts";
import { Network } from "../../src/simulator/network.ts";
import { Random } from "../../src/simulator/random.ts";
import { World } from "../../src/simulator/world.ts";

const GOOD = {
  leastDelayMs: 1,
  jitterMs: 0,
  lossProbability: 0,
  duplicateProbability: 0,
  longDelayProbability: 0,
  longDelayMs: 0,
};

function draw(seed: number): number[] {
  const random = new Random(seed);
  return Array.from({ length: 1000 }, () => random.next());
}

function make(): { world: World; process: Process; fired: string[] } {
  const world = new World(1);
  return { world, process: new Process(world, drawClock(world, 0), 0, "p"), fired: [] };
}

function pair(): { world: World; network: Network; from: Host; to: Host } {
  const world = new World(1);
  const host = (name: string): Host => ({
    name,
    isUp: true,
    process: new Process(world, drawClock(world, 0), 0, "p"),
  });
  return { world, network: new Network(world, GOOD), from: host("a"), to: host("b") };
}

function call(network: Network, from: Host, to: Host, log: string[]): void {
  network.call<string>(
    from,
    to,
    100,
    (_, respond) => {
      log.push("arrived");
      respond("yes");
    },
    (answer, failure) => log.push(answer ?? failure ?? ""),
  );
}

describe("the agenda", () => {
  test("gives back by time, and in the order of planning where times are equal", () => {
    assert(
      property(array(integer({ min: 0, max: 20 }), { maxLength: 200 }), (times) => {
        const agenda = new Agenda();
        const taken: (readonly [number, number])[] = [];
        for (const [order, time] of times.entries()) agenda.plan(time, () => taken.push([time, order]));
        while (agenda.size > 0) agenda.take()();
        const planned = times.map((time, order) => [time, order] as const);
        expect(taken).toEqual(planned.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
      }),
    );
  });

  test("also while more is planned in between", () => {
    const random = new Random(7);
    const agenda = new Agenda();
    let lastMs = 0;
    let left = 5000;
    const again = (atMs: number) => (): void => {
      expect(atMs).toBeGreaterThanOrEqual(lastMs);
      lastMs = atMs;
      if (left-- > 0) {
        const nextMs = atMs + random.next() * 10;
        agenda.plan(nextMs, again(nextMs));
      }
    };
    for (let count = 0; count < 50; count++) {
      const atMs = random.next() * 100;
      agenda.plan(atMs, again(atMs));
    }
    while (agenda.size > 0) agenda.take()();
    expect(agenda.nextMs).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("randomness", () => {
  test("is the seed's alone, and fills its range", () => {
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
    // Seeds beyond 32 bits are seeds of their own.
    expect(draw(3 + 2 ** 32)).not.toEqual(draw(3));
    const numbers = draw(5);
    expect(Math.min(...numbers)).toBeLessThan(0.02);
    expect(Math.max(...numbers)).toBeGreaterThan(0.98);
    expect(numbers.reduce((a, b) => a + b) / numbers.length).toBeCloseTo(0.5, 1);
  });
});

describe("clocks", () => {
  test("differ in rate by the drift at most, and turn back into virtual time", () => {
    assert(
      property(integer(), double({ min: 0, max: 0.1, noNaN: true }), (seed, drift) => {
        const world = new World(seed);
        const [one, other] = [drawClock(world, drift), drawClock(world, drift)];
        const rate = (clock: typeof one): number => (clock.at(1e6) - clock.at(0)) / 1e6;
        expect(rate(one) / rate(other)).toBeLessThanOrEqual(1 + drift + 1e-9);
        expect(one.toWorld(one.at(12_345))).toBeCloseTo(12_345, 3);
      }),
    );
  });

  test("a timer never fires early on its own clock", () => {
    const world = new World(1);
    const process = new Process(world, drawClock(world, 0.05), 5, "p");
    for (let count = 0; count < 200; count++) {
      const atMs = process.nowMs() + world.random.next() * 1000;
      let firedAtMs = 0;
      process.timer("t", atMs, () => {
        firedAtMs = process.nowMs();
      });
      world.runUntil(world.nowMs + 2000);
      expect(firedAtMs).toBeGreaterThan(atMs);
    }
  });
});

describe("a process", () => {
  test("takes nothing in while it is paused, and everything once it goes on", () => {
    const { world, process, fired } = make();
    process.timer("t", process.nowMs() + 10, () => fired.push("timer"));
    process.after(20, () => fired.push("message"));
    process.pause();
    world.runUntil(1000);
    expect(fired).toEqual([]);
    process.resume();
    expect(fired.toSorted()).toEqual(["message", "timer"]);
  });

  test("does nothing more once it is dead", () => {
    const { world, process, fired } = make();
    process.timer("t", process.nowMs() + 10, () => fired.push("timer"));
    process.after(20, () => fired.push("message"));
    process.kill();
    world.runUntil(1000);
    expect(fired).toEqual([]);
  });

  test("a timer that is set anew or cancelled doesn't fire as it was", () => {
    const { world, process, fired } = make();
    process.timer("a", process.nowMs() + 10, () => fired.push("old"));
    process.timer("a", process.nowMs() + 20, () => fired.push("new"));
    process.timer("b", process.nowMs() + 10, () => fired.push("cancelled"));
    process.timer("b", null, () => {});
    world.runUntil(1000);
    expect(fired).toEqual(["new"]);
  });
});

describe("the network", () => {
  test("brings a request there and its answer back", () => {
    const { world, network, from, to } = pair();
    const log: string[] = [];
    call(network, from, to, log);
    world.runUntil(1.5);
    expect(log).toEqual(["arrived"]);
    world.runUntil(1000);
    expect(log).toEqual(["arrived", "yes"]);
  });

  test.each([
    ["the way there is cut", (network: Network) => network.cut("a", "b"), ["timeout"]],
    ["the way back is cut", (network: Network) => network.cut("b", "a"), ["arrived", "timeout"]],
    ["nothing listens there", (_: Network, to: Host) => (to.process = null), ["refused"]],
    ["the machine is off", (_: Network, to: Host) => ((to.isUp = false), (to.process = null)), ["timeout"]],
    ["the process is paused", (_: Network, to: Host) => to.process?.pause(), ["timeout"]],
  ])("%s", (_, damage, expected) => {
    const { world, network, from, to } = pair();
    const log: string[] = [];
    damage(network, to);
    call(network, from, to, log);
    world.runUntil(1000);
    expect(log).toEqual(expected);
  });

  test("a message that is doubled arrives twice, and is answered once", () => {
    const { world, network, from, to } = pair();
    network.options = { ...GOOD, duplicateProbability: 1, longDelayMs: 500 };
    const log: string[] = [];
    call(network, from, to, log);
    world.runUntil(1000);
    expect(log.filter((word) => word === "arrived")).toHaveLength(2);
    expect(log.filter((word) => word === "yes")).toHaveLength(1);
  });
});
