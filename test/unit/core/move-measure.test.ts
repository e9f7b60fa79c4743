/** What a move cost: each figure says what kind of measure it is, and none is better than what was seen. */
import { expect, it } from "vitest";
import { ClusterRig } from "./arbiter-rig.ts";

const settled = (): ClusterRig => new ClusterRig().start().advance(5_000);

function untilHeldBy(world: ClusterRig, holder: string): ClusterRig {
  for (let ms = 0; ms < 30_000; ms += 5) {
    const { phase, row } = world.service();
    if (phase === "held" && row.holder === holder && row.epoch > 1) return world;
    world.advance(5);
  }
  throw new Error(`${holder} never held it`);
}

it("the first holder ever has neither gap nor overlap", () => {
  const none = { gapMs: null, gapIs: null, overlapMs: null, overlapIs: null };
  expect(settled().service().lastMove).toEqual(none);
});

it("a planned move: measured, and the old holder's word excludes an overlap", () => {
  const world = settled();
  world.command({ verb: "switchover", service: "svc", to: "s", force: false, evenIfAlive: false });
  expect(untilHeldBy(world, "s").service().lastMove).toMatchObject({
    gapIs: "measured",
    overlapMs: 0,
    overlapIs: "proof",
  });
  const held = world.events.findLast(({ type }) => type === "service.held");
  expect(held?.evidence).toMatchObject({ gapIs: "measured", overlapIs: "proof" });
});

it("silence: at most, from the last answer, and the lease's end excludes an overlap", () => {
  const world = settled();
  world.node("m").cut = "timeout";
  world.node("m").alone = true;
  const { lastMove } = untilHeldBy(world, "s").service();
  expect(lastMove).toMatchObject({ gapIs: "at-most", overlapMs: 0, overlapIs: "lease" });
  const text = world.events.findLast(({ type }) => type === "service.held")?.text;
  expect(text).toContain(`after a gap of ${lastMove.gapMs} ms at most`);
});

it("a new start of the holder: at least, since when it had ended before isn't known", () => {
  const world = settled();
  world.restart("m");
  for (let ms = 0; ms < 10_000 && world.service().row.epoch === 1; ms += 5) world.advance(5);
  const { lastMove } = untilHeldBy(world, world.service().row.holder ?? "").service();
  expect(lastMove).toMatchObject({ gapIs: "at-least", overlapMs: 0, overlapIs: "proof" });
});

it("an operator's word for a dead holder: at most, and an overlap isn't excluded", () => {
  const world = settled();
  world.node("m").cut = "timeout";
  world.node("m").alone = true;
  world.advance(1_000);
  world.command({ verb: "failover", service: "svc", to: "s", force: true, evenIfAlive: true });
  expect(untilHeldBy(world, "s").service().lastMove).toMatchObject({
    gapIs: "at-most",
    overlapMs: null,
    overlapIs: "unknown",
  });
});
