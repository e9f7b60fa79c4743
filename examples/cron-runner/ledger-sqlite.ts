/** The ledger in a SQLite file, for daemons of one machine. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Ledger, Run } from "./ledger.ts";

export class SqliteLedger implements Ledger {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    mkdirSync(path.dirname(file), { recursive: true });
    this.#database = new DatabaseSync(file, { timeout: 2000 });
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      CREATE TABLE IF NOT EXISTS progress (only INTEGER PRIMARY KEY CHECK (only = 1), slot INTEGER, epoch INTEGER);
      CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY AUTOINCREMENT, slot INTEGER, epoch INTEGER, name TEXT);
      INSERT OR IGNORE INTO progress VALUES (1, 0, 0);
    `);
  }

  async claim(epoch: number): Promise<number | null> {
    const { changes } = this.#database
      .prepare("UPDATE progress SET epoch = ? WHERE epoch <= ?")
      .run(epoch, epoch);
    if (changes !== 1) return null;
    return Number(this.#database.prepare("SELECT slot FROM progress").get()?.["slot"] ?? 0);
  }

  async run(slotMs: number, epoch: number, by: string): Promise<boolean> {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const { changes } = this.#database
        .prepare("UPDATE progress SET slot = ? WHERE epoch = ? AND slot < ?")
        .run(slotMs, epoch, slotMs);
      // The work itself: here, one row.
      if (changes === 1) {
        this.#database
          .prepare("INSERT INTO runs (slot, epoch, name) VALUES (?, ?, ?)")
          .run(slotMs, epoch, by);
      }
      this.#database.exec("COMMIT");
      return changes === 1;
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  async runs(): Promise<readonly Run[]> {
    const rows = this.#database.prepare("SELECT slot, epoch, name FROM runs ORDER BY id").all();
    return rows.map(({ slot, epoch, name }) => ({
      slotMs: Number(slot),
      epoch: Number(epoch),
      by: String(name),
    }));
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}
