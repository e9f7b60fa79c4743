/**
 * `arbiter init`: writes a working, commented configuration. On a terminal it asks; with flags it
 * doesn't; with neither (in a script) it writes the sample that comes with the program as it stands.
 *
 * It never overwrites. If any of the files is there already, nothing at all is written: half of
 * one configuration and half of another would be worse than none.
 */
import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { codeOf, messageOf } from "../protocol/errors.ts";
import { ClearNo } from "./failure.ts";
import type { PlannedFile } from "./init-files.ts";
import type { InitFlags, InitPlan } from "./init-plan.ts";
import type { PrintOptions } from "./options.ts";
import { withExamples, withJson } from "./options.ts";
import { printJson, standardOutput } from "./output.ts";

const SAMPLE = fileURLToPath(new URL("../../etc/arbiter/", import.meta.url));

interface InitOptions extends InitFlags, PrintOptions {
  readonly sample?: boolean;
}

export function initCommand(): Command {
  const command = new Command("init")
    .argument("[dir]", "folder to write to; it is made where it isn't there", "etc/arbiter")
    .addOption(
      new Option(
        "--shape <shape>",
        "pair: one master, one spare; many: several of each; arbiters: two arbiters on a store",
      ).choices(["pair", "many", "arbiters"]),
    )
    .option("--type <type>", "what kind of daemon it is: web, billing, scheduler")
    .option("--master <address,...>", "where the masters are")
    .option("--spare <address,...>", "where the spares are")
    .option("--arbiter <address,...>", "where the arbiters are")
    .option("--port <port>", "the daemons' port (default: by type, else 7801)", portOption)
    .option("--store <url>", "the store that the arbiters share (default: SQLite, on one machine)")
    .option("--command <line>", "the program to run while active")
    .option("--sample", "write the sample as it stands, without asking")
    .action(async (folder: string, options: InitOptions) => {
      await init(folder, options);
    })
    .addHelpText("after", "\nOn a terminal, and without flags, it asks.\n");
  return withExamples(withJson(command), [
    "arbiter init                 # asks, and writes ./etc/arbiter",
    "arbiter init /etc/arbiter --type web --master 10.0.0.2 --spare 10.0.0.3 --arbiter 10.0.0.1 --command '/usr/bin/web -f'",
    "arbiter init --shape many --type worker --master 10.0.0.2,10.0.0.3,10.0.0.4 --spare 10.0.0.5",
    "arbiter init --shape arbiters --arbiter 10.0.0.1,10.0.0.2 --store etcd://10.0.0.1:2379,10.0.0.2:2379",
  ]);
}

function portOption(text: string): number {
  const port = Number(text);
  if (/^\d+$/u.test(text) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("Expected a port from 1 to 65535.");
}

async function init(folder: string, options: InitOptions): Promise<void> {
  const { sample, json, ...flags } = options;
  const isAsked = Object.keys(flags).length === 0;
  const plan = sample === true ? null : await planned(flags, isAsked);
  const files = plan === null ? await sampleFiles() : await filesFor(plan);
  await write(resolve(folder), files);
  const paths = files.map(({ path }) => path);
  if (json === true) {
    printJson({ folder: resolve(folder), files: paths });
    return;
  }
  standardOutput.write(paths.map((path) => `wrote ${join(folder, path)}\n`).join(""));
  standardOutput.write(nextSteps(folder, plan));
}

/** null: the sample as it stands. */
async function planned(flags: InitFlags, isAsked: boolean): Promise<InitPlan | null> {
  const { planOf } = await import("./init-plan.ts");
  if (!isAsked) return planOf(flags);
  if (!process.stdin.isTTY || !process.stderr.isTTY) return null;
  const { askForPlan } = await import("./init-questions.ts");
  return planOf(await askForPlan());
}

async function filesFor(plan: InitPlan): Promise<readonly PlannedFile[]> {
  const { filesOf } = await import("./init-files.ts");
  return filesOf(plan, {
    cluster: await sampleText("arbiter.cfg"),
    arbiter: await sampleText("daemons/arbiter-master.cfg"),
    master: await sampleText("daemons/scheduler-master.cfg"),
    spare: await sampleText("daemons/scheduler-slave.cfg"),
  });
}

async function sampleText(file: string): Promise<string> {
  return readFile(join(SAMPLE, file), "utf8");
}

/** What to type where; a copy of the folder goes to each machine. */
function nextSteps(folder: string, plan: InitPlan | null): string {
  if (plan === null)
    return `\nNext: put your addresses in, then\n  arbiter config check ${folder}\n  arbiter start --config ${folder}\n`;
  const machines = new Set([...plan.arbiters, ...plan.masters, ...plan.spares].map(({ address }) => address));
  const behind = plan.command === null ? " -- COMMAND ARG..." : "";
  const lines = [
    `arbiter config check ${folder}`,
    ...plan.arbiters.map(({ name }) => `arbiter start --config ${folder} --name ${name}`),
    ...[
      ...plan.masters.map((one) => ["master", one] as const),
      ...plan.spares.map((one) => ["spare", one] as const),
    ].map(
      ([role, { name }]) =>
        `arbiter daemon --role ${role} --config ${join(folder, "daemons", `${name}.cfg`)}${behind}`,
    ),
    `arbiter status --config ${folder}`,
  ];
  const copies =
    machines.size > 1
      ? `copy ${folder} to each of the ${machines.size} machines, then, each where it belongs:`
      : "";
  return `\nNext: ${copies}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

/** Nothing at all where one of them is there already. */
async function write(folder: string, files: readonly PlannedFile[]): Promise<void> {
  const there: string[] = [];
  for (const { path } of files) if (await exists(join(folder, path))) there.push(path);
  if (there.length > 0) {
    throw new ClearNo(
      `${folder} has ${there.length === 1 ? "this file" : "these files"} already: ${there.join(", ")}. Nothing was written.`,
      "Name another folder: `arbiter init DIR`.",
    );
  }
  for (const { path, content, mode } of files) {
    await makeFolder(dirname(resolve(folder, path)));
    // Should another one have come first in the meantime, it stays.
    await writeFile(join(folder, path), content, { flag: "wx", mode });
  }
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

async function sampleFiles(): Promise<readonly PlannedFile[]> {
  const entries = await readdir(SAMPLE, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile() && /\.(cfg|ini)$/.test(entry.name))
    .map((entry) => relative(SAMPLE, join(entry.parentPath, entry.name)))
    .toSorted();
  return Promise.all(
    paths.map(async (path) => ({ path, content: await readFile(join(SAMPLE, path), "utf8"), mode: 0o644 })),
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
