/**
 * Carries out what the core wants, each effect as soon as its turn comes and in the order given.
 * Whatever takes time goes on by itself and comes back as an event.
 *
 * What the workload says of an activation that was demoted meanwhile is dropped, since the
 * demotion speaks for both. A demotion that fails proves nothing about what still runs, so it is
 * fenced at once.
 */
import type { DaemonEffect, DaemonEvent } from "../core/daemon-io.ts";
import { messageOf } from "../protocol/errors.ts";
import { LIMITS } from "../protocol/messages.ts";
import { nowMs } from "../shell/clock.ts";
import type { TimerWheel } from "../shell/timer-wheel.ts";
import type { LeaseTable } from "./lease-table.ts";
import type { DaemonMetrics } from "./metrics.ts";
import type { RuntimeOptions } from "./options.ts";
import type { PendingAnswers } from "./pending-answers.ts";
import type { PromiseAsker } from "./promise-asker.ts";
import type { ReportSender } from "./report-sender.ts";
import type { StateFolder } from "./state-folder.ts";
import type { Workload } from "./workload.ts";

/** An event without its time, which is that of its arrival in the queue. */
type Untimed<E> = E extends unknown ? Omit<E, "nowMs"> : never;
export type Happening = Untimed<DaemonEvent>;

const SLACK_SHARE = 1 / 16;

export interface EffectParts {
  readonly options: RuntimeOptions;
  readonly workload: Workload;
  readonly folder: StateFolder;
  readonly leases: LeaseTable;
  readonly sender: ReportSender;
  readonly asker: PromiseAsker;
  readonly metrics: DaemonMetrics;
  readonly pending: PendingAnswers;
  readonly timers: TimerWheel;
  readonly push: (happening: Happening) => void;
  readonly left: () => void;
  /** URLs of the arbiters that the last assignment named. */
  readonly arbiters: () => readonly string[];
}

type Effect<K extends DaemonEffect["kind"]> = Extract<DaemonEffect, { readonly kind: K }>;

export class EffectRunner {
  readonly #parts: EffectParts;
  /** Activations under way, as `service epoch`; true once a demotion has overtaken it. */
  readonly #activating = new Map<string, boolean>();
  #written: Promise<void> = Promise.resolve();

  constructor(parts: EffectParts) {
    this.#parts = parts;
    parts.sender.setArbiters(
      [...(parts.options.arbiters ?? []), ...(parts.folder.memory?.arbiters ?? []).map(({ url }) => url)],
      null,
    );
  }

  perform(effect: DaemonEffect): void {
    const { leases, workload, sender, timers, options, pending, metrics } = this.#parts;
    switch (effect.kind) {
      case "answer":
        this.#answer(effect);
        return;
      case "answerPromise":
        metrics.countPromise(effect.answer.promised);
        pending.answerPromise(effect.requestId, effect.answer);
        return;
      case "leaseSet":
        leases.set(effect);
        workload.leaseSet(effect.service, effect.epoch, effect.leaseEndMs, effect.fenceAtMs);
        return;
      case "activate":
        void this.#activate(effect);
        return;
      case "demote":
        void this.#demote(effect);
        return;
      case "fence":
        options.logger.error(`${options.name} ends ${effect.service} at once: ${effect.reason}`);
        workload.fence(effect.service, effect.epoch, effect.reason);
        return;
      case "askPromise":
        void this.#askPromise(effect);
        return;
      case "persist":
        this.#written = this.#persist(effect);
        return;
      case "sendReport":
        sender.send(effect.report);
        return;
      case "timer":
        timers.set("core", this.#timerAt(effect.atMs));
        return;
      case "left":
        this.#parts.left();
        return;
      case "log":
        options.logger[effect.level](`${options.name}: ${effect.text}`);
    }
  }

  #timerAt(atMs: number | null): number | null {
    const { workload, leases } = this.#parts;
    if (atMs === null || !workload.launched) return atMs;
    return withSlack(atMs, nowMs(), leases.earliestFenceMs);
  }

  /** Resolves when what was to be remembered is in place, or couldn't be written. */
  async written(): Promise<void> {
    await this.#written;
  }

  #answer(effect: Effect<"answer">): void {
    const { pending, sender, metrics, options } = this.#parts;
    const { problem, report } = effect;
    metrics.countAssignment(problem?.code ?? "taken");
    const from = pending.answer(effect.requestId, { problem, report });
    if (problem !== null || from === null) return;
    const known = from.arbiters.map(({ url }) => url);
    sender.setArbiters([from.leader.url, ...known, ...(options.arbiters ?? [])], from.leader.url);
    sender.overtake();
  }

  async #activate(effect: Effect<"activate">): Promise<void> {
    const { workload, leases, push, arbiters } = this.#parts;
    const { service, epoch, config, leaseEndMs } = effect;
    const key = `${service} ${epoch}`;
    this.#activating.set(key, false);
    let failure: string | null = null;
    try {
      await workload.activate({ service, epoch, config, leaseEndMs, arbiters: arbiters() });
    } catch (error) {
      failure = cutReason(messageOf(error));
    }
    const wasOvertaken = this.#activating.get(key) ?? false;
    this.#activating.delete(key);
    if (wasOvertaken) return;
    if (failure === null) {
      push({ kind: "activated", service, epoch });
    } else {
      leases.drop(service, epoch);
      push({ kind: "activationFailed", service, epoch, reason: failure });
    }
  }

  async #demote(effect: Effect<"demote">): Promise<void> {
    const { workload, leases, push } = this.#parts;
    const { service, epoch, reason, deadlineMs } = effect;
    const key = `${service} ${epoch}`;
    if (this.#activating.has(key)) this.#activating.set(key, true);
    try {
      await workload.demote(service, epoch, reason, deadlineMs);
    } catch (error) {
      // Nobody can say what still runs.
      workload.fence(service, epoch, `its demotion failed: ${messageOf(error)}`);
      return;
    }
    leases.drop(service, epoch);
    push({ kind: "demoted", service, epoch });
  }

  async #askPromise({ candidate, request, timeoutMs }: Effect<"askPromise">): Promise<void> {
    const { service, epoch, round } = request;
    const answer = await this.#parts.asker.ask(candidate.url, request, timeoutMs);
    this.#parts.push({ kind: "promiseAnswered", service, epoch, round, candidate, answer });
  }

  async #persist({ memory, token }: Effect<"persist">): Promise<void> {
    const { folder, push, options } = this.#parts;
    try {
      await folder.remember(memory, token !== null);
    } catch (error) {
      options.logger.error(`${options.name}: ${messageOf(error)} What waits for it isn't promised.`);
      return;
    }
    if (token !== null) push({ kind: "persisted", token });
  }
}

/**
 * Half a lease without a renewal is what a launcher's timer mostly waits for, and a renewal is due at that very
 * moment: a little later is as good, and wakes it half as often. Never past a lease's fence (I1).
 */
export function withSlack(atMs: number, now: number, fenceAtMs: number): number {
  return Math.max(atMs, Math.min(atMs + (atMs - now) * SLACK_SHARE, fenceAtMs));
}

/** The core puts a few words of its own in front. */
const REASON_LENGTH = LIMITS.reasonLength - 200;

/** A reason that is longer makes the whole report malformed for whoever reads it. */
export function cutReason(reason: string): string {
  return reason.length <= REASON_LENGTH ? reason : `${reason.slice(0, REASON_LENGTH - 1)}…`;
}
