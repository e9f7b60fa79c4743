/**
 * node-cron on several daemons, of which exactly one runs: a schedule that survives its machine.
 * What was missed while the service moved is caught up, and no slot is done twice. See README.md
 * beside it for the commands.
 */
import process from "node:process";
import { arbiterCoordinator, defineDaemon } from "arbiter-ha";
import { createTask } from "node-cron";
import type { ScheduledTask } from "node-cron";
import { openLedger } from "./ledger.ts";
import type { Ledger } from "./ledger.ts";

const SCHEDULE = process.env["SCHEDULE"] ?? "* * * * * *";
const where = process.env["LEDGER"] ?? "var/cron-runner.db";
/** What is older was missed for good. */
const CATCH_UP_MS = 3_600_000;

let ledger: Ledger | null = null;
let task: ScheduledTask | null = null;
let working: Promise<void> = Promise.resolve();

await defineDaemon({
  type: "cron",

  async activate({ service, epoch, lease, signal }) {
    const opened = await openLedger(where);
    ledger = opened;
    const last = await opened.claim(epoch);
    if (last === null) throw new Error(`a newer holder than epoch ${epoch} has written to ${where}`);
    let doneMs = last === 0 ? secondOf(Date.now()) : last;

    /** Every slot up to this one that has not been done, in order. */
    const catchUp = async (untilMs: number): Promise<void> => {
      doneMs = Math.max(doneMs, secondOf(untilMs - CATCH_UP_MS));
      for (let slotMs = doneMs + 1000; slotMs <= untilMs; slotMs += 1000) {
        if (signal.aborted || !lease.held()) return;
        if (scheduled.match(new Date(slotMs)) && (await opened.run(slotMs, epoch, String(process.pid)))) {
          console.log(`${service}: ${new Date(slotMs).toISOString()} done at epoch ${epoch}.`);
        }
        doneMs = slotMs;
      }
    };
    const work = (untilMs: number): void => {
      working = working.then(() => catchUp(untilMs)).catch((error: unknown) => console.error(error));
    };
    const scheduled = createTask(SCHEDULE, ({ date }) => work(date.getTime()), {
      name: service,
      distributed: true,
      runCoordinator: arbiterCoordinator(lease),
    });
    task = scheduled;
    work(Date.now());
    await working;
    await scheduled.start();
  },

  async demote({ service, reason }) {
    await task?.destroy();
    await working;
    await ledger?.close();
    [task, ledger] = [null, null];
    console.log(`${service}: I have stopped, because ${reason}.`);
  },
}).run();

function secondOf(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
