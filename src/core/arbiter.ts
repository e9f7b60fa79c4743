/**
 * The arbiter's core: one event in, effects out.
 *
 * It routes the event to the part that understands it, lets every service that may look different
 * now move as far as it can, and turns what the step gathered into at most one commit. It owns no
 * clock, no timer and no socket; the state is plain data, changed here and nowhere else. An
 * impossible transition throws: the process ends, and the leases run out, which is safe.
 */
import type { ArbiterEffect, ArbiterEvent } from "./arbiter-io.ts";
import type { ArbiterOptions, ArbiterState, DaemonView, ServiceView } from "./arbiter-state.ts";
import { arbiterPromiseAnswered, arbiterPromiseAsked } from "./arbiter-promise.ts";
import { checkFailed, checkIntervalMs, scheduleNext, sendNow } from "./checks.ts";
import { command, goOnWithCommands } from "./commands.ts";
import { commitFailed, committed } from "./commits.ts";
import { openWindow } from "./failback-window.ts";
import { goOnWithDrill, noteDrill } from "./drills.ts";
import { formerHolder, formerService } from "./former.ts";
import { hash32 } from "./hash.ts";
import {
  campaigned,
  hasRunOut,
  leadershipRead,
  lookAtLeadership,
  stepDown,
  storeFailed,
} from "./leadership.ts";
import { goOnWithClaim } from "./leadership-claim.ts";
import { storeChanged } from "./leadership-hints.ts";
import { newLeadership } from "./leadership-start.ts";
import { mapLoaded, mapSeen, raiseMap } from "./map-version.ts";
import type { ArbiterSpec, ServiceRow } from "./model.ts";
import { dueFailover } from "./moves.ts";
import {
  applyDaemons,
  daemonView,
  dropRemoved,
  keepEdit,
  refuseConfiguration,
  takeConfiguration,
} from "./reconfigure.ts";
import { endPauses, schedulePauseEnd } from "./pause-end.ts";
import { takeReport } from "./reports.ts";
import { endDoubt, newSelfDoubt, takeOpinion } from "./self-doubt.ts";
import { evaluate } from "./service.ts";
import { indexCandidates, indexHoldings, serviceView, unknownRow } from "./service-view.ts";
import { storeTouched } from "./store-touch.ts";
import { beginStep, flush, isLeading, isOpen, mayCommit, setTimer, tell, type Step } from "./step.ts";

/** Beyond so many daemons the first checks are spread over an interval. */
const AT_ONCE = 50;

export function createArbiter(options: ArbiterOptions): ArbiterState {
  const self = options.model.arbiters.find(({ name }) => name === options.name);
  if (self === undefined) throw new Error(`the model has no arbiter ${options.name}`);
  return {
    options,
    self: self satisfies ArbiterSpec,
    model: options.model,
    configuration: options.configuration,
    refusedEdit: null,
    clusterId: "",
    term: 0,
    seq: 0,
    mapVersion: 0,
    mapSeenVersion: 0,
    leadership: newLeadership(),
    settings: { pauses: {}, maintenance: {}, moves: {}, joined: {} },
    daemons: new Map(options.model.daemons.map((spec) => [spec.name, daemonView(spec)])),
    services: new Map(),
    rows: new Map(),
    yieldsLead: false,
    hasRemoved: false,
    hasLostPast: false,
    hasEverLostPast: false,
    waitingModel: null,
    candidateOf: new Map(),
    holdings: new Map(),
    nextCommitId: 1,
    waitingCommands: [],
    commits: new Map(),
    lastStallEndMs: -Infinity,
    lastStallLateMs: 0,
    openWindows: new Map(),
    spentCauses: [],
    warnedPauses: new Set(),
    doubt: newSelfDoubt(),
    drill: null,
    notes: [],
  };
}

export function stepArbiter(state: ArbiterState, event: ArbiterEvent): readonly ArbiterEffect[] {
  const step = beginStep(state, event.nowMs, event.wallMs);
  const { leadership } = state;
  // Judged at each step, not by a timer: a leader that was frozen must not say another word.
  if (leadership.mode === "leading" && hasRunOut(step)) stepDown(step, "its leadership ran out");
  const answered = route(step, event);
  if (state.waitingCommands.length > 0) goOnWithCommands(step);
  for (const name of step.dirty) {
    const view = state.services.get(name);
    if (view !== undefined) evaluate(step, view);
  }
  if (answered !== null && isLeading(state) && answered.inFlightSinceMs === null)
    scheduleNext(step, answered);
  dropRemoved(step);
  if (state.waitingModel !== null && mayCommit(state) && step.configuration === null)
    takeConfiguration(step, state.waitingModel);
  goOnWithDrill(step);
  if (leadership.claimed !== null) goOnWithClaim(step, leadership.claimed);
  raiseMap(step);
  flush(step);
  return step.effects;
}

/** Returns the daemon whose check was answered by this event. */
function route(step: Step, event: ArbiterEvent): DaemonView | null {
  const { state } = step;
  switch (event.kind) {
    case "started":
      lookAtLeadership(step);
      return null;
    case "timerFired":
      timerFired(step, event.key);
      return null;
    case "reported":
      return takeReport(step, event);
    case "checkFailed":
      checkFailed(step, event);
      return null;
    case "connectionClosed": {
      const daemon = state.daemons.get(event.daemon);
      if (daemon !== undefined) sendNow(step, daemon, true);
      return null;
    }
    case "leadershipRead":
      leadershipRead(step, event.record);
      return null;
    case "campaigned":
      campaigned(step, event);
      return null;
    case "storeFailed":
      storeFailed(step, event);
      return null;
    case "loaded":
      loaded(step, event);
      return null;
    case "committed":
      committed(step, event);
      return null;
    case "commitFailed":
      commitFailed(step, event);
      return null;
    case "configured":
      takeConfiguration(step, { model: event.model, configuration: event.configuration, plan: event.plan });
      return null;
    case "configRefused":
      refuseConfiguration(step, event.errors);
      return null;
    case "driftJudged":
      state.yieldsLead = event.yieldsLead;
      return null;
    case "commanded":
      command(step, event);
      return null;
    case "arbiterPromiseAsked":
      arbiterPromiseAsked(step, event);
      return null;
    case "arbiterPromiseAnswered":
      arbiterPromiseAnswered(step, event);
      return null;
    case "storeTouched":
    case "storeChanged":
    case "mapSeen":
    case "stalled":
    case "windowOpened":
    case "opinionGiven":
    case "noted":
      hear(step, event);
      return null;
  }
}

type Heard = Extract<
  ArbiterEvent,
  {
    kind: "storeTouched" | "storeChanged" | "mapSeen" | "stalled" | "windowOpened" | "opinionGiven" | "noted";
  }
>;

/** What this process, its calendar and the other arbiters have to say. */
function hear(step: Step, event: Heard): void {
  const { state } = step;
  switch (event.kind) {
    case "storeTouched":
      return storeTouched(step, event);
    case "storeChanged":
      return storeChanged(step);
    case "mapSeen":
      return mapSeen(step, event.version);
    case "stalled":
      state.lastStallEndMs = event.nowMs;
      state.lastStallLateMs = event.lateMs;
      return;
    case "windowOpened":
      return openWindow(step, event.window, event.nowMs + event.forMs);
    case "opinionGiven":
      return takeOpinion(step, event.arbiter, event.opinion);
    case "noted":
      step.events.push(event.event);
      return;
  }
}

function timerFired(step: Step, key: string): void {
  const { state } = step;
  if (key === "leadership") return lookAtLeadership(step);
  if (key === "pauses") return endPauses(step);
  if (key === "doubt") return endDoubt(step);
  // It is looked at in every step.
  if (key === "drill") return;
  if (key.startsWith("service:")) {
    const name = key.slice("service:".length);
    const view = state.services.get(name);
    if (view !== undefined) view.lookAtMs = null;
    step.dirty.add(name);
    return;
  }
  const daemon = state.daemons.get(key.slice("check:".length));
  if (daemon !== undefined && isLeading(state) && daemon.inFlightSinceMs === null) sendNow(step, daemon);
}

type Loaded = Extract<ArbiterEvent, { kind: "loaded" }>;

/** The lead is taken: rows come from the store, everything else from asking. */
function loaded(step: Step, event: Loaded): void {
  const { state } = step;
  state.leadership.calling = false;
  if (state.leadership.mode !== "loading" || event.term !== state.term) return;
  leadWith(step, event);
  endWaiting(step, event);
  state.leadership.mode = "leading";
  mapLoaded(step, event.revision);
  state.settings = event.settings;
  state.spentCauses = [];
  state.doubt = newSelfDoubt();
  const rows = new Map(event.rows.map((row) => [row.service, row]));
  for (const [name, { epoch }] of state.rows)
    if ((rows.get(name)?.epoch ?? 0) < epoch) state.hasLostPast = true;
  state.rows = rows;
  if (state.hasLostPast) state.hasEverLostPast = true;
  state.commits.clear();
  adoptServices(step);
  state.configuration = { ...state.configuration, version: event.configuration?.version ?? 0 };
  tell(step, {
    type: "leader.elected",
    text: `${state.options.name} leads term ${state.term}.`,
    evidence: { term: state.term, services: state.services.size, daemons: state.daemons.size },
  });
  step.events.unshift(...state.notes.splice(0));
  const { model, configuration } = state;
  if (state.waitingModel !== null) takeConfiguration(step, state.waitingModel);
  else if (event.configuration?.hash !== configuration.hash)
    takeConfiguration(step, { model, configuration, plan: [] });
  state.hasLostPast = false;
  firstChecks(step);
  schedulePauseEnd(step);
  noteDrill(step);
  setTimer(step, "leadership", step.nowMs + state.model.arbiterLeaseMs / 4);
  step.effects.push({ kind: "changed", mapVersion: state.mapVersion });
}

/** Before anything is adopted: a daemon that has joined holds what it holds by right. */
function leadWith(step: Step, { inForce }: Loaded): void {
  if (inForce === undefined || inForce === null) return;
  step.state.model = inForce.model;
  step.state.configuration = inForce.configuration;
  applyDaemons(step, inForce.model);
}

/** An edit whose commit's outcome wasn't known: it may be in force already, as it turns out. */
function endWaiting(step: Step, { configuration, inForce }: Loaded): void {
  const { state } = step;
  for (const commit of state.commits.values()) keepEdit(state, commit);
  const edit = state.waitingModel;
  if (edit === null || configuration?.hash !== edit.configuration.hash) return;
  state.waitingModel = null;
  if (inForce !== undefined && inForce !== null) return;
  state.model = edit.model;
  state.configuration = edit.configuration;
  applyDaemons(step, edit.model);
}

function adoptServices(step: Step): void {
  const { state } = step;
  const before = state.services;
  state.services = new Map();
  const add = (view: ServiceView): void => {
    const known = before.get(view.spec.name);
    if (known !== undefined) {
      view.history = known.history;
      view.lastMove = known.lastMove;
      // Found out in an earlier term that ended before it could be written down: still so (I1).
      if (known.isPastLost && known.row.epoch === view.row.epoch) view.isPastLost = true;
    }
    const move = dueFailover(state.settings, view);
    if (move !== null) view.order = { kind: "failover", by: move.by, to: move.to };
    state.services.set(view.spec.name, view);
    step.dirty.add(view.spec.name);
  };
  for (const spec of state.model.services)
    add(serviceView(step, spec, state.rows.get(spec.name) ?? unknownRow(spec), false));
  // Held, but gone from the files while no arbiter ran: kept until it is over.
  for (const row of state.rows.values()) {
    if (state.services.has(row.service) || row.epoch <= row.cleared) continue;
    state.hasRemoved = true;
    add(serviceView(step, formerService(row), row, true));
  }
  for (const view of state.services.values()) if (isOpen(view)) addFormerHolder(state, view.row);
  indexHoldings(state);
  indexCandidates(state);
}

function addFormerHolder(state: ArbiterState, row: ServiceRow): void {
  if (row.holder === null || state.daemons.has(row.holder)) return;
  const spec = formerHolder(row);
  if (spec === null) return;
  state.daemons.set(spec.name, { ...daemonView(spec), removed: true });
  state.hasRemoved = true;
}

function firstChecks(step: Step): void {
  const { state } = step;
  const isMany = state.daemons.size > AT_ONCE;
  for (const daemon of state.daemons.values()) {
    daemon.inFlightSinceMs = null;
    daemon.sendAgain = false;
    const isHolder = (state.holdings.get(daemon.spec.name)?.size ?? 0) > 0;
    if (!isMany || isHolder) {
      sendNow(step, daemon);
      continue;
    }
    const share = hash32(daemon.spec.name) / 2 ** 32;
    daemon.nextCheckAtMs = step.nowMs + share * checkIntervalMs(state, daemon);
    setTimer(step, `check:${daemon.spec.name}`, daemon.nextCheckAtMs);
  }
}
