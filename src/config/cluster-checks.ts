/**
 * Whether the daemons fit together: realms that exist, masters with spares, spares with masters,
 * arbiters that can share their store. Pure: a model and where its parts stand in, problems out.
 */
import type { ClusterModel } from "../core/model.ts";
import { nearest } from "./known.ts";
import { type Member, placeOfKey as at } from "./member.ts";
import type { Problems } from "./problem.ts";
import type { RawObject } from "./raw.ts";
import { ALL, type Realms } from "./realms.ts";
import { hostKey, isLoopback } from "./semantics.ts";
import type { NodeSettings } from "./settings.ts";
import { placeOf } from "./sort-objects.ts";

export interface Cluster {
  readonly model: ClusterModel;
  readonly members: readonly Member[];
  readonly realms: Realms;
  readonly settings: NodeSettings;
  readonly serviceSections: readonly RawObject[];
  /** Every daemon could be made out. Else one that seems to be missing may be among the rest. */
  readonly isWhole: boolean;
  readonly problems: Problems;
}

/** How the daemons fit together. */
export function checkCluster(cluster: Cluster): void {
  checkRealms(cluster);
  checkServices(cluster);
  if (cluster.isWhole) {
    checkPartners(cluster);
    checkSpares(cluster);
  }
  checkArbiters(cluster);
  checkOnlyArbiter(cluster);
  checkAccess(cluster);
  checkImpliedArbiter(cluster);
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

function checkServices({ model, members, problems }: Cluster): void {
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
  }
}

/** Masters that nobody backs up, and sections of services that nobody brings. */
function checkPartners({ model, members, serviceSections, problems }: Cluster): void {
  const byName = new Map(members.map((member) => [member.spec.name, member]));
  for (const service of model.services) {
    const first = byName.get(service.masters[0] ?? "");
    if (first !== undefined && service.candidates.length === 1) {
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
    if (member.is === "arbiter" || spec.role === "master") continue;
    let isExplained = false;
    for (const name of member.spec.spareFor ?? []) {
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
        ? `; those of type \`${spec.type}\` are in realm ${listed(elsewhere)}`
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
}

/** Everything on one host is lost with it. */
function checkOnlyArbiter({ model, members, problems }: Cluster): void {
  const byName = new Map(members.map((member) => [member.spec.name, member]));
  const [only] = model.arbiters;
  if (model.arbiters.length === 1 && only !== undefined) {
    const neighbours = model.services
      .flatMap((service) => service.candidates)
      .filter((name) => hostKey(byName.get(name)?.spec.address ?? "") === hostKey(only.address));
    const names = [...new Set(neighbours)];
    const member = byName.get(only.name) ?? byName.get(names[0] ?? "");
    if (names.length > 0 && member !== undefined) {
      problems.warning(
        at(member, "address"),
        `the only arbiter, \`${only.name}\`, is on the host of ${listed(names)}: that host's loss takes both, and nobody is left to activate a spare`,
        {
          key: "address",
          found: only.address,
          expected: "the arbiter on a host of its own, or a second arbiter",
        },
      );
    }
  }
}

function checkAccess({ model, members, settings, problems }: Cluster): void {
  const byName = new Map(members.map((member) => [member.spec.name, member]));
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
}

function checkImpliedArbiter({ model, members, problems }: Cluster): void {
  const implied = model.arbiters.find((arbiter) => arbiter.origin === null);
  const namesake = members.find((member) => member.spec.name === implied?.name);
  if (namesake !== undefined) {
    problems.error(
      placeOf(namesake.object),
      "`arbiter-master` is the arbiter's name where no [arbiter] is configured",
      { found: namesake.spec.name, expected: "another name, or an [arbiter] of its own" },
    );
  }
}

/** The first three, and how many more. */
function listed(names: readonly string[]): string {
  const first = names.slice(0, 3).map((name) => `\`${name}\``);
  return first.join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
}
