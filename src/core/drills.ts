/**
 * Carries drills out: what must be so before one begins, its orders, and its record, which is kept in
 * the settings: a new leader goes on with a drill where the last one left it.
 *
 * One drill at a time in a cluster: it takes a spare away from all others.
 */
import type { ArbiterState, DaemonView, ServiceView } from "./arbiter-state.ts";
import { nextDrillAct, type DrillAct, type DrillSight, type DrillVerdicts } from "./drill.ts";
import type { DrillRecord, DrillRun, DrillTrial, Settings, WantedMove } from "./model.ts";
import { isAboutPast, isFit } from "./moves.ts";
import { judge } from "./placement.ts";
import { daemonOf, isLeading, mayCommit, setTimer, settingsAreBusy, tell, type Step } from "./step.ts";

/** Long enough for a few checks and a health probe. */
export const DRILL_HOLD_MS = 10_000;
/** A move that takes longer than draining and activating may is given so much more. */
const MOVE_GRACE_MS = 5_000;
/** How the orders of a drill are signed: an order of anybody else ends the drill. */
const SIGNED = "the drill ordered by ";

/** Who could be the spare of a drill now; a sentence: why there can be none. */
export function drillSpare(step: Step, view: ServiceView, to: string | null): DaemonView | string {
  const { state } = step;
  const { name } = view.spec;
  const holder = daemonOf(state, view.row.holder);
  if (view.removed || view.phase !== "held" || holder === null)
    return `${name} is ${view.phase}: a drill needs a holder that is well.`;
  if (holder.unhealthyReports > 0) return `${holder.spec.name}, which holds it, says that it is unhealthy.`;
  const pause = state.settings.pauses[name] ?? state.settings.pauses["*"];
  if (pause !== undefined)
    return `It is paused by ${pause.by}${pause.reason === "" ? "" : ` (${pause.reason})`}.`;
  const order = state.settings.moves[name];
  if (order !== undefined && order.doneAtBoots === null && !isAboutPast(order, view))
    return `A ${order.verb} of it is under way already.`;
  const running = runningDrill(state.settings);
  if (running !== null) return `A drill of ${running.service} is going on; one at a time.`;
  if (holder.backOffUntilMs > step.nowMs)
    return `${holder.spec.name} could not take it back yet: its last activation failed a moment ago.`;
  const reasons: string[] = [];
  for (const candidate of view.spec.candidates) {
    const daemon = state.daemons.get(candidate);
    if (daemon === undefined || daemon === holder || (to !== null && candidate !== to)) continue;
    const trouble = spareTrouble(step, view, daemon, holder);
    if (trouble === null) return daemon;
    reasons.push(`${candidate}: ${trouble}`);
  }
  if (to === holder.spec.name) return `${to} holds it already.`;
  if (reasons.length === 0) return to === null ? "It has no spare." : `${to} is no candidate of it.`;
  return `No spare is ready: ${reasons.join("; ")}.`;
}

function spareTrouble(step: Step, view: ServiceView, daemon: DaemonView, holder: DaemonView): string | null {
  if (!isFit(step, view, daemon)) return unfit(step, view, daemon);
  const { report } = daemon;
  if (report === null) return "it hasn't answered yet";
  if (report.state !== "waiting") return `it is ${report.state}, not waiting`;
  const isBehind = report.dataVersion < (holder.report?.dataVersion ?? 0);
  if (isBehind)
    return `its data is older than that of ${holder.spec.name} (${report.dataVersion} < ${holder.report?.dataVersion ?? 0})`;
  const isKnown = view.row.candidates.list.some(
    (one) => one.name === daemon.spec.name && one.stateId === report.stateId,
  );
  return isKnown && view.acknowledgedSet >= view.row.candidates.version
    ? null
    : "the holder has not heard of it yet";
}

function unfit(step: Step, view: ServiceView, daemon: DaemonView): string {
  const options = { onProof: true, nowMs: step.nowMs, askedAfterMs: 0 };
  return judge(step.state, view, daemon, options).because || "it could take it";
}

export function runningDrill(
  settings: Settings,
): { readonly service: string; readonly record: DrillRecord; readonly run: DrillRun } | null {
  for (const [service, record] of Object.entries(settings.drills ?? {}))
    if (record.run !== null) return { service, record, run: record.run };
  return null;
}

/** Begins one whose spare was found; the caller records who asked. */
export function beginDrill(
  step: Step,
  view: ServiceView,
  spare: DaemonView,
  { by, holdMs }: { readonly by: string; readonly holdMs: number },
): void {
  const settings = step.settings ?? step.state.settings;
  const { name } = view.spec;
  const run: DrillRun = {
    by,
    home: view.row.holder ?? "",
    spare: spare.spec.name,
    holdMs,
    startedWallMs: step.wallMs,
    stage: "out",
    fromEpoch: view.row.epoch,
    outGapMs: null,
    outOverlapMs: null,
    failure: null,
    moveBefore: settings.moves[name] ?? null,
  };
  step.settings = {
    ...settings,
    drills: { ...settings.drills, [name]: { ...recordOf(settings, name, step.wallMs), run } },
    moves: { ...settings.moves, [name]: orderTo(step, spare.spec.name, by) },
  };
}

export function recordOf(settings: Settings, service: string, wallMs: number): DrillRecord {
  return settings.drills?.[service] ?? { sinceWallMs: wallMs, lastGoodWallMs: null, failed: null, run: null };
}

function orderTo(step: Step, to: string, by: string): WantedMove {
  return { verb: "switchover", to, by: `${SIGNED}${by}`, requestedWallMs: step.wallMs, doneAtBoots: null };
}

/** New settings are in force: whether a drill is going on, and since when in its stage. */
export function noteDrill(step: Step): void {
  const { state } = step;
  const running = isLeading(state) ? runningDrill(state.settings) : null;
  state.drill = running === null ? null : { service: running.service, stageSinceMs: step.nowMs };
}

/** Looked at in every step while one is going on. */
export function goOnWithDrill(step: Step): void {
  const { state } = step;
  if (state.drill === null || !mayCommit(state) || settingsAreBusy(state) || step.settings !== null) return;
  const running = runningDrill(state.settings);
  if (running === null) {
    state.drill = null;
    return;
  }
  const { service, record, run } = running;
  const view = state.services.get(service);
  const sight = view === undefined ? null : sightOf(step, view, run, state.drill.stageSinceMs);
  const act: DrillAct =
    sight === null
      ? { kind: "fail", because: "the service left the configuration", verdicts: {} }
      : nextDrillAct(run.stage, sight);
  if (act.kind === "wait") {
    if (sight !== null) setTimer(step, "drill", nextLookMs(step, run, state.drill.stageSinceMs, sight));
    return;
  }
  carryOut(step, { service, record, run, view }, act);
}

function nextLookMs({ nowMs }: Step, run: DrillRun, sinceMs: number, sight: DrillSight): number {
  const holdMs = sinceMs + sight.holdMs;
  const lastMs = sinceMs + sight.moveTimeoutMs + (run.stage === "holding" ? sight.holdMs : 0);
  return Math.max(nowMs + 1, run.stage === "holding" && holdMs > nowMs ? holdMs : lastMs);
}

function sightOf(step: Step, view: ServiceView, run: DrillRun, stageSinceMs: number): DrillSight {
  const { state } = step;
  const [spare, home] = [daemonOf(state, run.spare), daemonOf(state, run.home)];
  const { drainTimeoutMs, activationTimeoutMs, leaseMs } = view.spec;
  return {
    stageMs: step.nowMs - stageSinceMs,
    moveTimeoutMs: drainTimeoutMs + activationTimeoutMs + 2 * leaseMs + MOVE_GRACE_MS,
    holdMs: run.holdMs,
    holder: view.phase === "held" && view.pendingCommit === null ? view.row.holder : null,
    epoch: view.row.epoch,
    gapMs: view.lastMove.gapMs,
    home: run.home,
    spare: run.spare,
    fromEpoch: run.fromEpoch,
    spareLost: lostBecause(view, run),
    spareTrouble:
      spare !== null && spare.unhealthyReports > 0
        ? `${run.spare} said that it is unhealthy${spare.report?.reason === "" ? "" : ` (${spare.report?.reason ?? ""})`}`
        : null,
    homeTrouble:
      home === null
        ? "it is not in the configuration"
        : isFit(step, view, home)
          ? null
          : unfit(step, view, home),
    interruption: interruption(state, view.spec.name),
    failure: run.failure,
  };
}

/** As its report said it that proved its epoch over, in this drill. */
function lostBecause({ history }: ServiceView, { spare, fromEpoch }: DrillRun): string {
  const said = history.findLast(
    ({ epoch, evidence }) =>
      epoch > fromEpoch - 1 && evidence["daemon"] === spare && typeof evidence["reason"] === "string",
  )?.evidence["reason"];
  return typeof said === "string" ? said : "";
}

function interruption({ settings }: ArbiterState, service: string): string | null {
  const pause = settings.pauses[service] ?? settings.pauses["*"];
  if (pause !== undefined) return `${pause.by} paused it meanwhile`;
  const move = settings.moves[service];
  if (move === undefined || move.by.startsWith(SIGNED)) return null;
  return `${move.by} ordered a ${move.verb} meanwhile`;
}

interface Running {
  readonly service: string;
  readonly record: DrillRecord;
  readonly run: DrillRun;
  readonly view: ServiceView | undefined;
}

function carryOut(step: Step, running: Running, act: Exclude<DrillAct, { kind: "wait" }>): void {
  const { service, run, view } = running;
  const epoch = view?.row.epoch ?? run.fromEpoch;
  switch (act.kind) {
    case "hold":
      proceed(step, running, {
        ...run,
        stage: "holding",
        fromEpoch: epoch,
        outGapMs: act.gapMs,
        outOverlapMs: overlapMs(view),
      });
      tell(step, {
        type: "drill.holding",
        service,
        daemon: run.spare,
        text: `Drill of ${service}: ${run.spare} has it, ${gapText(act.gapMs)}; it is watched there for ${run.holdMs} ms.`,
        evidence: { gapMs: act.gapMs, overlapMs: overlapMs(view), holdMs: run.holdMs },
      });
      return;
    case "goHome":
      proceed(step, running, { ...run, stage: "back", fromEpoch: epoch, failure: act.failure }, run.home);
      return;
    case "pass":
      return pass(step, running, act.gapMs);
    case "fail":
      return failed(step, running, act);
  }
}

function proceed(step: Step, { service, record }: Running, run: DrillRun, to: string | null = null): void {
  const { settings } = step.state;
  step.settings = {
    ...settings,
    drills: { ...settings.drills, [service]: { ...record, run } },
    ...(to === null ? {} : { moves: { ...settings.moves, [service]: orderTo(step, to, run.by) } }),
  };
}

/** The old holder's word that it had let go came before the new one was told: no instant had both. */
function overlapMs(view: ServiceView | undefined): number | null {
  return view !== undefined && view.row.cleared === view.row.epoch - 1 ? 0 : null;
}

function gapText(gapMs: number | null): string {
  return gapMs === null ? "after a gap that was not measured" : `after a gap of ${gapMs} ms`;
}

function pass(step: Step, running: Running, backGapMs: number | null): void {
  const { service, run, view } = running;
  const good = { spare: "good", home: "good" } as const;
  end(step, running, { lastGoodWallMs: step.wallMs, failed: null, tried: triedBy(step, running, good, "") });
  const { home, spare, outGapMs, outOverlapMs, holdMs, by } = run;
  const backOverlapMs = overlapMs(view);
  const gaps = { outGapMs, backGapMs, outOverlapMs, backOverlapMs };
  tell(step, {
    type: "drill.passed",
    service,
    daemon: home,
    text: `The drill of ${service} was good: to ${spare} ${gapText(outGapMs)}, ${holdMs} ms there in good health, back to ${home} ${gapText(backGapMs)}${outOverlapMs === 0 && backOverlapMs === 0 ? "; at no instant had both of them it" : ""}.`,
    evidence: { ...gaps, holdMs, home, spare, by, tookMs: step.wallMs - run.startedWallMs },
  });
}

function failed(step: Step, running: Running, act: Extract<DrillAct, { kind: "fail" }>): void {
  const { service, run, view } = running;
  const { because, verdicts } = act;
  const tried = triedBy(step, running, verdicts, because);
  end(step, running, { failed: { atWallMs: step.wallMs, because }, tried });
  const holder = view?.phase === "held" ? view.row.holder : null;
  const { home, spare, outGapMs, by } = run;
  tell(step, {
    type: "drill.failed",
    service,
    ...(holder === null ? {} : { daemon: holder }),
    text: `The drill of ${service} failed: ${because}.`,
    evidence: { because, holder, home, spare, outGapMs, by },
  });
}

/** Who left the configuration is forgotten with the next drill. */
function triedBy(
  { state, wallMs: atWallMs }: Step,
  { record, run }: Running,
  verdicts: DrillVerdicts,
  because: string,
): Readonly<Record<string, DrillTrial>> {
  const tried = new Map(Object.entries(record.tried ?? {}).filter(([name]) => state.daemons.has(name)));
  for (const who of ["spare", "home"] as const) {
    const verdict = verdicts[who];
    if (verdict !== undefined)
      tried.set(run[who], { atWallMs, because: verdict === "good" ? null : because });
  }
  return Object.fromEntries(tried);
}

/** What was ordered before it counts again, so that failback goes on as if there had been no drill. */
function end(step: Step, { service, record, run }: Running, result: Partial<DrillRecord>): void {
  const { settings } = step.state;
  const { [service]: ours, ...moves } = settings.moves;
  const kept = ours !== undefined && !ours.by.startsWith(SIGNED) ? ours : run.moveBefore;
  step.settings = {
    ...settings,
    drills: { ...settings.drills, [service]: { ...record, ...result, run: null } },
    moves: kept === null ? moves : { ...moves, [service]: kept },
  };
}
