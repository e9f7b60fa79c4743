/**
 * Passes a program's output on, line by line, each with the daemon's name in front.
 *
 * Two things must not happen. The launcher must never hold more than a few hundred kilobytes, however
 * much the program writes and however slowly it is read: so nothing is read while the last
 * chunk has not been taken, and the program waits in its own write, as with any pipe. And the
 * launcher must never wait in a write itself: its leases would run out because someone paused a
 * pager. Node queues writes to pipes and sockets; to files and terminals it writes synchronously, so
 * those get a stream that writes beside the loop.
 */
import { once } from "node:events";
import { closeSync, createWriteStream, fstatSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { Tail } from "./last-words.ts";
import { readWhatIsThere, type Pipe } from "./pipes.ts";

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

/** Passes on what comes through a pipe. */
export function openOutputPipe(
  { readDescriptor, writeDescriptor }: Pipe,
  prefix: string,
  outlet: Writable,
): OutputPipe {
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
      if (!reader.destroyed) readWhatIsThere(readDescriptor, forward);
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
