/**
 * The README is kept true: its transcript is what the demonstration prints, its files are the ones
 * that the demonstration runs, its dozen lines are a daemon, its commands exist and CI calls them.
 */
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { FILES } from "../../scripts/demo-cluster.ts";
import { holders, normalised } from "./transcript.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const run = promisify(execFile);

/** The code block between two marks. */
function marked(name: string): string {
  const part = README.split(`<!-- ${name} begins`)[1]?.split(`<!-- ${name} ends`)[0];
  const block = /```\w*\n(.*)\n```/su.exec(part ?? "")?.[1];
  if (block === undefined) throw new Error(`README.md has no block marked ${name}`);
  return block;
}

test("the failover in the README is what the demonstration does", { timeout: 120_000 }, async () => {
  const parent = mkdtempSync(join(tmpdir(), "arbiter-readme-"));
  const folder = join(parent, "demo");
  try {
    const demo = ["scripts/demo.ts", "--once", "--free-ports", "--folder", folder];
    const { stdout } = await run(process.execPath, demo, { cwd: ROOT });
    const played = normalised(stdout.replaceAll(folder, "var/demo"));
    const written = normalised(marked("demo"));
    expect(holders(written)).toEqual([
      "scheduler-master (epoch 1)",
      "scheduler-slave (epoch 2)",
      "scheduler-master (epoch 3)",
      "scheduler-slave (epoch 4)",
    ]);
    expect(holders(played)).toEqual(holders(written));
    // Two processes may say theirs in either order.
    expect(played.toSorted()).toEqual(written.toSorted());
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});

test("the two files in the README are the ones that the demonstration runs", () => {
  const blocks = [...README.matchAll(/```\n(scheduler_name .*?)```/gsu)].map(([, text]) => text);
  expect(blocks).toEqual([FILES["scheduler-master.cfg"], FILES["scheduler-slave.cfg"]]);
});

test("the dozen lines in the README are a daemon", { timeout: 60_000 }, async () => {
  // Inside the package, so that its own name is known; not below node_modules, where Node reads no types.
  mkdirSync(join(ROOT, "var"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "var", "readme-"));
  try {
    const lines = marked("library");
    expect(lines.split("\n").length).toBeLessThan(20);
    writeFileSync(join(folder, "daemon.ts"), lines);
    const { stdout } = await run(process.execPath, [join(folder, "daemon.ts"), "--help"]);
    expect(stdout).toContain("A daemon of type scheduler");
    expect(stdout).toContain("--role master|spare");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the README's commands exist, and CI runs the one that tests", () => {
  const manifest = readFileSync(join(ROOT, "package.json"), "utf8");
  const asked = [...README.matchAll(/npm run (?:--silent )?([\w:]+)/gu)].map(([, name]) => name);
  expect(asked.length).toBeGreaterThan(2);
  for (const name of asked) expect(manifest).toContain(`\n    "${name}": "`);
  expect(README).toContain("npm ci && npm run check");
  expect(readFileSync(join(ROOT, ".ci", "run"), "utf8")).toMatch(/^npm ci && npm run check$/mu);
});

test("every link between the documents leads somewhere", () => {
  const files = [
    ...["README.md", "CHANGELOG.md"].map((file) => join(ROOT, file)),
    ...["docs", "examples"].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".md"))
        .map((file) => join(ROOT, folder, file)),
    ),
  ];
  const dead = files.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/gu)]
      .map(([, target = ""]) => target)
      .filter((target) => !existsSync(join(dirname(file), target)))
      .map((target) => `${relative(ROOT, file)}: ${target}`),
  );
  expect(files.length).toBeGreaterThan(10);
  expect(dead).toEqual([]);
});
