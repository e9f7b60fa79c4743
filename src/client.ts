/** What `import "arbiter-ha/client"` gives: who holds a service, and what happens in the cluster. */
export { connect } from "./client/cluster.ts";
export type { Cluster, ConnectOptions, EventsOptions, Holder } from "./client/cluster.ts";
export type { PublishedEvent, PublishOptions, PublishReceipt } from "./client/publish.ts";
export type { ClusterEvent } from "./client/events.ts";
export { ArbiterError } from "./protocol/errors.ts";
export type { ErrorCode } from "./protocol/errors.ts";
