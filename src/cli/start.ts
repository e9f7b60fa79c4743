/**
 * `arbiter start`: this process becomes the arbiter. What it prints for people is one short block
 * (who, where, what to try next) and then one line an event; for programs, JSON.
 */
import { Command, Option } from "commander";
import { openServiceNotifier } from "../shell/service-notify.ts";
import type { PrintOptions } from "./options.ts";
import { withExamples, withFolder, withJson } from "./options.ts";

export interface StartOptions extends PrintOptions {
  readonly config?: string;
  readonly name?: string;
  readonly detach?: boolean;
  readonly log: "human" | "json";
}

/** A handle that something forgot must not keep an arbiter alive that has ended. */
const LINGER_MS = 2000;

export function startCommand(): Command {
  const command = new Command("start")
    .option("--name <name>", "which arbiter of the configuration this one is (default: found by its address)")
    .option("--detach", "go to the background, once it answers")
    .addOption(
      new Option("--log <form>", "how to log: lines for people, or one JSON object a line")
        .choices(["human", "json"])
        .default("human"),
    )
    .action(async (options: StartOptions) => {
      if (options.detach === true) {
        const { startDetached } = await import("./start-detached.ts");
        await startDetached(options);
        return;
      }
      process.exitCode = await startHere(options);
      setTimeout(() => process.exit(), LINGER_MS).unref();
    })
    .addHelpText(
      "after",
      "\nIn the foreground it ends with SIGTERM or Ctrl-C, in good order, and reads its files again on SIGHUP.\n" +
        "With --json: one JSON value once it runs, and nothing after it.\n",
    );
  return withExamples(withFolder(withJson(command)), [
    "arbiter start",
    "arbiter start --config /etc/arbiter --name arbiter-2 --detach",
  ]);
}

async function startHere(options: StartOptions): Promise<number> {
  const { locateConfiguration } = await import("./configuration.ts");
  const configPath = locateConfiguration(options.config);
  const [{ runArbiter }, { reportFor }] = await Promise.all([
    import("../arbiter/main.ts"),
    import("./start-report.ts"),
  ]);
  const notifier = openServiceNotifier();
  const report = await reportFor(options);
  return runArbiter({
    configPath,
    name: options.name,
    env: process.env,
    log: report.log,
    onReady: (url, running) => {
      // Not before: whoever listens to a signal takes it from the kernel, and until then that alone ends a start.
      process.once("SIGTERM", () => notifier.stopping());
      report.ready(running);
      notifier.ready(`${running.name} listens at ${url}`);
    },
    onEvent: (event) => report.event(event),
  });
}
