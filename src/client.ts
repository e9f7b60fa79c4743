/** What `import "arbiter-ha/client"` gives: who holds a service, requests to it, and what happens in the cluster. */
export type { Holder, ServiceState, Vacancy } from "./client/answers.ts";
export { connect } from "./client/cluster.ts";
export type { PublishedEvent, PublishOptions, PublishReceipt } from "./client/publish.ts";
export type { Cluster, ConnectOptions, EventsOptions, Signalled } from "./client/cluster.ts";
export type { ClusterEvent, EventFilter } from "./client/events.ts";
export type { ServiceOptions } from "./client/service-got.ts";
export { ArbiterError } from "./protocol/errors.ts";
export type { ErrorCode } from "./protocol/errors.ts";
