/**
 * The first phase: anything may happen, at the rates that the seed drew. Each fault ends by itself
 * after a while; `healEverything` ends all of them at once for the second phase.
 */
import type { OperatorCommand } from "../core/arbiter-io.ts";
import { drawEdit } from "./edits.ts";
import type { Inject } from "./faults-rare.ts";
import { beginMistakes, endMistakes, lasting, RARE_FAULTS } from "./faults-rare.ts";
import type { Host } from "./network.ts";
import { isOver } from "./operator.ts";
import { beginOperations } from "./operations.ts";
import type { FaultOptions } from "./options.ts";
import type { Simulation } from "./simulation.ts";

type Operations = "membersMeanMs" | "claimMeanMs" | "evenIfAliveMeanMs";
type FaultName = Exclude<keyof FaultOptions, "lastsMs" | "restoreEveryMs" | Operations>;

const FAULTS: Readonly<Record<FaultName, Inject>> = {
  crashMeanMs(simulation) {
    const host = simulation.world.random.pick(simulation.daemons);
    if (!host.isRunning) return;
    host.crash("kill -9");
    simulation.restartLater(host);
  },
  powerMeanMs(simulation) {
    const host = simulation.world.random.pick(simulation.daemons);
    if (!host.isUp) return;
    host.powerOff();
    simulation.world.after(lasting(simulation), () => {
      host.powerOn();
      host.start();
    });
  },
  wipeMeanMs(simulation) {
    const host = simulation.world.random.pick(simulation.daemons);
    if (!host.isUp) return;
    host.wipe();
    simulation.wasWiped = true;
    simulation.restartLater(host);
  },
  pauseMeanMs(simulation) {
    const { process, name } = simulation.world.random.pick(simulation.daemons);
    if (process === null || process.isPaused) return;
    simulation.world.note("pause", name);
    process.pause();
    simulation.world.after(lasting(simulation), () => {
      simulation.world.note("resume", name);
      process.resume();
    });
  },
  stopMeanMs(simulation) {
    const host = simulation.world.random.pick(simulation.daemons);
    if (!host.isRunning) return;
    simulation.world.note("stop", host.name);
    host.stop();
    restartOnceGone(simulation, host.name);
  },
  exitMeanMs(simulation) {
    simulation.world.random.pick(simulation.daemons).exitWork();
  },
  illMeanMs(simulation) {
    const host = simulation.world.random.pick(simulation.daemons);
    simulation.world.note("ill", host.name);
    host.setHealth(false);
    simulation.world.after(lasting(simulation), () => host.setHealth(true));
  },
  partitionMeanMs(simulation) {
    partition(simulation);
  },
  arbiterCrashMeanMs(simulation) {
    const host = simulation.world.random.pick(simulation.arbiters);
    if (host.process === null) return;
    host.crash("kill -9");
    simulation.restartLater(host);
  },
  arbiterPauseMeanMs(simulation) {
    const host = simulation.world.random.pick(simulation.arbiters);
    const { process } = host;
    if (process === null || process.isPaused) return;
    simulation.world.note("pause", host.name);
    process.pause();
    simulation.world.after(lasting(simulation), () => {
      if (host.process !== process) return;
      simulation.world.note("resume", host.name);
      host.resume();
    });
  },
  storeDownMeanMs(simulation) {
    const { store, world } = simulation;
    if (store.isDown) return;
    world.note("store down");
    store.isDown = true;
    world.after(lasting(simulation), () => {
      world.note("store up");
      store.isDown = false;
    });
  },
  commandMeanMs(simulation) {
    const { leader } = simulation;
    if (leader !== null) leader.command(drawCommand(simulation), () => {});
  },
  editMeanMs(simulation) {
    const { random } = simulation.world;
    const rolledBack = random.chance(0.2) ? simulation.olderVersion() : null;
    const { whole, options } = simulation;
    const model = rolledBack ?? drawEdit(whole, random, options.keepsServices ?? false);
    simulation.configure({ ...model, arbiters: whole.arbiters });
  },
  ...RARE_FAULTS,
};

export function beginFaults(simulation: Simulation): void {
  const means: Readonly<Record<string, number>> = { ...simulation.options.faults };
  for (const [name, inject] of Object.entries(FAULTS)) {
    const meanMs = means[name] ?? 0;
    if (meanMs > 0) repeat(simulation, meanMs, inject);
  }
  beginMistakes(simulation);
  beginOperations(simulation);
}

function repeat(simulation: Simulation, meanMs: number, inject: Inject): void {
  const { world, options } = simulation;
  world.after(world.random.wait(meanMs), () => {
    if (world.nowMs >= options.safetyMs) return;
    inject(simulation);
    repeat(simulation, meanMs, inject);
  });
}

function restartOnceGone(simulation: Simulation, name: string): void {
  const host = simulation.daemon(name);
  const { process } = host;
  simulation.world.after(lasting(simulation), () => {
    if (host.process === process && process !== null) restartOnceGone(simulation, name);
    else host.start();
  });
}

/**
 * One link, one host or two halves are cut off, or a daemon from the arbiters alone (then failsafe
 * keeps it), in both directions or in one.
 */
function partition(simulation: Simulation): void {
  const { world, network } = simulation;
  const { random } = world;
  const strays = simulation.stray === null ? [] : [simulation.stray];
  const hosts: readonly Host[] = [...simulation.daemons, ...simulation.arbiters, ...strays];
  const isOneWay = random.chance(0.3);
  const form = random.pick(["link", "host", "halves", "from arbiters", "from arbiters"]);
  const alone = random.pick(form === "from arbiters" ? simulation.daemons : hosts);
  const side = new Set(
    form === "halves" ? hosts.filter(() => random.chance(0.5)).map(({ name }) => name) : [alone.name],
  );
  const other = random.pick(hosts);
  const cuts: [string, string][] = [];
  for (const from of hosts) {
    for (const to of hosts) {
      const isCut = side.has(from.name) && !side.has(to.name);
      if (!isCut || (form === "link" && to !== other)) continue;
      if (form === "from arbiters" && !simulation.arbiters.some(({ name }) => name === to.name)) continue;
      cuts.push([from.name, to.name]);
      if (!isOneWay) cuts.push([to.name, from.name]);
    }
  }
  world.note("partition", form, [...side].join(","), isOneWay ? "one way" : "both ways");
  for (const [from, to] of cuts) network.cut(from, to);
  const { store } = simulation;
  // The store is on one side, too; whoever is cut off from it alone must stop in time.
  const strangers = simulation.arbiters.flatMap(({ name, process }) =>
    form !== "link" && side.has(name) && process !== null && random.chance(0.5) ? [process] : [],
  );
  for (const process of strangers) store.cutOff.add(process);
  world.after(lasting(simulation), () => {
    for (const [from, to] of cuts) network.heal(from, to);
    for (const process of strangers) store.cutOff.delete(process);
    world.note("partition ends");
  });
}

function drawCommand(simulation: Simulation): OperatorCommand {
  const { random } = simulation.world;
  const service = random.pick(simulation.model.services).name;
  const daemon = random.pick(simulation.daemons).name;
  const move = { service, to: random.chance(0.5) ? daemon : null, force: false, evenIfAlive: false };
  switch (random.whole(0, 7)) {
    case 0:
    case 1:
      return { verb: "switchover", ...move };
    case 2:
      return { verb: "failover", ...move, force: isOver(simulation, service) };
    case 3:
      return { verb: "failback", ...move };
    case 4:
      return { verb: "pause", service, reason: "simulated", forMs: lasting(simulation) };
    case 5:
      return { verb: "resume", service };
    case 6:
      return { verb: "transfer", to: random.chance(0.5) ? random.pick(simulation.arbiters).name : null };
    default:
      return { verb: "maintenance", daemon, on: random.chance(0.5), reason: "simulated" };
  }
}

/** The second phase begins: nothing is broken any more. */
export function healEverything(simulation: Simulation): void {
  const { network, store, world, options } = simulation;
  world.note("everything heals");
  network.healAll();
  network.options = {
    ...options.network,
    lossProbability: 0,
    duplicateProbability: 0,
    longDelayProbability: 0,
  };
  store.isDown = false;
  store.cutOff.clear();
  store.options = { ...options.store, unknownProbability: 0, slowProbability: 0 };
  endMistakes(simulation);
  for (const host of simulation.daemons) {
    host.powerOn();
    host.wake();
    host.process?.resume();
    host.setHealth(true);
    host.start();
  }
  // One edit brings everything back; an arbiter isn't started before its file is there.
  const isEdited = simulation.absent.size > 0;
  simulation.absent.clear();
  if (isEdited) simulation.configure(simulation.whole);
  for (const host of simulation.arbiters) {
    host.resume();
    host.start();
  }
  if (!isEdited) simulation.configure(simulation.whole);
}
