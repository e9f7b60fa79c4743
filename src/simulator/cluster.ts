/** The configuration that a run is about, as `src/config` would make it from files. */
import type { ArbiterSpec, ClusterModel, DaemonSpec, LaunchSpec, ServiceSpec } from "../core/model.ts";
import { WINDOW } from "./checkers/windows-kept.ts";
import type { SimulationOptions } from "./options.ts";

const TYPE = "scheduler";
const REALM = "All";
const LAUNCH: LaunchSpec = {
  command: ["program"],
  cwd: null,
  env: {},
  user: null,
  stopSignal: "SIGTERM",
  stopTimeoutMs: 10_000,
  healthUrl: null,
  healthText: null,
  healthCommand: null,
  healthTcp: null,
  startTimeoutMs: 30_000,
  restartAttempts: 0,
  restartDelayMs: 0,
  preStart: null,
  postStart: null,
  preStop: null,
  postStop: null,
  hookTimeoutMs: 0,
  hookDryRun: false,
  watchdog: null,
  outputFile: null,
  outputMaxMib: 10,
  outputKeep: 5,
  logLevel: "info",
};
export const SHARED = "shared";

function names(stem: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${stem}${at + 1}`);
}

export function makeCluster(options: SimulationOptions): ClusterModel {
  const masters = names("m", options.masters).map((name) => daemonSpec(options, name, "master"));
  const spares = names("s", options.spares).map((name) => daemonSpec(options, name, "spare"));
  const arbiters = names("a", options.arbiters).map((name, at) => arbiterSpec(options, name, at));
  const spareNames = spares.map(({ name }) => name);
  const services = options.isShared
    ? [
        serviceSpec(
          options,
          SHARED,
          masters.map(({ name }) => name),
          spareNames,
        ),
      ]
    : masters.map(({ name }) => serviceSpec(options, name, [name], spareNames));
  return {
    name: "simulated",
    arbiterLeaseMs: options.arbiterLeaseMs,
    clockDrift: options.clockDrift,
    ...(options.failoverBudget !== undefined && { failoverBudget: options.failoverBudget }),
    arbiters,
    daemons: [...masters, ...spares],
    services,
    realms: [{ name: REALM, members: [], isDefault: true, origin: null }],
  };
}

function arbiterSpec(options: SimulationOptions, name: string, at: number): ArbiterSpec {
  const isObserver = options.hasObserver === true && at > 0 && at === options.arbiters - 1;
  return {
    name,
    type: "arbiter",
    role: at === 0 ? "master" : "spare",
    address: name,
    port: 7770,
    url: `http://${name}`,
    realm: REALM,
    electable: !isObserver,
    cpuPriority: "auto",
    passed: {},
    origin: null,
  };
}

function daemonSpec(options: SimulationOptions, name: string, role: "master" | "spare"): DaemonSpec {
  return {
    name,
    type: TYPE,
    role,
    address: name,
    port: 7768,
    url: `http://${name}`,
    realm: REALM,
    manageSubRealms: false,
    service: options.isShared && role === "master" ? SHARED : null,
    spareFor: null,
    priority: 0,
    capacity: options.capacity,
    checkIntervalMs: options.checkIntervalMs,
    timeoutMs: options.timeoutMs,
    maxCheckAttempts: options.maxCheckAttempts,
    leaseMs: options.leaseMs,
    failback: options.failback,
    failbackDelayMs: options.failbackDelayMs,
    failbackDelayMaxMs: options.failbackDelayMs * 8,
    failbackWindow: options.failbackWindow === undefined ? null : WINDOW,
    failureTimeoutMs: options.leaseMs * 30,
    onArbiterLoss: options.onArbiterLoss,
    activationTimeoutMs: options.activationTimeoutMs,
    drainTimeoutMs: options.drainTimeoutMs,
    drainMarginMs: options.drainMarginMs ?? options.leaseMs / 4,
    killGraceMs: options.killGraceMs,
    proofByRefusal: options.proofByRefusal === true,
    useSsl: false,
    hardSslNameCheck: true,
    cpuPriority: "auto",
    launch: options.isLaunched ? LAUNCH : null,
    passed: {},
    origin: null,
  };
}

function serviceSpec(
  options: SimulationOptions,
  name: string,
  masters: readonly string[],
  spares: readonly string[],
): ServiceSpec {
  return {
    name,
    type: TYPE,
    realm: REALM,
    masters,
    candidates: [...masters, ...spares],
    leaseMs: options.leaseMs,
    checkIntervalMs: options.checkIntervalMs,
    maxCheckAttempts: options.maxCheckAttempts,
    failback: options.failback,
    failbackDelayMs: options.failbackDelayMs,
    failbackDelayMaxMs: options.failbackDelayMs * 8,
    ...(options.failbackWindow !== undefined && { failbackWindow: WINDOW }),
    failureTimeoutMs: options.leaseMs * 30,
    activationTimeoutMs: options.activationTimeoutMs,
    drainTimeoutMs: options.drainTimeoutMs,
    config: {},
  };
}
