/** Small clusters to test with: every default of the configuration written out. */
import type { ClusterModel, DaemonSpec, ServiceSpec } from "../../../src/core/model.ts";

export function daemonSpec(name: string, over: Partial<DaemonSpec> = {}): DaemonSpec {
  return {
    name,
    type: "scheduler",
    role: "master",
    address: "127.0.0.1",
    port: 7768,
    url: `http://${name}`,
    realm: "All",
    manageSubRealms: false,
    service: null,
    spareFor: null,
    priority: 0,
    capacity: 1,
    checkIntervalMs: 500,
    timeoutMs: 300,
    maxCheckAttempts: 3,
    leaseMs: 2000,
    failback: "auto",
    failbackDelayMs: 5000,
    failbackDelayMaxMs: 600_000,
    failbackWindow: null,
    failureTimeoutMs: 600_000,
    onArbiterLoss: "failsafe",
    activationTimeoutMs: 30_000,
    drainTimeoutMs: 10_000,
    drainMarginMs: 500,
    killGraceMs: 250,
    proofByRefusal: false,
    useSsl: false,
    hardSslNameCheck: true,
    cpuPriority: "auto",
    launch: null,
    passed: {},
    origin: null,
    ...over,
  };
}

export function serviceSpec(name: string, over: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name,
    type: "scheduler",
    realm: "All",
    masters: ["m"],
    candidates: ["m", "s"],
    leaseMs: 2000,
    checkIntervalMs: 500,
    maxCheckAttempts: 3,
    failback: "auto",
    failbackDelayMs: 5000,
    failbackDelayMaxMs: 600_000,
    failureTimeoutMs: 600_000,
    activationTimeoutMs: 30_000,
    drainTimeoutMs: 10_000,
    config: {},
    ...over,
  };
}

export function model(daemons: readonly DaemonSpec[], services: readonly ServiceSpec[]): ClusterModel {
  return {
    name: "cluster",
    arbiterLeaseMs: 2000,
    clockDrift: 0.01,
    arbiters: [
      {
        name: "a",
        type: "arbiter",
        role: "master",
        address: "127.0.0.1",
        port: 7770,
        url: "http://a",
        realm: "All",
        electable: true,
        cpuPriority: "auto",
        passed: {},
        origin: null,
      },
    ],
    daemons,
    services,
    realms: [],
  };
}

export const MASTER_AND_SPARE: ClusterModel = model(
  [daemonSpec("m"), daemonSpec("s", { role: "spare" })],
  [serviceSpec("svc")],
);
