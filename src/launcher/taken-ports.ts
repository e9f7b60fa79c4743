/**
 * Whether the program's port (of `health_tcp` or `health_url`) is free, if it is this machine's at all. One that
 * a program of another launcher has taken is as it should be: master and spare of one machine.
 *
 * To find who listens the kernel goes through all sockets that there are, ten milliseconds on a machine of
 * some size. So the port itself is asked first, since a free one refuses at once; and an owner that is as
 * it should be is believed for a while.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { LaunchSpec } from "../core/model.ts";
import { codeOf } from "../protocol/errors.ts";
import { placeOf } from "./health.ts";
import { readStat } from "./process-group.ts";

/** An address of this machine answers at once, or something is wrong with it. */
const ASK_MS = 250;
/** As long as it lives: its port may have become another's. */
const BELIEVED_MS = 60_000;

/** A launched program that was seen at a port. */
interface KnownOwner {
  readonly pid: number;
  readonly startTicks: string;
  readonly seenAtMs: number;
}
const known = new Map<string, KnownOwner>();

/** For people: which are taken, and by whom. */
export async function takenPorts({
  healthTcp,
  healthUrl,
}: Pick<LaunchSpec, "healthTcp" | "healthUrl">): Promise<string[]> {
  const targets = new Set<string>();
  if (healthTcp !== null) targets.add(healthTcp);
  if (healthUrl !== null) {
    const { hostname, port, protocol } = new URL(healthUrl);
    targets.add(`${hostname}:${port === "" ? (protocol === "https:" ? 443 : 80) : port}`);
  }
  const taken = await Promise.all([...targets].map(takenPort));
  return taken.filter((text) => text !== "");
}

/** Empty: it is free, or has whom it should have. */
async function takenPort(target: string): Promise<string> {
  if (isStillThere(known.get(target))) return "";
  known.delete(target);
  const { host, port } = placeOf(target);
  if (!isOwnAddress(host) || (await isRefused(host, port))) return "";
  const inode = listenerAt(host, port);
  if (inode === null) return "";
  const pid = ownerOf(inode);
  if (pid === null || !isLaunched(pid))
    return `port ${target} is taken${pid === null ? "" : ` by process ${pid}`}`;
  const startTicks = readStat(pid)?.startTicks ?? "";
  known.set(target, { pid, startTicks, seenAtMs: performance.now() });
  return "";
}

function isStillThere(owner: KnownOwner | undefined): boolean {
  if (owner === undefined || performance.now() - owner.seenAtMs > BELIEVED_MS) return false;
  return readStat(owner.pid)?.startTicks === owner.startTicks;
}

async function isRefused(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (isSo: boolean): void => {
      socket.destroy();
      resolve(isSo);
    };
    socket.setTimeout(ASK_MS, () => settle(false));
    socket.once("connect", () => settle(false));
    socket.once("error", (error) => settle(codeOf(error) === "ECONNREFUSED"));
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
