/**
 * npm run cron:failovers -- [--rounds N] [--ledger FILE-or-URL]
 *
 * Exit code 0 when every second of the schedule was done once and in order.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { cronFailovers } from "./cron-failovers.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "50" }, ledger: { type: "string" } },
});
const folder = mkdtempSync(path.join(tmpdir(), "arbiter-cron-"));
const outcome = await cronFailovers(
  Number(values.rounds),
  values.ledger ?? path.join(folder, "ledger.db"),
  (text) => process.stderr.write(`${text}\n`),
);
rmSync(folder, { recursive: true, force: true });
process.stdout.write(`${JSON.stringify(outcome)}\n`);
process.exitCode = outcome.twice + outcome.missing + outcome.outOfOrder === 0 ? 0 : 1;
