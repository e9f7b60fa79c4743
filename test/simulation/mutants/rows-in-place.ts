/**
 * Rows of both tables left out one at a time, without loading anything anew: the cell itself says that it
 * is ignored. So a row costs the stories that come by it, and a busy world only where those don't notice.
 */
import { readFileSync } from "node:fs";
import { HOLD_TABLE } from "../../../src/core/daemon-table.ts";
import { SERVICE_TABLE } from "../../../src/core/service-table.ts";
import { runSeed } from "../../../src/simulator/run.ts";
import { Scene } from "../../transcripts/scene.ts";
import { PLOTS, type Plot } from "../../transcripts/scenes.ts";
import type { Mutant } from "./mutant.ts";

const TRANSCRIPTS = new URL("../../transcripts/", import.meta.url);
/** Seeds of a busy world until a row that is spared has come up at least once. */
const MOST_SEEDS = 10;

export interface RowVerdict {
  /** What noticed it; null: nothing, though it came up. */
  readonly by: string | null;
  readonly cameUp: boolean;
}

/** Their cells as long as this stands; whoever looks one up is noted. */
export class Tables {
  readonly takenRows: Set<string> = new Set();
  #leftOut: string | null = null;
  /** Rows that each story comes by, and how it goes. */
  readonly #stories = new Map<Plot, { readonly rows: ReadonlySet<string>; readonly text: string }>();

  constructor() {
    this.#watch("arbiter", SERVICE_TABLE);
    this.#watch("daemon", HOLD_TABLE);
    for (const plot of PLOTS) {
      this.takenRows.clear();
      told(plot);
      const text = readFileSync(new URL(`${plot.file}.txt`, TRANSCRIPTS), "utf8");
      this.#stories.set(plot, { rows: new Set(this.takenRows), text });
    }
  }

  #watch(of: string, table: Readonly<Record<string, Readonly<Record<string, unknown>>>>): void {
    for (const cells of Object.values(table)) {
      for (const [event, cell] of Object.entries(cells)) {
        if (typeof cell !== "object" || cell === null || !("id" in cell)) continue;
        const key = `row ${of} ${String(cell.id)}`;
        const get = (): unknown => {
          this.takenRows.add(key);
          return this.#leftOut === key ? "ignore" : cell;
        };
        Object.defineProperty(cells, event, { get, configurable: true, enumerable: true });
      }
    }
  }

  /** Hunts for what happens without that row. */
  without(row: Mutant): RowVerdict {
    this.#leftOut = row.name;
    this.takenRows.clear();
    try {
      const by = this.#story(row.name) ?? this.#world(row);
      return { by, cameUp: this.takenRows.has(row.name) };
    } finally {
      this.#leftOut = null;
    }
  }

  #story(name: string): string | null {
    for (const [plot, { rows, text }] of this.#stories)
      if (rows.has(name) && told(plot) !== text) return `the story of "${plot.row}"`;
    return null;
  }

  /** One that has to be found is hunted in all its seeds, one that is spared until it has come up. */
  #world({ name, hunts, seeds, survives }: Mutant): string | null {
    for (const hunt of hunts) {
      if ("attack" in hunt) continue;
      for (let seed = 1; seed <= (survives === null ? seeds : MOST_SEEDS); seed++) {
        this.takenRows.delete(name);
        const { violation } = runSeed(seed, hunt.overrides ?? {}, undefined, { fastForward: false });
        if (violation !== null) return `${hunt.name}, seed ${seed}: ${violation}`;
        if (survives !== null && this.takenRows.has(name)) return null;
      }
    }
    return null;
  }
}

function told({ row, bound, over, play }: Plot): string {
  try {
    const scene = new Scene(over);
    play(scene);
    return scene.text(row, bound);
  } catch (error) {
    return String(error);
  }
}
