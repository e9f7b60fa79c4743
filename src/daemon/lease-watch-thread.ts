/**
 * The thread of the lease watch; see `lease-watch.ts`. It owns no socket and no timer: it waits on
 * the shared word, and once the instant written there has passed it ends the process with SIGKILL,
 * which no code of the process can delay.
 */
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { exactNowMs } from "../shell/clock.ts";

/** A wait doesn't count what the machine sleeps, so none is longer than this. */
const LONGEST_WAIT_MS = 100;

const killAt: unknown = workerData;
if (!(killAt instanceof BigInt64Array)) throw new TypeError("The lease watch was started without its word");
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
    writeSync(2, "The lease is about to end and the event loop doesn't answer: this process is killed.\n");
    process.kill(process.pid, "SIGKILL");
  }
}
