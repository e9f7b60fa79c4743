/**
 * A user's own configuration under random faults: how available each service was, its worst gap with
 * the story of it, and whether each invariant held.
 */
import { movesOf, type ToldMove } from "../core/explain-moves.ts";
import type { JournalEntry } from "../core/arbiter-io.ts";
import type { ClusterModel, EventDraft } from "../core/model.ts";
import { Availability, type Gap } from "./availability.ts";
import { watchBlackout } from "./checkers/blackout.ts";
import { watchRecovery } from "./checkers/recovery.ts";
import { healEverything } from "./faults.ts";
import { ownSimulation, placesOf, SETTLING_MS } from "./own-cluster.ts";
import { PlaceFaults, type Fault } from "./place-faults.ts";
import type { Simulation } from "./simulation.ts";

export interface WorstGap {
  readonly ms: number;
  /** Since the beginning of the run. */
  readonly atMs: number;
  /** What was broken then. */
  readonly faults: readonly string[];
  /** As `arbiter explain` tells it; `…WallMs` count from the beginning of the run. */
  readonly moves: readonly ToldMove[];
}

export interface ServiceResult {
  readonly name: string;
  /** 0 to 1. */
  readonly availability: number;
  readonly downMs: number;
  readonly gaps: number;
  readonly worstGap: WorstGap | null;
  readonly failovers: number;
  readonly planned: number;
  /** Gaps longer than `boundMs` although no more than one thing was broken. */
  readonly notKept: readonly WorstGap[];
  readonly boundMs: number;
}

export interface RunResult {
  readonly virtualMs: number;
  readonly faults: number;
  readonly services: readonly ServiceResult[];
  /** What was broken; null: no invariant. */
  readonly violation: string | null;
}

export interface RunOptions {
  readonly model: ClusterModel;
  readonly seed: number;
  readonly lengthMs: number;
  /** Share of it that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
  readonly onTransition?: (arbiter: string, entry: JournalEntry) => void;
}

const SLICES = 400;
/** Events before a gap that belong to its story, and behind it. */
const STORY_MS = 30_000;
/** A start takes its time, and so does a back-off after a failed one. */
const GRACE_MS = 5_000;

/** Gives the loop a turn between two slices, so that progress is seen. */
export async function runOwn({
  model,
  seed,
  lengthMs,
  onProgress,
  onTransition,
}: RunOptions): Promise<RunResult> {
  const simulation = ownSimulation(model, seed);
  const events: EventDraft[] = [];
  // Clocks differ by machine; the world's own is the one that a story is told by.
  simulation.onEvent = (_, event): void => void events.push({ ...event, atWallMs: simulation.world.nowMs });
  simulation.onTransition = onTransition ?? null;
  const availability = new Availability(simulation);
  const faults = new PlaceFaults(simulation, availability, placesOf(model).places);
  const { world } = simulation;
  world.runUntil(SETTLING_MS);
  availability.begin();
  faults.begin();
  for (let slice = 1; slice <= SLICES && !world.isOver; slice += 1) {
    world.runUntil(SETTLING_MS + (lengthMs * slice) / SLICES);
    onProgress?.(slice / SLICES);
    await nextTurn();
  }
  const spanMs = availability.lengthMs;
  const gaps = new Map(model.services.map(({ name }) => [name, availability.gapsOf(name)]));
  faults.end();
  endWell(simulation);
  const told = { model, events, faults: faults.all, spanMs };
  return {
    virtualMs: spanMs,
    faults: faults.all.length,
    services: model.services.map(({ name }) => resultOf(name, gaps.get(name) ?? [], told)),
    violation: simulation.failure === null ? null : messageOf(simulation.failure),
  };
}

function nextTurn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  return promise;
}

/**
 * A bad edit changes nothing (I6); everything heals, and each service has a holder again within the
 * bound (I7); then every arbiter and the store are gone, and each holder goes on (I4).
 */
function endWell(simulation: Simulation): void {
  if (simulation.failure !== null) return;
  try {
    for (const host of simulation.arbiters) host.refuseEdit();
    healEverything(simulation);
    watchRecovery(simulation);
    if (simulation.failure === null) watchBlackout(simulation);
  } catch (error) {
    simulation.fail(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface Told {
  readonly model: ClusterModel;
  readonly events: readonly EventDraft[];
  readonly faults: readonly Fault[];
  readonly spanMs: number;
}

function resultOf(name: string, gaps: readonly Gap[], told: Told): ServiceResult {
  const { model, events, spanMs } = told;
  const spec = model.services.find((service) => service.name === name);
  if (spec === undefined) throw new Error(`no service ${name}`);
  const downMs = gaps.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  const [worst] = gaps.toSorted((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs));
  const moves = movesOf(name, spec.candidates, events);
  const boundMs = longestMs(model, spec);
  const notKept = gaps.filter(
    (gap) => gap.toMs - gap.fromMs > boundMs && faultsAt(gap, told.faults).length < 2,
  );
  const tell = (gap: Gap): WorstGap => ({
    ms: gap.toMs - gap.fromMs,
    atMs: gap.fromMs - SETTLING_MS,
    faults: faultsAt(gap, told.faults).map(({ text }) => text),
    moves: moves
      .filter(
        ({ beganWallMs, endedWallMs }) =>
          beganWallMs < gap.toMs + STORY_MS && (endedWallMs ?? Infinity) > gap.fromMs,
      )
      .filter(
        ({ endedWallMs, beganWallMs }) =>
          (endedWallMs ?? Infinity) >= gap.toMs - STORY_MS && beganWallMs <= gap.toMs,
      ),
  });
  const count = (...kinds: ToldMove["kind"][]): number =>
    moves.filter(({ kind }) => kinds.includes(kind)).length;
  return {
    name,
    availability: spanMs === 0 ? 1 : 1 - downMs / spanMs,
    downMs,
    gaps: gaps.length,
    worstGap: worst === undefined ? null : tell(worst),
    failovers: count("failover", "restarted"),
    planned: count("switchover", "failback"),
    notKept: notKept.map((gap) => tell(gap)),
    boundMs,
  };
}

/** What may have to pass one after another when one thing breaks: silence, leases, a new leader, a start. */
function longestMs(model: ClusterModel, spec: ClusterModel["services"][number]): number {
  const leasesMs = (spec.leaseMs + model.arbiterLeaseMs) * (1 + model.clockDrift);
  return 2 * leasesMs + 2 * spec.maxCheckAttempts * spec.checkIntervalMs + GRACE_MS;
}

/** A machine that comes back is as good as one that is still gone: it is asked for a while. */
function faultsAt(gap: Gap, faults: readonly Fault[]): readonly Fault[] {
  return faults.filter(({ fromMs, toMs }) => fromMs <= gap.toMs && toMs + STORY_MS >= gap.fromMs);
}
