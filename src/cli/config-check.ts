/**
 * `arbiter config check`: says what is wrong with the files, all of it at once. It reads the folder
 * alone: no arbiter has to run, and no name is looked up.
 */
import { Command } from "commander";
import type { Loaded } from "../config/load.ts";
import type { ArbiterSpec, ClusterModel } from "../core/model.ts";
import { SaidNo } from "./failure.ts";
import type { PrintOptions } from "./options.ts";
import { withExamples, withFolder, withJson } from "./options.ts";
import { counted, printJson, standardError, standardOutput } from "./output.ts";

interface CheckOptions extends PrintOptions {
  readonly config?: string;
}

export function configCheckCommand(): Command {
  const command = new Command("check")
    .description("say what is wrong with the files, all of it at once")
    .argument("[path]", "folder or file, as --config")
    .action(check)
    .addHelpText("after", "\nExit code: 0 valid, with or without warnings; 1 there are errors.\n");
  return withExamples(withFolder(withJson(command)), [
    "arbiter config check",
    "arbiter config check /etc/arbiter/daemons/scheduler-slave.cfg",
  ]);
}

async function check(path: string | undefined, options: CheckOptions): Promise<void> {
  const { loadConfiguration } = await import("../config/load.ts");
  const { showProblems } = await import("../config/show.ts");
  const { countProblems, locateConfiguration, sayProblems } = await import("./configuration.ts");
  const loaded = await loadConfiguration(locateConfiguration(path ?? options.config));
  const { errors, warnings } = countProblems(loaded.problems);
  if (options.json === true) {
    const { ok, hash } = loaded;
    const problems = showProblems(loaded.problems);
    printJson({ ok, path: loaded.path, hash: ok ? hash : null, errors, warnings, problems });
  } else {
    sayProblems(loaded.problems);
  }
  if (!loaded.ok) {
    if (options.json !== true) {
      const more = warnings === 0 ? "" : `, ${counted(warnings, "warning")}`;
      standardError.write(`${loaded.path}: ${counted(errors, "error")}${more}\n`);
    }
    throw new SaidNo();
  }
  if (options.json !== true) standardOutput.write(`${validText(loaded, warnings)}\n`);
}

function validText(loaded: Loaded, warnings: number): string {
  const what = loaded.model === null ? "" : `: ${contentsText(loaded.model, loaded.isLone)}`;
  return `${loaded.path} is valid${what}; ${warnings === 0 ? "no warnings" : counted(warnings, "warning")}`;
}

/** Of one daemon's own file nothing is known of the rest of the cluster. */
function contentsText({ arbiters, daemons, services }: ClusterModel, isLone: boolean): string {
  if (isLone) return counted(daemons.length, "daemon");
  const implied = arbiters.every((arbiter: ArbiterSpec) => arbiter.origin === null) ? " (implied)" : "";
  return `${counted(arbiters.length, "arbiter")}${implied}, ${counted(daemons.length, "daemon")}, ${counted(services.length, "service")}`;
}
