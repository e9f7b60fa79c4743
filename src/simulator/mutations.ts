/**
 * Rules left out on purpose, one at a time, to show that the simulator notices.
 *
 * They live here alone: what goes into a core or what it remembers is tampered with on the way, so
 * that the cores themselves have no switch for it.
 */
import type { ArbiterEvent } from "../core/arbiter-io.ts";
import type { ArbiterState } from "../core/arbiter-state.ts";
import type { DaemonState } from "../core/daemon.ts";
import type { DaemonEnvironment, DaemonEvent, DaemonMemory } from "../core/daemon-io.ts";
import { boundOf, issueNonce } from "../core/lease.ts";
import type { Assignment } from "../core/messages.ts";

export interface Mutation {
  readonly onStart: (memory: DaemonMemory | null) => DaemonMemory | null;
  readonly onDaemonEvent: (state: DaemonState, event: DaemonEvent, env: DaemonEnvironment) => DaemonEvent;
  readonly onArbiterEvent: (event: ArbiterEvent) => ArbiterEvent;
  readonly afterArbiterStep: (state: ArbiterState, event: ArbiterEvent) => void;
}

export const NO_MUTATION: Mutation = {
  onStart: (memory) => memory,
  onDaemonEvent: (_, event) => event,
  onArbiterEvent: (event) => event,
  afterArbiterStep: () => {},
};

export type MutationName =
  | "promise"
  | "reboot rule"
  | "nonce"
  | "bound"
  | "seen"
  | "sent after the commit"
  | "cleared"
  | "new leader's wait"
  | "leaseMax"
  | "candidates"
  | "every set since";

export const MUTATIONS: Readonly<Record<MutationName, Mutation>> = {
  /** A candidate promises, and forgets it at once. */
  promise: {
    ...NO_MUTATION,
    onDaemonEvent: (state, event) => {
      state.promises.clear();
      return event;
    },
  },
  /** A new boot doesn't know how long it may have promised. */
  "reboot rule": {
    ...NO_MUTATION,
    onStart: (memory) => (memory === null ? null : { ...memory, longestPromiseMs: 0 }),
  },
  /** The lease counts from when the assignment arrived. */
  nonce: {
    ...NO_MUTATION,
    onDaemonEvent: (state, event, env) =>
      onAssignment(event, (assignment) => ({
        ...assignment,
        nonce: issueNonce(state.options.bootId, event.nowMs, env),
      })),
  },
  /** The arbiter waits for less than the longest lease that it granted. */
  bound: {
    ...NO_MUTATION,
    afterArbiterStep: (state, event) => {
      for (const view of state.services.values()) {
        if (view.phase !== "suspect") continue;
        view.boundMs = Math.min(view.boundMs, event.nowMs + view.spec.leaseMs / 4);
      }
    },
  },
  /** Epochs that were taken, refused or given up are taken again. */
  seen: {
    ...NO_MUTATION,
    onDaemonEvent: (state, event) => {
      if (event.kind === "assigned") state.seenEpochs = {};
      return event;
    },
  },
  /** An answer to a request from before the commit counts as proof about another boot. */
  "sent after the commit": {
    ...NO_MUTATION,
    onArbiterEvent: (event) =>
      event.kind === "reported" ? { ...event, via: "check", sentAtMs: event.nowMs } : event,
  },
  /** Proof about an epoch that was never active counts as proof about the one before it. */
  cleared: {
    ...NO_MUTATION,
    afterArbiterStep: (state) => {
      for (const view of state.services.values()) view.shownActive = true;
    },
  },
  /** A new leader believes that nothing is outstanding. */
  "new leader's wait": {
    ...NO_MUTATION,
    afterArbiterStep: (state, event) => {
      if (event.kind !== "loaded") return;
      for (const view of state.services.values()) view.boundMs = 0;
    },
  },
  /** A new leader waits for as long as its own files say, not for the longest lease granted. */
  leaseMax: {
    ...NO_MUTATION,
    afterArbiterStep: (state, event) => {
      if (event.kind !== "loaded") return;
      for (const view of state.services.values()) {
        view.boundMs = boundOf(event.nowMs, view.spec.leaseMs, state.model.clockDrift);
      }
    },
  },
  /** On expiry anybody is eligible, also whom the holder never heard of. */
  candidates: {
    ...NO_MUTATION,
    afterArbiterStep: (state) => {
      for (const view of state.services.values()) {
        // The holder ignores it: it comes under a version that it has already.
        const list = view.spec.candidates.flatMap((name) => {
          const { spec, report } = state.daemons.get(name) ?? {};
          return spec === undefined || !report ? [] : [{ name, stateId: report.stateId, url: spec.url }];
        });
        view.row = { ...view.row, pastSets: [], candidates: { ...view.row.candidates, list } };
      }
    },
  },
  /** On expiry the newest set alone counts, whether or not the holder has taken it. */
  "every set since": {
    ...NO_MUTATION,
    afterArbiterStep: (state) => {
      for (const view of state.services.values()) view.row = { ...view.row, pastSets: [] };
    },
  },
};

export const MUTATION_NAMES: readonly MutationName[] = [
  "promise",
  "reboot rule",
  "nonce",
  "bound",
  "seen",
  "sent after the commit",
  "cleared",
  "new leader's wait",
  "leaseMax",
  "candidates",
  "every set since",
];

function onAssignment(event: DaemonEvent, change: (assignment: Assignment) => Assignment): DaemonEvent {
  return event.kind === "assigned" ? { ...event, assignment: change(event.assignment) } : event;
}
