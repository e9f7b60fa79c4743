/**
 * What `import "arbiter-ha"` gives: a daemon from an author's hooks, and the types that come with
 * it. Clients of a cluster import "arbiter-ha/client".
 */
export { arbiterCoordinator } from "./daemon/cron-coordinator.ts";
export type { CronCoordinator } from "./daemon/cron-coordinator.ts";
export { defineDaemon } from "./daemon/define-daemon.ts";
export type { DaemonDefinition, DefinedDaemon, StartOptions } from "./daemon/define-daemon.ts";
export type { Health, HealthHook } from "./daemon/health-watch.ts";
export { LeaseLostError } from "./daemon/lease.ts";
export type { Lease } from "./daemon/lease.ts";
export type { Activation, Demotion, Hooks } from "./daemon/library-workload.ts";
export type { HttpHandler } from "./daemon/served-requests.ts";
export type { Logger, RunningDaemon, TlsFiles } from "./daemon/options.ts";
export { ArbiterError } from "./protocol/errors.ts";
export type { ErrorCode } from "./protocol/errors.ts";
