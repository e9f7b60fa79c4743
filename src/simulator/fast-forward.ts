/**
 * Skips quiet time: while all that happens is checks, renewals and beats, they are reckoned instead of
 * played.
 *
 * In quiet time (`quiet.ts`) the loops of a cluster, one check loop for each daemon and one of beats,
 * have nothing to do with each other, and each turn of one leaves both cores as they were, but for
 * instants and counters. So each loop is turned in a few float operations, with the very draws and the
 * very arithmetic of the real one, up to shortly before whatever comes next: a fault, a failback, the
 * end of a pause. Then the instants and counters are written into both cores, and the last turns before
 * it are played. What follows is the same to the last bit as if all had been played: `test/simulation/
 * fast-forward.test.ts` compares traces, and states, over many seeds.
 */
import { checkIntervalMs, leaseBoundMs } from "../core/checks.ts";
import { demoteAtOf, failsafeAtOf, fenceAtOf, leaseEndOf } from "../core/lease.ts";
import type { Timer } from "./machine.ts";
import { quietOf } from "./quiet.ts";
import type { Quiet, QuietDaemon } from "./quiet.ts";
import type { Simulation } from "./simulation.ts";

/** Less than so many turns aren't worth the writing. */
const FEWEST_TURNS = 2;
/** Turns of each loop that are played before whatever comes next. */
const PLAYED_TURNS = 1;

/** One daemon's check loop. */
interface CheckLoop {
  readonly daemon: QuietDaemon;
  readonly timer: Timer;
  /** Its self-fencing; a daemon that holds nothing has set none. */
  readonly core: Timer | null;
  readonly intervalMs: number;
}

export class FastForward {
  readonly #simulation: Simulation;
  /** Checks and beats that were reckoned. */
  skipped = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  readonly skipUntil = (endMs: number): void => {
    const quiet = quietOf(this.#simulation);
    if (quiet === null) return;
    const beats = quiet.process.timerOf("leadership");
    const { network, world, options } = this.#simulation;
    const longestDelayMs = network.options.leastDelayMs + network.options.jitterMs;
    const loops = loopsOf(quiet, longestDelayMs);
    if (beats === null || loops === null) return;
    const beatMs = quiet.state.model.arbiterLeaseMs / 4;
    const longestMs = Math.max(beatMs, ...loops.map(({ intervalMs }) => intervalMs));
    if (!this.#isSwift(loops, beatMs)) return;
    const nextMs = Math.min(endMs, world.nextMsBut(alarmsOf(loops, beats)));
    // By the arbiter's clock; the world's may be a little slower.
    const limitMs = nextMs - PLAYED_TURNS * longestMs * (1 + options.clockDrift) - longestMs / 2;
    if (!(limitMs - world.nowMs > FEWEST_TURNS * longestMs)) return;
    for (const loop of loops) this.#turnChecks(quiet, loop, limitMs);
    this.#turnBeats(quiet, beats, beatMs, limitMs);
    const { clusterId, term, seq } = quiet.state;
    this.#simulation.store.countOn({ clusterId, term, seq });
    for (const { daemon } of loops) daemon.state.assignmentSeq = quiet.state.seq;
  };

  /** Every call is answered long before its time-out, and before the next one. */
  #isSwift(loops: readonly CheckLoop[], beatMs: number): boolean {
    const { network, store, options } = this.#simulation;
    const longestMs = 2 * (network.options.leastDelayMs + network.options.jitterMs);
    const isStoreSwift = 2 * store.options.latencyMs < beatMs / 2;
    return (
      isStoreSwift &&
      loops.every(
        ({ daemon, intervalMs }) => longestMs < Math.min(daemon.view.spec.timeoutMs, intervalMs) / 2,
      ) &&
      options.workload.latenessMs < beatMs / 2
    );
  }

  #turnChecks({ host: arbiter, process, state }: Quiet, loop: CheckLoop, limitMs: number): void {
    const { network } = this.#simulation;
    const { daemon, timer, core, intervalMs } = loop;
    const { view, host } = daemon;
    const [there, back] = [
      network.streamOf(arbiter.name, host.name),
      network.streamOf(host.name, arbiter.name),
    ];
    let dueMs = timer.alarm.dueMs;
    let turns = 0;
    let sentMs = 0;
    let reachedMs = 0;
    let answeredMs = view.nonceReceivedAtMs;
    let receivedBeforeMs = answeredMs;
    let coreDueMs = 0;
    let issuedMs = issueOf(view.nonce);
    let echoedMs = issuedMs;
    let heardMs = daemon.state.heardAtMs ?? 0;
    let heardEveryMs = daemon.state.heardEveryMs;
    while (dueMs < limitMs) {
      turns += 1;
      sentMs = process.clock.at(dueMs);
      receivedBeforeMs = answeredMs;
      echoedMs = issuedMs;
      const reachedWorldMs = dueMs + network.quietDelayMs(there);
      reachedMs = daemon.process.clock.at(reachedWorldMs);
      heardEveryMs = Math.max(reachedMs - heardMs, heardEveryMs / 2);
      heardMs = reachedMs;
      issuedMs = Math.floor(reachedMs);
      if (core !== null) coreDueMs = core.dueOf(nextInstant(daemon, echoedMs), reachedWorldMs);
      const answeredWorldMs = reachedWorldMs + network.quietDelayMs(back);
      answeredMs = process.clock.at(answeredWorldMs);
      dueMs = timer.dueOf(Math.max(sentMs + intervalMs, answeredMs), answeredWorldMs);
    }
    if (turns === 0) return;
    this.skipped += turns;
    timer.alarm.set(dueMs);
    state.seq += turns;
    daemon.state.heardAtMs = heardMs;
    daemon.state.heardEveryMs = heardEveryMs;
    renewDaemon(daemon, echoedMs, turns);
    if (core !== null) core.alarm.set(coreDueMs);
    const { report } = view;
    if (report === null) return;
    view.nonce = host.nonceOf(reachedMs);
    view.report = {
      ...report,
      seq: report.seq + turns,
      nonce: view.nonce,
      services: report.services.map(({ service, epoch, state: phase, candidatesVersion }) => ({
        service,
        epoch,
        state: phase,
        leaseRemainingMs: (daemon.state.held.get(service)?.leaseEndMs ?? 0) - reachedMs,
        candidatesVersion,
      })),
    };
    view.reportedAtMs = answeredMs;
    view.nonceReceivedAtMs = answeredMs;
    view.roundTripMs = answeredMs - sentMs;
    view.lastCheckSentAtMs = sentMs;
    view.nextCheckAtMs = sentMs + intervalMs;
    for (const { view: service, held } of daemon.held)
      service.boundMs = Math.max(service.boundMs, leaseBoundMs(state, receivedBeforeMs, held.leaseMs));
  }

  #turnBeats({ process, state }: Quiet, timer: Timer, beatMs: number, limitMs: number): void {
    const { store } = this.#simulation;
    const { leadership } = state;
    let dueMs = timer.alarm.dueMs;
    let turns = 0;
    let sentMs = 0;
    let answeredWorldMs = 0;
    while (dueMs < limitMs) {
      turns += 1;
      sentMs = process.clock.at(dueMs);
      const halfMs = store.quietLatencyMs() / 2;
      answeredWorldMs = dueMs + halfMs + halfMs;
      dueMs = timer.dueOf(sentMs + beatMs, dueMs);
    }
    const { record } = leadership;
    if (turns === 0 || record === null) return;
    this.skipped += turns;
    timer.alarm.set(dueMs);
    leadership.record = { ...record, beat: record.beat + turns };
    leadership.beatSeenAtMs = process.clock.at(answeredWorldMs);
    leadership.validUntilMs = sentMs + record.ttlMs / (1 + state.model.clockDrift);
    store.skipTo(leadership.record);
  }
}

function loopsOf({ process, state, daemons }: Quiet, longestDelayMs: number): readonly CheckLoop[] | null {
  const loops: CheckLoop[] = [];
  for (const daemon of daemons) {
    const timer = process.timerOf(`check:${daemon.host.name}`);
    const core = daemon.held.length === 0 ? null : daemon.process.timerOf("core");
    if (timer === null || (core === null) !== (daemon.held.length === 0)) return null;
    // Its failsafe may be about to begin: that is not quiet. Later on, renewals come in time.
    if (core !== null && core.alarm.dueMs <= timer.alarm.dueMs + longestDelayMs) return null;
    // A lease that was longer before an edit isn't moved by the next renewal, and neither is its timer.
    const issuedMs = issueOf(daemon.view.nonce);
    if (daemon.held.some(({ held }) => held.leaseEndMs >= leaseEndOf(issuedMs, held.leaseMs))) return null;
    loops.push({ daemon, timer, core, intervalMs: checkIntervalMs(state, daemon.view) });
  }
  return loops;
}

/** What stands on the agenda for the loops themselves: everything else ends the quiet time. */
function alarmsOf(loops: readonly CheckLoop[], beats: Timer): ReadonlySet<() => void> {
  const alarms = new Set([beats.alarm.look]);
  for (const { timer, core, daemon } of loops) {
    alarms.add(timer.alarm.look);
    if (core !== null) alarms.add(core.alarm.look);
    for (const { held } of daemon.held) {
      const guard = daemon.host.workOf(held.service)?.guard;
      if (guard !== undefined && guard !== null) alarms.add(guard.look);
    }
  }
  return alarms;
}

/** `boot.issuedMs.tag` */
function issueOf(nonce: string | null): number {
  return Number(nonce?.split(".")[1]);
}

/** When the daemon's timer is due once each of its leases has been renewed for a nonce of then. */
function nextInstant({ held }: QuietDaemon, issuedMs: number): number {
  let nextMs = Number.POSITIVE_INFINITY;
  for (const { held: one } of held) {
    const { leaseMs, policy } = one;
    const endMs = leaseEndOf(issuedMs, leaseMs);
    nextMs = Math.min(
      nextMs,
      fenceAtOf(endMs, leaseMs, policy.margins),
      demoteAtOf(endMs, leaseMs, policy.margins),
    );
    if (policy.onArbiterLoss !== "demote") nextMs = Math.min(nextMs, failsafeAtOf(endMs, leaseMs));
  }
  return nextMs;
}

function renewDaemon(daemon: QuietDaemon, issuedMs: number, turns: number): void {
  const { state, host, held, process } = daemon;
  state.reportSeq += turns;
  if (held.length > 0) state.timerAtMs = nextInstant(daemon, issuedMs);
  for (const { held: one } of held) {
    one.leaseEndMs = leaseEndOf(issuedMs, one.leaseMs);
    one.grantedEndMs = one.leaseEndMs;
    const workplace = host.workOf(one.service);
    if (workplace === null) continue;
    workplace.work.leaseEndMs = one.leaseEndMs;
    workplace.guard?.set(process.clock.toWorld(fenceAtOf(one.leaseEndMs, one.leaseMs, one.policy.margins)));
  }
}
