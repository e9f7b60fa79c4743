/**
 * What `arbiter explain` says of each incident of "What happens when", in its midst (where the scene
 * asks for the status) and at its end. Read these files as somebody who knows nothing of the code: what
 * can't be understood there is a defect.
 */
import { describe, expect, test } from "vitest";
import { shown, type Explanation } from "../../src/arbiter/explanation.ts";
import { explanationText } from "../../src/cli/explain-text.ts";
import type { Terminal } from "../../src/cli/output.ts";
import { movesOf } from "../../src/core/explain-moves.ts";
import { presentOf } from "../../src/core/explain-now.ts";
import type { EventDraft } from "../../src/core/model.ts";
import { Scene } from "./scene.ts";
import { PLOTS } from "./scenes.ts";

process.env["TZ"] = "UTC";

const SERVICE = "m1";
const PLAIN: Terminal = {
  isTerminal: false,
  width: Infinity,
  height: Infinity,
  write: () => {},
  paint: (_, text) => text,
};
const NAMES: Readonly<Record<string, string>> = {
  a1: "arbiter-master",
  a2: "arbiter-slave",
  m1: "scheduler-master",
  s1: "scheduler-slave",
  s2: "scheduler-slave-2",
};

class ExplainedScene extends Scene {
  readonly parts: string[] = [];
  readonly #events: EventDraft[] = [];
  #nowWallMs = 0;

  listen(): this {
    const { simulation } = this;
    const before = simulation.onEvent;
    simulation.onEvent = (arbiter, event) => {
      this.#events.push(event);
      before?.(arbiter, event);
    };
    return this;
  }

  override act(text: string, run: () => void): this {
    this.parts.push(`* ${text}`);
    return super.act(text, run);
  }

  override status(): this {
    this.explain();
    return super.status();
  }

  explain(): void {
    const { leader } = this.simulation;
    const view = leader?.state?.services.get(SERVICE);
    const state = leader?.state ?? null;
    if (view === undefined || state === null) {
      this.parts.push("(no arbiter leads)");
      return;
    }
    const nowMs = leader?.process?.nowMs() ?? 0;
    const zeroMs = view.phaseSinceWallMs - view.phaseSinceMs;
    this.#nowWallMs = zeroMs + nowMs;
    const moves = movesOf(SERVICE, view.spec.candidates, this.#events);
    const explanation: Explanation = {
      service: SERVICE,
      at: iso(this.#nowWallMs),
      arbiter: state.options.name,
      leads: true,
      leader: state.options.name,
      leaderUrl: state.options.url,
      holder: view.row.holder,
      epoch: view.row.epoch,
      phase: view.phase,
      since: iso(view.phaseSinceWallMs),
      ...presentOf(state, view, nowMs, this.#nowWallMs),
      moves: moves.toReversed().map((move) => shown(move)),
      blips: null,
      hasMore: false,
    };
    this.parts.push(indented(explanationText(explanation, PLAIN, this.#nowWallMs)));
  }
}

const iso = (wallMs: number): string => new Date(wallMs).toISOString();
const indented = (text: string): string => text.replaceAll(/^(?=.)/gmu, "    ");
const named = (text: string): string => text.replaceAll(/\b[ams][12]\b/gu, (short) => NAMES[short] ?? short);

describe("arbiter explain", () => {
  test.each(PLOTS)("$file", async ({ file, row, over, play }) => {
    const scene = new ExplainedScene(over).listen();
    play(scene);
    scene.explain();
    const text = named([row, "", ...scene.parts].join("\n"));
    await expect(text).toMatchFileSnapshot(`./explained/${file}.txt`);
  });
});
