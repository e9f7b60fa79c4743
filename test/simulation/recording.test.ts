/**
 * What an arbiter recorded can be decided again from the file alone, over many seeds with every fault
 * that there is: the state is whole in a snapshot, and the core depends on nothing else.
 */
import { describe, expect, it } from "vitest";
import { Replay, type Difference } from "../../src/core/replay.ts";
import type { InputLine, SnapshotLine } from "../../src/core/recording.ts";
import { Recorder } from "../../src/shell/recorder.ts";
import { beginFaults } from "../../src/simulator/faults.ts";
import { NO_MUTATION } from "../../src/simulator/mutations.ts";
import { drawOptions } from "../../src/simulator/options.ts";
import { Simulation } from "../../src/simulator/simulation.ts";

interface Recorded {
  /** One list of lines for each file that was begun. */
  readonly files: string[][];
  readonly journal: string[];
}

/** A run of one seed, with a recorder on each start of each arbiter. */
function record(seed: number, fileBytes: number): Recorded {
  const options = drawOptions(seed, { safetyMs: 60_000 });
  const simulation = new Simulation(seed, options, NO_MUTATION);
  const recorded: Recorded = { files: [], journal: [] };
  simulation.recorderFor = () => {
    let file: string[] = [];
    let bytes = 0;
    const rotate = (): void => {
      file = [];
      bytes = 0;
      recorded.files.push(file);
    };
    rotate();
    const write = (line: string): void => {
      file.push(line);
      bytes += line.length;
    };
    return new Recorder({ sink: { write, isFull: () => bytes > fileBytes, rotate } });
  };
  simulation.onTransition = (_, entry) => recorded.journal.push(JSON.stringify(entry));
  for (const host of [...simulation.arbiters, ...simulation.daemons]) host.start();
  beginFaults(simulation);
  simulation.world.runUntil(options.safetyMs);
  if (simulation.failure !== null) throw new Error(`seed ${seed}`, { cause: simulation.failure });
  return recorded;
}

function play(lines: readonly string[]): { readonly player: Replay; readonly difference: Difference | null } {
  const player = new Replay();
  for (const line of lines) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the recorder
    const difference = player.take(JSON.parse(line) as SnapshotLine | InputLine);
    if (difference !== null) return { player, difference };
  }
  return { player, difference: null };
}

describe("a recording", () => {
  it("is decided again as it was, each file by itself, and holds every transition", () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const { files, journal } = record(seed, 300_000);
      const transitions: string[] = [];
      for (const lines of files) {
        const { player, difference } = play(lines);
        expect(difference, `seed ${seed}`).toBeNull();
        expect(player.skipped, `seed ${seed}`).toBe(0);
        transitions.push(...player.transitions.map((entry) => JSON.stringify(entry)));
      }
      expect(transitions.toSorted(), `seed ${seed}`).toEqual(journal.toSorted());
    }
  }, 60_000);

  it("that was tampered with differs at that line", () => {
    const failed = '"event":{"kind":"checkFailed"';
    const lines = record(3, 1e9).files.find((file) => file.some((line) => line.includes(failed))) ?? [];
    const at = lines.findIndex((line) => line.includes(failed));
    expect(at).toBeGreaterThan(0);
    const changed = lines.map((line, index) =>
      index === at ? line.replace(failed, '"event":{"kind":"connectionClosed"') : line,
    );
    const { difference } = play(changed);
    expect(difference?.line).toBe(at + 1);
  });

  it("that lost lines goes on with the next snapshot", () => {
    const lines = record(3, 1e9).files.flat();
    const snapshots = lines.flatMap((line, at) => (line.startsWith('{"kind":"snapshot"') ? [at] : []));
    const second = snapshots[1] ?? 0;
    expect(second).toBeGreaterThan(5);
    const { player, difference } = play(lines.filter((_, at) => at !== 3));
    expect(difference).toBeNull();
    expect(player.skipped).toBe(second - 4);
  });

  it("of quiet time is empty but for what led to the last decision", () => {
    const options = drawOptions(1, {
      masters: 1,
      spares: 1,
      arbiters: 1,
      lateStartMs: 0,
      network: { lossProbability: 0, duplicateProbability: 0, longDelayProbability: 0 },
      store: { unknownProbability: 0, slowProbability: 0 },
      workload: { failProbability: 0, hangProbability: 0 },
    });
    const simulation = new Simulation(1, options, NO_MUTATION);
    const lines: string[] = [];
    simulation.recorderFor = () =>
      new Recorder({ sink: { write: (line) => lines.push(line), isFull: () => false, rotate: () => {} } });
    for (const host of [...simulation.arbiters, ...simulation.daemons]) host.start();
    simulation.world.runUntil(60_000);
    const written = lines.length;
    expect(written).toBeGreaterThan(10);
    simulation.world.runUntil(3_600_000);
    expect(lines).toHaveLength(written);
  });
});
