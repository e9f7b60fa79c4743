/**
 * The job: an agenda of numbered steps in a SQLite file that all daemons of this machine share.
 *
 * It is fenced by epoch. Each step says at which epoch it is done, and the file takes it only if
 * it has seen none higher. So an old holder that was frozen at the worst moment, right between
 * `lease.assertHeld()` and this write, is refused by the resource itself.
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

export class Agenda {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    mkdirSync(path.dirname(file), { recursive: true });
    this.#database = new DatabaseSync(file, { timeout: 1000 });
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      CREATE TABLE IF NOT EXISTS progress (only INTEGER PRIMARY KEY CHECK (only = 1), step INTEGER, epoch INTEGER);
      CREATE TABLE IF NOT EXISTS steps (step INTEGER PRIMARY KEY, epoch INTEGER, name TEXT, at TEXT);
      INSERT OR IGNORE INTO progress VALUES (1, 0, 0);
    `);
  }

  /** From now on lower epochs are refused. Returns the last step that was done; null: refused. */
  claim(epoch: number): number | null {
    const { changes } = this.#database
      .prepare("UPDATE progress SET epoch = ? WHERE epoch <= ?")
      .run(epoch, epoch);
    return changes === 1 ? this.#lastStep() : null;
  }

  /** Does the next step and returns its number; null: a newer holder has written, so this one is over. */
  doNext(epoch: number, name: string): number | null {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const { changes } = this.#database
        .prepare("UPDATE progress SET step = step + 1 WHERE epoch = ?")
        .run(epoch);
      const step = changes === 1 ? this.#lastStep() : null;
      if (step !== null) {
        this.#database
          .prepare("INSERT INTO steps VALUES (?, ?, ?, ?)")
          .run(step, epoch, name, new Date().toISOString());
      }
      this.#database.exec("COMMIT");
      return step;
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #lastStep(): number {
    const row = this.#database.prepare("SELECT step FROM progress").get();
    return Number(row?.["step"] ?? 0);
  }
}
