/** `arbiter config hash`: the hash by which arbiters tell whether they have the same configuration. */
import { Command } from "commander";
import type { PrintOptions } from "./options.ts";
import { withExamples, withFolder, withJson } from "./options.ts";
import { printJson, standardOutput } from "./output.ts";

interface HashOptions extends PrintOptions {
  readonly config?: string;
}

export function configHashCommand(): Command {
  const command = new Command("hash")
    .description("the hash by which arbiters compare: of what the files mean, not of how they are written")
    .argument("[path]", "folder, as --config")
    .action(async (path: string | undefined, options: HashOptions) => {
      const { loadValid } = await import("./configuration.ts");
      const { hash } = await loadValid(path ?? options.config);
      if (options.json === true) printJson({ hash });
      else standardOutput.write(`${hash}\n`);
    });
  return withExamples(withFolder(withJson(command)), [
    "arbiter config hash",
    'test "$(arbiter config hash)" = "$(ssh other arbiter config hash)" && echo same',
  ]);
}
