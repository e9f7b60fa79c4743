/**
 * `npm run sim -- --hours H --seed N --seeds K`: runs seeds from N on, until K of them or H virtual
 * hours are through, whichever comes first. `--mutation NAME` leaves a rule out, `--keep-going` doesn't
 * stop at the first finding. Prints what it found and how fast it was; exit code 1 if
 * an invariant was broken, with everything that is needed to replay it.
 */
import { parseArgs } from "node:util";
import { MUTATION_NAMES, MUTATIONS, NO_MUTATION } from "./mutations.ts";
import { describe, runSeed } from "./run.ts";

const HOUR_MS = 3_600_000;

function main(): number {
  const { values } = parseArgs({
    options: {
      hours: { type: "string", default: "10" },
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: "1000000" },
      mutation: { type: "string" },
      "keep-going": { type: "boolean", default: false },
    },
  });
  const mostMs = Number(values.hours) * HOUR_MS;
  const first = Number(values.seed);
  const seeds = Number(values.seeds);
  if (![mostMs, first, seeds].every((value) => Number.isFinite(value))) {
    console.error("--hours, --seed and --seeds take numbers.");
    return 2;
  }
  const name = MUTATION_NAMES.find((one) => one === values.mutation);
  if (name === undefined && values.mutation !== undefined) {
    console.error(`--mutation takes one of: ${MUTATION_NAMES.join(", ")}.`);
    return 2;
  }
  const mutation = name === undefined ? NO_MUTATION : MUTATIONS[name];
  const beganAt = process.hrtime.bigint();
  let virtualMs = 0;
  let found = 0;
  let ran = 0;
  const sums = { activations: 0, commits: 0, promisesAsked: 0, steps: 0 };
  for (; ran < seeds && virtualMs < mostMs; ran++) {
    const outcome = runSeed(first + ran, {}, mutation);
    virtualMs += outcome.virtualMs;
    sums.activations += outcome.activations;
    sums.commits += outcome.commits;
    sums.promisesAsked += outcome.promisesAsked;
    sums.steps += outcome.steps;
    if (outcome.violation === null) continue;
    found += 1;
    if (values["keep-going"]) console.log(`seed ${outcome.seed}: ${outcome.violation}`);
    else {
      console.log(describe(outcome));
      ran += 1;
      break;
    }
  }
  const seconds = Number(process.hrtime.bigint() - beganAt) / 1e9;
  const hours = virtualMs / HOUR_MS;
  console.log(
    `${ran} seeds, ${hours.toFixed(1)} virtual hours in ${seconds.toFixed(1)} s ` +
      `(${(hours / seconds).toFixed(2)} h/s): ${sums.steps} steps, ${sums.commits} commits, ` +
      `${sums.activations} activations, ${sums.promisesAsked} promises asked for, ${found} violations`,
  );
  return found === 0 ? 0 : 1;
}

process.exitCode = main();
