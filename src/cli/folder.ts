/**
 * The configuration folder on the command line: which one is meant, what stands in it, and how its
 * problems are printed.
 */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { ClearNo } from "./failure.ts";

/** Where it is looked for when nothing names it. */
const USUAL_FOLDERS = ["etc/arbiter", "/etc/arbiter"];

/** The folder (or file) that is meant; null: nothing names one, and none of the usual ones is there. */
export async function findFolder(given: string | undefined): Promise<string | null> {
  const named = given ?? process.env["ARBITER_CONFIG"];
  if (named !== undefined && named !== "") return named;
  for (const folder of USUAL_FOLDERS) if (await isFolder(folder)) return folder;
  return null;
}

/** As `findFolder`; that there is none is a clear no. */
export async function demandFolder(given: string | undefined): Promise<string> {
  const folder = await findFolder(given);
  if (folder !== null) return folder;
  throw new ClearNo(
    `there is no configuration: neither --config nor $ARBITER_CONFIG is given, and neither ${resolve("etc/arbiter")} nor /etc/arbiter is there.`,
    "`arbiter init` writes a sample to ./etc/arbiter.",
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}
