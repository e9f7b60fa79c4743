/**
 * The ledger of runs that all daemons share: which slot of the schedule was done last, and at which
 * epoch. In SQLite (daemons of one machine) or MariaDB (any number of machines).
 *
 * A run and its entry are one transaction. It begins with the fence: the entry moves on only if no
 * higher epoch has claimed the ledger and no later slot has been done. So a slot is done once, also
 * if two daemons' clocks differ, or an old holder wakes up in the middle.
 */
export interface Ledger {
  /**
   * Refuses lower epochs from now on. Gives the last slot that was done, in milliseconds since 1970;
   * null: a newer holder has been here.
   */
  claim(epoch: number): Promise<number | null>;
  /** Does the slot's work. False: a newer holder has been here, or the slot is done already. */
  run(slotMs: number, epoch: number, by: string): Promise<boolean>;
  /** Slots in the order in which they were done. */
  runs(): Promise<readonly Run[]>;
  close(): Promise<void>;
}

export interface Run {
  readonly slotMs: number;
  readonly epoch: number;
  readonly by: string;
}

/** `mysql://user:password@host:port/database`, or a file for SQLite. */
export async function openLedger(where: string): Promise<Ledger> {
  if (where.startsWith("mysql://")) {
    const { MariaLedger } = await import("./ledger-mariadb.ts");
    return await MariaLedger.open(where);
  }
  const { SqliteLedger } = await import("./ledger-sqlite.ts");
  return new SqliteLedger(where);
}
