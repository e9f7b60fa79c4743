/**
 * What an arbiter's core remembers. One plain object, changed in place by `stepArbiter` and by
 * nothing else; the status page and the metrics read it.
 *
 * What must survive a crash is in `row` and `settings` alone, as the store has it: everything else
 * can be learned again from reports and from waiting.
 */
import type { ArbiterEvent, ConfigurationVersion } from "./arbiter-io.ts";
import type { LossCause, SpentCause } from "./failover-budget.ts";
import type { Report } from "./messages.ts";
import type { ClearedBy, GapIs, MoveMeasure } from "./move-measure.ts";
import type { SelfDoubt } from "./self-doubt.ts";
import type {
  ArbiterSpec,
  ClusterModel,
  DaemonSpec,
  EventDraft,
  LeadershipRecord,
  ServiceRow,
  ServiceSpec,
  Settings,
} from "./model.ts";

export type ServicePhase = "vacant" | "activating" | "held" | "suspect" | "fencing" | "handing-over";

/** One daemon as this arbiter sees it. */
export interface DaemonView {
  spec: DaemonSpec;
  /** Left the configuration, but still holds something. */
  removed: boolean;
  /** Newest report accepted; null: it has never answered this arbiter. */
  report: Report | null;
  reportedAtMs: number;
  /** Where the last answer to a check came from. */
  reportedUrl: string | null;
  /** Newest nonce received, and when: `received(n) >= issued(n)`. */
  nonce: string | null;
  nonceReceivedAtMs: number;
  /** Failed checks in a row, as counted; 0: it answers. */
  failedChecks: number;
  lastFailure: string | null;
  /** The checks that `failedChecks` counts, newest last; at most ten of them. For evidence alone. */
  failures: { readonly atMs: number; readonly failure: string }[];
  /** A check is on its way since then; null: none. */
  inFlightSinceMs: number | null;
  /** Something to say was put off until the check in flight is over. */
  sendAgain: boolean;
  nextCheckAtMs: number;
  lastCheckSentAtMs: number;
  roundTripMs: number | null;
  /** Healthy, answering and waiting or active since then; null: not. */
  healthySinceMs: number | null;
  unhealthyReports: number;
  /** Unplanned losses, as instants, within `failure_timeout`. */
  lossesAtMs: number[];
  /** No new activation before then (after a failed one). */
  backOffUntilMs: number;
  backOffMs: number;
  /** Live promises it gave, on this arbiter's clock: service to { epoch, untilMs (Infinity: no end) }. */
  promisesUntilMs: Record<string, { epoch: number; holder: string; untilMs: number }>;
  refusesExpiryUntilMs: number;
  /** Its last answer was of another cluster. */
  isForeign: boolean;
  /** Answers in a row that refused this arbiter's own term as heard already. */
  outdatedAnswers: number;
  /** The last term of this arbiter's that it obeyed. */
  obeyedTerm: number;
}

/** One service as the leader sees it. */
export interface ServiceView {
  /** The specification in force; the last one if the service left the configuration. */
  spec: ServiceSpec;
  removed: boolean;
  phase: ServicePhase;
  /** As the store has it, as far as this arbiter knows for sure. */
  row: ServiceRow;
  /** On this arbiter's clock: when the epoch's commit was known, or when the lead was taken. */
  committedAtMs: number;
  phaseSinceMs: number;
  phaseSinceWallMs: number;
  /**
   * When every lease that may be outstanding at epochs above `cleared` has ended for sure. A
   * running maximum, which nothing but `cleared` lowers (I1).
   */
  boundMs: number;
  /** The store has lost its past: there may be epochs above `row.epoch` of which it doesn't know. */
  isPastLost: boolean;
  /** Since then no lease was granted that is longer than the specification's. */
  shorterSinceMs: number;
  /** Highest epoch known to be over for good; committed with the next change of the row. */
  knownCleared: number;
  /** The report that proves `epoch` over, until it is used. */
  proof: {
    readonly epoch: number;
    readonly planned: boolean;
    readonly evidence: Readonly<Record<string, unknown>>;
  } | null;
  /** What the holder last said of it at `row.epoch`; null: nothing yet. */
  holderState: "activating" | "active" | "draining" | null;
  /** An operator's order that waits to be carried out by the table; see commands. */
  order: {
    readonly kind: "failover" | "declared-dead";
    readonly by: string;
    readonly to: string | null;
  } | null;
  /** A report has shown `row.epoch` active: proof about it may then raise `cleared`. */
  shownActive: boolean;
  /** Candidate sets version that the holder says it has taken. */
  acknowledgedSet: number;
  /** fencing: the holder may keep it if it answers in good order ("silent"), or not ("unwanted"). */
  fencing: "silent" | "unwanted" | null;
  /** handing-over and activating: whom it is for; null: whoever ranks first. */
  target: string | null;
  /** Why the present move was begun; shown to people. */
  moveReason: string | null;
  drainDeadlineMs: number;
  activationDeadlineMs: number;
  /** What its timer is set to; null: it isn't. */
  lookAtMs: number | null;
  /** A commit that changes holder, epoch or cleared is under way: neither renewed nor set back. */
  pendingCommit: number | null;
  /** A commit of candidates or `leaseMax` alone: renewals go on with what was committed before. */
  pendingSideCommit: number | null;
  /** What the last rows' evidence was, newest last; at most `HISTORY` of them. */
  history: TransitionRecord[];
  /** Since when the present epoch is held; null: it isn't yet. */
  heldSinceMs: number | null;
  /** Since when nobody is known to hold it, until somebody does; and what a gap from there is. See move-measure. */
  lostAtMs: number | null;
  lostIs: GapIs;
  /** null: the newest epoch that is over was cleared under another leader. */
  clearedBy: ClearedBy | null;
  lastMove: MoveMeasure;
  /** Why it was lost unplanned, until it is held again; null: it wasn't. See failover-budget. */
  lossCause: LossCause | null;
  isToldHeldBack: boolean;
}

export interface TransitionRecord {
  readonly atMs: number;
  readonly atWallMs: number;
  readonly row: number;
  readonly from: ServicePhase;
  readonly to: ServicePhase;
  readonly because: string;
  readonly epoch: number;
  readonly evidence: Readonly<Record<string, unknown>>;
}

export type LeadershipMode =
  /** Nothing known yet. */
  | "starting"
  /** Watches the record; another leads, or it waits for the time-to-live to pass. */
  | "standing-by"
  | "campaigning"
  /** Won; waits for `load`. */
  | "loading"
  | "leading"
  | "releasing"
  | "released";

export interface LeadershipView {
  mode: LeadershipMode;
  record: LeadershipRecord | null;
  /** The last one that there was: a store that was emptied may have a leader all the same. */
  lastRecord: LeadershipRecord | null;
  /** Of any record that this arbiter has seen. */
  highestTerm: number;
  highestBeat: number;
  /** When this very beat was first seen, on this arbiter's clock. */
  beatSeenAtMs: number;
  /** Own leadership is valid before then: time-to-live / (1 + drift) after the last good beat *began*. */
  validUntilMs: number;
  /** A call to the store is on its way. */
  calling: boolean;
  /** When a standby last asked for the record, and whether something changed while it waits for it. */
  lookedAtMs: number;
  lookOnceMore: boolean;
  /** The record's beat at which an operator declared its leader gone; see `leadership-claim.ts`. */
  claimed: Claim | null;
  /** Whether the store takes writes from here: one is on its way; when the last good one began. */
  touching: boolean;
  touchedAtMs: number;
  /** A commit's outcome is unknown: a new term is taken before anything else is committed. */
  needsNewTerm: boolean;
  storeDownSinceMs: number | null;
  storeProblem: string | null;
  /** Changes of the record that are on their way. */
  campaignsOpen: number;
  /** Lists of arbiters that the store may hold by now: of beats whose outcome isn't known. */
  unconfirmed: readonly {
    readonly beat: number;
    readonly ttlMs: number;
    readonly electable: ElectableList;
  }[];
  /** `stateId` of the other arbiters that have answered this leader, by name. */
  met: Map<string, string>;
  /** The latest round of asking the others not to lead. */
  round: LeadershipRound | null;
  roundNumber: number;
  /** What this arbiter has promised: not to lead before then, whatever the store says. */
  /** The lead is being handed over; this arbiter then stands by. */
  transfer: { readonly to: string | null } | null;
  promised: { readonly leader: string; readonly term: number; readonly untilMs: number } | null;
}

/** Not answered yet. */
export interface Claim {
  readonly term: number;
  readonly beat: number;
  readonly leader: string;
  readonly id: string;
  readonly by: string;
  readonly origin?: Readonly<Record<string, string>> | undefined;
}

export type ElectableList = LeadershipRecord["electable"];

export interface LeadershipRound {
  readonly number: number;
  /** When the first was asked: what is gained counts from there. */
  readonly askedAtMs: number;
  readonly forMs: number;
  /** `stateId` of those who have not promised yet, by name; null: the leader doesn't know it. */
  readonly missing: Map<string, string | null>;
}

export interface WaitingCommand {
  readonly id: string;
  readonly text: string;
  /** Which of the commit's events records it. */
  readonly eventIndex: number;
}

/** A commit sent to the store, kept until it is answered. */
export interface PendingCommit {
  readonly commitId: number;
  readonly sentAtMs: number;
  readonly services: readonly string[];
  readonly rows: Readonly<Record<string, ServiceRow>>;
  readonly settings: Settings | null;
  readonly configuration: {
    readonly model: ClusterModel;
    readonly version: ConfigurationVersion;
    readonly plan: readonly string[];
  } | null;
  /** The model with the daemons that have joined by now; null: none joined or left. */
  readonly members: ClusterModel | null;
  /** Commands answered when it is committed, with the text of the answer. */
  readonly commands: readonly WaitingCommand[];
  /** Once it is committed, the lead is handed over. */
  readonly transfer: { readonly to: string | null } | null;
}

export interface ArbiterOptions {
  readonly name: string;
  readonly url: string;
  /** One start of this arbiter, random. */
  readonly instance: string;
  /**
   * Random, kept in its state folder, which it holds locked while it runs: the same `stateId` in
   * another instance proves that the earlier one is gone.
   */
  readonly stateId: string;
  /** Used as the cluster's id if the store is empty, random. */
  readonly freshClusterId: string;
  readonly model: ClusterModel;
  readonly configuration: ConfigurationVersion;
  /** Goes first on an empty store, if it is this one (`ARBITER_PRIMARY`); null: no preference. */
  readonly primary: string | null;
}

export interface ArbiterState {
  readonly options: ArbiterOptions;
  readonly self: ArbiterSpec;
  model: ClusterModel;
  configuration: ConfigurationVersion;
  /** The last edit that was refused, until a good one comes. */
  refusedEdit: { readonly atWallMs: number; readonly errors: readonly string[] } | null;
  clusterId: string;
  term: number;
  /** Of the last assignment sent in this term. */
  seq: number;
  mapVersion: number;
  /** The highest that anybody was seen to have, where it isn't known to be the store's. */
  mapSeenVersion: number;
  leadership: LeadershipView;
  settings: Settings;
  daemons: Map<string, DaemonView>;
  services: Map<string, ServiceView>;
  /** Every row of the store, also of services that left the configuration: no epoch is used twice. */
  rows: Map<string, ServiceRow>;
  /** Its configuration has drifted, and that is enforced: it leaves the lead to whoever else could have it. */
  yieldsLead: boolean;
  /** Something left the configuration and isn't let go yet. */
  hasRemoved: boolean;
  /** The store was restored or emptied: it doesn't know what it knew. Until the next `load`. */
  hasLostPast: boolean;
  /** That has happened since this arbiter was started: who has no row may have had one. */
  hasEverLostPast: boolean;
  /** A valid edit that waits for the store. */
  waitingModel: {
    readonly model: ClusterModel;
    readonly configuration: ConfigurationVersion;
    readonly plan: readonly string[];
  } | null;
  /** Services each daemon is a candidate of; derived from the model. */
  candidateOf: Map<string, readonly string[]>;
  /** Services each daemon is the committed holder of, not yet over; derived, kept for the hot path. */
  holdings: Map<string, Set<string>>;
  /** Orders that wait until a commit of settings is answered: settings are written whole, one after another (I5). */
  waitingCommands: Extract<ArbiterEvent, { kind: "commanded" }>[];
  nextCommitId: number;
  commits: Map<number, PendingCommit>;
  lastStallEndMs: number;
  lastStallLateMs: number;
  /** Windows of `failback_window` that are open, and until when; see failback-window. */
  openWindows: Map<string, number>;
  spentCauses: readonly SpentCause[];
  /** Pauses whose end was warned of. */
  warnedPauses: Set<string>;
  doubt: SelfDoubt;
  /** The drill that is going on, for the leader; null: none. */
  drill: { readonly service: string; readonly stageSinceMs: number } | null;
  /** Events noted before this arbiter leads. */
  notes: EventDraft[];
}
