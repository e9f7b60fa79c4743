/**
 * What each file can't know of itself: whether the daemons fit together. Pure: a model and where its
 * parts stand in, problems out.
 */
import type { ClusterModel, DaemonSpec } from "../core/model.ts";
import { computedLease, timeToNotice } from "./build-daemon.ts";
import { nearest } from "./known.ts";
import type { Member } from "./load.ts";
import { type Place, type Problems, valuePlace } from "./problem.ts";
import type { RawObject } from "./raw.ts";
import { ALL, type Realms } from "./realms.ts";
import { serviceOf } from "./services.ts";
import type { NodeSettings } from "./settings.ts";
import { placeOf } from "./sort-objects.ts";
import { formatDuration, formatSeconds } from "./values.ts";

export interface Cluster {
  readonly model: ClusterModel;
  readonly members: readonly Member[];
  readonly realms: Realms;
  readonly settings: NodeSettings;
  readonly serviceSections: readonly RawObject[];
  readonly problems: Problems;
}

function at(member: Member, key: string): Place {
  const entry = member.reader.find(key);
  return entry === null ? placeOf(member.object) : valuePlace(entry);
}

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
export function checkDaemon(member: Member, problems: Problems): void {
  const { spec } = member;
  if (!("leaseMs" in spec)) return;
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

function checkTimes(member: Member, spec: DaemonSpec, problems: Problems): void {
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

/** How the daemons fit together. */
export function checkCluster(cluster: Cluster): void {
  checkRealms(cluster);
  checkServices(cluster);
  checkSpares(cluster);
  checkArbiters(cluster);
}

function checkRealms({ members, realms, problems }: Cluster): void {
  for (const member of members) {
    const { realm } = member.spec;
    if (realms.has(realm)) continue;
    const near = nearest(realm, [ALL, ...realms.list.map((one) => one.name)]);
    const guess = near === null ? "" : `: did you mean \`${near}\`?`;
    const detail = { key: "realm", found: realm, ...(near === null ? {} : { expected: `\`${near}\`` }) };
    if (realms.list.length > 0)
      problems.error(at(member, "realm"), `no realm is called \`${realm}\`${guess}`, detail);
    else
      problems.warning(
        at(member, "realm"),
        `realm \`${realm}\` isn't defined anywhere; it is taken as one of its own${guess}`,
        detail,
      );
  }
}

function checkServices({ model, members, serviceSections, problems }: Cluster): void {
  const byName = new Map(members.map((member) => [member.spec.name, member]));
  for (const service of model.services) {
    const first = byName.get(service.masters[0] ?? "");
    if (first === undefined) continue;
    for (const name of service.masters.slice(1)) {
      const other = byName.get(name);
      if (other === undefined) continue;
      if (other.spec.type !== service.type) {
        problems.error(
          at(other, "service"),
          `service \`${service.name}\` has masters of two types: \`${first.spec.name}\` is a ${service.type}, \`${name}\` a ${other.spec.type}`,
          { key: "service", found: service.name, expected: "masters of one type" },
        );
      } else if (other.spec.realm !== service.realm) {
        problems.warning(
          at(other, "service"),
          `service \`${service.name}\` has masters in two realms; its spares come from \`${service.realm}\`, that of \`${first.spec.name}\``,
          { key: "service", found: other.spec.realm },
        );
      }
    }
    if (service.candidates.length === 1) {
      problems.warning(
        placeOf(first.object),
        `\`${first.spec.name}\` has no spare: if it fails, nobody continues \`${service.name}\``,
        { expected: `a ${service.type} with \`spare 1\` in realm \`${service.realm}\`` },
      );
    }
  }
  const names = model.services.map((service) => service.name);
  for (const section of serviceSections) {
    if (section.label === null || names.includes(section.label)) continue;
    const near = nearest(section.label, names);
    problems.error(
      placeOf(section),
      `no service is called \`${section.label}\`${near === null ? "" : `: did you mean \`${near}\`?`}`,
      {
        found: section.label,
        expected: near === null ? "the name of a master, or a master's `service`" : `\`${near}\``,
      },
    );
  }
}

function checkSpares({ model, members, problems }: Cluster): void {
  const backing = new Set(model.services.flatMap((service) => service.candidates));
  const services = new Map(model.services.map((service) => [service.name, service]));
  for (const member of members) {
    const { spec } = member;
    if (!("leaseMs" in spec) || spec.role === "master") continue;
    let isExplained = false;
    for (const name of spec.spareFor ?? []) {
      const service = services.get(name);
      if (service !== undefined && service.type === spec.type) continue;
      isExplained = true;
      const near = nearest(name, services.keys());
      const text =
        service === undefined
          ? `no service is called \`${name}\`${near === null ? "" : `: did you mean \`${near}\`?`}`
          : `\`${name}\` is a service of type \`${service.type}\`, \`${spec.name}\` is a ${spec.type}`;
      problems.error(at(member, "spare_for"), text, {
        key: "spare_for",
        found: name,
        ...(near === null ? {} : { expected: `\`${near}\`` }),
      });
    }
    if (backing.has(spec.name) || isExplained) continue;
    const masters = model.daemons.filter((daemon) => daemon.role === "master" && daemon.type === spec.type);
    const elsewhere = [...new Set(masters.map((master) => master.realm))].filter(
      (realm) => realm !== spec.realm,
    );
    const why =
      elsewhere.length > 0 && masters.every((master) => master.realm !== spec.realm)
        ? `; those of type \`${spec.type}\` are in realm ${elsewhere.map((realm) => `\`${realm}\``).join(", ")}`
        : "";
    problems.error(at(member, "spare"), `\`${spec.name}\` is a spare without a master to back up${why}`, {
      key: "spare",
      found: member.reader.find("spare")?.value ?? "1",
      expected: `a ${spec.type} with \`spare 0\` in realm \`${spec.realm}\``,
    });
  }
}

function checkArbiters({ model, members, settings, problems }: Cluster): void {
  const electable = model.arbiters.filter((arbiter) => arbiter.electable);
  const byName = new Map(members.map((member) => [member.spec.name, member]));
  const hosts = new Set(electable.map((arbiter) => hostKey(arbiter.address)));
  const second = byName.get(
    electable.find((arbiter) => hostKey(arbiter.address) !== hostKey(electable[0]?.address ?? ""))?.name ??
      "",
  );
  if (settings.store.type === "sqlite" && hosts.size > 1 && second !== undefined) {
    problems.error(
      at(second, "address"),
      `arbiters at two addresses can't share an \`sqlite\` file: \`${electable[0]?.name ?? ""}\` and \`${second.spec.name}\` would each lead`,
      {
        key: "address",
        found: second.spec.address,
        expected: "`[store]` with etcd, zookeeper, mysql or postgres, or `electable 0`",
      },
    );
  }
  if (electable.length === 0)
    problems.file("error", ".", "no arbiter may lead: each has `electable 0`", {
      key: "electable",
      expected: "`electable 1` on one at least",
    });
  const [only] = model.arbiters;
  if (model.arbiters.length === 1 && only !== undefined) {
    const neighbours = model.services
      .flatMap((service) => service.candidates)
      .filter((name) => hostKey(byName.get(name)?.spec.address ?? "") === hostKey(only.address));
    const names = [...new Set(neighbours)];
    const member = byName.get(only.name) ?? byName.get(names[0] ?? "");
    if (names.length > 0 && member !== undefined) {
      const listed =
        names
          .slice(0, 3)
          .map((name) => `\`${name}\``)
          .join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
      problems.warning(
        at(member, "address"),
        `the only arbiter, \`${only.name}\`, is on the host of ${listed}: that host's loss takes both, and nobody is left to activate a spare`,
        {
          key: "address",
          found: only.address,
          expected: "the arbiter on a host of its own, or a second arbiter",
        },
      );
    }
  }
  const isOpen = [...model.arbiters, ...model.daemons].find(
    (one) => !isLoopback(one.address) && settings.ownTokenFiles[one.name] === undefined,
  );
  const open = isOpen === undefined ? undefined : byName.get(isOpen.name);
  if (open !== undefined && settings.security.tokenFile === null && !settings.security.insecure) {
    problems.warning(
      at(open, "address"),
      `no \`token_file\` in [security]: whoever listens at ${open.spec.address} refuses to start without a token`,
      {
        key: "address",
        found: open.spec.address,
        expected: "`token_file` in [security], $ARBITER_TOKEN_FILE, or `insecure = 1`",
      },
    );
  }
  for (const member of members) {
    const name = member.spec.type === "arbiter" ? null : serviceOf(member.spec as DaemonSpec);
    if (
      name !== null &&
      model.arbiters.some((arbiter) => arbiter.origin === null && arbiter.name === member.spec.name)
    ) {
      problems.error(
        placeOf(member.object),
        "`arbiter-master` is the arbiter's name where no [arbiter] is configured",
        { found: member.spec.name, expected: "another name, or an [arbiter] of its own" },
      );
    }
  }
}

export function isLoopback(address: string): boolean {
  return /^127\./u.test(hostKey(address));
}
