/**
 * Whether this daemon could run its program, asked while it waits: a spare is *ready* only if it was looked
 * at. Each answer is what is missing, for people; none of the questions changes anything here.
 *
 * The program's port (of `health_tcp` or `health_url`) must be free, if it is this machine's at all. One that
 * a program of another launcher has taken is as it should be: master and spare of one machine.
 */
import { accessSync, constants, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import type { LaunchSpec } from "../core/model.ts";
import { findProgram } from "./account.ts";
import { askCommand } from "./health.ts";

export interface ReadinessOptions {
  readonly spec: LaunchSpec;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Goes before a hook's words. */
  readonly wrap: readonly string[];
}

/** What is missing; empty: nothing. */
export async function missingHere(options: ReadinessOptions, signal: AbortSignal): Promise<string> {
  const missing = [...missingFiles(options), ...takenPorts(options.spec)];
  if (missing.length === 0 && options.spec.hookDryRun) missing.push(...(await dryRuns(options, signal)));
  return missing.join("; ");
}

function missingFiles({ spec, env }: ReadinessOptions): string[] {
  const cwd = spec.cwd ?? process.cwd();
  const missing: string[] = [];
  if (spec.cwd !== null && !isFolder(spec.cwd)) missing.push(`\`cwd\` ${spec.cwd} isn't there`);
  const programs: readonly (readonly [string, readonly string[] | null])[] = [
    ["command", spec.command],
    ["health_command", spec.healthCommand],
    ["pre_start", spec.preStart],
    ["post_start", spec.postStart],
    ["pre_stop", spec.preStop],
    ["post_stop", spec.postStop],
  ];
  for (const [key, words] of programs) {
    const word = words?.[0];
    if (word === undefined) continue;
    const file = word.includes("/") ? resolve(cwd, word) : word;
    if (findProgram(file, env["PATH"]) === null)
      missing.push(`\`${key}\`: ${word} isn't there, or isn't executable`);
  }
  if (spec.watchdog !== null && !isWritable(spec.watchdog)) {
    missing.push(`\`watchdog\`: ${spec.watchdog} can't be opened`);
  }
  return missing;
}

function isFolder(folder: string): boolean {
  try {
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function takenPorts({ healthTcp, healthUrl }: LaunchSpec): string[] {
  const targets = new Set<string>();
  if (healthTcp !== null) targets.add(healthTcp);
  if (healthUrl !== null) {
    const { hostname, port, protocol } = new URL(healthUrl);
    targets.add(`${hostname}:${port === "" ? (protocol === "https:" ? 443 : 80) : port}`);
  }
  return [...targets].flatMap((target) => {
    const at = target.lastIndexOf(":");
    const host = target.slice(0, at).replace(/^\[(.*)\]$/u, "$1");
    const inode = isOwnAddress(host) ? listenerAt(host, Number(target.slice(at + 1))) : null;
    if (inode === null) return [];
    const owner = ownerOf(inode);
    if (owner !== null && isLaunched(owner)) return [];
    return [`port ${target} is taken${owner === null ? "" : ` by process ${owner}`}`];
  });
}

function isOwnAddress(host: string): boolean {
  if (host === "localhost" || host === "" || host.startsWith("127.")) return true;
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === host));
}

/** The socket's inode; null: nobody listens there. */
function listenerAt(host: string, port: number): string | null {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  for (const [file, any] of [
    ["/proc/net/tcp", "00000000"],
    ["/proc/net/tcp6", "0".repeat(32)],
  ] as const) {
    for (const line of textOf(file).split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/u);
      const [address = "", localPort] = (fields[1] ?? "").split(":");
      const isListening = fields[3] === "0A";
      if (!isListening || localPort !== wanted) continue;
      if (address === any || isIP(host) !== 4 || address === hexOf(host)) return fields[9] ?? null;
    }
  }
  return null;
}

/** As /proc/net/tcp has it: the bytes of an IPv4 address, last first. */
function hexOf(address: string): string {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return bytes.toReversed().join("").toUpperCase();
}

/** Of the last socket that was asked about: to look through everybody's descriptors costs much. */
let lastOwner: { readonly inode: string; readonly pid: number } | null = null;

/** Null: it can't be seen from here. */
function ownerOf(inode: string): number | null {
  if (lastOwner?.inode === inode) return lastOwner.pid;
  const pid = findOwner(inode);
  lastOwner = pid === null ? null : { inode, pid };
  return pid;
}

function findOwner(inode: string): number | null {
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/u.test(entry)) continue;
    try {
      const folder = `/proc/${entry}/fd`;
      if (readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`) === `socket:[${inode}]`))
        return Number(entry);
    } catch {
      // Gone meanwhile, or somebody else's.
    }
  }
  return null;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** By its control group, or by what every launched program finds in its environment. */
function isLaunched(pid: number): boolean {
  return (
    textOf(`/proc/${pid}/cgroup`).includes("/arbiter-program-") ||
    textOf(`/proc/${pid}/environ`).includes("\0ARBITER_SERVICE=")
  );
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Each hook is told that it is only a rehearsal; see `hook_dry_run`. */
async function dryRuns({ spec, env, wrap }: ReadinessOptions, signal: AbortSignal): Promise<string[]> {
  const hooks = {
    pre_start: spec.preStart,
    post_start: spec.postStart,
    pre_stop: spec.preStop,
    post_stop: spec.postStop,
  };
  const missing: string[] = [];
  for (const [name, words] of Object.entries(hooks)) {
    if (words === null) continue;
    const told = { ...env, ARBITER_DRY_RUN: "1", ARBITER_HOOK: name };
    const verdict = await askCommand(
      words,
      { spec, env: told, wrap, title: `the dry run of ${name}` },
      signal,
    );
    if (verdict !== null) missing.push(verdict);
  }
  return missing;
}
