/**
 * When two worlds are the same: everything that a decision looks at is equal, with instants counted
 * from now, epochs and boots from the newest, and numbers that only order messages left out but for
 * what they order. Then one of the two need not be followed any further.
 *
 * What is left out is what only people see: texts, histories, gaps, wall-clock times.
 */
import { SERVICE, type WorldState } from "./exhaustive-state.ts";

/** An instant longer ago than this is just long ago: longer than `failback_delay`, and two leases. */
const LONG_AGO_MS = 6000;

const LEFT_OUT = new Set([
  // For people.
  "history",
  "evidence",
  "reason",
  "moveReason",
  "phaseSinceMs",
  "lostAtMs",
  "lostIs",
  "clearedBy",
  "lastMove",
  "lastFailure",
  "roundTripMs",
  "storeProblem",
  "notes",
  "mapVersion",
  "revision",
  "leaseRemainingMs",
  "heardEveryMs",
  "heardAtMs",
  // Never change here.
  "spec",
  "model",
  "self",
  "options",
  "configuration",
  "config",
  "policy",
  "arbiters",
  "leader",
  "electable",
  "url",
  "reportedUrl",
  "holdings",
  "candidateOf",
  // Numbers that only order: see `orders`.
  "seq",
  "assignmentSeq",
  "reportSeq",
  "term",
  "beat",
  "commitId",
  "nextCommitId",
  "nextToken",
  "roundNumber",
  "number",
  "instance",
  "instances",
  "sent",
  "reports",
  "committed",
]);

const EPOCHS = new Set(["epoch", "cleared", "knownCleared", SERVICE]);
const VERSIONS = new Set(["version", "acknowledgedSet", "candidatesVersion", "agreedVersion"]);

export function signatureOf(at: WorldState): string {
  const parts: string[] = [...orders(at)];
  const row = at.rows.get(SERVICE);
  const epoch = row?.epoch ?? 0;
  const version = row?.candidates.version ?? 0;

  const text = (value: string): string =>
    value.replace(
      /boot-([ms])-(\d+)(?:\.(\d+)\.\w+)?/,
      (_all, name: string, boot: string, issued?: string) => {
        const { boots } = at.daemons[name === "m" ? "m" : "s"];
        return `${name}${boots - Number(boot)}${issued === undefined ? "" : instant(Number(issued), at.nowMs)}`;
      },
    );

  const number = (key: string, value: number): string => {
    if (key.endsWith("WallMs")) return "";
    if (/(?:At|Until|Deadline|Since|End|bound)Ms$/.test(key)) return instant(value, at.nowMs);
    if (EPOCHS.has(key)) return String(value - epoch);
    if (VERSIONS.has(key)) return String(value - version);
    return String(value);
  };

  const walk = (key: string, value: unknown): void => {
    if (LEFT_OUT.has(key)) return;
    if (typeof value === "number") parts.push(number(key, value));
    else if (typeof value === "string") parts.push(text(value));
    else if (typeof value !== "object" || value === null) parts.push(String(value));
    else if (value instanceof Map) for (const [name, one] of value) walk(timerKey(String(name), parts), one);
    else if (value instanceof Set)
      parts.push(
        [...value]
          .map(String)
          .toSorted((a, b) => (a < b ? -1 : 1))
          .join(),
      );
    else {
      parts.push("{");
      for (const [name, one] of Object.entries(value)) walk(name, one);
      parts.push("}");
    }
  };
  walk("", { ...at, nowMs: null });
  return parts.join(" ");
}

/** A timer's value is an instant, whatever its key; the key itself counts. */
function timerKey(name: string, parts: string[]): string {
  parts.push(name.replace(/:\d+:\d+$/, ""));
  return name.includes(":") || name === "leadership" || name === "pauses" ? "atMs" : name;
}

function instant(ms: number, nowMs: number): string {
  if (!Number.isFinite(ms)) return String(ms);
  return ms < nowMs - LONG_AGO_MS ? "past" : String(Math.round(ms - nowMs));
}

/** What the numbers of messages order: what would be taken, and what would be refused as old. */
function* orders({ arbiter, daemons, lingering, lingeringReport, record }: WorldState): Generator<string> {
  yield String(record?.term === arbiter.term && record.instance === arbiter.options.instance);
  for (const name of ["m", "s"] as const) {
    const { state } = daemons[name];
    const known = arbiter.daemons.get(name)?.report;
    yield `${state?.term === arbiter.term} ${(known?.term ?? 0) <= arbiter.term}`;
    yield `${known?.bootId === state?.options.bootId && known?.seq === state?.reportSeq}`;
    if (lingering?.to === name && state !== null) {
      const { term, seq } = lingering.assignment;
      yield `${term < state.term || (term === state.term && seq <= state.assignmentSeq)}`;
    }
    if (lingeringReport?.name === name)
      yield `${known?.bootId === lingeringReport.bootId && lingeringReport.seq > known.seq}`;
  }
}
