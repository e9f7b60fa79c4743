/**
 * `npm run sim -- --hours H --seed N --seeds K`: runs seeds from N on, on all cores, until K of them or H
 * virtual hours are through, whichever comes first. Exit code 1 if an invariant was broken, with
 * everything that is needed to see it again; `--help` lists what else there is.
 */
import { randomInt } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runMany } from "./many.ts";
import type { ManyOptions, Totals } from "./many.ts";
import { MUTATION_NAMES } from "./mutations.ts";
import { describe, runSeed } from "./run.ts";
import { readScenario } from "./scenario.ts";
import type { SeedResult } from "./seed-worker.ts";
import { WORLD_NAMES } from "./worlds.ts";

const HOUR_MS = 3_600_000;
/** Seeds that nobody has tried: far above those that tests name. */
const FRESH_FROM = 1_000_000;
const PROGRESS_EVERY_MS = 10_000;

const HELP = `npm run sim -- [options]: Arbiter's own cores in virtual time, with faults drawn from seeds

  --hours H            so much virtual time (default 10)
  --seeds K            at most so many seeds
  --seed N             from this seed on (default 1); --fresh: from one that nobody has tried
  --world NAME         ${WORLD_NAMES.join(" or ")} (default swarm): see src/simulator/worlds.ts
  --mutation NAME      leaves a rule out on purpose: ${MUTATION_NAMES.join(", ")}
  --keep-going         doesn't stop at the first finding
  --save DIR           writes each finding there, to be kept as a test
  --scenario FILE      runs such a file again
  --threads N          (default: one a core)
  --no-fast-forward    plays quiet time, too, instead of reckoning it`;

const OPTIONS = {
  help: { type: "boolean", default: false },
  hours: { type: "string", default: "10" },
  seed: { type: "string", default: "1" },
  fresh: { type: "boolean", default: false },
  seeds: { type: "string", default: "1000000000" },
  world: { type: "string", default: "swarm" },
  mutation: { type: "string" },
  "keep-going": { type: "boolean", default: false },
  save: { type: "string" },
  scenario: { type: "string" },
  threads: { type: "string" },
  "no-fast-forward": { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

/** What the command line asks for; a sentence if it can't be done. */
function optionsOf(values: Values): ManyOptions | string {
  const numbers = [values.hours, values.seed, values.seeds, values.threads ?? "1"].map(Number);
  const [hours = 0, seed = 0, seeds = 0, threads = 1] = numbers;
  if (!numbers.every((value) => Number.isFinite(value)))
    return "--hours, --seed, --seeds and --threads take numbers.";
  const world = WORLD_NAMES.find((one) => one === values.world);
  if (world === undefined) return `--world takes one of: ${WORLD_NAMES.join(", ")}.`;
  const mutation = MUTATION_NAMES.find((one) => one === values.mutation) ?? null;
  if (mutation === null && values.mutation !== undefined)
    return `--mutation takes one of: ${MUTATION_NAMES.join(", ")}.`;
  return {
    firstSeed: values.fresh ? randomInt(FRESH_FROM, 2 ** 31) : seed,
    seeds,
    virtualMs: hours * HOUR_MS,
    world,
    mutation,
    fastForward: !values["no-fast-forward"],
    keepGoing: values["keep-going"],
    ...(values.threads === undefined ? {} : { threads }),
  };
}

function sentence(totals: Totals, seconds: number): string {
  const hours = totals.virtualMs / HOUR_MS;
  return (
    `${totals.seeds} seeds, ${hours.toFixed(1)} virtual hours in ${seconds.toFixed(1)} s ` +
    `(${(hours / seconds).toFixed(1)} h/s): ${totals.steps} steps and ${totals.skipped} quiet checks, ` +
    `${totals.commits} commits, ${totals.activations} activations, ` +
    `${totals.promisesAsked} promises asked for, ${totals.found.length} violations`
  );
}

function keep(folder: string, { seed, found }: SeedResult): void {
  if (found === null) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `seed-${seed}.json`), `${found.scenario}\n`);
}

function replay(path: string, fastForward: boolean): number {
  const { seed, options } = readScenario(readFileSync(path, "utf8"));
  const outcome = runSeed(seed, options, undefined, { fastForward });
  console.log(describe(outcome, `--scenario ${path}`));
  return outcome.violation === null ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.scenario !== undefined) return replay(values.scenario, !values["no-fast-forward"]);
  const options = optionsOf(values);
  if (typeof options === "string") {
    console.error(options);
    return 2;
  }
  const beganAt = performance.now();
  let toldAt = beganAt;
  const seconds = (): number => (performance.now() - beganAt) / 1000;
  const totals = await runMany({
    ...options,
    onResult: (result, sums) => {
      if (result.found !== null) {
        console.log(
          options.keepGoing === true ? `seed ${result.seed}: ${result.found.violation}` : result.found.text,
        );
        if (values.save !== undefined) keep(values.save, result);
      }
      if (performance.now() < toldAt + PROGRESS_EVERY_MS) return;
      toldAt = performance.now();
      console.log(`… up to seed ${result.seed}: ${sentence(sums, seconds())}`);
    },
  });
  console.log(sentence(totals, seconds()));
  return totals.found.length === 0 ? 0 : 1;
}

process.exitCode = await main();
