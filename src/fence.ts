/** What `import "arbiter-ha/fence"` gives: receivers refuse what an old holder sends. */
export { fence } from "./fence/fence.ts";
export type { Fence, FenceMiddleware, FenceOptions } from "./fence/fence.ts";
export type { FencedLease, KnownHolder } from "./fence/under-lease.ts";
export type { Problem } from "./protocol/problem.ts";
