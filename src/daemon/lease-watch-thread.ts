/**
 * The thread of the lease watch; see `lease-watch.ts`. It owns no socket and no timer: it waits on
 * the shared word, and once the instant written there has passed it ends the process with SIGKILL,
 * which no code of the process can delay.
 *
 * Nor may its own last line. Where standard error is a pipe that nobody reads, a plain write would
 * wait for ever, and where its reader is gone or its disk is full it would throw and end this
 * thread instead of the process: so it is written through a descriptor of our own that never
 * waits, and what becomes of it changes nothing.
 */
import { constants, openSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { exactNowMs } from "../shell/clock.ts";

/** A wait doesn't count what the machine sleeps, so none is longer than this. */
const LONGEST_WAIT_MS = 100;

const killAt: unknown = workerData;
if (!(killAt instanceof BigInt64Array)) throw new TypeError("The lease watch was started without its word");
const standardError = openWithoutWaiting();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window's
parentPort?.postMessage("awake");

for (;;) {
  const atMicros = Atomics.load(killAt, 0);
  const leftMs = Number(atMicros) / 1000 - exactNowMs();
  if (atMicros < 0n) {
    Atomics.wait(killAt, 0, atMicros);
  } else if (leftMs > 0) {
    Atomics.wait(killAt, 0, atMicros, Math.min(LONGEST_WAIT_MS, leftMs));
  } else {
    sayIfPossible("The lease is about to end and the event loop doesn't answer: this process is killed.\n");
    process.kill(process.pid, "SIGKILL");
  }
}

/** Standard error, opened anew: its flags are its own. A socket can't be; then nothing is said. */
function openWithoutWaiting(): number | null {
  try {
    return openSync("/proc/self/fd/2", constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}

function sayIfPossible(text: string): void {
  if (standardError === null) return;
  try {
    writeSync(standardError, text);
  } catch {
    // Nobody listens.
  }
}
