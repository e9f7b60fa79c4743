/**
 * Tells people and programs of trouble. Only the leader sends; every arbiter of the cluster could, from
 * the log and the cursors in the store, and the next leader goes on where this one stopped.
 */
import { randomUUID } from "node:crypto";
import { isAlertType } from "../../core/alerts.ts";
import type { NodeSettings } from "../../config/settings.ts";
import { messageOf as textOfError } from "../../protocol/errors.ts";
import { typeMatcher } from "../../protocol/event-filter.ts";
import { nowMs, wallMs } from "../../shell/clock.ts";
import type { Store } from "../../store/contract.ts";
import type { EventFeed } from "../event-feed.ts";
import type { ProcessLog } from "../log.ts";
import { runCommand } from "./command.ts";
import { Cursors } from "./cursors.ts";
import { sendMail } from "./mail.ts";
import { testMessage } from "./message.ts";
import type { AlertMessage, Sender } from "./message.ts";
import { Target } from "./target.ts";
import type { TargetName, TargetOptions, TargetWorld } from "./target.ts";
import { postWebhook } from "./webhook.ts";

export type AlertSettings = NodeSettings["alerts"];

export interface AlertsOptions {
  readonly store: Pick<Store, "commit" | "note">;
  readonly feed: EventFeed;
  readonly log: ProcessLog;
  /** null: this arbiter doesn't lead. */
  term(): number | null;
  /** As in force now: a reload may change them. */
  settings(): AlertSettings;
  readonly sender: () => Sender;
  readonly onSent: (target: TargetName) => void;
  readonly onFailed: (target: TargetName) => void;
}

export interface UndeliveredAlerts {
  readonly target: TargetName;
  readonly count: number;
  readonly problem: string;
  readonly forMs: number;
}

export interface TestResult {
  readonly target: TargetName;
  readonly ok: boolean;
  /** What was wrong; null: it has been taken. */
  readonly problem: string | null;
  readonly tookMs: number;
}

const LOOK_MS = 500;
/** A test is waited for by a person, through a standby perhaps. */
const TEST_TIMEOUT_MS = 5_000;

export class Alerts {
  readonly #options: AlertsOptions;
  readonly #sleepers = new Set<() => void>();
  #targets: readonly Target[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #term: number | null = null;
  /** Number of the last event that a target which is new isn't told of. */
  #newFrom: number;
  /** The settings that the targets were made from. */
  #made = "";
  #isClosed = false;
  readonly #timer: NodeJS.Timeout;
  readonly #unlisten: () => void;
  #isLooking = false;

  constructor(options: AlertsOptions) {
    this.#options = options;
    // What happens while this arbiter takes the lead is told, too.
    this.#newFrom = options.feed.tail;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
    this.#timer.unref();
    this.#unlisten = options.feed.onAppend(() => this.wake());
  }

  get undelivered(): readonly UndeliveredAlerts[] {
    return this.#targets.flatMap((target) => {
      const { problem } = target;
      if (problem === null) return [];
      return [
        { target: target.name, count: target.undelivered, problem: problem.text, forMs: problem.forMs },
      ];
    });
  }

  /** There may be more to tell. */
  wake(): void {
    for (const wakeUp of this.#sleepers) wakeUp();
  }

  /** Sends a test to every target, whatever its filter, and says what came of it. */
  async test(by: string): Promise<readonly TestResult[]> {
    const message = testMessage(`test-${randomUUID()}`, by, wallMs(), this.#options.sender());
    const targets = targetsOf(this.#options.settings(), TEST_TIMEOUT_MS);
    return await Promise.all(
      targets.map(async ({ name, send }) => {
        const began = nowMs();
        const problem = await send(message).then(() => null, textOfError);
        return { target: name, ok: problem === null, problem, tookMs: Math.round(nowMs() - began) };
      }),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#unlisten();
    this.#end();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    // One that is being sent may take longer: whoever leads next sends it again.
    setTimeout(() => resolve(undefined), LOOK_MS).unref();
    await Promise.race([this.#running, promise]);
  }

  /** Begins with the lead, and anew with other settings; ends with the lead. */
  async #look(): Promise<void> {
    if (this.#isLooking || this.#isClosed) return;
    this.#isLooking = true;
    try {
      const term = this.#options.term();
      const settings = this.#options.settings();
      const made = JSON.stringify(settings);
      if (term === this.#term && made === this.#made) return;
      this.#end();
      await this.#running;
      if (term !== null) await this.#begin(term, settings);
      this.#term = term;
      if (this.#made !== "") this.#newFrom = this.#options.feed.tail;
      this.#made = made;
    } catch (error) {
      this.#options.log.warn(`Alerts wait for the store: ${textOfError(error)}`);
    } finally {
      this.#isLooking = false;
    }
  }

  async #begin(term: number, settings: AlertSettings): Promise<void> {
    const wanted = targetsOf(settings);
    const cursors = await Cursors.load(this.#options.store, term);
    await cursors.keepOnly(wanted.map(({ name }) => name));
    await this.#options.feed.refresh();
    if (this.#isClosed) return;
    this.#targets = wanted.map((target) => new Target(target, this.#world()));
    const runs = this.#targets.map((target) =>
      target.run(cursors, this.#newFrom).catch((error: unknown) => {
        this.#options.log.error(`Alerts to the ${target.name} ended: ${textOfError(error)}`);
        // Made anew with the next look.
        this.#term = null;
      }),
    );
    this.#running = Promise.all(runs);
  }

  #end(): void {
    for (const target of this.#targets) target.end();
    this.#targets = [];
    this.#term = null;
    this.wake();
  }

  #world(): TargetWorld {
    const { feed, log, sender, onSent, onFailed } = this.#options;
    return {
      feed,
      sender,
      now: nowMs,
      pause: (ms) => this.#pause(ms),
      onSent,
      onFailed: (target, text, isFirst) => {
        onFailed(target);
        if (isFirst) log.warn(`An alert can't be delivered to the ${target} and is tried again: ${text}`);
      },
      warn: (text) => log.warn(text),
    };
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      clearTimeout(timer);
      this.#sleepers.delete(end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    this.#sleepers.add(end);
    return promise;
  }
}

/** Those that are configured. */
function targetsOf(settings: AlertSettings, timeoutMs?: number): readonly TargetOptions[] {
  const { webhook, webhookSecret, command, smtp, mailTo, mailFrom } = settings;
  const common = { tellsRecoveries: settings.recovery, rate: settings.rateLimit };
  const made = (
    name: TargetName,
    events: readonly string[] | null,
    send: (message: AlertMessage) => Promise<void>,
  ): TargetOptions => ({
    name,
    ...common,
    isWanted: events === null ? isAlertType : typeMatcher(events),
    send,
  });
  return [
    ...(webhook === null
      ? []
      : [
          made("webhook", settings.webhookEvents, (message) =>
            postWebhook(webhook, webhookSecret, message, wallMs(), timeoutMs),
          ),
        ]),
    ...(command === null
      ? []
      : [made("command", settings.commandEvents, (message) => runCommand(command, message, timeoutMs))]),
    ...(smtp === null || mailTo.length === 0
      ? []
      : [
          made("mail", settings.mailEvents, (message) =>
            sendMail({ smtp, to: mailTo, from: mailFrom }, message, timeoutMs),
          ),
        ]),
  ];
}
