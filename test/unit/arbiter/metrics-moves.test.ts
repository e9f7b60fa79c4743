/** Moves and gaps by their cause, from the journal of real cores: each kind of loss is counted as what it was. */
import { Registry } from "@prometheus-io/client";
import { expect, it } from "vitest";
import { MoveMetrics } from "../../../src/arbiter/metrics-moves.ts";
import { MASTER_AND_SPARE } from "../core/arbiter-models.ts";
import { ClusterRig } from "../core/arbiter-rig.ts";

class Watched {
  readonly world: ClusterRig = new ClusterRig(MASTER_AND_SPARE).start();
  readonly #registry = new Registry();
  readonly #metrics = new MoveMetrics(this.world.state, this.#registry);
  #seen = 0;

  /** As the arbiter's process does: each transition is looked at in the moment in which it is made. */
  pass(ms: number): this {
    for (let at = 0; at < ms; at += 5) {
      this.world.advance(5);
      for (const entry of this.world.journal.slice(this.#seen)) this.#metrics.moved(entry);
      this.#seen = this.world.journal.length;
    }
    return this;
  }

  async series(): Promise<readonly string[]> {
    const text = await this.#registry.metrics();
    return text.split("\n").filter((line) => /^arbiter_(?:moves_total|gap_seconds_count)\{/u.test(line));
  }

  order(verb: "switchover" | "failover", force = false): void {
    const command = { verb, service: "svc", to: "s", force, evenIfAlive: force } as const;
    this.world.arbiter({ kind: "commanded", id: "1", by: "anna", command });
  }
}

it("the first holder ever is a move without a gap", async () => {
  expect(await new Watched().pass(600).series()).toEqual(['arbiter_moves_total{cause="first"} 1']);
});

it("a planned move, and what silence leads to", async () => {
  const planned = new Watched().pass(600);
  planned.order("switchover");
  expect(await planned.pass(2_000).series()).toEqual([
    'arbiter_moves_total{cause="first"} 1',
    'arbiter_moves_total{cause="planned"} 1',
    'arbiter_gap_seconds_count{cause="planned",is="measured"} 1',
  ]);
  const silent = new Watched().pass(600);
  silent.world.node("m").cut = "timeout";
  silent.world.node("m").alone = true;
  expect(await silent.pass(6_000).series()).toContain('arbiter_moves_total{cause="silent"} 1');
  expect(await silent.series()).toContain('arbiter_gap_seconds_count{cause="silent",is="at-most"} 1');
});

it("a holder that restarts has proved that it is over", async () => {
  const watched = new Watched().pass(600);
  watched.world.restart("m");
  expect(await watched.pass(3_000).series()).toContain('arbiter_moves_total{cause="proven"} 1');
});

it("a holder in doubt that answers again has not moved", async () => {
  const watched = new Watched().pass(600);
  watched.world.node("m").cut = "timeout";
  watched.pass(700);
  watched.world.node("m").cut = null;
  expect(await watched.pass(3_000).series()).toEqual(['arbiter_moves_total{cause="first"} 1']);
});
