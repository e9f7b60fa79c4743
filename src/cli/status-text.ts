/**
 * The cluster's status as text: one screen for a terminal, one line a thing for a pipe.
 *
 * The screen is in the order of urgency: what is wrong and what to do about it, then services, then
 * daemons, then arbiters, and in each table what is wrong comes first. Where there are more rows
 * than the screen has lines, those that are well are counted instead of shown.
 */
import type { ArbiterStatus, DaemonStatus, ServiceStatus, Status } from "../arbiter/status.ts";
import { type Cell, type Column, cut, renderColumns, wrap } from "./columns.ts";
import type { Style, Terminal } from "./output.ts";
import { agoText, counted, durationText, plainLine, printable } from "./output.ts";

const GOOD = new Set(["held", "active", "leading"]);
const BAD = new Set(["vacant", "unreachable", "failed", "fencing"]);
const QUIET = new Set(["waiting", "standing-by"]);

/** Problems that only tell of something that somebody wanted. */
const NOTED = new Set(["paused"]);

function styleOf(state: string): Style {
  if (GOOD.has(state)) return "green";
  if (BAD.has(state)) return "red";
  return QUIET.has(state) ? "dim" : "yellow";
}

interface Section {
  readonly columns: readonly Column[];
  /** Those that need a look first. */
  readonly rows: readonly { readonly cells: readonly Cell[]; readonly isWell: boolean }[];
  /** What a row that is left out is called. */
  readonly what: string;
}

/** `all`: every row, however many lines that takes. */
export function statusScreen(status: Status, terminal: Terminal, nowWallMs: number, all: boolean): string {
  const head = `${headLine(status, terminal)}\n${problemText(status, terminal)}`;
  const sections = [
    serviceSection(status, nowWallMs),
    daemonSection(status, nowWallMs),
    arbiterSection(status),
  ].filter(({ rows }) => rows.length > 0);
  const room = all ? Infinity : terminal.height - head.split("\n").length - 1;
  return [head, ...fitted(sections, room).map((section) => section(terminal))].join("\n");
}

/** Each section as text, with so many rows that all of them have room; small tables stay whole. */
function fitted(sections: readonly Section[], room: number): ((terminal: Terminal) => string)[] {
  let left = room;
  const chosen = new Map<Section, number>();
  const bySize = sections.toSorted((a, b) => a.rows.length - b.rows.length);
  for (const [at, section] of bySize.entries()) {
    // A blank line, the heads of its columns, and perhaps the line that counts the others.
    const share = Math.floor(left / (bySize.length - at)) - 2;
    const fits = section.rows.length <= share;
    const shown = fits ? section.rows.length : Math.max(1, share - 1);
    chosen.set(section, shown);
    left -= shown + (fits ? 2 : 3);
  }
  return sections.map((section) => (terminal) => sectionText(section, chosen.get(section) ?? 0, terminal));
}

function sectionText({ columns, rows, what }: Section, most: number, terminal: Terminal): string {
  const shown = rows.slice(0, most);
  const hidden = rows.slice(most);
  const text = renderColumns(
    terminal,
    columns,
    shown.map(({ cells }) => cells),
  );
  if (hidden.length === 0) return text;
  const unwell = hidden.filter(({ isWell }) => !isWell).length;
  const how = unwell === 0 ? "all well" : `${unwell} of them not well`;
  const more = `… and ${counted(hidden.length, `more ${what}`)}, ${how} (--all shows them)`;
  return `${text}${terminal.paint(unwell === 0 ? "dim" : "yellow", cut(more, terminal.width))}\n`;
}

function headLine(status: Status, terminal: Terminal): string {
  const serious = status.problems.filter(({ code }) => !NOTED.has(code)).length;
  const verdict =
    serious === 0 ? terminal.paint("green", "all well") : terminal.paint("red", counted(serious, "problem"));
  const said = `${printable(status.cluster)}: ${serious === 0 ? "all well" : counted(serious, "problem")}`;
  const leader = status.leader === null ? "no arbiter leads" : `${status.leader} leads`;
  const rest = `; ${leader}, term ${status.term}, map ${status.version}, configuration ${status.config.version}`;
  const room = Math.max(0, terminal.width - said.length);
  return `${terminal.paint("bold", printable(status.cluster))}: ${verdict}${terminal.paint("dim", cut(rest, room))}`;
}

function problemText(status: Status, terminal: Terminal): string {
  return status.problems
    .map(({ code, subject, text, next }) => {
      const style = NOTED.has(code) ? "yellow" : "red";
      // Most texts begin with whom they are about.
      const about = text.startsWith(subject) || subject === "cluster" ? "" : ` ${subject}:`;
      const words = wrap(`${code}${about} ${printable(text)}`, terminal.width, "  ");
      const painted = words.replace(code, terminal.paint(style, code));
      const step = next === "" ? "" : `  → ${wrap(printable(next), terminal.width - 4, "    ")}\n`;
      return `${painted}\n${step}`;
    })
    .join("");
}

/** Unwell first, else as they are. */
function byUrgency<T>(list: readonly T[], isWell: (one: T) => boolean): readonly T[] {
  return list.toSorted((a, b) => Number(isWell(a)) - Number(isWell(b)));
}

function serviceIsWell({ phase, pause }: ServiceStatus): boolean {
  return phase === "held" && pause === null;
}

function serviceSection({ services }: Status, nowWallMs: number): Section {
  return {
    what: "service",
    columns: [
      { head: "SERVICE", rank: 0 },
      { head: "HOLDER", rank: 0 },
      { head: "PHASE", rank: 0 },
      { head: "ROLE", rank: 3 },
      { head: "EPOCH", rank: 2 },
      { head: "FOR", rank: 1 },
      { head: "LEASE LEFT", rank: 4 },
      { head: "LAST GAP", rank: 5 },
    ],
    rows: byUrgency(services, serviceIsWell).map((service) => ({
      isWell: serviceIsWell(service),
      cells: [
        service.name,
        service.holder ?? { text: "nobody", style: "red" },
        {
          text: service.pause === null ? service.phase : `${service.phase}, paused by ${service.pause.by}`,
          style: service.pause === null ? styleOf(service.phase) : "yellow",
        },
        service.role ?? "-",
        String(service.epoch),
        agoText(service.since, nowWallMs),
        service.leaseRemainingMs === null ? "-" : durationText(service.leaseRemainingMs),
        gapText(service),
      ],
    })),
  };
}

/** `≥`: the holder before was started anew, and may have ended earlier; `≤`: counted from its last answer. */
function gapText({ lastGapMs, lastGapIs }: Pick<ServiceStatus, "lastGapMs" | "lastGapIs">): string {
  if (lastGapMs === null) return "-";
  const sign = lastGapIs === "at-least" ? "≥ " : lastGapIs === "at-most" ? "≤ " : "";
  return `${sign}${durationText(lastGapMs)}`;
}

function daemonIsWell(daemon: DaemonStatus): boolean {
  const { healthy, state, maintenance, failedChecks } = daemon;
  return (
    healthy && !BAD.has(state) && maintenance === null && failedChecks === 0 && missingOf(daemon).length === 0
  );
}

/** An arbiter of the version before doesn't say. */
function missingOf({ missing }: Partial<Pick<DaemonStatus, "missing">>): readonly string[] {
  return missing ?? [];
}

function daemonSection({ daemons }: Status, nowWallMs: number): Section {
  return {
    what: "daemon",
    columns: [
      { head: "DAEMON", rank: 0 },
      { head: "STATE", rank: 0 },
      { head: "HOLDS", rank: 2 },
      { head: "ROLE", rank: 3 },
      { head: "CHECKED", rank: 5 },
      { head: "LATENCY", rank: 4 },
      { head: "CONFIG", rank: 7 },
      { head: "DRILLED", rank: 8 },
      { head: "URL", rank: 6 },
      { head: "REASON", rank: 1, enough: 24 },
    ],
    rows: byUrgency(daemons, daemonIsWell).map((daemon) => ({
      isWell: daemonIsWell(daemon),
      cells: [
        daemon.name,
        stateCell(daemon),
        daemon.services.join(", ") || "-",
        daemon.role,
        daemon.lastSeen === null ? "never" : `${agoText(daemon.lastSeen, nowWallMs)} ago`,
        daemon.latencyMs === null ? "-" : `${daemon.latencyMs.toFixed(1)} ms`,
        driftCell(daemon),
        drillCell(daemon, nowWallMs),
        daemon.url,
        printable(reasonOf(daemon)),
      ],
    })),
  };
}

function stateCell(daemon: DaemonStatus): Cell {
  if (daemon.maintenance !== null) return { text: `${daemon.state}, maintenance`, style: "yellow" };
  // Nobody has asked it yet: nothing is known against it.
  if (daemon.state === "unknown") return { text: daemon.state, style: "dim" };
  if (!daemon.healthy && !BAD.has(daemon.state)) return { text: `${daemon.state}, unhealthy`, style: "red" };
  if (daemon.state === "waiting" && missingOf(daemon).length > 0)
    return { text: "waiting, not ready", style: "yellow" };
  return { text: daemon.state, style: styleOf(daemon.state) };
}

/** A daemon that has one file alone has nothing to compare. */
function driftCell({ hasDrifted }: DaemonStatus): Cell {
  if (hasDrifted === null) return "-";
  return hasDrifted ? { text: "differs", style: "yellow" } : "same";
}

/** When a drill last tried it: a spare that was never active is a hope. */
function drillCell({ lastDrill = null }: Partial<Pick<DaemonStatus, "lastDrill">>, nowWallMs: number): Cell {
  if (lastDrill === null) return "never";
  const ago = `${agoText(lastDrill.at, nowWallMs)} ago`;
  return lastDrill.passed ? ago : { text: `failed ${ago}`, style: "red" };
}

function reasonOf(daemon: DaemonStatus): string {
  if (daemon.maintenance !== null) return `${daemon.maintenance.reason} (by ${daemon.maintenance.by})`;
  if (daemon.lastFailure !== null && daemon.failedChecks > 0) return daemon.lastFailure;
  return missingOf(daemon).join("; ") || daemon.reason;
}

function arbiterIsWell({ state }: ArbiterStatus): boolean {
  return GOOD.has(state) || QUIET.has(state);
}

function arbiterSection({ arbiters }: Status): Section {
  return {
    what: "arbiter",
    columns: [
      { head: "ARBITER", rank: 0 },
      { head: "STATE", rank: 0 },
      { head: "ROLE", rank: 2 },
      { head: "URL", rank: 1 },
    ],
    rows: byUrgency(arbiters, arbiterIsWell).map((arbiter) => ({
      isWell: arbiterIsWell(arbiter),
      cells: [
        arbiter.name,
        { text: arbiter.state, style: styleOf(arbiter.state) },
        arbiter.role,
        arbiter.url,
      ],
    })),
  };
}

export function statusLines(status: Status): string {
  const lines = [
    plainLine(["cluster", status.cluster], {
      leader: status.leader ?? "none",
      term: status.term,
      version: status.version,
      config: status.config.version,
    }),
  ];
  for (const { code, subject, text, next } of status.problems) {
    lines.push(plainLine(["problem", code], { subject, text, next }));
  }
  for (const { name, holder, role, phase, epoch, since, url, pause } of status.services) {
    lines.push(
      plainLine(["service", name], {
        phase,
        holder: holder ?? "none",
        role,
        epoch,
        since,
        url,
        paused: pause === null ? null : true,
        by: pause?.by,
        until: pause?.until,
      }),
    );
  }
  for (const daemon of status.daemons) {
    const { name, type, role, state, healthy, ready, services, url, maintenance } = daemon;
    const missing = missingOf(daemon);
    lines.push(
      plainLine(["daemon", name], {
        type,
        role,
        state,
        healthy,
        ready,
        missing: missing.length === 0 ? null : missing.join("; "),
        holds: services.join(",") || null,
        url,
        maintenance: maintenance === null ? null : true,
      }),
    );
  }
  for (const { name, role, state, url } of status.arbiters) {
    lines.push(plainLine(["arbiter", name], { role, state, url }));
  }
  return lines.join("");
}
