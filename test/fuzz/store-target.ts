/**
 * A store whose rows, or whose bytes, somebody has damaged: each call gives what was written, or
 * rejects with the store's one clear error. It never crashes, never hangs, and what it gives back is
 * of the shape that the core expects.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreFenced, StoreUnavailable } from "../../src/store/contract.ts";
import type { Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import type { Random } from "../../src/simulator/random.ts";
import {
  commit,
  configuration,
  event,
  leadershipRecord,
  serviceRow,
  SETTINGS,
} from "../contract/store-samples.ts";
import { mutateJson, mutateText, oddValue } from "./mutate.ts";
import { Broken, check, shown, type Target, type World } from "./target.ts";

const PLACES = [
  ["leadership", "record"],
  ["state", "settings"],
  ["services", "row"],
  ["configurations", "configuration"],
  ["events", "event"],
] as const;
const NUMBERS = [
  ["state", "revision"],
  ["services", "epoch"],
  ["configurations", "version"],
  ["events", "at_wall_ms"],
] as const;

async function filled(folder: string): Promise<string> {
  const store = await openStore("sqlite:good.db", { stateDir: folder });
  await fill(store);
  await store.close();
  return path.join(folder, "good.db");
}

/** Something of everything that a store keeps. */
export async function fill(store: Store): Promise<void> {
  await store.campaign(null, leadershipRecord());
  await store.commit(
    commit({
      changes: [{ row: serviceRow(), expectedEpoch: 0 }],
      settings: SETTINGS,
      configuration: configuration(1),
      events: [event("one", { service: "scheduler-master", epoch: 1, evidence: { a: [1] } }), event("two")],
    }),
  );
}

/** Every call that reads, and one that writes. */
export async function useIt(store: Store, what: () => string): Promise<void> {
  const calls: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["leadership", async () => await store.leadership()],
    ["load", async () => await store.load()],
    ["events", async () => await store.events(0, 100)],
    ["configurations", async () => await store.configurations(10)],
    ["commit", async () => await store.commit(commit({ commitId: 2, events: [event("after")] }))],
    ["trim", async () => await store.trim(0)],
  ];
  for (const [name, call] of calls) {
    try {
      await call();
    } catch (error) {
      isClear(error, () => `${name} of ${what()}`);
    }
  }
}

function isClear(error: unknown, what: () => string): void {
  const isOurs = error instanceof StoreUnavailable || error instanceof StoreFenced;
  if (!isOurs) throw new Broken(`${what()}: ${error instanceof Error ? (error.stack ?? "") : String(error)}`);
  check(error.message.length > 20 && error.message.length < 20_000, () => `${what()}: says ${error.message}`);
}

export const storeRows: Target = {
  name: "store-rows",
  share: 0.98,
  block: 300,
  async open(): Promise<World> {
    const folder = mkdtempSync(path.join(tmpdir(), "arbiter-fuzz-rows-"));
    const file = await filled(folder);
    const store = await openStore("sqlite:good.db", { stateDir: folder });
    const other = new DatabaseSync(file, { timeout: 2_000 });
    return {
      async run(random): Promise<void> {
        const undo = damageRow(other, random);
        try {
          await useIt(store, () => undo.what);
        } finally {
          undo.now();
        }
        const { rows } = await store.load();
        check(rows.length === 1, () => `it doesn't recover from ${undo.what}`);
      },
      async close(): Promise<void> {
        other.close();
        await store.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};

function damageRow(other: DatabaseSync, random: Random): { readonly what: string; now(): void } {
  const isNumber = random.chance(0.2);
  const [table, column] = random.pick<readonly [string, string]>(isNumber ? NUMBERS : PLACES);
  const before = other.prepare(`SELECT ${column} AS value FROM ${table} LIMIT 1`).get()?.["value"] ?? null;
  const key = other.prepare(`SELECT rowid AS id FROM events LIMIT 1`).get()?.["id"] ?? 1;
  const where = table === "events" ? ` WHERE seq = ${Number(key)}` : "";
  const old =
    table === "events"
      ? (other.prepare(`SELECT ${column} AS value FROM events WHERE seq = ${Number(key)}`).get()?.["value"] ??
        null)
      : before;
  const bad = isNumber ? random.pick([-1, 0, 2 ** 53 - 1, 7]) : badText(random, String(old));
  const set = other.prepare(`UPDATE ${table} SET ${column} = ?${where}`);
  set.run(bad);
  return { what: `${table}.${column} = ${shown(bad)}`, now: () => void set.run(old) };
}

export function badText(random: Random, good: string): string {
  if (random.chance(0.3)) return mutateText(random, good);
  if (random.chance(0.2)) return JSON.stringify(oddValue(random, 2));
  try {
    return JSON.stringify(mutateJson(random, JSON.parse(good)));
  } catch {
    return mutateText(random, good);
  }
}

export const storeBytes: Target = {
  name: "store-bytes",
  share: 0.02,
  block: 50,
  async open(): Promise<World> {
    const folder = mkdtempSync(path.join(tmpdir(), "arbiter-fuzz-bytes-"));
    const good = await filled(folder);
    return {
      run: async (random) => await damageBytes(folder, good, random),
      close: () => rmSync(folder, { recursive: true, force: true }),
    };
  },
};

async function damageBytes(folder: string, good: string, random: Random): Promise<void> {
  const file = path.join(folder, "bad.db");
  for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
  copyFileSync(good, file);
  const bytes = readFileSync(file);
  for (let left = random.whole(1, 30); left > 0; left -= 1) {
    bytes[random.whole(0, bytes.length - 1)] = random.whole(0, 255);
  }
  writeFileSync(file, random.chance(0.2) ? bytes.subarray(0, random.whole(0, bytes.length)) : bytes);
  if (random.chance(0.2)) writeFileSync(`${file}-wal`, bytes.subarray(0, random.whole(0, bytes.length)));
  let store: Store;
  try {
    store = await openStore("sqlite:bad.db", { stateDir: folder });
  } catch (error) {
    isClear(error, () => "opening damaged bytes");
    return;
  }
  try {
    await useIt(store, () => "damaged bytes");
  } finally {
    await store.close();
  }
}
