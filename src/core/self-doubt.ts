/**
 * An arbiter that sees most daemons fall silent in one moment suspects itself: a cable of its own is
 * likelier than the death of everything else.
 *
 * It says so, and asks the other arbiters whether they reach those daemons; until they have answered
 * (or a second has passed) it moves nothing that was held by one of them. If another one reaches what
 * it doesn't, it hands the lead over to that one; else the daemons are gone indeed, and it acts.
 *
 * Safety rests on none of this: an arbiter that is cut off commits no epoch, and a lease is waited
 * for in any case. It spares services a move that nobody needed.
 */
import type { ArbiterState, DaemonView, ServiceView } from "./arbiter-state.ts";
import { setTimer, mayCommit, tell, type Step } from "./step.ts";

/** Silent in one moment: within this time of each other. Two checks of a default holder fit into it. */
const MOMENT_MS = 1000;
/** Of two daemons, two that fall silent are a pair that was started or stopped together. */
const FEWEST = 3;
/** The others are given so long; half of the shortest usual lease, which is waited for anyway. */
const ASK_MS = 1000;
/** They are asked about so many at most: the answer doesn't get better with more. */
const MOST_ASKED = 25;
/** Not asked again before then: what was answered still holds. */
const REST_MS = 15_000;

export interface SelfDoubt {
  /** Fell silent within the last moment, oldest first: name to when. */
  readonly fresh: Map<string, number>;
  /** Silent for longer than that. */
  readonly old: Set<string>;
  /** null: it trusts itself. */
  open: OpenDoubt | null;
  restUntilMs: number;
}

export interface OpenDoubt {
  readonly untilMs: number;
  readonly silent: readonly string[];
  readonly asked: readonly string[];
  readonly opinions: Map<string, { readonly reached: number; readonly of: number } | null>;
}

export function newSelfDoubt(): SelfDoubt {
  return { fresh: new Map(), old: new Set(), open: null, restUntilMs: -Infinity };
}

export function noteAnswer({ doubt }: ArbiterState, daemon: string): void {
  doubt.fresh.delete(daemon);
  doubt.old.delete(daemon);
}

/** A check has failed and counts. Constant work each time, whatever the number of daemons. */
export function noteSilence(step: Step, daemon: DaemonView): void {
  const { doubt, daemons } = step.state;
  const { name } = daemon.spec;
  if (!doubt.fresh.has(name) && !doubt.old.has(name)) doubt.fresh.set(name, step.nowMs);
  for (const [other, atMs] of doubt.fresh) {
    if (atMs > step.nowMs - MOMENT_MS) break;
    doubt.fresh.delete(other);
    doubt.old.add(other);
  }
  const answering = daemons.size - doubt.old.size;
  if (doubt.open !== null || step.nowMs < doubt.restUntilMs) return;
  if (doubt.fresh.size < FEWEST || doubt.fresh.size * 2 <= answering) return;
  if (addressesOf(step.state).size > 1) begin(step, answering);
}

/** All at one address: that host is down, which is no riddle. */
function addressesOf({ doubt, daemons }: ArbiterState): Set<string> {
  const addresses = new Set<string>();
  for (const name of doubt.fresh.keys()) {
    addresses.add(daemons.get(name)?.spec.address ?? "");
    if (addresses.size > 1) break;
  }
  return addresses;
}

function begin(step: Step, answering: number): void {
  const { doubt, model, options } = step.state;
  const silent = [...doubt.fresh.keys()];
  const others = model.arbiters.filter(({ name }) => name !== options.name);
  const what = `${silent.length} of ${answering} daemons fell silent in one moment: the fault may be ${options.name}'s own`;
  tell(step, {
    type: "arbiter.doubts-itself",
    text:
      others.length === 0
        ? `${what}. There is no other arbiter to ask, so it believes what it sees.`
        : `${what}. It asks ${others.map(({ name }) => name).join(", ")} before it acts.`,
    evidence: { silent: silent.slice(0, MOST_ASKED), count: silent.length, answering },
  });
  doubt.restUntilMs = step.nowMs + REST_MS;
  if (others.length === 0) return;
  const stride = Math.max(1, Math.floor(silent.length / MOST_ASKED));
  const asked = silent.filter((_name, at) => at % stride === 0).slice(0, MOST_ASKED);
  doubt.open = {
    untilMs: step.nowMs + ASK_MS,
    silent,
    asked: others.map(({ name }) => name),
    opinions: new Map(),
  };
  for (const { name, url } of others)
    step.effects.push({ kind: "askOpinion", arbiter: name, url, daemons: asked, timeoutMs: ASK_MS });
  setTimer(step, "doubt", doubt.open.untilMs);
}

/** null: that arbiter gave no answer, which says nothing of the daemons. */
export function takeOpinion(
  step: Step,
  arbiter: string,
  opinion: { readonly reached: number; readonly of: number } | null,
): void {
  const { open } = step.state.doubt;
  if (open === null || !open.asked.includes(arbiter)) return;
  open.opinions.set(arbiter, opinion);
  if (seesMore(open) !== null || open.opinions.size === open.asked.length) endDoubt(step);
}

/** Who reaches most of what this arbiter doesn't. */
function seesMore({ opinions }: OpenDoubt): string | null {
  for (const [arbiter, opinion] of opinions)
    if (opinion !== null && opinion.reached * 2 > opinion.of) return arbiter;
  return null;
}

/** All have answered, or the time is over. */
export function endDoubt(step: Step): void {
  const { state } = step;
  const { open } = state.doubt;
  if (open === null) return;
  state.doubt.open = null;
  setTimer(step, "doubt", null);
  const silent = new Set(open.silent);
  for (const [name, view] of state.services)
    if (view.row.holder !== null && silent.has(view.row.holder)) step.dirty.add(name);
  const better = seesMore(open);
  const mayLead = state.model.arbiters.some(({ name, electable }) => name === better && electable);
  const said = [...open.opinions].flatMap(([name, one]) =>
    one === null ? [] : [`${name} reaches ${one.reached} of ${one.of}`],
  );
  const heard = said.length === 0 ? "no other arbiter answers" : said.join(", ");
  if (better !== null && mayLead && mayCommit(state)) {
    step.transfer = { to: better };
    tell(step, {
      type: "arbiter.trusts-another",
      text: `${heard}: the fault is ${state.options.name}'s own. It hands the lead over to ${better}.`,
      evidence: { opinions: said },
    });
    return;
  }
  tell(step, {
    type: "arbiter.trusts-itself",
    text: `${heard}: ${state.options.name} believes what it sees, and acts.`,
    evidence: { opinions: said },
  });
}

/** Its holder fell silent in the moment that is in doubt. */
export function isInDoubt({ doubt }: ArbiterState, view: ServiceView): boolean {
  return doubt.open !== null && view.row.holder !== null && doubt.open.silent.includes(view.row.holder);
}
