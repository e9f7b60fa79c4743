/**
 * Attacks on one rule each: a start that is played, again and again, with a random end. Random faults
 * alone would seldom come together in this way.
 */
import { readFileSync } from "node:fs";
import { recovers } from "../../../src/core/invariants.ts";
import type { ClusterModel } from "../../../src/core/model.ts";
import type { Overrides } from "../../../src/simulator/options.ts";
import { DaemonHost } from "../../../src/simulator/daemon-host.ts";
import { Random } from "../../../src/simulator/random.ts";
import { mustHold } from "../../../src/simulator/violation.ts";
import { LEASE_MS } from "../aims.ts";
import { Scene } from "../../transcripts/scene.ts";
import { PLOTS } from "../../transcripts/scenes.ts";
import { Stage } from "../stage.ts";
import { longerUnwritten, renamedUnseen } from "./attacks-edits.ts";

/** What was found; null: nothing. */
export type Attack = (seed: number) => string | null;

const CYCLES = 8;
/** Longer than a daemon stays for its farewell. */
const GONE_MS = 6000;

function played(
  seed: number,
  over: Overrides,
  cycle: (stage: Stage, random: Random) => boolean,
): string | null {
  const random = new Random(seed, 0xa77ac);
  const stage = new Stage(seed, over);
  try {
    stage.pass(10_000);
    for (let count = 0; count < CYCLES && cycle(stage, random); count++) {
      stage.simulation.network.healAll();
      stage.pass(6 * LEASE_MS);
    }
    return null;
  } catch (error) {
    const { failure } = stage.simulation;
    return failure instanceof Error ? failure.message : String(error);
  }
}

/** The holder, and the one that waits. Null: nobody holds it now, and there is nothing to attack. */
function pair(stage: Stage): { holder: string; waiting: string } | null {
  const holder = stage.active();
  return holder === null ? null : { holder, waiting: holder === "m1" ? "s1" : "m1" };
}

/**
 * No arbiter is there, and the candidate is stopped: the holder goes on by a promise without end. Then
 * the holder is cut off from everybody, the candidate comes back, and with it an arbiter.
 */
function lonely(seed: number, power: boolean): string | null {
  return played(seed, {}, (stage, random) => {
    const names = pair(stage);
    const [arbiter] = stage.simulation.arbiters;
    if (names === null) return false;
    const candidate = stage.simulation.daemon(names.waiting);
    arbiter?.crash("kill -9");
    stage.pass(random.between(0, 2 * LEASE_MS));
    candidate.stop();
    if (power) {
      // As soon as it has said it.
      for (let ms = 0; ms < GONE_MS && (candidate.state?.endless.size ?? 0) === 0; ms++) stage.pass(1);
      stage.pass(random.between(0, 10));
      candidate.powerOff();
    }
    for (let ms = 0; ms < GONE_MS && candidate.process !== null; ms += 10) stage.pass(10);
    stage.pass(random.between(0, 4 * LEASE_MS));
    stage.cut(names.holder, [names.waiting, "a1"]);
    candidate.powerOn();
    candidate.start();
    arbiter?.start();
    stage.pass(5 * LEASE_MS);
    return true;
  });
}

const LINGERING: Overrides = {
  network: {
    leastDelayMs: 0.5,
    jitterMs: 1,
    lossProbability: 0.05,
    duplicateProbability: 0.2,
    longDelayProbability: 0.15,
    longDelayMs: 2 * LEASE_MS,
  },
};

/** The candidate is stopped and started again and again while questions and answers linger. */
function backAndForth(seed: number): string | null {
  return played(seed, LINGERING, (stage, random) => {
    const names = pair(stage);
    const [arbiter] = stage.simulation.arbiters;
    if (names === null) return false;
    const candidate = stage.simulation.daemon(names.waiting);
    arbiter?.crash("kill -9");
    stage.pass(random.between(0, LEASE_MS));
    for (let times = random.whole(1, 4); times > 0; times--) {
      candidate.stop();
      stage.pass(random.between(0, 1.5 * LEASE_MS));
      candidate.crash("kill -9");
      candidate.start();
      stage.pass(random.between(0, LEASE_MS));
    }
    stage.cut(names.holder, [names.waiting, "a1"]);
    arbiter?.start();
    stage.pass(5 * LEASE_MS);
    return true;
  });
}

/**
 * A candidate joins, and the renewal that tells the holder of it comes late: when the holder already goes
 * by the promise of the other one. The arbiter hears that the holder has taken the new set, and nothing
 * can be said to the holder any more. `answerMs`: how much later the other one's promise comes.
 */
function lateRenewal(seed: number, answerMs: number): string | null {
  const random = new Random(seed, 0x1a7e);
  const stage = new Stage(seed, {
    spares: 2,
    isLaunched: false,
    killGraceMs: 0,
    drainMarginMs: 1,
    workload: { ...WORK, hangProbability: 1 },
  });
  const { simulation } = stage;
  const { whole, network } = simulation;
  const calm = network.options;
  const without = (name: string): ClusterModel => ({
    ...whole,
    daemons: whole.daemons.filter((daemon) => daemon.name !== name),
    services: whole.services.map(({ candidates, ...rest }) => ({
      ...rest,
      candidates: candidates.filter((one) => one !== name),
    })),
  });
  const slowly = (delayMs: number, until: () => boolean): void => {
    network.options = { ...calm, leastDelayMs: delayMs };
    for (let steps = 0; steps < 20_000 && !until(); steps++) stage.pass(0.1);
    network.options = calm;
  };
  try {
    simulation.configure(without("s2"));
    stage.pass(10_000);
    const holder = simulation.daemon("m1");
    const { leader } = simulation;
    const view = leader?.state?.services.get("m1");
    const lease = (): number => holder.state?.held.get("m1")?.leaseEndMs ?? 0;
    const seq = (): number => leader?.state?.seq ?? 0;
    simulation.configure(whole);
    for (let ms = 0; ms < 2000 && view?.row.candidates.list.length !== 3; ms++) stage.pass(0.1);
    // The next word to the holder takes more than half a lease; then nothing reaches it any more.
    const [leaseBefore, seqBefore] = [lease(), seq()];
    slowly(
      LEASE_MS * random.between(0.62, 0.72),
      () => seq() > seqBefore && view?.acknowledgedSet !== undefined,
    );
    network.cut("a1", "m1");
    // Nor does the holder reach the new one.
    stage.cut("m1", ["s2"]);
    // It asks, and is promised.
    const asked = simulation.promisesAsked;
    while (simulation.promisesAsked === asked && holder.process !== null) stage.pass(0.1);
    if (answerMs > 0) slowly(answerMs, () => simulation.promisesAsked > asked + 3);
    for (let ms = 0; ms < LEASE_MS && holder.state?.held.get("m1")?.candidates.list.length !== 3; ms++)
      stage.pass(1);
    stage.pass(random.between(1, 20) + answerMs);
    if (lease() === leaseBefore) return null;
    // An unasked report, and then it is alone.
    holder.tell({ kind: "healthChanged", healthy: true, ready: false, reason: "" });
    stage.pass(5);
    stage.cut("m1", ["a1", "s1", "s2"]);
    stage.pass(2 * LEASE_MS);
    return null;
  } catch (error) {
    const { failure } = simulation;
    return failure instanceof Error ? failure.message : String(error);
  }
}

const WORK = {
  activationMs: 50,
  demotionMs: 50,
  failProbability: 0,
  syncMs: 2,
  latenessMs: 1,
} as const;

/**
 * Another machine answers where a candidate was, under its name, and the candidate itself has moved. The
 * holder, whom nobody can tell, asks at the old address; the arbiter reaches the candidate at the new one.
 */
function movedState(seed: number): string | null {
  return played(seed, {}, (stage, random) => {
    const { simulation } = stage;
    const holder = stage.active();
    if (holder !== "m1") return false;
    const moved = simulation.daemon("s1");
    const url = moved.url;
    stage.cut(holder, ["a1"]);
    stage.pass(random.between(0, LEASE_MS / 4));
    simulation.settle(moved, simulation.freshId("http://s1-"));
    const other = new DaemonHost(simulation, moved.spec);
    simulation.daemons.unshift(other);
    simulation.settle(other, url);
    other.start();
    simulation.urls.set("s1", moved.url);
    simulation.configure(simulation.model);
    stage.pass(5 * LEASE_MS);
    return false;
  });
}

/**
 * The leader and the holder on one side, the store and everybody else on the other. With `isSlow`, the
 * answer to the leader's last beat takes its time; with `isReleased`, the leader has given up its lead.
 */
interface Split {
  readonly isSlow?: boolean;
  readonly isReleased?: boolean;
  /** The arbiters still reach each other. */
  readonly isHeard?: boolean;
  /** A third arbiter is on the leader's side. */
  readonly hasFriend?: boolean;
}

function twoLeaders(seed: number, { isSlow, isReleased, isHeard, hasFriend }: Split): string | null {
  const over: Overrides = {
    arbiters: hasFriend === true ? 3 : 2,
    arbiterLeaseMs: 4000,
    leaseMs: 300,
    checkIntervalMs: 50,
    timeoutMs: 30,
    killGraceMs: 5,
    clockDrift: isSlow === true || isHeard === true || hasFriend === true ? 0.01 : 0.2,
    onArbiterLoss: "demote",
    isLaunched: false,
  };
  return played(seed, over, (stage, random) => {
    const { simulation } = stage;
    const { store, leader } = simulation;
    const names = pair(stage);
    const other = simulation.arbiters.find((one) => one !== leader);
    if (leader === null || leader.process === null || other === undefined || names === null) return false;
    const { options } = store;
    if (isSlow === true) {
      while (leader.state?.leadership.calling === true) stage.pass(1);
      store.options = { ...options, latencyMs: random.between(1600, 2300) };
      while (leader.state?.leadership.calling === false) stage.pass(1);
      store.options = options;
    } else stage.pass(random.between(0, 1000));
    if (isReleased === true) {
      leader.command({ verb: "release" }, () => {});
      for (let ms = 0; ms < 100 && store.record?.released !== true; ms++) stage.pass(1);
    }
    if (leader.process !== null) store.cutOff.add(leader.process);
    const here = [leader.name, names.holder];
    const friend = simulation.arbiters.find((one) => one !== leader && one !== other);
    if (friend !== undefined) here.push(friend.name);
    if (friend?.process != null) store.cutOff.add(friend.process);
    for (const name of here) stage.cut(name, [other.name, names.waiting]);
    if (isHeard === true) {
      simulation.network.heal(leader.name, other.name);
      simulation.network.heal(other.name, leader.name);
    }
    stage.pass(12_000);
    store.cutOff.clear();
    return true;
  });
}

/** A leader is frozen past its leadership's end while a beat of it is on its way, and then hears that it was taken. */
function frozenLeader(seed: number): string | null {
  return played(seed, { arbiters: 2, store: SLOW_STORE }, (stage) => {
    const { leader } = stage.simulation;
    if (leader === null) return false;
    while (leader.state?.leadership.calling === false) stage.pass(1);
    leader.process?.pause();
    stage.pass(1600);
    leader.resume();
    stage.pass(5000);
    return true;
  });
}

/** Another leads within two leaderships, waits for a lease, and gives the service to the one that waits. */
const MOVED_MS = 4 * 1000 + 2 * LEASE_MS;

/**
 * The leader alone can't reach the store, and then its holder loses its power: the others can write, so one
 * of them leads, and the service moves. Or nobody can: then the leader stays, by the promises of the others.
 */
function withoutStore(seed: number): string | null {
  return played(seed, { arbiters: 3, arbiterLeaseMs: 1000 }, (stage, random) => {
    const { simulation } = stage;
    const { leader, store } = simulation;
    const names = pair(stage);
    if (leader === null || leader.process === null || names === null) return false;
    if (random.chance(0.5)) {
      store.isDown = true;
      stage.pass(8000);
      mustHold(simulation.leader === leader ? null : `I4: ${leader.name} doesn't lead on without the store`);
    } else {
      store.cutOff.add(leader.process);
      stage.pass(random.between(0, 4000));
      const holder = simulation.daemon(names.holder);
      holder.powerOff();
      stage.pass(MOVED_MS);
      mustHold(recovers("m1", stage.active() === names.waiting ? 0 : MOVED_MS, MOVED_MS - 1));
      holder.powerOn();
      holder.start();
    }
    store.isDown = false;
    store.cutOff.clear();
    return true;
  });
}

/**
 * The store is restored to before a move, and whom the service went to can't be reached. The leader finds
 * out; that goes with its commit, whose outcome isn't known, or, once it is on disk, with the leader.
 */
function lostPast(seed: number, isRestarted: boolean): string | null {
  return played(seed, {}, (stage, random) => {
    const { simulation } = stage;
    const { store } = simulation;
    const [arbiter] = simulation.arbiters;
    const names = pair(stage);
    if (names === null || arbiter === undefined) return false;
    const until = (isSo: () => boolean, stepMs: number): void => {
      for (let ms = 0; ms < LEASE_MS && !isSo(); ms += stepMs) stage.pass(stepMs);
    };
    const copy = store.copy();
    const move = {
      verb: "switchover",
      service: "m1",
      to: names.waiting,
      force: false,
      evenIfAlive: false,
    } as const;
    arbiter.command(move, () => {});
    until(() => stage.active() === names.waiting, 1);
    if (stage.active() !== names.waiting) return false;
    stage.pass(random.between(0, LEASE_MS));
    stage.cut(names.waiting, [names.holder, "a1"]);
    store.restore(copy);
    simulation.reader.leave();
    simulation.orders.forget();
    if (isRestarted) {
      until(() => store.rowOf("m1")?.pastLost === true, 1);
      arbiter.crash("kill -9");
      arbiter.start();
    } else {
      const { options } = store;
      until(() => arbiter.state?.leadership.mode === "loading", 0.1);
      store.options = { ...options, unknownProbability: 1 };
      until(() => arbiter.state?.leadership.needsNewTerm === true, 0.05);
      store.options = options;
    }
    stage.pass(5 * LEASE_MS);
    return true;
  });
}

/**
 * An arbiter comes to the files while the only one that leads, and is listed, can't reach the store. It is
 * on the store's side, with the candidate that waits; the leader goes on with its holder, without an end.
 */
function newcomer(seed: number): string | null {
  return played(seed, { arbiters: 2, arbiterLeaseMs: 1000 }, (stage, random) => {
    const { simulation } = stage;
    const { leader, store, absent, whole } = simulation;
    const other = simulation.arbiters.find((one) => one !== leader);
    if (leader === null || leader.process === null || other === undefined) return false;
    absent.add(other.name);
    other.crash("it leaves");
    simulation.configure(whole);
    stage.pass(random.between(3000, 5000));
    const names = pair(stage);
    if (names === null) return false;
    store.cutOff.add(leader.process);
    for (const name of [leader.name, names.holder]) stage.cut(name, [other.name, names.waiting]);
    absent.delete(other.name);
    simulation.configure(whole);
    other.start();
    stage.pass(12_000);
    store.cutOff.clear();
    return true;
  });
}

const SLOW_STORE = { latencyMs: 100, unknownProbability: 0, slowProbability: 0, slowMs: 0 } as const;

const TRANSCRIPTS = new URL("../../transcripts/", import.meta.url);

/** What an operator sees of each row of what happens when: it is written down. */
function transcripts(): string | null {
  for (const { file, row, bound, play, over } of PLOTS) {
    const scene = new Scene(over);
    let text: string;
    try {
      play(scene);
      text = scene.text(row, bound);
    } catch (error) {
      return `${row}: ${String(error).slice(0, 200)}`;
    }
    if (text !== readFileSync(new URL(`${file}.txt`, TRANSCRIPTS), "utf8"))
      return `another story of "${row}"`;
  }
  return null;
}

export type AttackName =
  | "lonely"
  | "lonely, and power"
  | "back and forth"
  | "moved state"
  | "frozen leader"
  | "two leaders"
  | "two leaders, released"
  | "two leaders, promised"
  | "two leaders, a friend's promise"
  | "transcripts"
  | "without the store"
  | "lost past, lost commit"
  | "lost past, lost leader"
  | "newcomer"
  | "two leaders, slow store"
  | "late renewal"
  | "renamed unseen"
  | "longer, unwritten"
  | "late renewal, later answer";

export const ATTACKS: Readonly<Record<AttackName, Attack>> = {
  lonely: (seed) => lonely(seed, false),
  "lonely, and power": (seed) => lonely(seed, true),
  "back and forth": backAndForth,
  "moved state": movedState,
  "frozen leader": frozenLeader,
  "two leaders": (seed) => twoLeaders(seed, {}),
  "two leaders, slow store": (seed) => twoLeaders(seed, { isSlow: true }),
  "two leaders, released": (seed) => twoLeaders(seed, { isReleased: true }),
  "two leaders, promised": (seed) => twoLeaders(seed, { isHeard: true }),
  "two leaders, a friend's promise": (seed) => twoLeaders(seed, { hasFriend: true }),
  transcripts,
  "without the store": withoutStore,
  "lost past, lost commit": (seed) => lostPast(seed, false),
  "lost past, lost leader": (seed) => lostPast(seed, true),
  newcomer,
  "renamed unseen": renamedUnseen,
  "longer, unwritten": longerUnwritten,
  "late renewal": (seed) => lateRenewal(seed, 0),
  "late renewal, later answer": (seed) => lateRenewal(seed, LEASE_MS * 0.3),
};
