/**
 * What a daemon does while it holds a service: the library's hooks, or the launcher's command.
 * The daemon's runtime drives either through this interface and nothing else.
 */
import type { ServeRequests } from "./served-requests.ts";

export interface ActivationContext {
  readonly service: string;
  readonly epoch: number;
  readonly config: Readonly<Record<string, string>>;
  /** On the runtime's clock (`nowMs()`). */
  readonly leaseEndMs: number;
  /** URLs of the arbiters that the daemon knows. */
  readonly arbiters: readonly string[];
}

/** Called by the workload at any time; the runtime turns each into an event of its queue. */
export interface WorkloadSink {
  /** The program ended by itself and nothing of it runs any more: proof of death. */
  exited(service: string, epoch: number, reason: string): void;
  /** A restart in place has begun. */
  restarting(service: string, epoch: number, reason: string): void;
  /** A restart in place has succeeded. */
  restarted(service: string, epoch: number): void;
  health(healthy: boolean, ready: boolean, reason: string): void;
  log(level: "info" | "warn" | "error", text: string): void;
}

export interface Workload {
  readonly launched: boolean;
  /** Called once, before the daemon answers anyone: clean up what an earlier boot left behind. */
  prepare(sink: WorkloadSink): Promise<void>;
  /** Resolves when the service runs and is healthy; rejects after cleaning up what it had begun. */
  activate(context: ActivationContext): Promise<void>;
  /** Resolves when nothing of it runs any more. */
  demote(service: string, epoch: number, reason: string, deadlineMs: number): Promise<void>;
  /** The lease's end has moved; `fenceAtMs` is when what still runs must be killed. */
  leaseSet(service: string, epoch: number, leaseEndMs: number, fenceAtMs: number): void;
  /** End it now, whatever it does. A library workload does not return from this. */
  fence(service: string, epoch: number, reason: string): void;
  /** Serves requests of its own users, whose paths the daemon doesn't answer itself. */
  readonly serve?: ServeRequests | null;
  /** The runtime ends; release guards and locks. */
  close(): Promise<void>;
}
