/**
 * One event in plain words, for a reader who has never seen the code: what was seen, what follows
 * from it, and what is waited for. One sentence or two for each row of the service table.
 */
import type { EventDraft } from "./model.ts";

export type Evidence = Readonly<Record<string, unknown>>;

/** `sinceMs`: since the row before, `before`, of the same move. */
export function rowSentence(event: EventDraft, sinceMs: number | null, before: EventDraft | null): string {
  const { evidence = {}, daemon } = event;
  const who = textOf(evidence, "daemon") ?? daemon ?? "the holder";
  const waited = sinceMs === null ? "" : inTime(sinceMs);
  switch (event.row ?? 0) {
    case 100:
      return chosenText(event, evidence);
    case 110:
    case 111:
      return `${who} says that it ${event.row === 110 ? "holds it" : "is starting it"} at the epoch that the store knows: it went on while no arbiter led.`;
    case 113:
      return `${who} holds it at an epoch that the store doesn't know: the store has lost its past. It is adopted as it is.`;
    case 200:
      return `${daemon ?? who} is active${waited === "" ? "" : `, ${waited} after it was chosen`}.`;
    case 210:
      return `${who} could not take it: ${proofText(evidence)}. It isn't tried there again for a while.`;
    case 211:
      return `${daemon ?? who} fell silent while it was starting it (${checksText(evidence)}).`;
    case 212:
      return `${daemon ?? who} was not active within activation_timeout (${inTime(numberOf(evidence, "timeoutMs") ?? 0)}): it is given up there.`;
    case 220:
      return `The store did not take the change (${textOf(evidence, "detail") ?? "no reason given"}); nobody was told anything, so nothing is lost.`;
    case 310:
      return `${who} is starting it anew in place, under the same epoch and lease (restart_attempts).`;
    case 311:
    case 402:
      return `${who} is stopping it in good order, of its own accord: it was asked to end.`;
    case 320:
    case 410:
    case 510:
      return `${proofText(evidence)}. That is proof that ${who} does not work on it any more, so nothing has to be waited for.`;
    case 330:
      return `A check of ${who} failed (${failureText(evidence)}). Nothing is decided by one: it is asked again.`;
    case 340:
      return `A planned move: ${reasonText(evidence)}. ${daemon ?? who} is asked to finish and to say when it has.`;
    case 400:
      return `${who} answered again and still holds it: nothing moves.`;
    case 401:
    case 501:
      return `${who} answered again; it is still starting it.`;
    case 420:
      return `${checksText(evidence)}. So its lease, its right to work on the service for a while, is not renewed any more. It may still be working: nobody else gets the service until that lease is over, or it says that it has stopped.`;
    case 500:
      return `${who} answered again, with a lease of its own${waited === "" ? "" : ` after ${waited}`}: the other candidates that it still reached had promised it not to take over. It keeps it.`;
    case 520:
      return expiryText(before, waited);
    case 600:
      return `${who} has let go and says so${waited === "" ? "" : `, ${waited} after it was asked`}: from here on nobody holds it.`;
    case 610:
      return `${daemon ?? who} had not let go within drain_timeout: its lease is not renewed any more.`;
    case 620:
      return `${daemon ?? who} fell silent while it was finishing (${checksText(evidence)}): its lease is not renewed any more.`;
    default:
      return orderText(event, evidence);
  }
}

function orderText(event: EventDraft, evidence: Evidence): string {
  const by = textOf(evidence, "by");
  if (by === null) return sentence(event.text);
  return event.type === "service.declared-dead"
    ? `${by} said that ${event.daemon ?? "the holder"} is dead, and its word counts as proof.`
    : `${by} ordered a failover: ${event.daemon ?? "the holder"}'s lease is not renewed any more.`;
}

function chosenText(event: EventDraft, evidence: Evidence): string {
  const chosen = textOf(evidence, "chosen") ?? event.daemon ?? "somebody";
  const others = rejections(evidence).map(({ daemon, because }) => `${daemon} (${because})`);
  const passed = others.length === 0 ? "" : ` Passed over: ${others.join(", ")}.`;
  const basis = evidence["restsOn"] === "expiry" ? ", after every lease of the last holder had ended" : "";
  return `${chosen} is the best candidate that could take it${basis}: it gets epoch ${event.epoch ?? "?"}.${passed}`;
}

function expiryText(before: EventDraft | null, waited: string): string {
  const holder = before?.daemon ?? "the old holder";
  const span = waited === "" ? "Waited" : `Waited ${waited}`;
  return `${span}, until every lease that ${holder} may have had was over: since then it can't be working on it, whatever became of it.`;
}

function proofText(evidence: Evidence): string {
  const who = textOf(evidence, "daemon") ?? "the holder";
  const says = textOf(evidence, "says") ?? "it does not hold it";
  const reason = textOf(evidence, "reason");
  return `${who} itself reports: ${plain(says)}${reason === null || reason === "" ? "" : ` (${reason})`}`;
}

/** The protocol's words for what a report proves, in a reader's. */
function plain(says: string): string {
  const given = /^it has seen epoch (\d+) and doesn't hold (\d+)$/u.exec(says);
  if (given !== null) return `it was given epoch ${given[2]} and does not hold it now`;
  return says.replace(/ \(boot .*\)$/u, "");
}

function reasonText(evidence: Evidence): string {
  return textOf(evidence, "move") ?? textOf(evidence, "reason") ?? "no reason noted";
}

function failureText(evidence: Evidence): string {
  const other = textOf(evidence, "answers");
  if (other !== null) return "another machine or a new state folder answers under its name";
  return failureName(textOf(evidence, "lastFailure"));
}

export function failureName(failure: string | null): string {
  switch (failure) {
    case null:
    case "timeout":
      return "no answer in time";
    case "refused":
      return "nobody listens at its port";
    case "reset":
      return "the connection broke";
    default:
      return failure;
  }
}

/** Each failed check that counted, oldest first. */
function checksText(evidence: Evidence): string {
  const who = textOf(evidence, "daemon") ?? "the holder";
  const checks = Array.isArray(evidence["checks"]) ? evidence["checks"] : [];
  const each = checks.flatMap((one: unknown) => {
    if (typeof one !== "object" || one === null) return [];
    const agoMs: unknown = Reflect.get(one, "agoMs");
    const failure: unknown = Reflect.get(one, "failure");
    if (typeof agoMs !== "number" || typeof failure !== "string") return [];
    return [`${failureName(failure)} (${agoMs < 1 ? "just now" : `${inTime(agoMs)} before`})`];
  });
  const failed = numberOf(evidence, "failedChecks");
  const of = numberOf(evidence, "of");
  if (failed === null) return `${who}: ${failureText(evidence)}`;
  const enough = of !== null && failed >= of ? ", as many as max_check_attempts allows" : "";
  const list = each.length === 0 ? `the last one with "${failureText(evidence)}"` : each.join(", ");
  if (of !== null && failed < of)
    return `${failed} of ${of} checks of ${who} failed (${list}), and meanwhile its last lease ran out`;
  return `${failed} check${failed === 1 ? "" : "s"} of ${who} in a row failed${enough}: ${list}`;
}

/** Something beside the table: ups and downs, orders, a new leader. Null: nothing to tell. */
export function eventSentence(event: EventDraft): string | null {
  // Its failed checks are told by the rows.
  if (event.type === "daemon.down" || event.type === "config.applied") return null;
  return sentence(event.text);
}

function sentence(text: string): string {
  return /[.!?)]$/u.test(text) ? text : `${text}.`;
}

function textOf(evidence: Evidence, name: string): string | null {
  const value = evidence[name];
  return typeof value === "string" ? value : null;
}

function numberOf(evidence: Evidence, name: string): number | null {
  const value = evidence[name];
  return typeof value === "number" ? value : null;
}

/** `scheduler-master: it is silent (timeout)`, as the guards write it. */
export function rejections(evidence: Evidence | undefined): { daemon: string; because: string }[] {
  const list = evidence?.["rejected"];
  if (!Array.isArray(list)) return [];
  return list.flatMap((one: unknown) => {
    if (typeof one !== "string") return [];
    const at = one.indexOf(": ");
    return at < 0 ? [] : [{ daemon: one.slice(0, at), because: one.slice(at + 2) }];
  });
}

/** `12 ms`, `2.1 s`, `4 min`: for sentences. */
export function inTime(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 100_000) return `${Number((ms / 1_000).toFixed(ms < 10_000 ? 2 : 1))} s`;
  if (ms < 6_000_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`;
}
