/**
 * What a running arbiter says: to people in lines, to programs in JSON. Warnings and errors of the
 * human form go to standard error, so that they are seen when the rest is thrown away.
 */
import type { ProcessLog } from "../arbiter/log.ts";
import type { RunningInfo } from "../arbiter/main.ts";
import type { LoggedEvent } from "../core/model.ts";
import { isJournal, journalLines } from "../shell/journal.ts";
import { eventText } from "./event-lines.ts";
import { clockText, counted, printable, printJson, standardError, standardOutput } from "./output.ts";
import type { Style, Terminal } from "./output.ts";
import type { StartOptions } from "./start.ts";

export interface StartReport {
  readonly log: ProcessLog;
  ready(running: RunningInfo): void;
  event(event: LoggedEvent): void;
}

export async function reportFor(options: StartOptions): Promise<StartReport> {
  if (options.log === "json") return jsonReport(options.json === true);
  if (options.json === true) return oneValueReport();
  return humanReport();
}

function line(terminal: Terminal, word: string, style: Style, text: string): void {
  const iso = new Date().toISOString();
  // An error may have several lines: a caret stands under what it marks.
  const shown = text.split("\n").map(printable).join("\n");
  if (isJournal(terminal === standardError ? 2 : 1)) {
    terminal.write(journalLines(word === "warning" ? "warn" : word === "error" ? "error" : "info", shown));
    return;
  }
  terminal.write(
    terminal.isTerminal
      ? `${terminal.paint("dim", clockText(iso))}  ${terminal.paint(style, word.padEnd(22))} ${shown}\n`
      : `${iso} ${word} ${shown}\n`,
  );
}

function warnings(): Pick<ProcessLog, "warn" | "error"> {
  return {
    warn: (text) => line(standardError, "warning", "yellow", text),
    error: (text) => line(standardError, "error", "red", text),
  };
}

function humanReport(): StartReport {
  let isReady = false;
  return {
    log: {
      // What it says of its start is in the block.
      info: (text) => {
        if (isReady) line(standardOutput, "info", "dim", text);
      },
      ...warnings(),
    },
    ready: (running) => {
      isReady = true;
      standardOutput.write(blockText(running));
    },
    event: (event) => standardOutput.write(eventText(event, standardOutput)),
  };
}

export function blockText({
  name,
  url,
  configPath,
  services,
  daemons,
  stateFolder,
  pid,
}: RunningInfo): string {
  const strong = standardOutput.paint("bold", name);
  return [
    `${strong} listens at ${url} (pid ${pid})`,
    `  watches    ${counted(services, "service")} on ${counted(daemons, "daemon")}, configured in ${configPath}`,
    `  state      ${stateFolder}`,
    `  try next   arbiter status --watch    arbiter events --follow    arbiter stop`,
    "",
    "",
  ].join("\n");
}

/** One JSON value when it runs; what there is to say after that goes to standard error. */
function oneValueReport(): StartReport {
  return {
    log: { info: () => {}, ...warnings() },
    ready: (running) => printJson(running),
    event: () => {},
  };
}

async function jsonReport(isSilentAboutEvents: boolean): Promise<StartReport> {
  const { pino } = await import("pino");
  // Synchronous: the last lines before a crash are the ones that matter.
  const destination = pino.destination({ fd: isSilentAboutEvents ? 2 : 1, sync: true });
  const logger = pino(
    {
      base: { pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    log: {
      info: (text) => logger.info(text),
      warn: (text) => logger.warn(text),
      error: (text) => logger.error(text),
    },
    ready: (running) => {
      if (isSilentAboutEvents) printJson(running);
      logger.info({ running }, `${running.name} listens at ${running.url}`);
    },
    event: (event) => logger.info({ event }, event.text),
  };
}
