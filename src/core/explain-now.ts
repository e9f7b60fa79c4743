/**
 * How a service stands at this moment, and why nothing moves although somebody may expect it.
 *
 * It asks the very functions that decide: what is told is what the next step would find. Each answer
 * is a sentence. Only the arbiter that leads can say it; a standby has not asked anybody.
 */
import type { ArbiterState, DaemonView, ServiceView } from "./arbiter-state.ts";
import { checkIntervalMs } from "./checks.ts";
import { failureName, inTime } from "./explain-words.ts";
import { mayFailBack } from "./failback-window.ts";
import { heldBackUntilMs, isHeldBack } from "./failover-budget.ts";
import { failbackDueAtMs, isFit } from "./moves.ts";
import { choose } from "./placement.ts";
import { hasPredecessor, judgeOptions } from "./service-guards.ts";
import { isInDoubt } from "./self-doubt.ts";
import { beginStep, daemonOf, isPaused, mayCommit, type Step } from "./step.ts";

/** Every busy machine has these. */
const SHORT_STALL_MS = 50;

export interface Present {
  readonly text: string;
  /** Why nothing moves, or what is waited for; the weightiest first. */
  readonly why: readonly string[];
}

export function presentOf(state: ArbiterState, view: ServiceView, nowMs: number, wallMs: number): Present {
  // It is only looked at: a step of its own that is never flushed.
  const step = beginStep(state, nowMs, wallMs);
  const why = [...hindrances(step, view), ...phaseReasons(step, view)];
  return { text: standing(view, nowMs), why };
}

function standing(view: ServiceView, nowMs: number): string {
  // Service and master often have the same name: say which is which.
  const name = `The service ${view.spec.name}`;
  const holder = view.row.holder ?? "nobody";
  const since = `for ${inTime(nowMs - view.phaseSinceMs)}`;
  switch (view.phase) {
    case "held":
      return `${name} is held by ${holder}, at epoch ${view.row.epoch}.`;
    case "vacant":
      return view.row.holder === null
        ? `${name} is held by nobody, and has never been.`
        : `${name} is held by nobody; ${holder} had it last, at epoch ${view.row.epoch}.`;
    case "activating":
      return `${name} was given to ${holder} at epoch ${view.row.epoch}, which has been starting it ${since}.`;
    case "suspect":
      return `${name} is with ${holder} at epoch ${view.row.epoch}, which has not answered ${since}.`;
    case "fencing":
      return `${name} was with ${holder} at epoch ${view.row.epoch}; its lease has not been renewed ${since}.`;
    case "handing-over":
      return `${name} is on its way from ${holder} to ${view.target ?? "another"}: ${holder} has been finishing ${since}.`;
  }
}

/** What keeps anything from moving, whatever the service is doing. */
function hindrances({ state, nowMs }: Step, view: ServiceView): string[] {
  const list: string[] = [];
  const { storeDownSinceMs, storeProblem, needsNewTerm } = state.leadership;
  if (storeDownSinceMs !== null)
    list.push(
      `The store has not answered for ${inTime(nowMs - storeDownSinceMs)} (${storeProblem ?? "no reason known"}): without it no epoch can be given, so nothing can move. Whoever holds it goes on.`,
    );
  else if (needsNewTerm) list.push("This arbiter is taking a new term; nothing moves until it has it.");
  if (view.pendingCommit !== null) list.push("A change is being written to the store; it is waited for.");
  const heldBackMs = heldBackUntilMs(state, view, nowMs);
  if (heldBackMs !== null && isHeldBack(state, view, nowMs))
    list.push(
      `failover_budget is used up: too many causes have moved services lately, so it waits for the daemon that had it, or until something may move again, in ${inTime(heldBackMs - nowMs)}. \`arbiter resume ${view.spec.name}\` lets it move now.`,
    );
  if (isInDoubt(state, view))
    list.push(
      "This arbiter lost sight of many daemons at once, which looks like a trouble of its own: it asks others before it moves anything.",
    );
  const { pauses } = state.settings;
  const pause = pauses[view.spec.name] ?? pauses["*"];
  if (pause !== undefined)
    list.push(
      `It is paused by ${pause.by}${pause.reason === "" ? "" : ` (${pause.reason})`}: nothing moves by itself until \`arbiter resume\`${pause.untilWallMs === null ? "" : " or the pause's end"}.`,
    );
  return list;
}

function phaseReasons(step: Step, view: ServiceView): string[] {
  switch (view.phase) {
    case "held":
      return heldReasons(step, view);
    case "suspect":
      return suspectReasons(step, view);
    case "fencing":
      return fencingReasons(step, view);
    case "vacant":
      return vacantReasons(step, view);
    case "activating":
      return [`It has until activation_timeout, in ${inTime(view.activationDeadlineMs - step.nowMs)}.`];
    case "handing-over":
      return [
        `${view.moveReason ?? "A planned move"}. It has until drain_timeout, in ${inTime(view.drainDeadlineMs - step.nowMs)}; then it is fenced.`,
      ];
  }
}

function heldReasons(step: Step, view: ServiceView): string[] {
  const holder = daemonOf(step.state, view.row.holder);
  if (holder === null) return [];
  const list = [healthText(step, view, holder)];
  const { lastStallEndMs, lastStallLateMs } = step.state;
  const isRecent = step.nowMs - lastStallEndMs < 60_000;
  // Shorter ones never touched a check.
  if (isRecent && lastStallLateMs > Math.max(SHORT_STALL_MS, checkIntervalMs(step.state, holder) / 4))
    list.push(
      `This arbiter itself stood still for ${inTime(lastStallLateMs)}, ${inTime(step.nowMs - lastStallEndMs)} ago: checks that failed meanwhile were repeated, not counted.`,
    );
  const home = homeText(step, view, holder);
  return home === null ? list : [...list, home];
}

function healthText(step: Step, view: ServiceView, holder: DaemonView): string {
  const { name, maxCheckAttempts } = holder.spec;
  if (holder.unhealthyReports === 0)
    return `${name} answered ${inTime(step.nowMs - holder.reportedAtMs)} ago and says that it is well: there is nothing to fail over from.`;
  const reason = holder.report?.reason ?? "";
  const says = `${name} answers and says that it is unhealthy${reason === "" ? "" : ` (${reason})`}`;
  if (holder.unhealthyReports < maxCheckAttempts)
    return `${says}: ${holder.unhealthyReports} of the ${maxCheckAttempts} times after which it moves.`;
  const others = noOther(step, view, holder);
  return `${says}. It keeps the service, since nobody else could do better: ${others}.`;
}

function noOther(step: Step, view: ServiceView, holder: DaemonView): string {
  const options = { onProof: true, nowMs: step.nowMs, askedAfterMs: 0 };
  const { judgements } = choose(step.state, view, options);
  const others = judgements.filter(({ daemon }) => daemon !== holder);
  if (others.length === 0) return "it has no other candidate";
  return others
    .map(({ daemon, because }) => `${daemon.spec.name}: ${because || "it could take it"}`)
    .join("; ");
}

/** Why it isn't given back to its master. Null: it is there. */
function homeText(step: Step, view: ServiceView, holder: DaemonView): string | null {
  const [first] = view.spec.masters;
  if (first === undefined || view.spec.masters.includes(holder.spec.name)) return null;
  const master = step.state.daemons.get(first);
  if (master === undefined) return null;
  const command = `\`arbiter failback ${view.spec.name}\` moves it now`;
  const stays = `It is not given back to its master ${first}`;
  if (!isFit(step, view, master)) {
    const options = { onProof: true, nowMs: step.nowMs, askedAfterMs: 0 };
    const { judgements } = choose(step.state, view, options);
    const why = judgements.find(({ daemon }) => daemon === master)?.because ?? "";
    return `${stays}: ${why === "" ? "it can't take it" : why}.`;
  }
  if (view.spec.failback !== "auto") return `${stays}: failback is ${view.spec.failback}; ${command}.`;
  if (isPaused(step.state, view)) return `${stays} while it is paused.`;
  const done = step.state.settings.moves[view.spec.name];
  if (done?.doneAtBoots?.[first] !== undefined && done.doneAtBoots[first] === master.report?.bootId)
    return `${stays}: ${done.by} moved it here, and ${first} has not been away since; ${command}.`;
  if (!mayFailBack(step.state, view, step.nowMs))
    return `${stays} now: its failback_window is closed; ${command}.`;
  const dueMs = failbackDueAtMs(view, master) - step.nowMs;
  if (dueMs > 0)
    return `${stays} yet: ${first} must have been well for its failback_delay first, which it will have been in ${inTime(dueMs)}.`;
  return null;
}

function suspectReasons(step: Step, view: ServiceView): string[] {
  const holder = daemonOf(step.state, view.row.holder);
  if (holder === null) return [];
  const { name, maxCheckAttempts } = holder.spec;
  const failure = failureName(holder.lastFailure);
  const failed =
    holder.failedChecks === 0
      ? `${name} has not been heard yet by this arbiter, which has just taken the lead.`
      : `${holder.failedChecks} of ${maxCheckAttempts} checks of ${name} have failed (${failure}); after ${maxCheckAttempts} its lease is not renewed any more.`;
  return [failed, ...throughOthers(step, view)];
}

/** Promises seen in the candidates' reports: the holder is alive, and reaches them. */
function throughOthers({ state, nowMs }: Step, view: ServiceView): string[] {
  const names: string[] = [];
  let longestMs = 0;
  for (const name of view.spec.candidates) {
    const promise = state.daemons.get(name)?.promisesUntilMs[view.spec.name];
    if (promise === undefined || promise.epoch !== view.row.epoch || promise.untilMs <= nowMs) continue;
    names.push(name);
    longestMs = Math.max(longestMs, promise.untilMs - nowMs);
  }
  if (names.length === 0) return [];
  const until =
    longestMs === Infinity ? "" : ` for another ${inTime(longestMs)}, and is asked again before that`;
  const verb = names.length === 1 ? "hears it and has" : "hear it and have";
  return [
    `${view.row.holder} is cut off from this arbiter, but ${names.join(" and ")} ${verb} promised not to take over${until}: it goes on in failsafe, and nothing moves. Repair the network between this arbiter and ${view.row.holder}.`,
  ];
}

function fencingReasons(step: Step, view: ServiceView): string[] {
  const leftMs = view.boundMs - step.nowMs;
  const through = throughOthers(step, view);
  if (through.length > 0) return through;
  if (leftMs > 0)
    return [
      `${view.row.holder} may still be working on it. Every lease that it may have is over for sure in ${inTime(leftMs)}; the service moves then, or as soon as ${view.row.holder} says that it has stopped.`,
    ];
  if (view.removed)
    return [
      `It has left the configuration. Every lease of ${view.row.holder} is over, unless ${view.row.holder} goes on by the word of its fellows: one of them has to answer (${view.spec.candidates.join(", ")}), or an operator to say that ${view.row.holder} is dead.`,
    ];
  return [`Every lease of ${view.row.holder} is over, but nobody can take it.`, ...judged(step, view)];
}

function vacantReasons(step: Step, view: ServiceView): string[] {
  if (view.removed) return ["It has left the configuration: nobody is to hold it."];
  if (hasPredecessor(step.state, view))
    return [
      "A service that has left the configuration, and is the same work, may still be held; that one ends first.",
    ];
  const leftMs = view.boundMs - step.nowMs;
  const rests = judgeOptions(step, view).onProof;
  if (!rests && leftMs > 0)
    return [
      `Somebody may still be working on it of whom this arbiter has not heard: every lease is over for sure in ${inTime(leftMs)}.`,
    ];
  return judged(step, view);
}

/** Each candidate with its "no". */
function judged(step: Step, view: ServiceView): string[] {
  const { chosen, judgements } = choose(step.state, view, judgeOptions(step, view));
  if (judgements.length === 0 && isPaused(step.state, view))
    return ["While it is paused only the daemon that had it last may have it again."];
  if (judgements.length === 0) return ["It has no candidate in the configuration."];
  if (chosen !== null)
    return mayCommit(step.state) ? [`${chosen.spec.name} can take it: it is being given to it.`] : [];
  return judgements.map(({ daemon, because, undecided }) => {
    const { name } = daemon.spec;
    if (because === "") return `${name} could take it, and waits for a better candidate to answer.`;
    return `${name} can't take it${undecided ? " yet" : ""}: ${because}.`;
  });
}
