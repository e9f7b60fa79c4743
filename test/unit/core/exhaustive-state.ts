/**
 * All that may differ between two small worlds, as plain data: the cores' states, the store, the links,
 * what lingers. It can be copied; what the types call read-only is shared between copies.
 */
import { createArbiter } from "../../../src/core/arbiter.ts";
import type { ConfigurationVersion } from "../../../src/core/arbiter-io.ts";
import type { ArbiterState } from "../../../src/core/arbiter-state.ts";
import { createDaemon, type DaemonState } from "../../../src/core/daemon.ts";
import type { DaemonEvent, DaemonMemory } from "../../../src/core/daemon-io.ts";
import type { Assignment, Report } from "../../../src/core/messages.ts";
import type { LeadershipRecord, ServiceRow, Settings } from "../../../src/core/model.ts";
import { daemonSpec, model, serviceSpec } from "./arbiter-models.ts";
import { OPTIONS } from "./daemon-rig.ts";

// An event without its time, kind by kind: `Omit` over a union would lose the kinds.
type Timeless<E> = E extends unknown ? Omit<E, "nowMs" | "wallMs"> : never;

export type DaemonName = "m" | "s";
export type Link = "am" | "as" | "ms";

export interface Place {
  /** Null: the process has left. */
  state: DaemonState | null;
  memory: DaemonMemory | null;
  boots: number;
  timerAtMs: number | null;
  isFrozen: boolean;
  /** What came while it was frozen. */
  inbox: Timeless<DaemonEvent>[];
  /** A hook that hasn't finished yet. */
  pending: { readonly kind: "activate" | "demote"; readonly epoch: number } | null;
}

/** Everything that may differ between two worlds. */
export interface WorldState {
  nowMs: number;
  arbiter: ArbiterState;
  instances: number;
  timers: Map<string, number>;
  timeouts: Map<string, { readonly daemon: string; readonly sentAtMs: number }>;
  daemons: Record<DaemonName, Place>;
  cut: Set<Link>;
  /** Hooks finish when a move says so, not at once. */
  hooksAreSlow: boolean;
  isStoreDown: boolean;
  /** The next commit is applied, and its outcome isn't told. */
  isNextUnknown: boolean;
  record: LeadershipRecord | null;
  rows: Map<string, ServiceRow>;
  settings: Settings;
  configuration: ConfigurationVersion | null;
  revision: number;
  committed: Map<string, { readonly holder: string; readonly bootId: string }>;
  /** The latest assignment to each, and the latest report of each. */
  sent: Map<string, { readonly assignment: Assignment; readonly sentAtMs: number }>;
  /** What lingers in the network, to arrive much later. */
  lingering: { readonly to: DaemonName; readonly assignment: Assignment; readonly sentAtMs: number } | null;
  lingeringReport: Report | null;
  reports: Map<string, Report>;
}

export const SERVICE = "svc";
const VERSION: ConfigurationVersion = { version: 0, hash: "h", atWallMs: 0, by: "test", files: {} };
/** Time-outs that a lease's time passes, too. */
const MODEL = model(
  [daemonSpec("m"), daemonSpec("s", { role: "spare" })],
  [serviceSpec(SERVICE, { activationTimeoutMs: 1500, drainTimeoutMs: 1500 })],
);

/** What the types call read-only: shared between copies. */
const SHARED = new Set([
  "spec",
  "model",
  "self",
  "options",
  "report",
  "record",
  "row",
  "configuration",
  "settings",
  "assignment",
  "policy",
  "config",
  "candidates",
  "memory",
  "proof",
  "lingering",
  "lingeringReport",
  "refusals",
  "seenEpochs",
]);

/** A deep copy, but for what is never changed in place. */
export function copyOf(state: WorldState): WorldState {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a copy is of the same type
  return copied(state) as WorldState;
}

function copied(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copied);
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [key, copied(one)]));
  if (value instanceof Set) return new Set(value);
  const copy: Record<string, unknown> = {};
  for (const [key, one] of Object.entries(value)) copy[key] = SHARED.has(key) ? one : copied(one);
  return copy;
}

export function boot(
  name: DaemonName,
  number: number,
  memory: DaemonMemory | null,
  nowMs: number,
): DaemonState {
  const role = name === "m" ? "master" : "spare";
  const options = {
    ...OPTIONS,
    name,
    role,
    stateId: `state-${name}`,
    bootId: `boot-${name}-${number}`,
  } as const;
  return createDaemon(options, memory, nowMs);
}

export function newArbiter(instance: number): ArbiterState {
  return createArbiter({
    name: "a",
    url: "http://a",
    instance: `instance-${instance}`,
    stateId: "state-a",
    freshClusterId: "cluster-1",
    model: MODEL,
    configuration: VERSION,
    primary: null,
  });
}

function newPlace(name: DaemonName, nowMs: number): Place {
  return {
    state: boot(name, 1, null, nowMs),
    memory: null,
    boots: 1,
    timerAtMs: null,
    isFrozen: false,
    inbox: [],
    pending: null,
  };
}

export function newState(): WorldState {
  const nowMs = 10_000;
  return {
    nowMs,
    arbiter: newArbiter(1),
    instances: 1,
    timers: new Map(),
    timeouts: new Map(),
    daemons: { m: newPlace("m", nowMs), s: newPlace("s", nowMs) },
    cut: new Set(),
    hooksAreSlow: false,
    isStoreDown: false,
    isNextUnknown: false,
    record: null,
    rows: new Map(),
    settings: { pauses: {}, maintenance: {}, moves: {}, joined: {} },
    configuration: null,
    revision: 0,
    committed: new Map(),
    sent: new Map(),
    lingering: null,
    lingeringReport: null,
    reports: new Map(),
  };
}
