/**
 * `arbiter stop`: stops this machine's arbiter in good order and waits for its end. It gives the
 * lead back first, so that a standby takes over at once; the daemons go on as they are.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { timeoutOption } from "./duration.ts";
import { ClearNo } from "./failure.ts";
import type { PrintOptions } from "./options.ts";
import { withExamples, withFolder, withJson } from "./options.ts";
import { durationText, printJson, standardOutput } from "./output.ts";
import { hasEnded, signal, theRunningArbiter } from "./running.ts";

interface StopOptions extends PrintOptions {
  readonly config?: string;
  readonly name?: string;
  readonly timeout: number;
}

const LOOK_EVERY_MS = 20;

export function stopCommand(): Command {
  const command = new Command("stop")
    .option("--name <name>", "which arbiter, where several run on this machine")
    .addOption(timeoutOption("how long to wait for its end", "30s"))
    .action(async (options: StopOptions) => {
      const { stateDirOf } = await import("./configuration.ts");
      const arbiter = await theRunningArbiter(await stateDirOf(options.config), options.name);
      const startedMs = performance.now();
      signal(arbiter, "SIGTERM");
      while (!hasEnded(arbiter)) {
        if (performance.now() - startedMs > options.timeout) {
          throw new ClearNo(
            `${arbiter.name} (pid ${arbiter.pid}) has not ended after ${durationText(options.timeout)}.`,
            `It may wait for its store. \`kill -9 ${arbiter.pid}\` is safe for the services: their leases go on.`,
          );
        }
        await sleep(LOOK_EVERY_MS);
      }
      const tookMs = Math.round(performance.now() - startedMs);
      if (options.json === true) printJson({ name: arbiter.name, pid: arbiter.pid, tookMs });
      else
        standardOutput.write(
          `${arbiter.name} (pid ${arbiter.pid}) has stopped, after ${durationText(tookMs)}\n`,
        );
    });
  return withExamples(withFolder(withJson(command)), [
    "arbiter stop",
    "arbiter stop --config /etc/arbiter --name arbiter-2",
  ]);
}
