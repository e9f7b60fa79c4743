/**
 * `arbiter simulate`: this configuration in the simulator. Random faults for some hours of virtual
 * time, each machine switched off in turn, and the same again with another setting for each `--what-if`.
 * Nothing is asked, started or changed: it reads the files alone.
 */
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { InvalidArgumentError } from "commander";
import type { ClusterModel } from "../core/model.ts";
import { journalLine } from "../shell/journal-line.ts";
import { runOwn, type RunResult } from "../simulator/own-run.ts";
import { placesOf } from "../simulator/own-cluster.ts";
import { singleFailure, type SingleFailure } from "../simulator/single-failures.ts";
import { whatIf } from "../simulator/what-if.ts";
import { loadValid } from "./configuration.ts";
import { durationOption } from "./duration.ts";
import { ClearNo, SaidNo, WrongUsage } from "./failure.ts";
import { printJson, standardError, standardOutput } from "./output.ts";
import type { SimulateOptions } from "./simulate.ts";
import { notKeptBecause, simulationText, type Simulated } from "./simulate-text.ts";

const HOUR_MS = 3_600_000;
const BAR = 30;

export async function simulate(options: SimulateOptions): Promise<void> {
  const loaded = await loadValid(options.config);
  const { model } = loaded;
  if (model.services.length === 0)
    throw new ClearNo(
      "there is nothing to simulate: no service is configured.",
      "A daemon with `spare 0` brings one.",
    );
  // Found out before an hour of work is done.
  const changes = options.whatIf.map((change) => ({ change, model: changed(model, change) }));
  const progress = new Progress(changes.length + 1, standardError.isTerminal);
  const journal = options.journal === undefined ? null : createWriteStream(options.journal);
  const run = async (of: ClusterModel, isFirst: boolean): Promise<RunResult> => {
    const result = await runOwn({
      model: of,
      seed: options.seed,
      lengthMs: options.hours * HOUR_MS,
      onProgress: (share) => progress.show(share),
      ...(isFirst && journal !== null
        ? { onTransition: (_arbiter, entry) => void journal.write(`${JSON.stringify(journalLine(entry))}\n`) }
        : {}),
    });
    progress.next();
    return result;
  };
  const result = await run(model, true);
  const singleFailures = failuresOf(model, options.seed);
  const others: { change: string; result: RunResult; singleFailures: readonly SingleFailure[] }[] = [];
  for (const other of changes)
    others.push({
      change: other.change,
      result: await run(other.model, false),
      singleFailures: failuresOf(other.model, options.seed),
    });
  progress.end();
  if (journal !== null) {
    journal.end();
    await finished(journal);
  }
  const { isStandIn } = placesOf(model);
  const simulated: Simulated = {
    seed: options.seed,
    hours: options.hours,
    isStandIn,
    result,
    singleFailures,
    whatIf: others,
  };
  const because = notKeptBecause(simulated);
  if (options.json === true) printJson({ kept: because.length === 0, because, ...simulated });
  else standardOutput.write(simulationText(simulated, standardOutput));
  if (because.length > 0) throw new SaidNo();
}

function failuresOf(model: ClusterModel, seed: number): readonly SingleFailure[] {
  return placesOf(model).places.map((place) => singleFailure(model, place, seed));
}

function changed(model: ClusterModel, change: string): ClusterModel {
  const at = change.indexOf("=");
  const made = whatIf(model, change.slice(0, at), change.slice(at + 1), (text) => {
    try {
      return durationOption(text);
    } catch (error) {
      if (error instanceof InvalidArgumentError) return null;
      throw error;
    }
  });
  if (made.ok) return made.model;
  throw new WrongUsage(
    `--what-if ${change}: ${made.error}.`,
    "`arbiter simulate --help` lists what can be tried.",
  );
}

/** A bar on a terminal; nothing in a pipe. */
class Progress {
  readonly #runs: number;
  readonly #isShown: boolean;
  #done = 0;

  constructor(runs: number, isShown: boolean) {
    this.#runs = runs;
    this.#isShown = isShown;
  }

  show(share: number): void {
    if (!this.#isShown) return;
    const all = (this.#done + share) / this.#runs;
    const filled = Math.round(all * BAR);
    standardError.write(`\r${"█".repeat(filled)}${"░".repeat(BAR - filled)} ${Math.floor(all * 100)} %`);
  }

  next(): void {
    this.#done += 1;
  }

  end(): void {
    if (this.#isShown) standardError.write(`\r${" ".repeat(BAR + 8)}\r`);
  }
}
