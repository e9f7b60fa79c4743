/**
 * The vocabulary: what the configuration means once it is read (the cluster model), what the
 * store keeps, and what stands in an event of the log.
 *
 * Plain data only, so that every value can be logged, replayed and sent. Durations and instants
 * are milliseconds and say so in their names. `…Ms` instants are of the process's own monotonic
 * clock; `…WallMs` are wall-clock milliseconds since 1970 and are for people's eyes alone: no
 * decision compares them.
 */

export type Role = "master" | "spare";
export type Failback = "auto" | "manual" | "never";
export type OnArbiterLoss = "failsafe" | "demote" | "hold";
/** `auto`: arbiters and launchers go before other work where the kernel allows it; `realtime`: library daemons too. */
export type CpuPriority = "auto" | "realtime" | "normal";

/** Where something stands in the files: shown in errors and in `arbiter config show`. */
export interface Origin {
  /** Path as it was given, relative to the configuration folder. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

/** One daemon of the configuration, every default filled in. */
export interface DaemonSpec {
  readonly name: string;
  readonly type: string;
  readonly role: Role;
  /** As written: IPv4, IPv6 or a host name. Looked up at each new connection. */
  readonly address: string;
  readonly port: number;
  /** `http://address:port`, or `https://` with `use_ssl`. IPv6 in brackets. */
  readonly url: string;
  readonly realm: string;
  readonly manageSubRealms: boolean;
  /** Masters that share a service name it; null: a service of the master's own name. */
  readonly service: string | null;
  /** A spare for these services alone; null: for all of its type and realm. */
  readonly spareFor: readonly string[] | null;
  readonly priority: number;
  /** Services it may hold at once. */
  readonly capacity: number;
  readonly checkIntervalMs: number;
  readonly timeoutMs: number;
  readonly maxCheckAttempts: number;
  readonly leaseMs: number;
  readonly failback: Failback;
  readonly failbackDelayMs: number;
  readonly failbackDelayMaxMs: number;
  readonly failbackWindow: string | null;
  readonly failureTimeoutMs: number;
  readonly onArbiterLoss: OnArbiterLoss;
  readonly activationTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly drainMarginMs: number;
  readonly killGraceMs: number;
  readonly proofByRefusal: boolean;
  readonly useSsl: boolean;
  readonly hardSslNameCheck: boolean;
  readonly cpuPriority: CpuPriority;
  /** The keys of a launched command; null on a library daemon. */
  readonly launch: LaunchSpec | null;
  /** Custom keys (`_…`) and keys kept from other tools: passed on to the daemon as they stand. */
  readonly passed: Readonly<Record<string, string>>;
  readonly origin: Origin | null;
}

/** How `arbiter daemon` runs a program; see the launcher. */
export interface LaunchSpec {
  /** Program and arguments, run without a shell. Empty where only the command line gives it. */
  readonly command: readonly string[];
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | null;
  /** A signal's name, `SIGTERM` for example. */
  readonly stopSignal: string;
  readonly stopTimeoutMs: number;
  readonly healthUrl: string | null;
  readonly healthCommand: readonly string[] | null;
  /** What the answer of `healthUrl` must contain; null: its status is enough. */
  readonly healthText: string | null;
  /** `host:port` */
  readonly healthTcp: string | null;
  readonly startTimeoutMs: number;
  readonly restartAttempts: number;
  readonly restartDelayMs: number;
  readonly preStart: readonly string[] | null;
  readonly postStart: readonly string[] | null;
  readonly preStop: readonly string[] | null;
  readonly postStop: readonly string[] | null;
  readonly hookTimeoutMs: number;
  /** Hooks are also run with `ARBITER_DRY_RUN=1`, while the daemon waits. */
  readonly hookDryRun: boolean;
  readonly watchdog: string | null;
  /** null: the program's output goes through the launcher's. */
  readonly outputFile: string | null;
  /** MiB, after which that file is moved aside. */
  readonly outputMaxMib: number;
  /** Files kept beside it. */
  readonly outputKeep: number;
  readonly logLevel: string;
}

/** One arbiter of the configuration. */
export interface ArbiterSpec {
  readonly name: string;
  readonly type: "arbiter";
  readonly role: Role;
  readonly address: string;
  readonly port: number;
  readonly url: string;
  readonly realm: string;
  readonly electable: boolean;
  readonly cpuPriority: CpuPriority;
  readonly passed: Readonly<Record<string, string>>;
  /** null: nobody wrote it; the implied `arbiter-master` on 127.0.0.1:7770. */
  readonly origin: Origin | null;
}

/** What must run exactly once. Its settings are those of its first master. */
export interface ServiceSpec {
  readonly name: string;
  readonly type: string;
  readonly realm: string;
  /** By `priority`, then by name. The first one's settings are the service's. */
  readonly masters: readonly string[];
  /** Masters first, then the spares that may hold it. */
  readonly candidates: readonly string[];
  readonly leaseMs: number;
  readonly checkIntervalMs: number;
  readonly maxCheckAttempts: number;
  readonly failback: Failback;
  readonly failbackDelayMs: number;
  readonly failbackDelayMaxMs: number;
  /** Failback happens only while it is open; as the configuration writes it. */
  readonly failbackWindow?: string;
  readonly failureTimeoutMs: number;
  readonly activationTimeoutMs: number;
  readonly drainTimeoutMs: number;
  /** Sent with the assignment: what a daemon without its own files needs to know. */
  readonly config: Readonly<Record<string, string>>;
}

export interface RealmSpec {
  readonly name: string;
  /** Names of the realms right below it. */
  readonly members: readonly string[];
  readonly isDefault: boolean;
  readonly origin: Origin | null;
}

/** The whole configuration as the arbiter needs it. Made by `src/config`, never changed. */
export interface ClusterModel {
  readonly name: string;
  readonly arbiterLeaseMs: number;
  /** 0.01 is 1 %: by how much two clocks' rates may differ. */
  readonly clockDrift: number;
  /** So many causes may move services unplanned within a period; absent: any number. */
  readonly failoverBudget?: { readonly causes: number; readonly perMs: number };
  readonly arbiters: readonly ArbiterSpec[];
  readonly daemons: readonly DaemonSpec[];
  readonly services: readonly ServiceSpec[];
  readonly realms: readonly RealmSpec[];
}

/** `clock_slack`: the grain of `os.uptime()` (10 ms) at both ends of a measurement. */
export const CLOCK_SLACK_MS = 20;

/** A daemon that may hold a service, as the holder has to know it to ask for its promise. */
export interface Candidate {
  readonly name: string;
  readonly stateId: string;
  readonly url: string;
}

/** The candidates of a service, agreed with its holder under a rising version. */
export interface CandidateSet {
  readonly version: number;
  readonly list: readonly Candidate[];
}

/** What the store keeps of a service. Rows are never deleted, so that no epoch is used twice. */
export interface ServiceRow {
  readonly service: string;
  /** The daemon that `epoch` was committed for; kept when it is over. Null before epoch 1. */
  readonly holder: string | null;
  readonly stateId: string | null;
  readonly bootId: string | null;
  readonly epoch: number;
  /** Every epoch up to this one is over for good. -1: not even epoch 0 (an unknown past) is. */
  readonly cleared: number;
  /** Longest lease that may be outstanding. */
  readonly leaseMaxMs: number;
  readonly candidates: CandidateSet;
  /**
   * Sets of epochs above `cleared` that a holder may still be asking: the last one acknowledged
   * and all since. Eligible on expiry is who stands in each of them.
   */
  readonly pastSets: readonly { readonly epoch: number; readonly set: CandidateSet }[];
  /**
   * Its masters in each configuration since the last epoch that rests on proof: who shares one is the same
   * work, whatever it is called. A version before this one wrote none.
   */
  readonly masters?: readonly string[];
  /** There may be epochs above this one of which the store doesn't know: it was restored or emptied. */
  readonly pastLost?: true;
  /** When this holder got it, for people. */
  readonly sinceWallMs: number;
}

/** Operator's wishes that outlive a restart. */
export interface Settings {
  /** Key: a service's name, or `*` for all. */
  readonly pauses: Readonly<Record<string, Pause>>;
  /** Key: a daemon's name. */
  readonly maintenance: Readonly<Record<string, Maintenance>>;
  /** Moves that an operator asked for and that have not ended. Key: a service's name. */
  readonly moves: Readonly<Record<string, WantedMove>>;
  /** Daemons that joined the running cluster, beside those of the files. Key: the daemon's name. */
  readonly joined: Readonly<Record<string, JoinedDaemon>>;
  /** Key: a service's name. (Default: none has been drilled, nor is to be) */
  readonly drills?: Readonly<Record<string, DrillRecord>>;
}

/** What is known of a service's drills. */
export interface DrillRecord {
  /** Since when it is to be drilled: its age counts from there until a drill was good. */
  readonly sinceWallMs: number;
  readonly lastGoodWallMs: number | null;
  /** The last one, if it wasn't good. */
  readonly failed: { readonly atWallMs: number; readonly because: string } | null;
  /** The one that is going on; a new leader goes on with it. */
  readonly run: DrillRun | null;
  /** What the last drill that tried it has shown of each daemon. (Default: none was tried) */
  readonly tried?: Readonly<Record<string, DrillTrial>>;
}
export interface DrillTrial {
  readonly atWallMs: number;
  /** Why it failed; null: it was good. */
  readonly because: string | null;
}

export interface DrillRun {
  readonly by: string;
  /** Who held it at the beginning, and is to have it back. */
  readonly home: string;
  readonly spare: string;
  /** How long it stays on the spare. */
  readonly holdMs: number;
  readonly startedWallMs: number;
  readonly stage: "out" | "holding" | "back";
  /** The service's epoch when the stage began. */
  readonly fromEpoch: number;
  readonly outGapMs: number | null;
  /** 0: proof that the old holder had let go came before the new one was told; null: not known. */
  readonly outOverlapMs: number | null;
  /** Why it is on its way home early; null: it isn't. */
  readonly failure: string | null;
  /** The operator's move that stood before, and stands again afterwards. */
  readonly moveBefore: WantedMove | null;
}
export interface JoinedDaemon {
  /** What its file would say, key to value. */
  readonly keys: Readonly<Record<string, string>>;
  readonly by: string;
  readonly atWallMs: number;
}
export interface WantedMove {
  readonly verb: "switchover" | "failover" | "failback";
  /** null: whoever ranks first. */
  readonly to: string | null;
  readonly by: string;
  readonly requestedWallMs: number;
  /** Of a failover: the epoch that it was to end. Once that is over, nothing is left to be done. */
  readonly epoch?: number;
  /**
   * null: not done yet. Done: the boots of the service's masters at that time. As long as a master
   * is still that boot it has not been away, and nothing fails back to it by itself.
   */
  readonly doneAtBoots: Readonly<Record<string, string>> | null;
}
export interface Pause {
  readonly by: string;
  readonly reason: string;
  /** null: until resumed. */
  readonly untilWallMs: number | null;
  readonly sinceWallMs?: number;
}
export interface Maintenance {
  readonly by: string;
  readonly reason: string;
}

/** The leadership record, one in each store. */
export interface LeadershipRecord {
  readonly clusterId: string;
  readonly term: number;
  readonly leader: string;
  /** One start of an arbiter: no start resumes another's term. */
  readonly instance: string;
  readonly url: string;
  /** Rises with every sign of life. */
  readonly beat: number;
  /** The leader stopped in good order, after its last assignment. */
  readonly released: boolean;
  /** With `released`: who should lead next; the others wait a while. */
  readonly successor?: string;
  readonly ttlMs: number;
  /**
   * Arbiters that may campaign once the beat stands still; whoever isn't listed waits until it is,
   * or until the record says `released`. `stateId` is null for one that the leader hasn't met.
   */
  readonly electable: readonly {
    readonly name: string;
    readonly stateId: string | null;
    readonly url: string;
  }[];
}

/** An event before the store has numbered it. `type` is a public, greppable name. */
export interface EventDraft {
  readonly type: string;
  readonly atWallMs: number;
  readonly service?: string;
  readonly daemon?: string;
  readonly epoch?: number;
  readonly term?: number;
  /** One sentence for people. */
  readonly text: string;
  /** Row of the service table that made it. */
  readonly row?: number;
  readonly evidence?: Readonly<Record<string, unknown>>;
  /** What a program published, rather than an arbiter: see `Publication`. */
  readonly publication?: Publication;
}

/** An event of a program's own: any arbiter takes it, and every reader of the log gets it. */
export interface Publication {
  readonly namespace: string;
  readonly key: string;
  /** Any JSON. */
  readonly value: unknown;
  /** Given by whoever published it: within its namespace, the log holds it once (I5). */
  readonly idempotencyKey: string;
}

/** An event of the log: numbers are consecutive (I5). */
export interface LoggedEvent extends EventDraft {
  readonly seq: number;
}
