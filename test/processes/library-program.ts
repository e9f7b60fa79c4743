/**
 * A daemon on the library, as an author would write one, with a few bad habits to choose from
 * (`HABIT`). What it does stands on its standard output, a JSON object a line; while it is active
 * it works every few milliseconds, each time with the lease checked first, and writes the time.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineDaemon } from "../../src/index.ts";
import type { Lease } from "../../src/index.ts";

const habit = process.env["HABIT"] ?? "";
const say = (line: Readonly<Record<string, unknown>>): void => {
  writeSync(1, `${JSON.stringify({ ...line, atMs: performance.timeOrigin + performance.now() })}\n`);
};

let work: NodeJS.Timeout | null = null;

await defineDaemon({
  type: "scheduler",
  healthIntervalMs: 50,
  healthTimeoutMs: 200,
  async activate({ service, epoch, config, lease, signal }) {
    if (habit === "fails") throw new Error("the agenda can't be opened");
    if (habit === "slow-start") await sleep(5000, undefined, { signal });
    say({ did: "activate", service, epoch, config });
    signal.addEventListener("abort", () => say({ did: "abort", reason: String(signal.reason) }));
    work = setInterval(() => {
      if (lease.held()) say({ did: "work", epoch, leftMs: lease.remainingMs() });
    }, 5);
    if (habit === "eager") workEagerly(lease, signal);
    if (habit === "busy") setTimeout(() => busyLoop(), 100);
  },
  async demote({ service, epoch, reason, remainingMs }) {
    if (work !== null) clearInterval(work);
    say({ did: "demote", service, epoch, reason, hasTime: remainingMs() > 0 });
    if (habit === "hangs") await new Promise(() => {});
    if (habit === "demote-fails") throw new Error("the agenda can't be closed");
    if (habit === "slow-stop") await sleep(300);
    say({ did: "demoted", service, epoch });
  },
  async health() {
    if (habit === "ill") return { healthy: false, reason: "no disk" };
    if (habit === "health-throws") throw new Error("no answer from the disk");
    if (habit === "health-hangs") return await new Promise(() => {});
    return { healthy: true };
  },
}).run();

/** Hardly does anything but work, so that wherever it is frozen, a piece of work is what comes next. */
function workEagerly(lease: Lease, signal: AbortSignal): void {
  let saidAtMs = 0;
  const turn = (): void => {
    for (let piece = 0; piece < 5000 && !signal.aborted; piece++) {
      if (!lease.held() || performance.now() - saidAtMs < 20) continue;
      saidAtMs = performance.now();
      say({ did: "work", epoch: lease.epoch, leftMs: lease.remainingMs() });
    }
    if (!signal.aborted) setImmediate(turn);
  };
  turn();
}

function busyLoop(): void {
  say({ did: "busy" });
  for (;;);
}
