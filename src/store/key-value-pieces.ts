/**
 * Values that fit: compressed once they are long, and a configuration's files cut into pieces,
 * since these servers take about a megabyte at once.
 *
 * A piece is named after its contents, so that writing it twice is harmless and a version that is
 * rolled back to costs nothing.
 */
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import { integer, number, parsed, text, word, type Parsed } from "../protocol/reading.ts";
import { damaged, EngineTrouble, sound } from "./engine.ts";
import { readConfiguration } from "./stored.ts";

/** Below this a person can read it with the server's own tools; above, size counts. */
const PLAIN = 4_096;
/** Half of what ZooKeeper takes at once, a third of etcd's. */
const PIECE = 512 * 1024;
/** A hundred megabytes, compressed. A damaged count beyond it would be made into a list all the same. */
const MOST_PIECES = 200;
/** Nothing of ours is longer: a damaged, or a malicious, value may say that it holds any number of zeros. */
const MOST_UNPACKED_BYTES = 256 * 1024 * 1024;
/** The first byte of what gzip makes; no JSON begins with it. */
const GZIP = 0x1f;

export function pack(plain: string): Buffer {
  const bytes = Buffer.from(plain);
  return bytes.length < PLAIN ? bytes : gzipSync(bytes);
}

export function unpack(value: Buffer): string {
  if (value[0] !== GZIP) return value.toString("utf8");
  try {
    return gunzipSync(value, { maxOutputLength: MOST_UNPACKED_BYTES }).toString("utf8");
  } catch (error) {
    const what = damaged("a compressed value that can't be read.");
    throw new EngineTrouble(what, { isCertain: true }, { cause: error });
  }
}

/** A version without its files, and where those are. */
export interface ConfigurationEntry extends Omit<ConfigurationVersion, "files"> {
  readonly pieces: readonly string[];
}

export function cutConfiguration(configuration: ConfigurationVersion): {
  readonly entry: Record<string, unknown>;
  readonly pieces: ReadonlyMap<string, Buffer>;
} {
  const { files, ...rest } = configuration;
  const packed = gzipSync(JSON.stringify(files));
  const id = createHash("sha256").update(packed).digest("hex").slice(0, 32);
  const pieces = new Map<string, Buffer>();
  for (let at = 0; at < packed.length; at += PIECE) {
    pieces.set(pieceName(id, pieces.size), packed.subarray(at, at + PIECE));
  }
  return { entry: { ...rest, id, pieces: pieces.size }, pieces };
}

function pieceName(id: string, index: number): string {
  return `${id}-${String(index).padStart(4, "0")}`;
}

export function readEntry(value: Buffer): Parsed<ConfigurationEntry> {
  let json: unknown = null;
  try {
    json = JSON.parse(value.toString("utf8"));
  } catch {
    return { ok: false, error: "the value must be JSON" };
  }
  return parsed(json, (from) => {
    const id = word(from, "id", 64);
    return {
      version: integer(from, "version", 0),
      hash: text(from, "hash", 1024),
      atWallMs: number(from, "atWallMs", -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      by: text(from, "by", 4096),
      pieces: Array.from({ length: number(from, "pieces", 1, MOST_PIECES) }, (_, index) =>
        pieceName(id, index),
      ),
    };
  });
}

export function joinConfiguration(
  { pieces: names, ...rest }: ConfigurationEntry,
  pieces: readonly (Buffer | null)[],
): ConfigurationVersion {
  const what = `configuration version ${rest.version}`;
  const there = pieces.filter((piece) => piece !== null);
  if (there.length !== names.length) {
    throw new EngineTrouble(`${damaged(what)} (a piece of its files is missing).`, { isCertain: true });
  }
  return sound(readConfiguration(JSON.stringify({ ...rest, files: filesIn(there, what) })), what);
}

function filesIn(pieces: readonly Buffer[], what: string): unknown {
  try {
    return JSON.parse(unpack(Buffer.concat(pieces)));
  } catch (error) {
    if (error instanceof EngineTrouble) throw error;
    throw new EngineTrouble(
      `${damaged(what)} (its files must be JSON).`,
      { isCertain: true },
      { cause: error },
    );
  }
}
