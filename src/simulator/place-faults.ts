/**
 * What happens to ordinary machines, drawn at random, far more often than in life: a program crashes, a
 * host is lost, frozen or cut off, a holder is cut off from the arbiters alone, an arbiter dies, the
 * store is away, a program falls ill. Each ends by itself; when each began and ended is kept.
 */
import type { Availability } from "./availability.ts";
import type { Place } from "./own-cluster.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

export interface Fault {
  readonly text: string;
  readonly fromMs: number;
  toMs: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
/** Between two faults, on average. */
export const FAULT_EVERY_MS: number = 10 * MINUTE_MS;

export class PlaceFaults {
  readonly #simulation: Simulation;
  readonly #availability: Availability;
  readonly #places: readonly Place[];
  readonly all: Fault[] = [];
  readonly #kinds: readonly (() => void)[];
  /** Of its own: with another lease the same faults come at the same times. */
  readonly #random: Random;
  /** Drawn for the fault that is next, whether it can happen or not. */
  #draw = { which: 0, coin: 0, share: 0 };
  #isOver = false;

  constructor(simulation: Simulation, availability: Availability, places: readonly Place[]) {
    this.#simulation = simulation;
    this.#availability = availability;
    this.#places = places;
    this.#random = simulation.world.stream("what happens to places");
    this.#kinds = [
      () => this.#crash(),
      () => this.#lose(),
      () => this.#freeze(),
      () => this.#cutOff(),
      () => this.#cutFromArbiters(),
      () => this.#killArbiter(),
      () => this.#loseStore(),
      () => this.#fallIll(),
    ];
  }

  begin(): void {
    const random = this.#random;
    this.#simulation.world.after(random.wait(FAULT_EVERY_MS), () => {
      if (this.#isOver) return;
      const happen = random.pick(this.#kinds);
      this.#draw = { which: random.next(), coin: random.next(), share: random.wait(1) };
      happen();
      this.begin();
    });
  }

  end(): void {
    this.#isOver = true;
  }

  #one<T>(list: readonly T[]): T {
    const one = list[Math.floor(this.#draw.which * list.length)];
    if (one === undefined) throw new Error("simulator: nothing to choose from");
    return one;
  }

  /** A fault that heals itself after a while of about so long. */
  #during(text: string, meanMs: number, heal: () => void): void {
    const { world } = this.#simulation;
    const fault: Fault = { text, fromMs: world.nowMs, toMs: Infinity };
    this.all.push(fault);
    world.after(SECOND_MS + meanMs * this.#draw.share, () => {
      fault.toMs = world.nowMs;
      if (!this.#isOver) heal();
    });
  }

  #crash(): void {
    const { daemons } = this.#simulation;
    const host = this.#one(daemons);
    if (!host.isRunning || !host.isUp || host.process?.isPaused === true) return;
    if (host.isLaunched && this.#draw.coin < 0.5) {
      host.exitWork();
      this.#during(`the program of ${host.name} crashes`, 0, () => {});
      return;
    }
    host.crash("kill -9");
    this.#during(`${host.name} is killed`, 10 * SECOND_MS, () => host.start());
  }

  #lose(): void {
    const place = this.#one(this.#places);
    losePlace(this.#simulation, place);
    this.#during(`${place.name} loses its power`, 3 * MINUTE_MS, () => restorePlace(this.#simulation, place));
  }

  #freeze(): void {
    const place = this.#one(this.#places);
    const daemons = place.daemons.map((name) => this.#simulation.daemon(name));
    const paused = daemons.flatMap(({ process }) => (process === null || process.isPaused ? [] : [process]));
    const arbiters = this.#arbitersAt(place).filter(({ process }) => process !== null && !process.isPaused);
    for (const process of paused) process.pause();
    for (const { process } of arbiters) process?.pause();
    for (const name of place.daemons) this.#availability.setIdle(name, true);
    this.#during(`${place.name} stands still`, 10 * SECOND_MS, () => {
      for (const name of place.daemons) this.#availability.setIdle(name, false);
      for (const process of paused) process.resume();
      for (const host of arbiters) host.resume();
    });
  }

  #cutOff(): void {
    const place = this.#one(this.#places);
    const own = new Set([...place.daemons, ...place.arbiters]);
    const others = this.#places
      .flatMap(({ daemons, arbiters }) => [...daemons, ...arbiters])
      .filter((name) => !own.has(name));
    this.#cut(`${place.name} is cut off from all others`, [...own], others);
  }

  #cutFromArbiters(): void {
    const place = this.#one(this.#places.filter(({ daemons }) => daemons.length > 0));
    const arbiters = this.#simulation.arbiters
      .map(({ name }) => name)
      .filter((name) => !place.arbiters.includes(name));
    this.#cut(`${place.name} is cut off from the arbiters alone`, place.daemons, arbiters);
  }

  #cut(text: string, side: readonly string[], others: readonly string[]): void {
    const { network } = this.#simulation;
    const pairs = side.flatMap((one) => others.map((other) => [one, other] as const));
    for (const [one, other] of pairs) {
      network.cut(one, other);
      network.cut(other, one);
    }
    this.#during(text, MINUTE_MS, () => {
      for (const [one, other] of pairs) {
        network.heal(one, other);
        network.heal(other, one);
      }
    });
  }

  #killArbiter(): void {
    const host = this.#one(this.#simulation.arbiters);
    if (host.process === null || host.process.isPaused) return;
    host.crash("kill -9");
    this.#during(`${host.name} is killed`, 10 * SECOND_MS, () => host.start());
  }

  #loseStore(): void {
    const { store } = this.#simulation;
    if (store.isDown) return;
    store.isDown = true;
    this.#during("the store is away", MINUTE_MS, () => {
      store.isDown = false;
    });
  }

  #fallIll(): void {
    const host = this.#one(this.#simulation.daemons);
    if (!host.isRunning || !host.isHealthy) return;
    host.setHealth(false);
    this.#availability.setIdle(host.name, true);
    this.#during(`the program of ${host.name} is ill`, MINUTE_MS, () => {
      host.setHealth(true);
      this.#availability.setIdle(host.name, false);
    });
  }

  #arbitersAt(place: Place): Simulation["arbiters"] {
    return this.#simulation.arbiters.filter(({ name }) => place.arbiters.includes(name));
  }
}

export function losePlace(simulation: Simulation, place: Place): void {
  for (const name of place.daemons) if (simulation.daemon(name).isUp) simulation.daemon(name).powerOff();
  for (const host of simulation.arbiters) if (place.arbiters.includes(host.name)) host.crash("no power");
}

function restorePlace(simulation: Simulation, place: Place): void {
  for (const name of place.daemons) {
    simulation.daemon(name).powerOn();
    simulation.daemon(name).start();
  }
  for (const host of simulation.arbiters) if (place.arbiters.includes(host.name)) host.start();
}
