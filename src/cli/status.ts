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
import { printJson, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { statusLines, statusTables } from "./status-text.ts";
import { readStatus } from "./wire.ts";

interface StatusOptions extends ConnectionOptions, PrintOptions {
  readonly watch?: boolean;
}

/** A person sees no more; an arbiter doesn't notice it. */
const WATCH_EVERY_MS = 500;

/** What of `problems[]` makes the answer a no. A pause or a refused edit is shown, but loses nothing. */
const SERIOUS = new Set(["vacant", "degraded", "suspect", "drift", "no-leader", "store-down"]);

export function statusCommand(): Command {
  const command = new Command("status")
    .option("--watch", "show it again and again, until Ctrl-C")
    .action(async (options: StatusOptions) => {
      const connection = await connect(await findPlaces(options));
      if (options.watch === true) await watch(connection, options);
      else await showOnce(connection, options);
    })
    .addHelpText(
      "after",
      "\nExit code: 0 all is well; 1 a service is vacant, degraded or suspect, configurations differ,\nnobody leads, the store is down, or no arbiter answers.\n",
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

async function render(status: Status): Promise<string> {
  return standardOutput.isTerminal ? statusTables(status, standardOutput, Date.now()) : statusLines(status);
}

async function showOnce(connection: Connection, options: StatusOptions): Promise<void> {
  const status = await readStatus(connection);
  if (options.json === true) printJson(status);
  else standardOutput.write(await render(status));
  if (!isWell(status)) throw new SaidNo();
}

/** A terminal is redrawn; a pipe gets a new block (or, with `--json`, a line) when something has changed. */
async function watch(connection: Connection, options: StatusOptions): Promise<never> {
  let shown = "";
  for (;;) {
    const text = await snapshot(connection, options.json === true);
    if (standardOutput.isTerminal && options.json !== true) {
      // Home, then clear what is left of the old one: no flicker.
      standardOutput.write(`\u001B[H\u001B[2J${text}`);
    } else if (text !== shown) {
      standardOutput.write(shown === "" || options.json === true ? text : `\n${text}`);
    }
    shown = text;
    await sleep(WATCH_EVERY_MS);
  }
}

async function snapshot(connection: Connection, asJson: boolean): Promise<string> {
  try {
    const status = await readStatus(connection);
    return asJson ? `${JSON.stringify(status)}\n` : await render(status);
  } catch (error) {
    // An arbiter that restarts is something to watch, not a reason to stop watching.
    if (!(error instanceof ClearNo)) throw error;
    if (asJson)
      return `${JSON.stringify({ problems: [{ code: "unreachable", subject: "cluster", text: error.message, next: error.next ?? "" }] })}\n`;
    return `${error.message}\n`;
  }
}
