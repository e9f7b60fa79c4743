/**
 * What operators do besides breaking things: arbiters that leave the configuration and come back to it,
 * perhaps on a new machine; `leader claim`; `failover --force --even-if-alive`; windows for failback. All
 * of it is drawn from a source of its own, so that the faults of a seed stay what they were.
 */
import type { ArbiterHost } from "./arbiter-host.ts";
import { endReleased } from "./faults-rare.ts";
import { claimIfGone, isOver } from "./operator.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

type Operate = (simulation: Simulation, random: Random) => void;

export function beginOperations(simulation: Simulation): void {
  const { world, options } = simulation;
  const random = world.stream("operations");
  const { membersMeanMs = 0, claimMeanMs = 0, evenIfAliveMeanMs = 0 } = options.faults;
  const { failbackWindow } = options;
  repeat(simulation, random, membersMeanMs, changeMembers);
  repeat(simulation, random, claimMeanMs, claimIfGone);
  repeat(simulation, random, evenIfAliveMeanMs, declareDeadAtAnyRate);
  if (failbackWindow !== undefined) openWindows(simulation, random);
}

function repeat(simulation: Simulation, random: Random, meanMs: number, operate: Operate): void {
  const { world, options } = simulation;
  if (meanMs === 0) return;
  world.after(random.wait(meanMs), () => {
    if (world.nowMs >= options.safetyMs) return;
    operate(simulation, random);
    repeat(simulation, random, meanMs, operate);
  });
}

/** It goes on opening in the second phase: a service may well be given back there. */
function openWindows(simulation: Simulation, random: Random): void {
  const { world, windows, options } = simulation;
  const { everyMs, forMs } = options.failbackWindow ?? { everyMs: 0, forMs: 0 };
  world.after(random.wait(everyMs), () => {
    world.note("a window opens");
    windows.opened(world.nowMs, forMs);
    for (const arbiter of simulation.arbiters) arbiter.windowOpened();
    openWindows(simulation, random);
  });
}

/** One comes back, or one leaves: first from the files and then from its machine, or the other way round. */
function changeMembers(simulation: Simulation, random: Random): void {
  const { absent, whole } = simulation;
  const arbiter = random.pick(simulation.arbiters);
  if (absent.has(arbiter.name)) join(simulation, random, arbiter);
  else if (electableBut(simulation, arbiter) > 0) leave(simulation, random, arbiter);
  else if (random.chance(0.5)) replaceMachine(simulation, arbiter);
  simulation.world.note("arbiters", whole.arbiters.length - absent.size, "of", whole.arbiters.length);
}

function electableBut({ whole, absent }: Simulation, { name }: ArbiterHost): number {
  return whole.arbiters.filter((one) => one.electable && one.name !== name && !absent.has(one.name)).length;
}

function edit(simulation: Simulation): void {
  simulation.configure({ ...simulation.model, arbiters: simulation.whole.arbiters });
}

function join(simulation: Simulation, random: Random, arbiter: ArbiterHost): void {
  simulation.absent.delete(arbiter.name);
  simulation.world.note("joins", arbiter.name);
  edit(simulation);
  // Whoever didn't get to stop it finds it running, with the files of then.
  if (arbiter.process !== null && random.chance(0.5)) return;
  if (random.chance(0.5)) arbiter.wipe();
  else arbiter.crash("started anew");
  arbiter.start();
}

function leave(simulation: Simulation, random: Random, arbiter: ArbiterHost): void {
  const { world, options } = simulation;
  const stop = (): void => {
    if (!simulation.absent.has(arbiter.name)) return;
    const { process } = arbiter;
    if (process === null) return;
    if (random.chance(0.5)) {
      arbiter.command({ verb: "release" }, () => {});
      endReleased(simulation, arbiter, process);
    } else arbiter.crash("leaves");
  };
  simulation.absent.add(arbiter.name);
  world.note("leaves", arbiter.name);
  if (random.chance(0.3)) stop();
  edit(simulation);
  world.after(random.wait(options.faults.lastsMs), stop);
}

/** The only arbiter's machine is replaced: under its name, and without its state folder. */
function replaceMachine(simulation: Simulation, arbiter: ArbiterHost): void {
  simulation.world.note("another machine", arbiter.name);
  arbiter.wipe();
  simulation.restartLater(arbiter);
}

/**
 * `--even-if-alive` by somebody who knows that the holder is dead although a promise or an answer of its
 * new start speaks for it; or, where mistakes are made, by somebody who doesn't.
 */
function declareDeadAtAnyRate(simulation: Simulation, random: Random): void {
  const { leader, oneHolder, options } = simulation;
  const { name: service } = random.pick(simulation.model.services);
  const epoch = leader?.state?.services.get(service)?.row.epoch ?? 0;
  if (leader === null || epoch === 0) return;
  const isKnown = isOver(simulation, service);
  if (!isKnown && options.mistakes !== true) return;
  // Whoever holds it by then was meant: from now on it is the operator who answers for two.
  if (!isKnown) oneHolder.disown(service, epoch);
  const to = random.chance(0.5) ? random.pick(simulation.daemons).name : null;
  simulation.world.note("--even-if-alive", service, epoch, isKnown);
  leader.command({ verb: "failover", service, to, force: true, evenIfAlive: true }, (answer) =>
    simulation.world.note("answer", answer.status, answer.text),
  );
}
