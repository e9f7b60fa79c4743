/**
 * What a reload would move, found by making it: the cluster as it stands is set up in the simulator, the
 * edit is taken there, and what moves by itself within the next minutes is told with its reason.
 */
import { movesOf, type ToldMove } from "../core/explain-moves.ts";
import { presentOf } from "../core/explain-now.ts";
import type { OperatorCommand } from "../core/arbiter-io.ts";
import type { ClusterModel, EventDraft } from "../core/model.ts";
import { DaemonHost } from "./daemon-host.ts";
import { SETTLING_MS, simulationOf } from "./own-cluster.ts";
import type { Simulation } from "./simulation.ts";

/** How the running cluster stands. */
export interface Standing {
  /** By service, where it is held. */
  readonly holders: Readonly<Record<string, string>>;
  /** Daemons that don't answer. */
  readonly down: readonly string[];
  readonly unhealthy: readonly string[];
  /** Services that are paused; `*`: all. */
  readonly paused: readonly string[];
  readonly inMaintenance: readonly string[];
}

export interface ReloadMove {
  readonly service: string;
  readonly from: string | null;
  /** null: nobody has it afterwards. */
  readonly to: string | null;
  /** After the reload. */
  readonly afterMs: number;
  /** About how long nobody holds it; null: it isn't held by anybody afterwards, or never was. */
  readonly gapMs: number | null;
  readonly because: string;
}

/** Nobody's patience is longer; a failback that is due later is told by `explain` when it is. */
const LONGEST_WATCH_MS = 900_000;
const MOVE_MS = 60_000;
/** Which faults are drawn makes no difference: there are none. */
const SEED = 1;

export function reloadMoves(
  before: ClusterModel,
  after: ClusterModel,
  standing: Standing,
): readonly ReloadMove[] {
  const simulation = simulationOf(before, SEED);
  const { world } = simulation;
  for (const host of simulation.arbiters) host.start();
  for (const host of simulation.daemons) if (!standing.down.includes(host.name)) host.start();
  world.runUntil(SETTLING_MS);
  arrange(simulation, before, standing);
  const reloadedAtMs = world.nowMs;
  const events: EventDraft[] = [];
  simulation.onEvent = (_, event): void => void events.push({ ...event, atWallMs: world.nowMs });
  reload(simulation, before, after);
  world.runUntil(reloadedAtMs + watchMs(after));
  if (simulation.failure !== null)
    throw new Error("the reload in the simulator", { cause: simulation.failure });
  const services = new Map([...before.services, ...after.services].map((spec) => [spec.name, spec]));
  return [...services.values()].flatMap((spec) => {
    const moves = movesOf(spec.name, spec.candidates, events);
    const stays = after.services.some(({ name }) => name === spec.name);
    return moves.flatMap((move) => toldMove(simulation, spec.name, move, { reloadedAtMs, stays, standing }));
  });
}

/** Long enough for a silent holder's lease, an activation, and the longest failback that is waited for. */
function watchMs({ services }: ClusterModel): number {
  const longest = services.map(({ failbackDelayMs, leaseMs }) => failbackDelayMs + 2 * leaseMs);
  return Math.min(LONGEST_WATCH_MS, Math.max(0, ...longest) + MOVE_MS);
}

function order(simulation: Simulation, command: OperatorCommand): void {
  simulation.leader?.command(command, () => {});
  simulation.world.runUntil(simulation.world.nowMs + 1_000);
}

/** As the running cluster is: who holds what, who is ill, what is paused. */
function arrange(simulation: Simulation, { services }: ClusterModel, standing: Standing): void {
  const { world } = simulation;
  for (const { name } of services) {
    const to = standing.holders[name];
    if (to === undefined || simulation.leader?.state?.services.get(name)?.row.holder === to) continue;
    order(simulation, { verb: "switchover", service: name, to, force: false, evenIfAlive: false });
    const untilMs = world.nowMs + MOVE_MS;
    while (world.nowMs < untilMs && simulation.oneHolder.beliefs(name, world.nowMs)[0]?.daemon !== to)
      world.runUntil(world.nowMs + 250);
  }
  for (const service of standing.paused)
    order(simulation, { verb: "pause", service: service === "*" ? null : service, reason: "", forMs: null });
  for (const daemon of standing.inMaintenance)
    order(simulation, { verb: "maintenance", daemon, on: true, reason: "" });
  for (const name of standing.unhealthy)
    simulation.daemons.find((host) => host.name === name)?.setHealth(false);
  world.runUntil(world.nowMs + 5_000);
}

/** New daemons are taken to be started; whoever gets another address still answers at the old one. */
function reload(simulation: Simulation, before: ClusterModel, after: ClusterModel): void {
  for (const spec of after.daemons) {
    if (before.daemons.some(({ name }) => name === spec.name)) {
      simulation.urls.set(spec.name, spec.url);
      continue;
    }
    const host = new DaemonHost(simulation, spec);
    simulation.daemons.push(host);
    simulation.settle(host, host.url);
    host.start();
  }
  simulation.configure(after);
}

interface Around {
  readonly reloadedAtMs: number;
  /** The service is in the files still. */
  readonly stays: boolean;
  readonly standing: Standing;
}

function toldMove(simulation: Simulation, service: string, move: ToldMove, around: Around): ReloadMove[] {
  const { kind, from, to, gapMs, beganWallMs, endedWallMs, steps } = move;
  // It looked like a move for a moment, and was none.
  if (kind === "kept" || kind === "adopted") return [];
  const afterMs = Math.max(0, Math.round((endedWallMs ?? beganWallMs) - around.reloadedAtMs));
  const first = from ?? around.standing.holders[service] ?? null;
  const because =
    kind === "first"
      ? "it is new, or nobody had it"
      : (reasonOf(steps) ??
        (around.stays ? whyNobody(simulation, service) : "the service left the configuration"));
  return [{ service, from: first, to, afterMs, gapMs, because }];
}

/** Of a planned move, its reason; of another, what was seen. */
function reasonOf(steps: ToldMove["steps"]): string | null {
  for (const { row, text } of steps) {
    const planned = row === 340 ? /^A planned move: (.*?)\. /u.exec(text)?.[1] : undefined;
    if (planned !== undefined) return planned;
    if (row === 420) return text.split(". So its lease")[0] ?? text;
  }
  return null;
}

function whyNobody(simulation: Simulation, service: string): string {
  const { leader, world } = simulation;
  const view = leader?.state?.services.get(service);
  if (leader?.state === undefined || leader.state === null || view === undefined) return "nobody can take it";
  const nowMs = leader.process?.nowMs() ?? world.nowMs;
  return presentOf(leader.state, view, nowMs, nowMs).why.join(" ");
}
