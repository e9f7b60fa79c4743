/** The cluster's status as text: tables for a terminal, one line a thing for a pipe. */
import type { Status } from "../arbiter/status.ts";
import type { Style, Terminal } from "./output.ts";
import { agoText, durationText, plainLine, renderTable } from "./output.ts";

const GOOD = new Set(["held", "active", "leading"]);
const BAD = new Set(["vacant", "unreachable", "failed", "fencing"]);
const QUIET = new Set(["waiting", "standing-by"]);

function styleOf(state: string): Style {
  if (GOOD.has(state)) return "green";
  if (BAD.has(state)) return "red";
  return QUIET.has(state) ? "dim" : "yellow";
}

export async function statusTables(status: Status, terminal: Terminal, nowWallMs: number): Promise<string> {
  const sections = [headLine(status, terminal), await serviceTable(status, terminal, nowWallMs)];
  if (status.daemons.length > 0) sections.push(await daemonTable(status, terminal));
  sections.push(await arbiterTable(status, terminal), problemText(status, terminal));
  return sections.join("\n");
}

function headLine(status: Status, terminal: Terminal): string {
  const leader =
    status.leader === null
      ? terminal.paint("red", "no arbiter leads")
      : `${terminal.paint("bold", status.leader)} leads, term ${status.term}`;
  return `Cluster ${status.cluster}: ${leader}, map version ${status.version}, configuration ${status.config.version}\n`;
}

async function serviceTable(status: Status, terminal: Terminal, nowWallMs: number): Promise<string> {
  if (status.services.length === 0) return "No services: no daemon is configured as a master.\n";
  const rows = status.services.map((service) => [
    service.name,
    service.holder ?? "-",
    service.role ?? "-",
    terminal.paint(styleOf(service.phase), service.phase) + (service.pause === null ? "" : " (paused)"),
    String(service.epoch),
    agoText(service.since, nowWallMs),
    service.leaseRemainingMs === null ? "-" : durationText(service.leaseRemainingMs),
  ]);
  return renderTable(terminal, ["SERVICE", "HOLDER", "ROLE", "PHASE", "EPOCH", "FOR", "LEASE"], rows);
}

async function daemonTable(status: Status, terminal: Terminal): Promise<string> {
  const rows = status.daemons.map((daemon) => [
    daemon.name,
    daemon.type,
    daemon.role,
    terminal.paint(styleOf(daemon.state), daemon.state) +
      (daemon.maintenance === null ? "" : " (maintenance)"),
    daemon.healthy ? "yes" : terminal.paint("red", "no"),
    daemon.services.join(", ") || "-",
    daemon.url,
    daemon.lastFailure !== null && daemon.failedChecks > 0 ? daemon.lastFailure : daemon.reason,
  ]);
  return renderTable(
    terminal,
    ["DAEMON", "TYPE", "ROLE", "STATE", "HEALTHY", "HOLDS", "URL", "REASON"],
    rows,
  );
}

async function arbiterTable(status: Status, terminal: Terminal): Promise<string> {
  const rows = status.arbiters.map((arbiter) => [
    arbiter.name,
    arbiter.role,
    terminal.paint(styleOf(arbiter.state), arbiter.state),
    arbiter.url,
  ]);
  return renderTable(terminal, ["ARBITER", "ROLE", "STATE", "URL"], rows);
}

function problemText(status: Status, terminal: Terminal): string {
  if (status.problems.length === 0) return `${terminal.paint("green", "No problems.")}\n`;
  return status.problems
    .map((problem) => {
      const next = problem.next === "" ? "" : `  ${problem.next}\n`;
      return `${terminal.paint("red", problem.code)} ${terminal.paint("bold", problem.subject)}: ${problem.text}\n${next}`;
    })
    .join("");
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
      }),
    );
  }
  for (const { name, type, role, state, healthy, services, url, maintenance } of status.daemons) {
    lines.push(
      plainLine(["daemon", name], {
        type,
        role,
        state,
        healthy,
        holds: services.join(",") || null,
        url,
        maintenance: maintenance === null ? null : true,
      }),
    );
  }
  for (const { name, role, state, url } of status.arbiters) {
    lines.push(plainLine(["arbiter", name], { role, state, url }));
  }
  for (const { code, subject, text, next } of status.problems) {
    lines.push(plainLine(["problem", code], { subject, text, next }));
  }
  return lines.join("");
}
