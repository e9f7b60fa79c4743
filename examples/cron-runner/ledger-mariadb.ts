/** The ledger in MariaDB or MySQL, for daemons of any number of machines. */
import { createPool } from "mysql2/promise";
import type { Pool, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { Ledger, Run } from "./ledger.ts";

export class MariaLedger implements Ledger {
  readonly #pool: Pool;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  static async open(url: string): Promise<MariaLedger> {
    const pool = createPool({ uri: url, connectionLimit: 2, connectTimeout: 2000 });
    for (const statement of [
      "CREATE TABLE IF NOT EXISTS progress (only_row TINYINT PRIMARY KEY, slot BIGINT NOT NULL, epoch BIGINT NOT NULL) ENGINE = InnoDB",
      "CREATE TABLE IF NOT EXISTS runs (id BIGINT PRIMARY KEY AUTO_INCREMENT, slot BIGINT NOT NULL, epoch BIGINT NOT NULL, name VARCHAR(64) NOT NULL) ENGINE = InnoDB",
      "INSERT IGNORE INTO progress VALUES (1, 0, 0)",
    ]) {
      await pool.query(statement);
    }
    return new MariaLedger(pool);
  }

  async claim(epoch: number): Promise<number | null> {
    // A claim of the same epoch changes no row; MariaDB counts changed rows, so the row is read.
    await this.#pool.execute("UPDATE progress SET epoch = ? WHERE epoch < ?", [epoch, epoch]);
    const [rows] = await this.#pool.query<RowDataPacket[]>("SELECT slot, epoch FROM progress");
    const [row] = rows;
    return Number(row?.["epoch"]) === epoch ? Number(row?.["slot"]) : null;
  }

  async run(slotMs: number, epoch: number, by: string): Promise<boolean> {
    const connection = await this.#pool.getConnection();
    try {
      await connection.beginTransaction();
      const [{ affectedRows }] = await connection.execute<ResultSetHeader>(
        "UPDATE progress SET slot = ? WHERE epoch = ? AND slot < ?",
        [slotMs, epoch, slotMs],
      );
      // The work itself: here, one row.
      if (affectedRows === 1) {
        await connection.execute("INSERT INTO runs (slot, epoch, name) VALUES (?, ?, ?)", [
          slotMs,
          epoch,
          by,
        ]);
      }
      await connection.commit();
      return affectedRows === 1;
    } catch (error) {
      await connection.rollback();
      throw error;
    } finally {
      connection.release();
    }
  }

  async runs(): Promise<readonly Run[]> {
    const [rows] = await this.#pool.query<RowDataPacket[]>("SELECT slot, epoch, name FROM runs ORDER BY id");
    return rows.map((row) => ({
      slotMs: Number(row["slot"]),
      epoch: Number(row["epoch"]),
      by: String(row["name"]),
    }));
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
