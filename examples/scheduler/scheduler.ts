/**
 * A scheduler that runs on exactly one of several daemons, and goes on where the last one stopped.
 * See README.md beside it for the commands.
 */
import process from "node:process";
import { defineDaemon } from "arbiter-ha";
import { Agenda } from "./agenda.ts";

const STEP_EVERY_MS = 200;
const file = process.env["AGENDA"] ?? "var/agenda.db";

let agenda: Agenda | null = null;
let timer: NodeJS.Timeout | null = null;

await defineDaemon({
  type: "scheduler",

  activate({ service, epoch, lease }) {
    const opened = new Agenda(file);
    agenda = opened;
    const last = opened.claim(epoch);
    if (last === null) throw new Error(`a newer holder than epoch ${epoch} has written to ${file}`);
    console.log(`${service}: I go on after step ${last}, at epoch ${epoch}.`);
    timer = setInterval(() => {
      if (!lease.held()) return;
      const step = opened.doNext(epoch, String(process.pid));
      if (step !== null) console.log(`${service}: step ${step} done at epoch ${epoch}.`);
    }, STEP_EVERY_MS);
  },

  demote({ service, reason }) {
    if (timer !== null) clearInterval(timer);
    agenda?.close();
    [timer, agenda] = [null, null];
    console.log(`${service}: I have stopped, because ${reason}.`);
  },

  health() {
    return { healthy: true };
  },
}).run();
