/**
 * The example's cron runner, moved again and again: by `kill -9`, by freezing, by SIGTERM and by a
 * planned switchover. Then its ledger is read: every second from the first to the last has to stand
 * there, once and in order.
 */
import { fileURLToPath } from "node:url";
import { openLedger } from "../../examples/cron-runner/ledger.ts";
import type { Run } from "../../examples/cron-runner/ledger.ts";
import { ClientsRig, DAEMONS } from "./clients-rig.ts";
import type { DaemonName } from "./clients-rig.ts";
import { until } from "./library-processes.ts";

const RUNNER = fileURLToPath(new URL("../../examples/cron-runner/cron-runner.ts", import.meta.url));
const WAYS = ["kill -9", "switchover", "SIGSTOP", "SIGTERM"] as const;
/** A move takes a second or two; a machine that is busy with others takes its time. */
const MOVE_MS = 60_000;

export interface CronOutcome {
  readonly failovers: number;
  /** Seconds of the schedule that the ledger covers, the first and the last one included. */
  readonly due: number;
  readonly done: number;
  readonly twice: number;
  readonly missing: number;
  readonly outOfOrder: number;
}

/** `ledger`: a file, or a database's URL. */
export async function cronFailovers(
  failovers: number,
  ledger: string,
  say: (text: string) => void,
): Promise<CronOutcome> {
  const opened = await openLedger(ledger);
  await using rig = await ClientsRig.start({ program: RUNNER, type: "cron", env: { LEDGER: ledger } });
  const works = async (name: DaemonName, after: number): Promise<void> => {
    const hasDoneOne = async (): Promise<boolean> => {
      const last = (await opened.runs()).at(-1);
      return last !== undefined && last.epoch > after && last.by === String(rig.process(name).pid);
    };
    try {
      await until(`${name} does a slot`, hasDoneOne, MOVE_MS);
    } catch (error) {
      throw new Error([...rig.output.values()].join("\n"), { cause: error });
    }
  };
  try {
    await works(DAEMONS[0], 0);
    for (let move = 0; move < failovers; move += 1) {
      const holder = await rig.settled({ restarts: true });
      const other = DAEMONS.find((name) => name !== holder) ?? holder;
      const epoch = (await opened.runs()).at(-1)?.epoch ?? 0;
      const way = WAYS[move % WAYS.length] ?? WAYS[0];
      if (way === "switchover") await rig.order(holder === DAEMONS[0] ? "switchover" : "failback");
      else rig.process(holder).kill(way === "kill -9" ? "SIGKILL" : way);
      await works(other, epoch);
      if (way === "SIGSTOP") rig.process(holder).kill("SIGCONT");
      say(`${move + 1}: ${way}, ${holder} -> ${other}`);
    }
    return judge(failovers, await opened.runs());
  } finally {
    await opened.close();
  }
}

function judge(failovers: number, runs: readonly Run[]): CronOutcome {
  const slots = runs.map(({ slotMs }) => slotMs);
  const different = new Set(slots).size;
  const due = (Math.max(...slots) - Math.min(...slots)) / 1000 + 1;
  const isAfter = ({ slotMs, epoch }: Run, before: Run | undefined): boolean =>
    before === undefined || (slotMs > before.slotMs && epoch >= before.epoch);
  return {
    failovers,
    due,
    done: different,
    twice: slots.length - different,
    missing: due - different,
    outOfOrder: runs.filter((run, index) => !isAfter(run, runs[index - 1])).length,
  };
}
