/**
 * Whether a daemon's own keys fit together, and whether names and addresses are used once. What
 * concerns the cluster as a whole is in cluster-checks.ts.
 */
import type { DaemonSpec } from "../core/model.ts";
import { timeToNotice } from "../core/lease.ts";
import { computedLease } from "./build-daemon.ts";
import { type DaemonMember, type Member, placeOfKey as at } from "./member.ts";
import { type Problems, valuePlace } from "./problem.ts";
import { placeOf } from "./sort-objects.ts";
import { formatDuration, formatSeconds } from "./values.ts";

function standsIn(member: Member): string {
  return `${member.object.source.path}:${member.object.line}`;
}

/** Names and addresses are used once. */
export function checkNames(members: readonly Member[], problems: Problems): void {
  const names = new Map<string, Member>();
  const sockets = new Map<string, Member>();
  for (const member of members) {
    const { name, address, port } = member.spec;
    const namesake = names.get(name);
    if (namesake === undefined) names.set(name, member);
    else
      problems.error(
        at(member, "name"),
        `two daemons are called \`${name}\`; the other stands in ${standsIn(namesake)}`,
        { key: member.reader.find("name")?.key ?? "name", found: name, expected: "a name of its own" },
      );
    if (!member.reader.isReadable("address") || !member.reader.isReadable("port")) continue;
    const socket = `${hostKey(address)} ${port}`;
    const neighbour = sockets.get(socket);
    if (neighbour === undefined) sockets.set(socket, member);
    else if (namesake === undefined && port !== 0) {
      const key = member.reader.find("port") === null ? "address" : "port";
      problems.error(
        at(member, key),
        `\`${name}\` and \`${neighbour.spec.name}\` (${standsIn(neighbour)}) are both at ${address}, port ${port}`,
        { key, found: `${address}:${port}`, expected: "an address and port of its own" },
      );
    }
  }
}

/** No name is looked up; only `localhost` is known without. */
export function hostKey(address: string): string {
  const lower = address.toLowerCase().replace(/\.$/u, "");
  return lower === "localhost" || lower === "::1" ? "127.0.0.1" : lower;
}

/** What can be said of one daemon alone. */
export function checkDaemon(member: DaemonMember, problems: Problems): void {
  const { spec } = member;
  checkTimes(member, spec, problems);
  const spareFor = member.reader.find("spare_for");
  if (spareFor !== null && spec.role === "master") {
    problems.error(valuePlace(spareFor), `\`${spec.name}\` is a master: \`spare_for\` is for spares`, {
      key: spareFor.key,
      found: spareFor.value,
      expected: "`spare 1` beside it",
    });
  }
  const service = member.reader.layers[0]?.keys.get("service");
  if (service !== undefined && spec.role === "spare") {
    problems.error(valuePlace(service), `\`${spec.name}\` is a spare: \`service\` is for masters`, {
      key: service.key,
      found: service.value,
      expected: "`spare_for`, to back up this service alone",
    });
  }
  const proof = member.reader.find("proof_by_refusal");
  if (proof !== null && spec.proofByRefusal && spec.launch !== null) {
    problems.error(
      valuePlace(proof),
      "`proof_by_refusal` is for library daemons: a launcher's port says nothing of its program",
      { key: proof.key, found: proof.value, expected: "`0` where there is a `command`" },
    );
  }
  const active = member.object.isAlignak ? spec.passed["active"] : undefined;
  if (active !== undefined && ["0", "false", "no", "off"].includes(active.toLowerCase())) {
    problems.warning(
      placeOf(member.object),
      `\`active = ${active}\` does not keep \`${spec.name}\` out here: remove its section, or use \`arbiter maintenance ${spec.name} on\``,
      { key: "active", found: active },
    );
  }
  if (spec.onArbiterLoss === "hold") {
    problems.warning(
      at(member, "on_arbiter_loss"),
      "`hold` is unsafe: a holder that is cut off goes on while another is activated",
      { key: "on_arbiter_loss", found: "hold" },
    );
  }
}

function checkTimes(member: DaemonMember, spec: DaemonSpec, problems: Problems): void {
  const { leaseMs, checkIntervalMs, timeoutMs, maxCheckAttempts, drainMarginMs, killGraceMs } = spec;
  const lease = member.reader.find("lease");
  const interval = member.reader.find("check_interval");
  const needed = timeToNotice(leaseMs, checkIntervalMs, timeoutMs, maxCheckAttempts);
  if (lease !== null && (needed > leaseMs || (interval !== null && checkIntervalMs > leaseMs))) {
    const enough = computedLease(checkIntervalMs, timeoutMs, maxCheckAttempts);
    problems.error(
      valuePlace(lease),
      `a lease of ${formatDuration(leaseMs)} leaves no time for ${maxCheckAttempts + 1} checks, ${formatDuration(checkIntervalMs)} apart, and a time-out of ${formatDuration(timeoutMs)}`,
      {
        key: lease.key,
        found: lease.value,
        expected: `\`${formatDuration(enough)}\`, a shorter \`check_interval\`, or no \`lease\` at all`,
      },
    );
  }
  if (timeoutMs > checkIntervalMs) {
    problems.warning(
      at(member, "timeout"),
      `a check may take ${formatDuration(timeoutMs)}, longer than the interval of ${formatDuration(checkIntervalMs)} between two`,
      {
        key: "timeout",
        found: formatDuration(timeoutMs),
        expected: `${formatDuration(checkIntervalMs)} at most`,
      },
    );
  }
  if (drainMarginMs >= leaseMs) {
    problems.error(at(member, "drain_margin"), "`drain_margin` must be shorter than the lease", {
      key: "drain_margin",
      found: formatDuration(drainMarginMs),
      expected: `less than ${formatDuration(leaseMs)}`,
    });
  }
  if (killGraceMs >= drainMarginMs && member.reader.find("kill_grace") !== null) {
    problems.error(
      at(member, "kill_grace"),
      `\`kill_grace\` leaves no time to stop: it must be shorter than \`drain_margin\``,
      {
        key: "kill_grace",
        found: formatDuration(killGraceMs),
        expected: `less than ${formatDuration(drainMarginMs)}`,
      },
    );
  }
  if (interval !== null && spec.role === "master") {
    const without = computedLease(500, timeoutMs, maxCheckAttempts);
    if (lease === null && leaseMs > without) {
      problems.information(
        valuePlace(interval),
        `with \`${interval.key} ${interval.value}\` the lease is ${formatSeconds(leaseMs)}: a silent host is replaced after ${formatSeconds(leaseMs)} at most; without this line, after ${formatSeconds(without)}`,
        { key: interval.key, found: interval.value },
      );
    }
  }
}

export function isLoopback(address: string): boolean {
  return hostKey(address).startsWith("127.");
}
