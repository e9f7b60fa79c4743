/**
 * Passes a program's output on, line by line, each with the daemon's name in front.
 *
 * Two things must not happen. The launcher must never hold more than a few hundred kilobytes, however
 * much the program writes and however slowly it is read: so nothing is read while the last
 * chunk has not been taken, and the program waits in its own write, as with any pipe. And the
 * launcher must never wait in a write itself: its leases would run out because someone paused a
 * pager. Node queues writes to pipes and sockets; to files and terminals it writes synchronously, so
 * those get a stream that writes beside the loop.
 *
 * The program writes into a real pipe (made as a named one and unlinked at once), not into the
 * socket that Node gives to its children: programs that open /dev/stdout would fail on that.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  createWriteStream,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
} from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { Tail } from "./last-words.ts";

/** Puts `prefix` in front of each line of what goes through; a line may come in many pieces. */
export function linePrefixer(prefix: string): (chunk: Buffer) => Buffer {
  // Latin-1 keeps bytes as they are, whatever the program's encoding.
  const head = Buffer.from(prefix).toString("latin1");
  const newlineAndHead = `\n${head}`;
  let atLineStart = true;
  return (chunk) => {
    if (chunk.length === 0 || head === "") return chunk;
    const text = chunk.toString("latin1");
    const start = atLineStart ? head : "";
    atLineStart = text.endsWith("\n");
    const body = atLineStart
      ? `${text.slice(0, -1).replaceAll("\n", newlineAndHead)}\n`
      : text.replaceAll("\n", newlineAndHead);
    return Buffer.from(start + body, "latin1");
  };
}

const outlets = new Map<1 | 2, Writable>();

/** Standard output or error as a stream whose writes never block the loop. One for the process. */
export function openOutlet(descriptor: 1 | 2): Writable {
  const known = outlets.get(descriptor);
  if (known !== undefined) return known;
  const outlet = makeOutlet(descriptor);
  // A reader that has gone away is no reason to end: what comes later is dropped.
  outlet.on("error", () => {});
  // Every pipe listens to it.
  outlet.setMaxListeners(0);
  outlets.set(descriptor, outlet);
  return outlet;
}

function makeOutlet(descriptor: 1 | 2): Writable {
  const kind = fstatSync(descriptor);
  if (!kind.isFIFO() && !kind.isSocket()) return createWriteStream("", { fd: descriptor, autoClose: false });
  const stream = descriptor === 1 ? process.stdout : process.stderr;
  // A command ends when its reader has gone; a launcher goes on.
  stream.removeAllListeners("error");
  return stream;
}

/** Both outputs go there from now on: called before anything is written. */
export function useAsOutlets(file: Writable): void {
  file.on("error", () => {});
  file.setMaxListeners(0);
  outlets.set(1, file);
  outlets.set(2, file);
}

/** Where a program's output goes, and what stands before each of its lines. */
export interface OutputPlace {
  readonly prefix: string;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** A pipe for a program's standard output or error; it outlives the program and serves the next. */
export interface OutputPipe {
  /** The program's end. */
  readonly writeDescriptor: number;
  /** What was written last, up to this instant; see last-words.ts. */
  lastLines(): string[];
  /** What comes from now on is another program's. */
  forget(): void;
  /** Passes on what is still in it, then closes it. */
  close(): Promise<void>;
}

/** Makes the pipes for standard output and error at once: one short process. */
export async function openOutputPipes(
  folder: string,
  { prefix, stdout, stderr }: OutputPlace,
  owner: { readonly uid: number; readonly gid: number } | null,
): Promise<{ readonly stdout: OutputPipe; readonly stderr: OutputPipe }> {
  const place = mkdtempSync(join(folder, "pipes-"));
  const names = [join(place, "1"), join(place, "2")] as const;
  try {
    await makeFifos(names);
    for (const name of names) {
      chmodSync(name, 0o600);
      if (owner !== null) chownSync(name, owner.uid, owner.gid);
    }
    return {
      stdout: openOutputPipe(names[0], prefix, stdout),
      stderr: openOutputPipe(names[1], prefix, stderr),
    };
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

function openOutputPipe(fifo: string, prefix: string, outlet: Writable): OutputPipe {
  // The reader first: opening a named pipe for writing alone waits for one.
  const readDescriptor = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeDescriptor = openSync(fifo, constants.O_WRONLY);
  const addPrefix = linePrefixer(prefix);
  const tail = new Tail();
  const reader = new Socket({ fd: readDescriptor, readable: true, writable: false });
  const resume = (): void => void reader.resume();
  const forward = (chunk: Buffer): void => {
    tail.add(chunk);
    if (outlet.writable && !outlet.write(addPrefix(chunk))) {
      reader.pause();
      outlet.once("drain", resume);
    }
  };
  outlet.once("close", resume);
  reader.on("data", forward);
  reader.on("error", () => {});
  return {
    writeDescriptor,
    lastLines(): string[] {
      // Not through the loop: whoever asks has just heard of the program's death, and won't wait.
      if (!reader.destroyed) readAll(readDescriptor, forward);
      return tail.lines();
    },
    forget: () => tail.forget(),
    async close(): Promise<void> {
      closeSync(writeDescriptor);
      // With the last writer gone the reader comes to its end, after all that is still in the pipe.
      if (!reader.destroyed) await Promise.race([once(reader, "close"), afterMs(CLOSE_PATIENCE_MS)]);
      reader.destroy();
      outlet.off("drain", resume);
      outlet.off("close", resume);
    },
  };
}

/** A pipe holds 64 KiB, unless someone made it larger. */
const MOST_READS = 4;
const READ_BYTES = 65_536;

/** What lies in a pipe now; its descriptor never waits. */
function readAll(descriptor: number, take: (chunk: Buffer) => void): void {
  for (let reads = 0; reads < MOST_READS; reads += 1) {
    const chunk = Buffer.alloc(READ_BYTES);
    try {
      const length = readSync(descriptor, chunk);
      if (length === 0) return;
      take(chunk.subarray(0, length));
    } catch {
      // Nothing is there at the moment.
      return;
    }
  }
}

/** Someone who doesn't read our output must not keep the launcher from ending. */
const CLOSE_PATIENCE_MS = 500;

/** Lets what was written leave the process, as far as someone reads it. */
export async function flushOutlets(): Promise<void> {
  await Promise.all([...outlets.values()].map(flush));
}

export async function flush(outlet: Writable): Promise<void> {
  if (outlet.writable) await Promise.race([flushed(outlet), afterMs(CLOSE_PATIENCE_MS)]);
}

/** Called back when all that was written before it is out, or can't be any more. */
async function flushed(outlet: Writable): Promise<void> {
  await new Promise<void>((resolve) => {
    outlet.write("", () => resolve());
  });
}

async function afterMs(delayMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, delayMs);
  });
}
