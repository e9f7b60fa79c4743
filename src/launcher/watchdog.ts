/**
 * A watchdog device (`watchdog = /dev/watchdog`): the last fence, for a host on which launcher and guard
 * stand still together. The device restarts the machine unless it is fed; it is fed only while every
 * lease held here is valid, and let go of when nothing runs any more.
 *
 * Feeding it says "this machine may go on for the device's time-out". So where that time-out is known
 * and leaves room, the device is fed only while each lease lasts longer than it: a frozen host is
 * then gone before its lease has ended, and before anyone else is active (I1). Where it is unknown or too
 * long, the device is fed until the lease's end: the machine restarts after all, but later.
 *
 * Linux: any write feeds it; `V` before the last close disarms it (unless the driver says `nowayout`).
 * Node can't change its time-out: `wdctl --settimeout` does (util-linux).
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { basename } from "node:path";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { nowMs } from "../shell/clock.ts";

/** The shortest time-out of a device is a second. */
const FEED_EVERY_MS = 250;
/** Between two feeds, and until this process gets the processor. */
const MARGIN_MS = 300;
/** With nothing wrong a lease never falls below two thirds. */
const USUAL_REST = 2 / 3;

export interface WatchedLease {
  readonly leaseMs: number;
  readonly leaseEndMs: number;
}

export interface WatchdogOptions {
  readonly file: string;
  /** What is held at the moment, with the lease's end on `nowMs()`; empty: nothing runs. */
  readonly leases: () => readonly WatchedLease[];
  readonly log: (level: "info" | "warn", text: string) => void;
  /** Default: what the kernel says of the device. */
  readonly timeoutMs?: number | null;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #timeoutMs: number | null;
  #descriptor: number | null = null;
  #timer: NodeJS.Timeout | null = null;
  #hasWarned = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs === undefined ? deviceTimeoutMs(options.file) : options.timeoutMs;
  }

  get isArmed(): boolean {
    return this.#descriptor !== null;
  }

  /** Throws where the device can't be opened: without the fence that was asked for nothing is started. */
  arm(leaseMs: number): void {
    if (this.#descriptor !== null) return;
    const { file } = this.#options;
    try {
      this.#descriptor = openSync(file, constants.O_WRONLY | constants.O_APPEND);
    } catch (error) {
      throw new ArbiterError(
        "ERR_ARB_LAUNCHER",
        `\`watchdog = ${file}\` can't be opened: ${messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
    this.#warnOnce(leaseMs);
    this.#feed();
    this.#timer = setInterval(() => this.#feed(), FEED_EVERY_MS);
  }

  /** Nothing runs any more. */
  disarm(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    const descriptor = this.#descriptor;
    this.#descriptor = null;
    if (descriptor === null) return;
    try {
      writeSync(descriptor, "V");
    } finally {
      closeSync(descriptor);
    }
  }

  #feed(): void {
    if (this.#descriptor === null) return;
    if (!this.#options.leases().every((lease) => nowMs() + this.#reserveMs(lease.leaseMs) < lease.leaseEndMs))
      return;
    try {
      writeSync(this.#descriptor, "k");
    } catch (error) {
      this.#options.log("warn", `${this.#options.file} can't be fed: ${messageOf(error)}`);
    }
  }

  #reserveMs(leaseMs: number): number {
    return this.#timeoutMs !== null && fits(this.#timeoutMs, leaseMs) ? this.#timeoutMs : 0;
  }

  #warnOnce(leaseMs: number): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const { file, log } = this.#options;
    const timeoutMs = this.#timeoutMs;
    if (timeoutMs !== null && fits(timeoutMs, leaseMs)) return;
    const known = timeoutMs === null ? "isn't known" : `is ${timeoutMs} ms`;
    log(
      "warn",
      `the time-out of ${file} ${known}, and the lease is ${leaseMs} ms: a frozen host restarts, but perhaps ` +
        "only after another has taken over. `wdctl --settimeout 1` or a longer `lease` mends that.",
    );
  }
}

/** Whether it can be fed for as long as all is well, and fires before the lease's end when it isn't. */
function fits(timeoutMs: number, leaseMs: number): boolean {
  return timeoutMs + MARGIN_MS <= leaseMs * USUAL_REST;
}

/** Null: a stand-in, or a kernel that doesn't say. */
function deviceTimeoutMs(file: string): number | null {
  const name = basename(file) === "watchdog" ? "watchdog0" : basename(file);
  try {
    const seconds = Number(readFileSync(`/sys/class/watchdog/${name}/timeout`, "latin1"));
    return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null;
  } catch {
    return null;
  }
}
