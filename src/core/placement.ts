/**
 * Who may hold a service, and who comes first.
 *
 * Eligibility has two strengths. Where the old epoch is over by proof, a candidate only has to be
 * well and free. Where only its lease's end speaks for it, everything that protects an old holder
 * in failsafe counts too: live promises, the silence after a reboot, and the candidates that the
 * holder knew (I1). Each "no" is a sentence, for `arbiter explain`.
 */
import type { ArbiterState, DaemonView, ServiceView } from "./arbiter-state.ts";
import { isHeldBack } from "./failover-budget.ts";
import { weight } from "./hash.ts";
import { isInDoubt } from "./self-doubt.ts";
import { isPaused } from "./step.ts";

export interface Judgement {
  readonly daemon: DaemonView;
  /** Empty: eligible. */
  readonly because: string;
  /** Better-ranked ones that haven't answered yet are waited for; a known "no" isn't. */
  readonly undecided: boolean;
}

/** Masters' services count against `capacity` from the commit on. */
export function freeCapacity(state: ArbiterState, daemon: DaemonView, except: string): number {
  let used = 0;
  for (const { row } of heldBy(state, daemon)) if (row.service !== except) used += 1;
  return daemon.spec.capacity - used;
}

/** What was committed for this very daemon: another state under its name is another candidate. */
function* heldBy(state: ArbiterState, daemon: DaemonView): Generator<ServiceView> {
  for (const name of state.holdings.get(daemon.spec.name) ?? []) {
    const view = state.services.get(name);
    if (view === undefined) continue;
    // Until its commit is known, the row is the last holder's.
    const isOwn = view.row.stateId === daemon.report?.stateId || view.pendingCommit !== null;
    if (isOwn) yield view;
  }
}

/** Candidates of the service in order of rank. */
export function rank(state: ArbiterState, view: ServiceView, nowMs: number): DaemonView[] {
  const candidates = view.spec.candidates
    .map((name) => state.daemons.get(name))
    .filter((daemon): daemon is DaemonView => daemon !== undefined && !daemon.removed);
  return candidates.toSorted((a, b) => compare(state, view, a, b, nowMs));
}

/**
 * A recent failure weighs more than being a master: else a crash under a launcher, which goes on
 * waiting, would give the service straight back to the daemon that has just lost it. One that isn't
 * ready comes after one that is, but it comes: it may be wrong about itself.
 */
function compare(
  state: ArbiterState,
  view: ServiceView,
  a: DaemonView,
  b: DaemonView,
  nowMs: number,
): number {
  if (view.target !== null && a.spec.name !== b.spec.name) {
    if (a.spec.name === view.target) return -1;
    if (b.spec.name === view.target) return 1;
  }
  const masters = view.spec.masters;
  return (
    Number(hasFailed(view, a, nowMs)) - Number(hasFailed(view, b, nowMs)) ||
    Number(isReady(b)) - Number(isReady(a)) ||
    Number(masters.includes(b.spec.name)) - Number(masters.includes(a.spec.name)) ||
    Number(failedDrill(state, view, a)) - Number(failedDrill(state, view, b)) ||
    b.spec.priority - a.spec.priority ||
    (b.report?.dataVersion ?? 0) - (a.report?.dataVersion ?? 0) ||
    [...heldBy(state, a)].length - [...heldBy(state, b)].length ||
    weight(view.spec.name, b.spec.name) - weight(view.spec.name, a.spec.name) ||
    (a.spec.name < b.spec.name ? -1 : 1)
  );
}

/** It has looked, and nothing that the service needs is missing there. Before it answers: who knows. */
export function isReady({ report }: DaemonView): boolean {
  return report === null || report.ready;
}

/** The last drill that tried it there has failed: among equals, whoever hasn't failed one goes first. */
function failedDrill({ settings }: ArbiterState, { spec }: ServiceView, daemon: DaemonView): boolean {
  return (settings.drills?.[spec.name]?.tried?.[daemon.spec.name]?.because ?? null) !== null;
}

export function hasFailed(view: ServiceView, daemon: DaemonView, nowMs: number): boolean {
  return daemon.lossesAtMs.some((atMs) => atMs > nowMs - view.spec.failureTimeoutMs);
}

export interface JudgeOptions {
  /** The assignment would rest on proof: `cleared` is the epoch right below it. */
  readonly onProof: boolean;
  readonly nowMs: number;
  /** On expiry: only what was asked after this counts, so that a promise given late is seen. */
  readonly askedAfterMs: number;
}

/** Whether this daemon may be given the service now. */
export function judge(
  state: ArbiterState,
  view: ServiceView,
  daemon: DaemonView,
  options: JudgeOptions,
): Judgement {
  const no = (because: string): Judgement => ({ daemon, because, undecided: false });
  const later = (because: string): Judgement => ({ daemon, because, undecided: true });
  const { report, spec } = daemon;
  const maxAttempts = spec.maxCheckAttempts;
  if (report === null || daemon.nonce === null)
    return daemon.failedChecks >= maxAttempts ? no("it has never answered") : later("it hasn't answered yet");
  if (daemon.failedChecks >= maxAttempts) return no(`it is silent (${daemon.lastFailure ?? "no answer"})`);
  if (daemon.failedChecks > 0) return later("its last check failed");
  if (report.state === "leaving") return no("it is leaving");
  if (report.state === "failed") return no("it is cleaning up after a failure");
  if (!report.healthy) return no(`it is unhealthy${report.reason === "" ? "" : ` (${report.reason})`}`);
  if (state.settings.maintenance[spec.name] !== undefined) return no("it is in maintenance");
  if (daemon.backOffUntilMs > options.nowMs) return no("its last activation failed; it waits a while");
  if (report.services.some((held) => held.service === view.spec.name))
    return no("it still winds up an older epoch");
  if (freeCapacity(state, daemon, view.spec.name) < 1) return no("it holds all that it has capacity for");
  if (holdsRemoved(state, daemon, view)) return no("it still holds a service that left the configuration");
  return options.onProof ? { daemon, because: "", undecided: false } : judgeOnExpiry(view, daemon, options);
}

function judgeOnExpiry(view: ServiceView, daemon: DaemonView, options: JudgeOptions): Judgement {
  const no = (because: string): Judgement => ({ daemon, because, undecided: false });
  const promise = daemon.promisesUntilMs[view.spec.name];
  if (promise !== undefined && promise.untilMs > options.nowMs && promise.epoch > view.knownCleared)
    return no(
      promise.untilMs === Infinity
        ? `it was stopped while ${promise.holder} went on without an arbiter, and promised not to: ${promise.holder} has to answer, or an operator to say that it is dead`
        : `it has promised ${promise.holder} not to`,
    );
  if (daemon.refusesExpiryUntilMs > options.nowMs) return no("it started too recently to know its promises");
  if (!isKnownToHolder(view, daemon)) return no("the old holder may never have heard of it");
  if (daemon.lastCheckSentAtMs < options.askedAfterMs || daemon.inFlightSinceMs !== null)
    return { daemon, because: "it is asked once more, after the lease's end", undecided: true };
  return { daemon, because: "", undecided: false };
}

/** Whether it shows, asked after every lease's end, that no holder goes on by its promise, or ever will (I1). */
export function isWitness(view: ServiceView, daemon: DaemonView, options: JudgeOptions): boolean {
  const { report, failedChecks } = daemon;
  if (report === null || failedChecks > 0) return false;
  if (report.services.some((held) => held.service === view.spec.name)) return false;
  return judgeOnExpiry(view, daemon, options).because === "";
}

/** In the last acknowledged set and in every set committed since, for every epoch above `cleared`. */
function isKnownToHolder(view: ServiceView, daemon: DaemonView): boolean {
  const { row } = view;
  const sets = row.pastSets
    .filter(
      ({ epoch, set }) =>
        epoch > view.knownCleared && !(epoch === row.epoch && set.version < view.acknowledgedSet),
    )
    .map(({ set }) => set);
  if (row.epoch > view.knownCleared && row.epoch > 0) sets.push(row.candidates);
  return sets.every((set) =>
    set.list.some((one) => one.name === daemon.spec.name && one.stateId === daemon.report?.stateId),
  );
}

/** A rename is a removal and an addition: the new service waits for the old one to be over. */
function holdsRemoved(state: ArbiterState, daemon: DaemonView, view: ServiceView): boolean {
  for (const other of heldBy(state, daemon)) if (other !== view && other.removed) return true;
  return false;
}

/** The best eligible candidate; null while a better one may still answer, or where there is none. */
export function choose(
  state: ArbiterState,
  view: ServiceView,
  options: JudgeOptions,
): { readonly chosen: DaemonView | null; readonly judgements: readonly Judgement[] } {
  // Paused, nothing moves by itself; giving the service back to the daemon that had it is not a move.
  const isStill = isPaused(state, view) || isHeldBack(state, view, options.nowMs) || isInDoubt(state, view);
  const isKept = isStill && view.row.holder !== null && view.target === null;
  const judgements = rank(state, view, options.nowMs)
    .filter((daemon) => !isKept || daemon.spec.name === view.row.holder)
    .map((daemon) => judge(state, view, daemon, options));
  for (const judgement of judgements) {
    if (judgement.undecided) return { chosen: null, judgements };
    if (judgement.because === "") return { chosen: judgement.daemon, judgements };
  }
  return { chosen: null, judgements };
}
