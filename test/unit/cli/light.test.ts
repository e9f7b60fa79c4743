/**
 * A command answers before the one who typed it looks up: it must not load what it doesn't need.
 * The time itself is measured by `npm run bench:commands`; on a busy machine it says nothing.
 */
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const PROGRAM = join(import.meta.dirname, "program.ts");
/** Prints each package that is loaded, once. */
const SPY = `data:text/javascript,
  import { registerHooks } from "node:module";
  registerHooks({ load(url, context, next) {
    const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/u.exec(url)?.[1];
    if (name !== undefined) process.stderr.write("LOADED " + name + "\\n");
    return next(url, context);
  } });`;

async function packagesLoadedBy(...argv: readonly string[]): Promise<readonly string[]> {
  const { stderr } = await execa(process.execPath, ["--import", SPY, PROGRAM, ...argv], {
    cwd: ROOT,
    env: { ARBITER_CONFIG: join(ROOT, "etc/arbiter") },
    reject: false,
  });
  const names = stderr.matchAll(/^LOADED (.+)$/gmu);
  return [...new Set(Array.from(names, ([, name]) => name ?? ""))].toSorted();
}

test.each([
  [["--help"], ["commander"]],
  [["status", "--url", "http://127.0.0.1:1"], ["commander"]],
  [["status"], ["commander", "ini"]],
  [["switchover", "web", "--url", "http://127.0.0.1:1"], ["commander"]],
  // Each command is loaded for its options, and none of what it would need to run.
  [["completion", "bash"], ["commander"]],
  [["help", "simulate"], ["commander"]],
  [["events", "--url", "http://127.0.0.1:1"], ["commander"]],
  [
    ["config", "check"],
    ["commander", "ini"],
  ],
])("arbiter %j loads no more packages than it needs", async (argv, packages) => {
  expect(await packagesLoadedBy(...argv)).toEqual(packages);
});
