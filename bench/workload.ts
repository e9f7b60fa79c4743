/** How the benchmark's programs are started: what both workloads find in their environment. */
import { join } from "node:path";

export const WORKLOAD: string = join(import.meta.dirname, "workload.pl");

/** Number of the system call clock_gettime on this machine. */
const CLOCK_GETTIME: Readonly<Record<string, number>> = { x64: 228, arm64: 113 };

export function workloadEnvironment(log: string): NodeJS.ProcessEnv {
  const number = CLOCK_GETTIME[process.arch];
  if (number === undefined)
    throw new Error(`bench: the number of clock_gettime on ${process.arch} is unknown`);
  return { ...process.env, BENCH_LOG: log, BENCH_CLOCK_GETTIME: String(number) };
}
