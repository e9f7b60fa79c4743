/**
 * The library daemon of the benchmark. While it is active it writes one line a millisecond,
 * "epoch time name pid", each time after asking whether it still holds the lease: what an author is
 * told to do. The time is CLOCK_MONOTONIC, as in workload.pl.
 */
import { openSync, writeSync } from "node:fs";
import { defineDaemon } from "../src/index.ts";

const log = openSync(process.env["BENCH_LOG"] ?? "/dev/null", "a");
const name = process.argv[process.argv.indexOf("--name") + 1] ?? "";
let timer: NodeJS.Timeout | null = null;

await defineDaemon({
  type: "scheduler",
  async activate({ epoch, lease }) {
    const work = (): void => {
      if (lease.held()) writeSync(log, `${epoch} ${process.hrtime.bigint()} ${name} ${process.pid}\n`);
    };
    work();
    timer = setInterval(work, 1);
  },
  async demote() {
    if (timer !== null) clearInterval(timer);
  },
}).run();
