/**
 * Reads what the workloads wrote, and says of one move: how long nobody acted, how long two did,
 * and how many acts of the old holder came after the first one of the new.
 *
 * It believes nothing that the arbiter or a daemon says: only lines that the work itself left.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

export interface Act {
  readonly epoch: number;
  readonly atNs: bigint;
  readonly name: string;
  readonly pid: number;
}

export interface Move {
  /** From the last act of the old holder to the first one of the new; below zero: they overlapped. */
  readonly gapMs: number;
  /** From the fault, or the order, to the first act of the new holder. */
  readonly sinceCauseMs: number;
  readonly bothActiveMs: number;
  readonly actsByOldHolder: number;
  readonly from: string;
  readonly to: string;
}

const NS_PER_MS = 1e6;

export class ActLog {
  readonly path: string;
  /** Up to where lines were read and judged. */
  #offset = 0;

  constructor(path: string) {
    this.path = path;
    closeSync(openSync(path, "a"));
  }

  /** Complete lines that were written since the last `forget`. */
  acts(): Act[] {
    return this.#text().split("\n").slice(0, -1).map(actOf);
  }

  forget(): void {
    this.#offset += Buffer.byteLength(this.#text());
  }

  #text(): string {
    const file = openSync(this.path, "r");
    try {
      const bytes = Buffer.alloc(fstatSync(file).size - this.#offset);
      readSync(file, bytes, 0, bytes.length, this.#offset);
      return bytes.toString("utf8");
    } finally {
      closeSync(file);
    }
  }
}

function actOf(line: string): Act {
  const [epoch, atNs, name, pid] = line.split(" ");
  if (epoch === undefined || atNs === undefined || name === undefined || pid === undefined)
    throw new Error(`not an act: ${JSON.stringify(line)}`);
  return { epoch: Number(epoch), atNs: BigInt(atNs), name, pid: Number(pid) };
}

/** What happened between the highest epoch before `causeNs` and the next one; null: nothing yet. */
export function moveIn(acts: readonly Act[], causeNs: bigint): Move | null {
  const before = acts.filter(({ atNs }) => atNs <= causeNs);
  const oldEpoch = Math.max(...before.map(({ epoch }) => epoch));
  const old = acts.filter(({ epoch }) => epoch === oldEpoch);
  const next = acts.filter(({ epoch }) => epoch > oldEpoch);
  const lastOld = latest(old);
  const firstNew = earliest(next);
  if (lastOld === null || firstNew === null) return null;
  return {
    gapMs: Number(firstNew.atNs - lastOld.atNs) / NS_PER_MS,
    sinceCauseMs: Number(firstNew.atNs - causeNs) / NS_PER_MS,
    bothActiveMs: Math.max(0, Number(lastOld.atNs - firstNew.atNs) / NS_PER_MS),
    actsByOldHolder: old.filter(({ atNs }) => atNs > firstNew.atNs).length,
    from: lastOld.name,
    to: firstNew.name,
  };
}

function latest(acts: readonly Act[]): Act | null {
  let found: Act | null = null;
  for (const act of acts) if (found === null || act.atNs > found.atNs) found = act;
  return found;
}

function earliest(acts: readonly Act[]): Act | null {
  let found: Act | null = null;
  for (const act of acts) if (found === null || act.atNs < found.atNs) found = act;
  return found;
}
