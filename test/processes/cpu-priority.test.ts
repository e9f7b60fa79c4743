/**
 * `cpu_priority`, as the kernel has it: field 41 of /proc/PID/stat is the scheduling policy of a
 * process's first thread, 2 is round-robin, 0 the usual one.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { askForPrecedence } from "../../src/shell/processor.ts";
import { ARBITER, Cluster } from "../chaos/cluster.ts";
import { Random } from "../chaos/random.ts";
import { eventually } from "./arbiter-rig.ts";

const clusters: Cluster[] = [];

afterEach(async () => {
  for (const cluster of clusters.splice(0)) {
    await cluster.end();
    cluster.removeFolder();
  }
});

const NOT_ALLOWED = "this machine gives no process of ours a real-time priority (CAP_SYS_NICE, chrt)";

/** Tried on a process that does nothing. */
async function isAllowed(): Promise<boolean> {
  const idle = spawn("sleep", ["60"]);
  try {
    return await askForPrecedence({ pids: [idle.pid ?? 0], wanted: "auto", warn: () => {} });
  } finally {
    idle.kill();
  }
}

function policyOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // What stands behind the name begins with field 3.
  const field = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .at(41 - 3);
  return field === "2" ? "round-robin" : field === "0" ? "usual" : `policy ${field}`;
}

async function start(settings: readonly string[]): Promise<Cluster> {
  const cluster = new Cluster(randomUUID(), new Random(1), { settings });
  clusters.push(cluster);
  await cluster.start(() => {});
  return cluster;
}

function policies(cluster: Cluster): Record<string, string> {
  const launcher = cluster.holderOf("program").name;
  return {
    arbiter: policyOf(cluster.pidOf(ARBITER)),
    launcher: policyOf(cluster.pidOf(launcher)),
    guard: policyOf(cluster.guardsOf(launcher)[0] ?? 0),
    program: policyOf(cluster.holderOf("program").pid),
    library: policyOf(cluster.pidOf(cluster.holderOf("library").name)),
  };
}

test("arbiter, launcher and guard go first, a new guard too; the program and a library daemon don't", async ({
  skip,
}) => {
  if (!(await isAllowed())) skip(NOT_ALLOWED);
  const cluster = await start([]);
  const expected = {
    arbiter: "round-robin",
    launcher: "round-robin",
    guard: "round-robin",
    program: "usual",
    library: "usual",
  };
  await eventually(() => policies(cluster), expected);
  const launcher = cluster.holderOf("program").name;
  const [guard = 0] = cluster.guardsOf(launcher);
  process.kill(guard, "SIGKILL");
  await eventually(() => cluster.guardsOf(launcher).some((pid) => pid !== guard), true);
  await eventually(() => policies(cluster), expected);
  expect(policies(cluster)).toEqual(expected);
});

test("`normal`: nobody asks; `realtime`: a library daemon too", async ({ skip }) => {
  if (!(await isAllowed())) skip(NOT_ALLOWED);
  const usual = await start(["cpu_priority = normal"]);
  const none = Object.fromEntries(Object.keys(policies(usual)).map((who) => [who, "usual"]));
  expect(policies(usual)).toEqual(none);
  const first = await start(["cpu_priority = realtime"]);
  await eventually(() => policies(first)["library"], "round-robin");
});

test("a refusal is a warning where it was asked for in so many words", async () => {
  const warnings: string[] = [];
  const nobody = 2 ** 22 + 1;
  const warn = (text: string): void => void warnings.push(text);
  expect(await askForPrecedence({ pids: [nobody], wanted: "auto", warn })).toBe(false);
  expect(warnings).toEqual([]);
  expect(await askForPrecedence({ pids: [nobody], wanted: "realtime", warn })).toBe(false);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("`cpu_priority = realtime` is refused");
});
