/**
 * Operators' commands: what is accepted, what is refused, and why.
 *
 * A command is answered once its record is committed (I5), not once it has been carried out. What
 * it asks for stands in the settings until it is done, so that a new leader goes on with it.
 */
import type { ArbiterEvent, OperatorCommand } from "./arbiter-io.ts";
import type { ArbiterState, DaemonView, ServiceView } from "./arbiter-state.ts";
import { touch } from "./checks.ts";
import { liftBudget } from "./failover-budget.ts";
import { accept, refuse, settingsOf } from "./command-answers.ts";
import { drill, rememberDrills } from "./drill-command.ts";
import { noteDrill } from "./drills.ts";
import { release } from "./leadership.ts";
import { claimLead } from "./leadership-claim.ts";
import type { Settings, WantedMove } from "./model.ts";
import { dueFailover, failbackTarget, isFit, mastersNow } from "./moves.ts";
import { schedulePauseEnd } from "./pause-end.ts";
import { judge } from "./placement.ts";
import { keepMasters, mastersAreBusy } from "./reconfigure.ts";
import {
  configurationIsBusy,
  daemonOf,
  isLeading,
  isOpen,
  mayCommit,
  settingsAreBusy,
  type Step,
} from "./step.ts";

type Commanded = Extract<ArbiterEvent, { kind: "commanded" }>;
type MoveCommand = Extract<OperatorCommand, { service: string; force: boolean }>;

export function command(step: Step, event: Commanded): void {
  const { state } = step;
  if (event.command.verb === "release") {
    release(step);
    return;
  }
  if (event.command.verb === "claim") {
    claimLead(step, event);
    return;
  }
  if (!isLeading(state)) {
    const leader = state.leadership.record?.leader;
    return refuse(
      step,
      event,
      503,
      leader === undefined ? "No arbiter leads yet; try again." : `This arbiter stands by; ${leader} leads.`,
    );
  }
  if (!mayCommit(state))
    return refuse(
      step,
      event,
      503,
      `The store doesn't answer (${state.leadership.storeProblem ?? "no new term yet"}): nothing can be changed until it is back.`,
    );
  if (event.command.verb !== "transfer" && settingsAreBusy(state)) {
    state.waitingCommands.push(knowingEpoch(state, event));
    return;
  }
  switch (event.command.verb) {
    case "switchover":
    case "failover":
    case "failback":
      return move(step, event, event.command);
    case "pause":
    case "resume":
      return pause(step, event, event.command);
    case "maintenance":
      return maintenance(step, event, event.command);
    case "members":
      return changeMembers(step, event, event.command);
    case "drill":
      return drill(step, event, event.command);
    case "remember-drills":
      return rememberDrills(step, event, event.command.services);
    case "transfer":
      return handOver(step, event, event.command.to);
  }
}

/** Whom a failover is to end is who holds it now, not who may have it once the order's turn comes (I1). */
function knowingEpoch({ services }: ArbiterState, event: Commanded): Commanded {
  const { command: wanted, aboutEpoch } = event;
  const view = wanted.verb === "failover" ? services.get(wanted.service) : undefined;
  return view === undefined || aboutEpoch !== undefined ? event : { ...event, aboutEpoch: view.row.epoch };
}

/** What waited for a commit of settings; together, in the order in which it came. */
export function goOnWithCommands(step: Step): void {
  const { state } = step;
  if (settingsAreBusy(state) && mayCommit(state)) return;
  for (const event of state.waitingCommands.splice(0)) command(step, event);
}

/** Committed with the settings, and in force once it is (I5): a new leader starts with it. */
function changeMembers(
  step: Step,
  event: Commanded,
  { daemon, joined, model, type, text }: Extract<OperatorCommand, { verb: "members" }>,
): void {
  const isBusy = configurationIsBusy(step) || mastersAreBusy(step, model);
  if (step.state.waitingModel !== null || isBusy)
    return refuse(step, event, 503, "An edit of the files is being taken; ask again.");
  keepMasters(step, model);
  step.settings = { ...settingsOf(step), joined };
  step.members = model;
  accept(step, event, type, text, { daemon });
}

function handOver(step: Step, event: Commanded, to: string | null): void {
  const { model, options } = step.state;
  const others = model.arbiters.filter(({ name, electable }) => electable && name !== options.name);
  const known = others.map(({ name }) => name).join(", ");
  if (others.length === 0)
    return refuse(step, event, 409, `There is no other electable arbiter than ${options.name}.`);
  if (to !== null && !others.some(({ name }) => name === to))
    return refuse(step, event, 409, `${to} can't lead in place of ${options.name}. These can: ${known}.`);
  step.transfer = { to };
  accept(
    step,
    event,
    "operator.leader",
    `${options.name} hands the lead over to ${to ?? "whoever is next in line"}`,
    {},
  );
}

function move(step: Step, event: Commanded, wanted: MoveCommand): void {
  const view = step.state.services.get(wanted.service);
  // One that left the configuration may still have to be declared dead.
  const isDeclaration = wanted.verb === "failover" && wanted.force;
  if (view === undefined || (view.removed && !isDeclaration)) {
    const known = [...step.state.services.keys()].join(", ");
    return refuse(
      step,
      event,
      404,
      `There is no service ${wanted.service}. Known: ${known === "" ? "none" : known}.`,
    );
  }
  if (wanted.to !== null && !view.spec.candidates.includes(wanted.to))
    return refuse(
      step,
      event,
      409,
      `${wanted.to} is no candidate of ${wanted.service}. Its candidates: ${view.spec.candidates.join(", ")}.`,
    );
  if (wanted.verb === "failover") return failover(step, event, view, wanted);
  const holder = view.phase === "held" ? daemonOf(step.state, view.row.holder) : null;
  if (holder === null)
    return refuse(
      step,
      event,
      409,
      `${wanted.service} is ${view.phase}: a planned move needs a holder that answers. \`arbiter failover ${wanted.service}\` begins an unplanned one.`,
    );
  const target =
    wanted.verb === "failback"
      ? failbackOrder(step, event, view, holder)
      : switchoverTarget(step, event, view, holder, wanted.to);
  if (target === null) return;
  const order: WantedMove = {
    verb: wanted.verb,
    to: target,
    by: event.by,
    requestedWallMs: step.wallMs,
    doneAtBoots: null,
  };
  const settings = settingsOf(step);
  step.settings = { ...settings, moves: { ...settings.moves, [wanted.service]: order } };
  accept(
    step,
    event,
    `operator.${wanted.verb}`,
    `${wanted.verb} of ${wanted.service} from ${holder.spec.name} to ${target}`,
    { service: wanted.service, daemon: target },
  );
}

function switchoverTarget(
  step: Step,
  event: Commanded,
  view: ServiceView,
  holder: DaemonView,
  to: string | null,
): string | null {
  if (to === holder.spec.name) {
    refuse(step, event, 409, `${to} holds ${view.spec.name} already.`);
    return null;
  }
  const candidates = view.spec.candidates
    .map((name) => step.state.daemons.get(name))
    .filter((daemon): daemon is DaemonView => daemon !== undefined && daemon !== holder);
  const target = candidates.find(
    (daemon) => (to === null || daemon.spec.name === to) && isFit(step, view, daemon),
  );
  if (target !== undefined) return target.spec.name;
  const reasons = candidates
    .filter((daemon) => to === null || daemon.spec.name === to)
    .map(
      (daemon) =>
        `${daemon.spec.name}: ${judge(step.state, view, daemon, { onProof: true, nowMs: step.nowMs, askedAfterMs: 0 }).because}`,
    );
  refuse(
    step,
    event,
    409,
    `Nobody could take ${view.spec.name} now. ${reasons.length === 0 ? "It has no other candidate." : `${reasons.join("; ")}.`}`,
  );
  return null;
}

function failbackOrder(step: Step, event: Commanded, view: ServiceView, holder: DaemonView): string | null {
  if (view.spec.failback === "never") {
    refuse(
      step,
      event,
      409,
      `${view.spec.name} has failback = never. To move it all the same: arbiter switchover ${view.spec.name} --to ${view.spec.masters[0] ?? "DAEMON"}`,
    );
    return null;
  }
  const master = failbackTarget(step, view, holder);
  if (master !== null) return master.spec.name;
  refuse(
    step,
    event,
    409,
    view.spec.masters.includes(holder.spec.name)
      ? `${holder.spec.name}, a master of ${view.spec.name}, holds it already.`
      : `No master of ${view.spec.name} could take it now: ${mastersNow(step, view)}.`,
  );
  return null;
}

function failover(step: Step, event: Commanded, view: ServiceView, wanted: MoveCommand): void {
  const { service } = wanted;
  const { holder, epoch } = view.row;
  if (event.aboutEpoch !== undefined && event.aboutEpoch !== epoch)
    return refuse(
      step,
      event,
      409,
      `${service} has moved while the order waited: ${holder ?? "nobody"} has it at epoch ${epoch}. Look again.`,
    );
  if (!isOpen(view) || holder === null)
    return refuse(step, event, 409, `${service} has no holder; it waits for an eligible candidate.`);
  if (wanted.to === holder)
    return refuse(step, event, 409, `${holder} is the holder itself; name another candidate or none.`);
  if (wanted.force) {
    const alive = signOfLife(step, view, holder);
    if (alive !== null && !wanted.evenIfAlive)
      return refuse(
        step,
        event,
        409,
        `${alive} Declaring it dead would let two run at once. Use \`arbiter switchover ${service}\`, or --even-if-alive if you know better.`,
      );
  }
  const settings = settingsOf(step);
  const order: WantedMove = {
    verb: "failover",
    to: wanted.to,
    by: event.by,
    requestedWallMs: step.wallMs,
    epoch: view.row.epoch,
    doneAtBoots: null,
  };
  step.settings = { ...settings, moves: { ...settings.moves, [service]: order } };
  // What ends the epoch at once goes into the same commit. A failover waits for it: carried out before
  // it is on disk, it might be over before that, and the next leader would carry it out once more (I4).
  if (wanted.force) {
    view.order = { kind: "declared-dead", by: event.by, to: wanted.to };
    view.target = wanted.to;
    step.dirty.add(service);
  }
  accept(
    step,
    event,
    wanted.force ? "operator.failover-forced" : "operator.failover",
    wanted.force
      ? `${holder} is declared dead: ${service} fails over`
      : `failover of ${service} away from ${holder}`,
    { service, daemon: holder },
  );
}

function signOfLife(step: Step, view: ServiceView, holder: string): string | null {
  const daemon = step.state.daemons.get(holder);
  // Another state under its name is another candidate: that one's answer is no sign of life. Nor is
  // one that proves that the epoch isn't held any more, where those before it are still in doubt.
  const isItself = daemon?.report?.stateId === view.row.stateId && daemon?.failedChecks === 0;
  if (isItself && view.proof?.epoch !== view.row.epoch) return `${holder} answers.`;
  for (const name of view.spec.candidates) {
    const promise = step.state.daemons.get(name)?.promisesUntilMs[view.spec.name];
    // One without end was left behind: it says nothing of whether the holder still goes by it.
    if (promise === undefined || promise.untilMs === Infinity) continue;
    if (promise.untilMs > step.nowMs && promise.epoch === view.row.epoch)
      return `${holder} is alive: ${name} has promised it not to take ${view.spec.name}.`;
  }
  return null;
}

function pause(
  step: Step,
  event: Commanded,
  wanted: Extract<OperatorCommand, { verb: "pause" | "resume" }>,
): void {
  const { service } = wanted;
  if (service !== null && !step.state.services.has(service))
    return refuse(
      step,
      event,
      404,
      `There is no service ${service}. Known: ${[...step.state.services.keys()].join(", ")}.`,
    );
  const key = service ?? "*";
  const what = service ?? "every service";
  const settings = settingsOf(step);
  if (wanted.verb === "pause") {
    const untilWallMs = wanted.forMs === null ? null : step.wallMs + wanted.forMs;
    const entry = { by: event.by, reason: wanted.reason, untilWallMs, sinceWallMs: step.wallMs };
    step.settings = { ...settings, pauses: { ...settings.pauses, [key]: entry } };
    return accept(
      step,
      event,
      "operator.pause",
      `${what} is paused${wanted.reason === "" ? "" : `: ${wanted.reason}`}`,
      service === null ? {} : { service },
    );
  }
  const lifted = liftBudget(step, service);
  if (settings.pauses[key] === undefined) {
    if (lifted.length === 0) return refuse(step, event, 409, `${what} is not paused.`);
    const text = `${lifted.join(", ")} may move: failover_budget is lifted`;
    return accept(step, event, "operator.resume", text, service === null ? {} : { service });
  }
  const { [key]: _resumed, ...pauses } = settings.pauses;
  step.settings = { ...settings, pauses };
  accept(step, event, "operator.resume", `${what} is resumed`, service === null ? {} : { service });
}

function maintenance(
  step: Step,
  event: Commanded,
  wanted: Extract<OperatorCommand, { verb: "maintenance" }>,
): void {
  const { daemon, on } = wanted;
  if (!step.state.daemons.has(daemon))
    return refuse(
      step,
      event,
      404,
      `There is no daemon ${daemon}. Known: ${[...step.state.daemons.keys()].join(", ")}.`,
    );
  const settings = settingsOf(step);
  if (on) {
    const entry = { by: event.by, reason: wanted.reason };
    step.settings = { ...settings, maintenance: { ...settings.maintenance, [daemon]: entry } };
  } else {
    if (settings.maintenance[daemon] === undefined)
      return refuse(step, event, 409, `${daemon} is not in maintenance.`);
    const { [daemon]: _ended, ...rest } = settings.maintenance;
    step.settings = { ...settings, maintenance: rest };
  }
  accept(step, event, "operator.maintenance", `${daemon} is ${on ? "in" : "out of"} maintenance`, { daemon });
}

/** New settings are in force: look at everything they may touch, and wake when the next pause ends. */
export function applySettings(step: Step, settings: Settings): void {
  const { state } = step;
  const before = state.settings;
  state.settings = settings;
  for (const [name, view] of state.services) {
    step.dirty.add(name);
    const ordered = dueFailover(settings, view);
    // While a commit is under way that ends the epoch, the order is being done already.
    if (ordered === null || ordered === before.moves[name] || view.pendingCommit !== null) continue;
    view.order = { kind: "failover", by: ordered.by, to: ordered.to };
    view.target = ordered.to;
  }
  for (const name of new Set([...Object.keys(before.maintenance), ...Object.keys(settings.maintenance)]))
    touch(step, name);
  schedulePauseEnd(step);
  noteDrill(step);
}
