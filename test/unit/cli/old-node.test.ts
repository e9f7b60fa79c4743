/** An old Node can't run the program; it must say so in one sentence rather than with a stack. */
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
/** What these files look at, as an old Node has it. */
const OLD = `data:text/javascript,Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } })`;

test.each([
  ["bin/arbiter.js", 2, "arbiter: Node 20.20.2 is too old; it needs 22.22.2 or later."],
  ["scripts/require-node.js", 1, "This needs Node 22.22.2 or later, and runs on 20.20.2."],
])("%s on Node 20 says what it needs, and ends with %i", async (file, exitCode, sentence) => {
  const ran = await execa(process.execPath, ["--import", OLD, join(ROOT, file), "status"], { reject: false });
  expect(ran.stderr).toContain(sentence);
  expect(ran.stderr.split("\n")).toHaveLength(1);
  expect(ran.stdout).toBe("");
  expect(ran.exitCode).toBe(exitCode);
});
