/**
 * The library daemon of the chaos runs. While it is active it writes one line a millisecond, and
 * asks for its lease before each: what an author is told to do. On SIGUSR2 its event loop hangs, for
 * as many milliseconds as the file `CHAOS_HANG` says.
 */
import { openSync, readFileSync, writeSync } from "node:fs";
import { defineDaemon } from "../../src/index.ts";

const log = openSync(process.env["BENCH_LOG"] ?? "/dev/null", "a");
const name = process.argv[process.argv.indexOf("--name") + 1] ?? "";
let timer: NodeJS.Timeout | null = null;

process.on("SIGUSR2", () => {
  const endMs = performance.now() + Number(readFileSync(process.env["CHAOS_HANG"] ?? "", "latin1"));
  while (performance.now() < endMs);
});

await defineDaemon({
  type: "scheduler",
  async activate({ epoch, lease }) {
    const work = (): void => {
      // The time first: an act is dated from before its lease was looked at.
      const atNs = process.hrtime.bigint();
      if (lease.held()) writeSync(log, `${epoch} ${atNs} ${name} ${process.pid}\n`);
    };
    work();
    timer = setInterval(work, 1);
  },
  async demote() {
    if (timer !== null) clearInterval(timer);
  },
}).run();
