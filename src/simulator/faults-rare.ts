/**
 * Faults that need more than a crash or a cut: machines that sleep, clones, daemons that move, processes
 * that die in the middle of a step, edits that are refused, arbiters that stop in good order; and the
 * operator's mistakes: a second store, a lost one, a copy of last week.
 */
import type { ArbiterHost } from "./arbiter-host.ts";
import type { DaemonHost } from "./daemon-host.ts";
import { DaemonHost as Machine } from "./daemon-host.ts";
import type { Process } from "./machine.ts";
import type { FaultOptions } from "./options.ts";
import type { Simulation } from "./simulation.ts";
import type { StoreCopy } from "./store.ts";

export type Inject = (simulation: Simulation) => void;
type RareName =
  | "suspendMeanMs"
  | "cloneMeanMs"
  | "midStepMeanMs"
  | "releaseMeanMs"
  | "moveMeanMs"
  | "badEditMeanMs";

/** A step has rarely more effects. */
const MOST_EFFECTS = 12;

/** As the arbiter's process has it. */
const RELEASE_TIMEOUT_MS = 5000;

export function lasting(simulation: Simulation): number {
  return simulation.world.random.wait(simulation.options.faults.lastsMs);
}

export const RARE_FAULTS: Readonly<Record<RareName & keyof FaultOptions, Inject>> = {
  suspendMeanMs(simulation) {
    const { world } = simulation;
    const host = world.random.pick(simulation.daemons);
    if (!host.isRunning) return;
    world.note("sleep", host.name);
    host.sleep();
    world.after(lasting(simulation), () => {
      world.note("wake", host.name);
      host.wake();
    });
  },
  cloneMeanMs(simulation) {
    const { world, daemons } = simulation;
    const old = world.random.pick(daemons);
    if (!old.isUp || !simulation.isAt(old)) return;
    const clone = new Machine(simulation, old.spec);
    world.note("clone", old.name);
    daemons.push(clone);
    simulation.settle(clone, old.url);
    simulation.wasWiped = true;
    clone.start();
    world.after(lasting(simulation), () => endClone(simulation, old));
  },
  midStepMeanMs(simulation) {
    const { random } = simulation.world;
    const host = random.pick([...simulation.daemons, ...simulation.arbiters]);
    if (host.process !== null) host.crashAfterEffects = random.whole(0, MOST_EFFECTS);
  },
  releaseMeanMs(simulation) {
    const host = simulation.world.random.pick(simulation.arbiters);
    const { process } = host;
    if (process === null) return;
    host.command({ verb: "release" }, () => {});
    endReleased(simulation, host, process);
  },
  moveMeanMs(simulation) {
    const { world, urls } = simulation;
    const host = world.random.pick(simulation.daemons);
    if (!simulation.isAt(host)) return;
    const url = simulation.freshId(`http://${host.name}-`);
    world.note("move", host.name, url);
    // Somebody else may answer where it was.
    const other = world.random.pick(simulation.daemons);
    const before = host.url;
    simulation.settle(host, url);
    if (world.random.chance(0.3) && simulation.isAt(other)) simulation.settle(other, before);
    world.after(lasting(simulation), () => {
      for (const one of simulation.daemons) if (simulation.isAt(one)) urls.set(one.name, one.url);
      simulation.configure(simulation.model);
    });
  },
  badEditMeanMs(simulation) {
    for (const host of simulation.arbiters) host.refuseEdit();
  },
};

/** The store may never take the lead back: then the process ends all the same. */
export function endReleased(simulation: Simulation, host: ArbiterHost, process: Process): void {
  simulation.world.after(RELEASE_TIMEOUT_MS, () => {
    if (host.process !== process) return;
    if (process.isPaused) {
      endReleased(simulation, host, process);
      return;
    }
    host.crash("the store doesn't take the lead back");
    simulation.restartLater(host);
  });
}

/** The machine that lost its name is found, and switched off for good. */
function endClone(simulation: Simulation, old: DaemonHost): void {
  const { daemons } = simulation;
  const place = daemons.indexOf(old);
  if (place < 0) return;
  old.powerOff();
  daemons.splice(place, 1);
}

export function beginMistakes(simulation: Simulation): void {
  const { options, world, store } = simulation;
  if (simulation.stray !== null) startOnceJoined(simulation);
  if (options.losesStore === true) {
    world.at(options.safetyMs * 0.9, () => {
      world.note("the store is emptied");
      store.restore(null);
      simulation.oneHolder.forgetEpochs();
      simulation.reader.leave();
      simulation.orders.forget();
      simulation.wasWiped = true;
    });
  }
  const { restoreEveryMs } = options.faults;
  if (restoreEveryMs > 0) repeatRestore(simulation, restoreEveryMs, store.copy());
}

function repeatRestore(simulation: Simulation, everyMs: number, copy: StoreCopy): void {
  const { world, store, options, reader } = simulation;
  world.after(everyMs * (0.5 + world.random.next()), () => {
    if (world.nowMs >= options.safetyMs) return;
    if (copy.record !== null) {
      world.note("the store is restored, term", copy.record.term);
      store.restore(copy);
      reader.leave();
      // Of a service that it doesn't know at all, nobody knows whom a holder asks: an operator may have to decide.
      if (copy.rows.length < simulation.whole.services.length) simulation.wasWiped = true;
      simulation.orders.forget();
    }
    world.after(everyMs * world.random.next(), () => repeatRestore(simulation, everyMs, store.copy()));
  });
}

/** A daemon that belongs to nobody would obey whoever comes first. */
function startOnceJoined(simulation: Simulation): void {
  const { world, stray, daemons, store, options } = simulation;
  if (world.nowMs >= options.safetyMs) return;
  const clusterId = store.record?.clusterId;
  if (clusterId !== undefined && daemons.every((host) => host.savedClusterId === clusterId)) stray?.start();
  else world.after(options.leaseMs, () => startOnceJoined(simulation));
}

/** The operator finds the second arbiter and the clones, and ends them. */
export function endMistakes(simulation: Simulation): void {
  simulation.stray?.crash("ended by the operator");
  for (const host of simulation.daemons.toReversed()) {
    if (host === simulation.daemon(host.name)) simulation.urls.set(host.name, host.url);
    else endClone(simulation, host);
  }
}

/** Daemons that belong to a cluster that is gone are started to forget it. */
export function reunite(simulation: Simulation): void {
  const clusterId = simulation.store.record?.clusterId;
  if (clusterId === undefined) return;
  for (const host of simulation.daemons) {
    if (host.clusterId === null || host.clusterId === clusterId) continue;
    simulation.world.note("operator: --forget-cluster", host.name);
    host.forgetCluster();
    host.start();
  }
}
