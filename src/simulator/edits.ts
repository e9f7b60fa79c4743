/**
 * Edits of the configuration while everything runs: daemons leave it and come back, with them whole
 * services, services are renamed, and leases get longer or shorter. Every arbiter reads the same files.
 */
import { RENAMED } from "./checkers/one-holder.ts";
import type { ClusterModel, DaemonSpec, ServiceSpec } from "../core/model.ts";
import type { Random } from "./random.ts";

/** A model that an operator might have made of the whole one; with all its services, if they are to be kept. */
export function drawEdit(whole: ClusterModel, random: Random, keepsServices: boolean): ClusterModel {
  const factor = random.pick([0.5, 1, 1, 2]);
  const [first] = whole.daemons;
  const mustStay = ({ role }: DaemonSpec): boolean => keepsServices && role === "master";
  const daemons = whole.daemons
    .filter((daemon) => daemon === first || mustStay(daemon) || random.chance(0.75))
    .map((daemon) => rescaled(daemon, factor));
  const isRenamed = random.chance(0.15) && !keepsServices;
  const left = new Set(daemons.map(({ name }) => name));
  const services = whole.services
    .map((service) => rescaledService(service, factor, left, isRenamed ? RENAMED : ""))
    .filter(({ masters }) => masters.length > 0);
  return { ...whole, daemons, services };
}

/** A longer lease leaves the checks as they are; a shorter one needs quicker ones. */
function rescaled(daemon: DaemonSpec, factor: number): DaemonSpec {
  const quicker = Math.min(1, factor);
  return {
    ...daemon,
    leaseMs: daemon.leaseMs * factor,
    checkIntervalMs: daemon.checkIntervalMs * quicker,
    timeoutMs: daemon.timeoutMs * quicker,
  };
}

function rescaledService(
  service: ServiceSpec,
  factor: number,
  left: ReadonlySet<string>,
  suffix: string,
): ServiceSpec {
  return {
    ...service,
    name: service.name + suffix,
    masters: service.masters.filter((name) => left.has(name)),
    candidates: service.candidates.filter((name) => left.has(name)),
    leaseMs: service.leaseMs * factor,
    checkIntervalMs: service.checkIntervalMs * Math.min(1, factor),
  };
}
