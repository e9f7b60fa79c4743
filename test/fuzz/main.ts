/**
 * `npm run fuzz -- [--seed N] [--count N] [--seconds N] [--target NAME] [--from N]`: bad input by the
 * million. Prints what ran and, for each finding, the command that plays it again. Exit code 1 if
 * there was one.
 */
import { parseArgs } from "node:util";
import { TARGETS } from "./targets.ts";
import { runTarget, type Finding } from "./target.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    count: { type: "string", default: "100000" },
    seconds: { type: "string", default: "600" },
    target: { type: "string" },
    from: { type: "string", default: "0" },
  },
});
const [seed, count, seconds, from] = [values.seed, values.count, values.seconds, values.from].map(Number);
if ([seed, count, seconds, from].some((value) => value === undefined || !Number.isFinite(value))) {
  process.stderr.write("--seed, --count, --seconds and --from take numbers.\n");
  process.exit(2);
}
const chosen = TARGETS.filter(({ name }) => values.target === undefined || name === values.target);
if (chosen.length === 0) {
  process.stderr.write(
    `There is no target ${values.target}; there are: ${TARGETS.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(2);
}

const beganMs = performance.now();
const untilMs = beganMs + (seconds ?? 0) * 1_000;
const shares = chosen.reduce((sum, { share }) => sum + share, 0);
const findings: Finding[] = [];
let total = 0;
process.stdout.write(`seed ${seed}\n`);
for (const target of chosen) {
  if (target.isMissing?.() === true) continue;
  const began = performance.now();
  const ran = await runTarget(target, {
    seed: seed ?? 0,
    from: from ?? 0,
    count: Math.ceil(((count ?? 0) * target.share) / shares),
    untilMs,
  });
  total += ran.count;
  const tookS = (performance.now() - began) / 1_000;
  process.stdout.write(`${target.name}: ${ran.count} inputs in ${tookS.toFixed(1)} s\n`);
  for (const finding of ran.findings) tell(finding);
  findings.push(...ran.findings);
}
process.stdout.write(
  `${total} inputs in ${((performance.now() - beganMs) / 1_000).toFixed(0)} s, ${findings.length} findings\n`,
);
process.exitCode = findings.length === 0 ? 0 : 1;

function tell({ target, from: first, at, error }: Finding): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stdout.write(
    `FINDING ${target} at ${at}: ${text}\n` +
      `again: npm run fuzz -- --target ${target} --seed ${seed} --from ${first} --count ${at - first + 1}\n`,
  );
}
