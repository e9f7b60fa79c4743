/**
 * What a daemon's runtime is told by whoever starts it: the library's `defineDaemon`, or the
 * launcher. Everything here is decided before the first message; what may change while it runs
 * (arbiters, candidates, leases) comes with assignments.
 */
import type { CpuPriority, OnArbiterLoss, Role } from "../core/model.ts";
import type { TlsFiles } from "../protocol/tls.ts";

export interface Logger {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

export type { TlsFiles };

export interface RuntimeOptions {
  readonly name: string;
  readonly type: string;
  readonly role: Role;
  /** Address to bind: IPv4, IPv6 or a host name. */
  readonly host: string;
  /** 0: any free one; `RunningDaemon.port` tells which. */
  readonly port: number;
  /** Arbiters known from the start. More come with assignments. (Default: none.) */
  readonly arbiters?: readonly string[];
  /** The running cluster that it joins, and what it says of itself there. (Default: none.) */
  readonly join?: {
    readonly urls: readonly string[];
    readonly member: Readonly<Record<string, string | number | boolean>>;
  } | null;
  /** Its own folder is `<stateDir>/<name>`. */
  readonly stateDir: string;
  /**
   * File with the cluster's token: asked of callers, shown to arbiters and candidates. Read again
   * when it changes. (Default: none.)
   */
  readonly tokenFile?: string | null;
  /** File with a token that reads need. (Default: reads are open.) */
  readonly readTokenFile?: string | null;
  /** `use_ssl`: serve HTTPS and nothing else. (Default: false.) */
  readonly useSsl?: boolean;
  readonly tls?: TlsFiles | null;
  /**
   * Names of the arbiters that its files name: with `client_cert = required` these may assign, and
   * those that they tell of. (Default: none.)
   */
  readonly arbiterNames?: readonly string[];
  /** Allow an address that isn't loopback without a token. (Default: false.) */
  readonly insecure?: boolean;
  /** (Default of this and the next three: as the assignment says, else derived from the lease.) */
  readonly killGraceMs?: number | null;
  readonly drainMarginMs?: number | null;
  readonly drainTimeoutMs?: number | null;
  readonly onArbiterLoss?: OnArbiterLoss | null;
  /** What its reports say of its configuration. (Default: empty.) */
  readonly configVersion?: string;
  /** A hash of what this process reads from its own file. (Default: empty, it doesn't say.) */
  readonly ownConfig?: string;
  /** (Default: 0, it doesn't say.) */
  readonly dataVersion?: number;
  /** Forget the cluster that the state folder remembers, and obey another. (Default: false.) */
  readonly forgetCluster?: boolean;
  /** `realtime`: the whole process goes before other work, where the kernel allows it. (Default: `auto`, it doesn't.) */
  readonly cpuPriority?: CpuPriority;
  /** `held`: the caller holds a lock on the state folder already. (Default: `sqlite`.) */
  readonly lock?: "sqlite" | "held";
  /** SIGTERM and SIGINT drain, say so and leave. (Default: true.) */
  readonly signals?: boolean;
  /** How long an idle connection is kept: four check intervals at least. (Default: 65 000.) */
  readonly keepAliveMs?: number;
  readonly logger: Logger;
}

export interface RunningDaemon {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly url: string;
  /** The daemon's folder, `<stateDir>/<name>`. */
  readonly stateFolder: string;
  readonly bootId: string;
  /** Drains, says so and leaves; resolves when it has left. Asking twice changes nothing. */
  stop(reason: string): Promise<void>;
  /** Resolves once it has left and its port is closed. */
  readonly closed: Promise<void>;
}
