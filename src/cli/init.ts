/**
 * `arbiter init`: writes the commented sample configuration that comes with the program.
 *
 * It never overwrites. If any of the files is there already, nothing at all is written: half of
 * one configuration and half of another would be worse than none.
 */
import { constants } from "node:fs";
import { access, copyFile, mkdir, readdir } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { codeOf, messageOf } from "../protocol/errors.ts";
import { ClearNo } from "./failure.ts";
import type { PrintOptions } from "./options.ts";
import { withExamples, withJson } from "./options.ts";
import { printJson, standardOutput } from "./output.ts";

const SAMPLE = fileURLToPath(new URL("../../etc/arbiter/", import.meta.url));

export function initCommand(): Command {
  const command = new Command("init")
    .argument("[dir]", "folder to write to; it is made where it isn't there", "etc/arbiter")
    .action(async (folder: string, options: PrintOptions) => {
      const files = await writeSample(resolve(folder));
      if (options.json === true) {
        printJson({ folder: resolve(folder), files });
        return;
      }
      standardOutput.write(files.map((file) => `wrote ${join(folder, file)}\n`).join(""));
      standardOutput.write(
        `\nNext: put your addresses in, then\n  arbiter config check ${folder}\n  arbiter start --config ${folder}\n`,
      );
    });
  return withExamples(withJson(command), [
    "arbiter init                 # writes ./etc/arbiter",
    "arbiter init /etc/arbiter",
  ]);
}

/** Gives back what was written, relative to the folder. */
async function writeSample(folder: string): Promise<readonly string[]> {
  const files = await sampleFiles();
  const there: string[] = [];
  for (const file of files) if (await exists(join(folder, file))) there.push(file);
  if (there.length > 0) {
    throw new ClearNo(
      `${folder} has ${there.length === 1 ? "this file" : "these files"} already: ${there.join(", ")}. Nothing was written.`,
      "Name another folder: `arbiter init DIR`.",
    );
  }
  for (const file of files) {
    await makeFolder(dirname(resolve(folder, file)));
    // Should another one have come first in the meantime, it stays.
    await copyFile(join(SAMPLE, file), join(folder, file), constants.COPYFILE_EXCL);
  }
  return files;
}

/**
 * One folder after the other: where the system answers each mkdir with "no such folder" (below
 * /proc), Node's recursive one tries for ever.
 */
async function makeFolder(path: string): Promise<void> {
  if (await exists(path)) return;
  await makeFolder(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    throw new ClearNo(
      `${path} can't be made: ${messageOf(error)}`,
      "Name a folder that can be written to: `arbiter init DIR`.",
    );
  }
}

async function sampleFiles(): Promise<readonly string[]> {
  const entries = await readdir(SAMPLE, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(cfg|ini)$/.test(entry.name))
    .map((entry) => relative(SAMPLE, join(entry.parentPath, entry.name)))
    .toSorted();
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
