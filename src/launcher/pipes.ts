/**
 * Real pipes, made as named ones and unlinked at once: what Node gives to its children by itself is a socket,
 * which programs that open /dev/stdout fail on, and from which nothing can be read in passing.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ArbiterError, messageOf } from "../protocol/errors.ts";

export interface Pipe {
  /** Reading never waits: where there is nothing, it throws EAGAIN. */
  readonly readDescriptor: number;
  readonly writeDescriptor: number;
}

/** As many as `count`, with one short process. `owner`: who may open them by their place in /proc. */
export async function openPipes(
  folder: string,
  count: number,
  owner: { readonly uid: number; readonly gid: number } | null,
): Promise<Pipe[]> {
  const place = mkdtempSync(join(folder, "pipes-"));
  const names = Array.from({ length: count }, (_, at) => join(place, String(at)));
  try {
    await makeFifos(names);
    return names.map((name) => {
      chmodSync(name, 0o600);
      if (owner !== null) chownSync(name, owner.uid, owner.gid);
      // The reader first: opening a named pipe for writing alone waits for one.
      const readDescriptor = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
      return { readDescriptor, writeDescriptor: openSync(name, constants.O_WRONLY) };
    });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

async function makeFifos(names: readonly string[]): Promise<void> {
  const maker = spawn("mkfifo", [...names], { stdio: "ignore" });
  let code: unknown;
  try {
    [code] = (await once(maker, "close")) as unknown[];
  } catch (error) {
    throw new ArbiterError("ERR_ARB_LAUNCHER", `The program \`mkfifo\` can't be run: ${messageOf(error)}.`, {
      cause: error,
    });
  }
  if (code !== 0) throw new ArbiterError("ERR_ARB_LAUNCHER", `No pipe can be made in ${names[0] ?? ""}.`);
}

/** A pipe holds 64 KiB, unless someone made it larger. */
const MOST_READS = 4;
const READ_BYTES = 65_536;

/** What lies in the pipe now, not through the loop. */
export function readWhatIsThere(readDescriptor: number, take: (chunk: Buffer) => void): void {
  for (let reads = 0; reads < MOST_READS; reads += 1) {
    const chunk = Buffer.alloc(READ_BYTES);
    try {
      const length = readSync(readDescriptor, chunk);
      if (length > 0) take(chunk.subarray(0, length));
      if (length < READ_BYTES) return;
    } catch {
      // Nothing is there at the moment.
      return;
    }
  }
}
