/**
 * What is wrong at the moment, and what to do about it: `problems[]` of the status. One line a
 * problem, worst first, each with a code for programs and the next step for people.
 *
 * A problem is a fact about now, computed from the state at each call: nothing has to be raised,
 * and nothing can be forgotten to be cleared.
 */
import { drillProblems } from "./drill-problems.ts";
import type { ArbiterState, ServiceView } from "../core/arbiter-state.ts";
import { holderOf, isLeading, leaderOf } from "./cluster-map.ts";
import { presentOf } from "../core/explain-now.ts";
import { heldBackUntilMs } from "../core/failover-budget.ts";
import { UNHEALTHY, whatHelps, whyNotIn } from "./hindrance.ts";
import type { WhyNot } from "./hindrance.ts";
import { spareProblems } from "./spare-problems.ts";
import { pauseOf, seenThrough } from "./status-facts.ts";
import { isInLine } from "../core/succession.ts";
import type { Surroundings } from "./status-facts.ts";

export type ProblemCode =
  | "store-down"
  | "no-leader"
  | "stands-by"
  | "arbiter-down"
  | "vacant"
  | "suspect"
  | "degraded"
  | "pool-exhausted"
  | "config-refused"
  | "drift"
  | "drill-failed"
  | "drill-overdue"
  | "undelivered"
  | "held-back"
  | "paused";

export interface StatusProblem {
  readonly code: ProblemCode;
  /** A service, a daemon, an arbiter, or `cluster`. */
  readonly subject: string;
  readonly text: string;
  /** What to do. */
  readonly next: string;
}

export function problemsOf(state: ArbiterState, around: Surroundings): readonly StatusProblem[] {
  const list: StatusProblem[] = [...clusterProblems(state, around)];
  // A standby that can't ask the leader has nobody's answers: it must not alarm anyone about them.
  if (!isLeading(state)) return list;
  const why = whyNotIn(state, around);
  for (const view of state.services.values()) {
    const problem = vacancy(state, view, around, why) ?? doubt(state, view, around);
    if (problem !== null) list.push(problem);
  }
  for (const view of state.services.values()) {
    const problem = degradation(view, why);
    if (problem !== null) list.push(problem);
  }
  list.push(...spareProblems(state, why), ...drillProblems(state, around));
  for (const view of state.services.values()) {
    const pause = pauseOf(state, view.row.service, around.wallMs);
    if (pause !== null && !pause.all) list.push(paused(view.row.service, view.row.service, pause));
  }
  return list;
}

function clusterProblems(state: ArbiterState, around: Surroundings): readonly StatusProblem[] {
  const list: StatusProblem[] = [];
  const { storeDownSinceMs, storeProblem, mode } = state.leadership;
  if (storeDownSinceMs !== null) {
    const seconds = Math.max(0, Math.round((around.nowMs - storeDownSinceMs) / 1_000));
    list.push({
      code: "store-down",
      subject: "cluster",
      text: `The store has not answered for ${seconds} s: ${storeProblem ?? "no reason known"}. Holders go on; nothing can move.`,
      next: "Bring the store back: disk space, permissions, the server it runs on.",
    });
  }
  if (leaderOf(state) === null && mode !== "starting") {
    list.push({
      code: "no-leader",
      subject: "cluster",
      text: `No arbiter leads; ${state.options.name} is ${mode}. Holders go on; nothing can move.`,
      next: isInLine(state)
        ? "Wait for an arbiter's lease; if it stays so, start another arbiter or look at the store."
        : keptFromLeading(state),
    });
  }
  const standing = standingBy(state);
  if (standing !== null) list.push(standing);
  if (state.refusedEdit !== null) {
    const { errors } = state.refusedEdit;
    list.push({
      code: "config-refused",
      subject: state.options.name,
      text: `The last edit of the configuration was refused (${count(errors.length, "error")}); version ${state.configuration.version} stays in force. ${errors[0] ?? ""}`.trim(),
      next: "`arbiter config check` shows every error; correct the file and save it.",
    });
  }
  for (const { arbiter, text } of around.drift) {
    list.push({
      code: "drift",
      subject: arbiter,
      text,
      next: `\`arbiter config diff --with ${arbiter}\` shows how; copy the right files to the other, or \`arbiter config rollback\`.`,
    });
  }
  for (const arbiter of around.silent ?? []) {
    list.push({
      code: "arbiter-down",
      subject: arbiter,
      text: `${arbiter} doesn't answer ${state.options.name}. Services go on, but one arbiter less can lead.`,
      next: `Start it on its machine: \`arbiter start --name ${arbiter}\`; or mend the network between the two.`,
    });
  }
  if (around.undelivered > 0) {
    list.push({
      code: "undelivered",
      subject: state.options.name,
      text: `${count(around.undelivered, "event")} can't be written to the store yet.`,
      next: "Bring the store back; they are written in order when it answers.",
    });
  }
  for (const { target, count: waiting, problem, forMs } of around.alerts ?? []) {
    list.push({
      code: "undelivered",
      subject: `alerts: ${target}`,
      text: `${count(waiting, "alert")} can't be delivered to the ${target} for ${Math.round(forMs / 1_000)} s: ${problem}`,
      next: "Mend the receiver or [alerts]; nothing is lost, it is tried again. `arbiter alert test` tries all of them.",
    });
  }
  const pause = state.services.size === 0 ? null : pauseOf(state, "*", around.wallMs);
  if (pause !== null) list.push(paused("cluster", null, pause));
  return list;
}

/** What a standby can show without the leader isn't the whole truth, and must not look like it. */
function standingBy(state: ArbiterState): StatusProblem | null {
  const { record, mode } = state.leadership;
  const leader = leaderOf(state);
  if (mode === "leading" || leader === null || record === null) return null;
  return {
    code: "stands-by",
    subject: state.options.name,
    text: `${state.options.name} stands by, and ${leader}, which leads, doesn't answer it: services are shown as they were committed, daemons not at all.`,
    next: isInLine(state)
      ? `Ask ${leader} at ${record.url}, or wait until another arbiter leads.`
      : keptFromLeading(state),
  };
}

/** It never leads by itself: whoever led last may go on without the store, unknown to it. */
function keptFromLeading({ options, self, leadership }: ArbiterState): string {
  const last = leadership.record?.leader ?? "the last leader";
  if (!self.electable)
    return `Start ${last} or another electable arbiter: ${options.name} has electable = 0.`;
  if (last === options.name)
    return `${last} led last with another state folder: put that one back. If it is lost, and no other process leads under this name: \`arbiter leader claim ${last}\`.`;
  return `Start ${last} again: ${options.name} was not known to it, or has lost its state folder. If ${last} is gone for good: \`arbiter leader claim ${options.name}\`.`;
}

function paused(
  subject: string,
  service: string | null,
  pause: { readonly by: string; readonly reason: string; readonly until: string | null },
): StatusProblem {
  const until = pause.until === null ? "until it is resumed" : `until ${pause.until}`;
  return {
    code: "paused",
    subject,
    text: `${service ?? "Everything"} is paused ${until} by ${pause.by}${pause.reason === "" ? "" : `: ${pause.reason}`}. Nothing moves by itself.`,
    next: `\`arbiter resume${service === null ? "" : ` ${service}`}\` ends it.`,
  };
}

function vacancy(
  state: ArbiterState,
  view: ServiceView,
  around: Surroundings,
  why: WhyNot,
): StatusProblem | null {
  // Before it leads, an arbiter has not looked for anyone to give it to.
  if (view.phase !== "vacant" || view.removed || state.leadership.mode !== "leading") return null;
  const candidates = view.spec.candidates.map((name) => `${name} (${why(name)?.text ?? "waiting"})`);
  const heldBack = heldBackUntilMs(state, view, around.nowMs);
  if (heldBack !== null) return overBudget(view, heldBack - around.nowMs);
  const pause = pauseOf(state, view.row.service, around.wallMs);
  return {
    code: "vacant",
    subject: view.row.service,
    text: `${view.row.service} has no holder. Its candidates: ${candidates.join(", ") || "none"}.`,
    next:
      pause === null
        ? "Start one of its candidates, or see what keeps it from answering."
        : `It is paused: \`arbiter resume${pause.all ? "" : ` ${view.row.service}`}\`.`,
  };
}

/** `failover_budget` is used up: it waits for its old holder, for the period's end, or for an operator. */
function overBudget(view: ServiceView, forMs: number): StatusProblem {
  const name = view.row.service;
  return {
    code: "held-back",
    subject: name,
    text: `${name} is lost and isn't moved, since failover_budget is used up; it moves by itself in ${Math.ceil(forMs / 1000)} s.`,
    next: `See what keeps failing (\`arbiter events\`); bring ${view.row.holder ?? "its holder"} back, or \`arbiter resume ${name}\` lets it move now.`,
  };
}

function doubt(state: ArbiterState, view: ServiceView, around: Surroundings): StatusProblem | null {
  if (view.phase !== "suspect" && view.phase !== "fencing") return null;
  const holder = holderOf(view) ?? "its holder";
  const through = seenThrough(state, view, around.nowMs);
  if (through.length > 0) {
    return {
      code: "suspect",
      subject: view.row.service,
      text: `${holder} isn't reached, but goes on holding ${view.row.service}, seen through ${through.join(", ")}.`,
      next: "Repair the network between the arbiters and the holder; nothing moves meanwhile.",
    };
  }
  const heldBack = view.phase === "fencing" ? heldBackUntilMs(state, view, around.nowMs) : null;
  if (heldBack !== null) return overBudget(view, heldBack - around.nowMs);
  if (view.phase === "fencing" && around.nowMs > view.boundMs) return nobodyCan(state, view, around);
  const why = state.daemons.get(holder)?.lastFailure ?? "its checks fail";
  const leftMs = Math.max(0, Math.round(view.boundMs - around.nowMs));
  const ends = Number.isFinite(leftMs) ? `in ${leftMs} ms at most` : "at a time that isn't known";
  return {
    code: "suspect",
    subject: view.row.service,
    text: `${holder} doesn't answer for ${view.row.service} (${why}); its lease has ended for sure ${ends}.`,
    next: "Wait: it answers again, or the service moves once its lease has ended.",
  };
}

/** Time alone helps no more. */
function nobodyCan(state: ArbiterState, view: ServiceView, around: Surroundings): StatusProblem {
  const { service } = view.row;
  const holder = holderOf(view) ?? "its holder";
  const { why } = presentOf(state, view, around.nowMs, around.wallMs);
  return {
    code: "suspect",
    subject: service,
    text: `${holder} doesn't answer for ${service}. ${why.join(" ")}`,
    next: `Bring ${holder} or another candidate back; if ${holder} is certainly dead, \`arbiter failover ${service} --force\` says so.`,
  };
}

/** Held, but not every candidate could take it. */
function degradation(view: ServiceView, whyNotOf: WhyNot): StatusProblem | null {
  if (view.removed || view.phase === "vacant") return null;
  const holder = holderOf(view);
  const unable = view.spec.candidates.flatMap((name) => {
    const why = whyNotOf(name);
    // A holder in doubt has a line of its own.
    if (why === null || (name === holder && why !== UNHEALTHY)) return [];
    return [{ ...why, text: `${name} is ${why.text}` }];
  });
  if (unable.length === 0) return null;
  return {
    code: "degraded",
    subject: view.row.service,
    text: `${view.row.service} is ${view.phase === "held" ? "held" : view.phase}, but not every candidate could take it: ${unable.map(({ text }) => text).join(", ")}.`,
    next: whatHelps(unable),
  };
}

function count(of: number, what: string): string {
  return `${of} ${what}${of === 1 ? "" : "s"}`;
}
