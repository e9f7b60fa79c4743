/**
 * A daemon's own folder: who it is (`state-id`, random, made once) and what it must still know
 * after a restart (`memory.json`).
 *
 * Losing the memory would break I3 and the reboot rule: a daemon that forgot its longest promise
 * might become active while a holder in failsafe still counts on it. So the file is replaced as a
 * whole (a temporary file, then a rename), a write that a promise waits for is synced with its
 * folder, and a file that can't be understood stops the start instead of counting as empty. The
 * content is always synced before the rename: a power cut leaves the old file or the new one.
 */
import { mkdirSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import type { DaemonMemory, EndlessPromise } from "../core/daemon-io.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import { readIfThere, replaceFile, stateIdIn } from "../shell/own-folder.ts";

export interface StateFolder {
  readonly path: string;
  readonly stateId: string;
  readonly memory: DaemonMemory | null;
  /**
   * Writes are done in order, and only the newest of those that wait. Resolves when this memory,
   * or a newer one, is in place: on disk if `synced`.
   */
  remember(memory: DaemonMemory, synced: boolean): Promise<void>;
}

/** Makes the folder and who the daemon is, where there is none yet. */
export function makeStateFolder(stateDir: string, name: string): string {
  const path = join(stateDir, name);
  try {
    mkdirSync(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw new ArbiterError(
      "ERR_ARB_STATE_DIR",
      `The state folder ${path} can't be made: ${messageOf(error)}. ` +
        `Make it, or name another one with --state-dir or \`state_dir\`.`,
      { cause: error },
    );
  }
  return path;
}

/** Call it with the folder's lock held. */
export function openStateFolder(path: string, forgetCluster: boolean): StateFolder {
  const stateId = readStateId(path);
  const remembered = readMemory(path);
  const memory = remembered !== null && forgetCluster ? forgotten(remembered) : remembered;
  if (memory !== null && forgetCluster) {
    const file = join(path, "memory.json");
    orStateError(file, "can't be written", () => replaceFile(file, serialise(memory)));
  }
  return { path, stateId, memory, remember: memoryWriter(path) };
}

/** What the cluster said is forgotten; what this daemon promised isn't. */
function forgotten(memory: DaemonMemory): DaemonMemory {
  return { ...memory, clusterId: null, term: 0, seenEpochs: {}, arbiters: [] };
}

function readStateId(path: string): string {
  const file = join(path, "state-id");
  const read = orStateError(file, "can't be read or written", () => stateIdIn(path));
  if (read.ok) return read.stateId;
  throw new ArbiterError(
    "ERR_ARB_STATE_DIR",
    `${file} doesn't hold a state id (found ${JSON.stringify(read.found.slice(0, 40))}). ` +
      `Restore it, or remove the whole folder: the daemon is then a new candidate, ` +
      `which a holder in failsafe has never heard of.`,
  );
}

function readMemory(path: string): DaemonMemory | null {
  const file = join(path, "memory.json");
  const text = orStateError(file, "can't be read", () => readIfThere(file));
  if (text === null) return null;
  const memory = parseMemory(text);
  if (memory === null) {
    throw new ArbiterError(
      "ERR_ARB_STATE_DIR",
      `${file} can't be understood, so what this daemon has promised and seen is unknown. ` +
        `Restore it, or remove the whole folder: the daemon is then a new candidate, ` +
        `which a holder in failsafe has never heard of.`,
    );
  }
  return memory;
}

/** Null where the text is no memory. */
export function parseMemory(text: string): DaemonMemory | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const { clusterId, term, longestPromiseMs, seenEpochs, arbiters, endless = [] } = value;
  if (clusterId !== null && typeof clusterId !== "string") return null;
  if (!isCount(term) || !isCount(longestPromiseMs) || !isRecord(seenEpochs) || !Array.isArray(arbiters)) {
    return null;
  }
  const seen: Record<string, number> = {};
  for (const [service, epoch] of Object.entries(seenEpochs)) {
    if (!isCount(epoch)) return null;
    seen[service] = epoch;
  }
  const known: { name: string; url: string }[] = [];
  for (const arbiter of arbiters as unknown[]) {
    if (!isRecord(arbiter) || typeof arbiter["name"] !== "string" || typeof arbiter["url"] !== "string") {
      return null;
    }
    known.push({ name: arbiter["name"], url: arbiter["url"] });
  }
  const lasting = parseEndless(endless);
  if (lasting === null) return null;
  return {
    clusterId,
    term,
    longestPromiseMs,
    seenEpochs: seen,
    arbiters: known,
    ...(lasting.length > 0 && { endless: lasting }),
  };
}

function parseEndless(value: unknown): EndlessPromise[] | null {
  if (!Array.isArray(value)) return null;
  const list: EndlessPromise[] = [];
  for (const one of value as unknown[]) {
    if (!isRecord(one)) return null;
    const { service, epoch, holder, round } = one;
    if (typeof service !== "string" || typeof holder !== "string" || !isCount(epoch) || !isCount(round))
      return null;
    list.push({ service, epoch, holder, round });
  }
  return list;
}

function memoryWriter(path: string): StateFolder["remember"] {
  const file = join(path, "memory.json");
  let waiting: { memory: DaemonMemory; synced: boolean; done: PromiseWithResolvers<void> } | null = null;
  let isWriting = false;
  const write = async (): Promise<void> => {
    isWriting = true;
    while (waiting !== null) {
      const next: { memory: DaemonMemory; synced: boolean; done: PromiseWithResolvers<void> } = waiting;
      waiting = null;
      try {
        await replaceFileLater(file, path, serialise(next.memory), next.synced);
        next.done.resolve();
      } catch (error) {
        next.done.reject(
          new ArbiterError("ERR_ARB_STATE_DIR", `${file} can't be written: ${messageOf(error)}.`, {
            cause: error,
          }),
        );
      }
    }
    isWriting = false;
  };
  return async (memory, synced): Promise<void> => {
    if (waiting === null) waiting = { memory, synced, done: Promise.withResolvers<void>() };
    else waiting = { memory, synced: waiting.synced || synced, done: waiting.done };
    const { promise } = waiting.done;
    if (!isWriting) void write();
    await promise;
  };
}

async function replaceFileLater(file: string, folder: string, text: string, synced: boolean): Promise<void> {
  const temporary = `${file}.new`;
  const handle = await open(temporary, "w", 0o640);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  if (!synced) return;
  const folderHandle = await open(folder, "r");
  try {
    await folderHandle.sync();
  } finally {
    await folderHandle.close();
  }
}

function orStateError<T>(file: string, what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new ArbiterError("ERR_ARB_STATE_DIR", `${file} ${what}: ${messageOf(error)}.`, { cause: error });
  }
}

function serialise(memory: DaemonMemory): string {
  return `${JSON.stringify(memory)}\n`;
}
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
