/**
 * `arbiter status`: arbiters, services, holders, epochs, daemons, drift, what is wrong.
 *
 * The exit code is an answer of its own, for scripts and for monitoring: 1 when a service could be
 * lost now or with the next failure.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { Status } from "../arbiter/status.ts";
import type { Connection } from "./connection.ts";
import { connect } from "./connection.ts";
import { ClearNo, SaidNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { plainLine, printJson, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { statusLines, statusScreen } from "./status-text.ts";
import { readStatus } from "./wire.ts";

interface StatusOptions extends ConnectionOptions, PrintOptions {
  readonly watch?: boolean;
  readonly all?: boolean;
}

/** A person sees no more; an arbiter doesn't notice it. */
const WATCH_EVERY_MS = 500;

/** What of `problems[]` makes the answer a no. A pause or a refused edit is shown, but loses nothing. */
const SERIOUS = new Set([
  "vacant",
  "held-back",
  "degraded",
  "suspect",
  "drift",
  "no-leader",
  "stands-by",
  "store-down",
]);

export function statusCommand(): Command {
  const command = new Command("status")
    .option("--watch", "show it again and again, in place, until Ctrl-C")
    .option("--all", "every row, also where the screen has room for fewer")
    .action(async (options: StatusOptions) => {
      const connection = await connect(await findPlaces(options));
      if (options.watch === true) await watch(connection, options);
      else await showOnce(connection, options);
    })
    .addHelpText(
      "after",
      "\nExit code: 0 all is well; 1 a service is vacant, degraded or suspect, configurations differ,\nnobody leads or can be asked, the store is down, or no arbiter answers. With --watch, Ctrl-C ends it with the\nexit code of the last look.\n",
    );
  return withExamples(withConnection(withJson(command)), [
    "arbiter status",
    "arbiter status --watch",
    "arbiter status --json --url http://10.0.0.1:7770",
  ]);
}

export function isWell(status: Status): boolean {
  return !status.problems.some((problem) => SERIOUS.has(problem.code));
}

function render(status: Status, options: StatusOptions): string {
  if (!standardOutput.isTerminal) return statusLines(status);
  return statusScreen(status, standardOutput, Date.now(), options.all === true);
}

async function showOnce(connection: Connection, options: StatusOptions): Promise<void> {
  const status = await readStatus(connection);
  if (options.json === true) printJson(status);
  else standardOutput.write(render(status, options));
  if (!isWell(status)) throw new SaidNo();
}

/** A terminal is redrawn; a pipe gets a new block (or, with `--json`, a line) when something has changed. */
async function watch(connection: Connection, options: StatusOptions): Promise<void> {
  if (standardOutput.isTerminal && options.json !== true) {
    const { watchScreen } = await import("./status-screen.ts");
    await watchScreen({
      look: () => readStatus(connection),
      draw: (status) => render(status, options),
      isWell,
      everyMs: WATCH_EVERY_MS,
    });
  }
  let shown = "";
  let isGood = false;
  const leave = (): void => process.exit(isGood ? 0 : 1);
  process.once("SIGINT", leave).once("SIGTERM", leave);
  for (;;) {
    const { text, well } = await block(connection, options);
    isGood = well;
    if (text !== shown) standardOutput.write(shown === "" || options.json === true ? text : `\n${text}`);
    shown = text;
    await sleep(WATCH_EVERY_MS);
  }
}

async function block(
  connection: Connection,
  options: StatusOptions,
): Promise<{ readonly text: string; readonly well: boolean }> {
  try {
    const status = await readStatus(connection);
    const text = options.json === true ? `${JSON.stringify(status)}\n` : render(status, options);
    return { text, well: isWell(status) };
  } catch (error) {
    // An arbiter that restarts is something to watch, not a reason to stop watching.
    if (!(error instanceof ClearNo)) throw error;
    if (options.json !== true)
      return {
        text: plainLine(["problem", "unreachable"], { text: error.message, next: error.next }),
        well: false,
      };
    const problem = { code: "unreachable", subject: "cluster", text: error.message, next: error.next };
    return { text: `${JSON.stringify({ problems: [problem] })}\n`, well: false };
  }
}
