/**
 * A cluster in virtual time that tells what happens, as its operator would see it: the log's events,
 * what daemons write into their own logs, and what happens to the machines.
 *
 * Clocks agree, messages take 1 ms each way, timers are as good as on time, and a line's time is
 * rounded to 10 ms, so that a transcript changes when behaviour does, not when something is drawn anew.
 */
import type { Surroundings } from "../../src/arbiter/status-facts.ts";
import { problemsOf } from "../../src/arbiter/status-problems.ts";
import type { EventDraft } from "../../src/core/model.ts";
import type { NoteValue } from "../../src/simulator/world.ts";
import { NO_MUTATION } from "../../src/simulator/mutations.ts";
import type { Overrides } from "../../src/simulator/options.ts";
import { drawOptions } from "../../src/simulator/options.ts";
import { Simulation } from "../../src/simulator/simulation.ts";
import { DEFAULTS } from "../../src/simulator/small.ts";

const NAMES: Readonly<Record<string, string>> = {
  a1: "arbiter-master",
  a2: "arbiter-slave",
  a3: "arbiter-slave-2",
  m1: "scheduler-master",
  s1: "scheduler-slave",
  s2: "scheduler-slave-2",
};
const SERVICE = "m1";
const SETTLING_MS = 30_000;
/** Where the text begins: behind the time and the longest name. */
const INDENT = " ".repeat(32);

export class Scene {
  readonly simulation: Simulation;
  readonly #lines: string[] = [];
  #beganAtMs = 0;
  #isTelling = false;
  #idleMs = 0;

  constructor(over: Overrides = {}) {
    const options = drawOptions(1, {
      ...DEFAULTS,
      clockDrift: 0,
      ...over,
      network: { ...DEFAULTS.network, leastDelayMs: 1, jitterMs: 0 },
      workload: { ...DEFAULTS.workload, activationMs: 40, demotionMs: 20, latenessMs: 0 },
    });
    this.simulation = new Simulation(1, options, NO_MUTATION);
    for (const host of [...this.simulation.arbiters, ...this.simulation.daemons]) host.start();
    this.simulation.world.onNote = (words) => {
      this.#noted(words);
    };
    this.simulation.onEvent = (arbiter, event) => {
      this.#logged(arbiter, event);
    };
    this.pass(SETTLING_MS);
    this.#isTelling = true;
    this.#beganAtMs = this.simulation.world.nowMs;
    this.#idleMs = 0;
  }

  /** Something is done to the cluster. */
  act(text: string, run: () => void): this {
    this.#say("", text);
    run();
    return this;
  }

  /** Lets time pass, in small steps, and counts how long nobody did the work. */
  pass(ms: number): this {
    const { world } = this.simulation;
    const endMs = world.nowMs + ms;
    while (world.nowMs < endMs && !world.isOver) {
      world.runUntil(Math.min(endMs, world.nowMs + 1));
      if (this.#workers().length === 0) this.#idleMs += 1;
    }
    if (this.simulation.failure !== null) throw new Error("the scene", { cause: this.simulation.failure });
    return this;
  }

  cut(name: string, others: readonly string[]): void {
    for (const other of others) {
      this.simulation.network.cut(name, other);
      this.simulation.network.cut(other, name);
    }
  }

  /** All that was told, and how it ended. */
  text(row: string, bound: string): string {
    const phase = this.simulation.leader?.state?.services.get(SERVICE)?.phase ?? "led by nobody";
    return named(
      [
        row,
        `Bound: ${bound}`,
        "",
        ...this.#lines,
        "",
        `Afterwards: the work is done by ${this.#workers().join(" and ") || "nobody"}; to the arbiter the service is ${phase}.`,
        `Nobody did it for ${(this.#idleMs / 1000).toFixed(2)} s.`,
        "",
      ].join("\n"),
    );
  }

  /** What `arbiter status` says is wrong; `drift`: of whose files. */
  status(drift: Surroundings["drift"] = [], silent: readonly string[] = []): this {
    const { state, process } = this.simulation.leader ?? {};
    if (state === undefined || state === null || process === undefined || process === null) return this;
    const nowMs = process.nowMs();
    const problems = problemsOf(state, { nowMs, wallMs: nowMs, undelivered: 0, drift, silent });
    if (problems.length === 0) this.#say("", "arbiter status: nothing is wrong");
    for (const { code, text } of problems) this.#say("", `arbiter status: ${text} [${code}]`);
    return this;
  }

  /** Who does the work at this instant: it has been started, and isn't frozen. */
  #workers(): string[] {
    const { oneHolder, world } = this.simulation;
    return oneHolder.beliefs(SERVICE, world.nowMs).flatMap(({ daemon, epoch }) => {
      const { process, state } = this.simulation.daemon(daemon);
      const isAtWork = process?.isPaused === false && state?.held.get(SERVICE)?.phase !== "activating";
      return isAtWork ? [`${daemon} (epoch ${epoch})`] : [];
    });
  }

  #logged(arbiter: string, { type, text, row }: EventDraft): void {
    // A service's event says what, and after the colon why.
    const [what, because] = row === undefined ? [text] : split(text, ": ");
    this.#say(arbiter, `${what}${row === undefined ? "" : ` (row ${row})`} [${type}]`, because);
  }

  #noted(words: readonly NoteValue[]): void {
    const [who, text] = words;
    if (who === "guard kills") this.#say(String(text), "its guard kills the program");
    if (words.length !== 2 || typeof who !== "string" || typeof text !== "string") return;
    if (this.simulation.daemons.every(({ name }) => name !== who)) return;
    this.#say(who, ...split(text, ", because "));
  }

  #say(who: string, what: string, because?: string): void {
    if (!this.#isTelling) return;
    const seconds = (this.simulation.world.nowMs - this.#beganAtMs) / 1000;
    const name = (NAMES[who] ?? who).padEnd(18);
    this.#lines.push(`${seconds.toFixed(2).padStart(8)} s  ${name}  ${what}`);
    if (because !== undefined) this.#lines.push(`${INDENT}because ${because}`);
  }
}

function split(text: string, at: string): [string, string?] {
  const place = text.indexOf(at);
  return place < 0 ? [text] : [text.slice(0, place), text.slice(place + at.length)];
}

/** Names as people give them. */
function named(text: string): string {
  return text.replaceAll(/\b[ams][123]\b/g, (short) => NAMES[short] ?? short);
}
