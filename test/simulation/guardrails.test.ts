/**
 * An arbiter that is cut off from most daemons, while another one reaches them: it hands the lead over,
 * and every holder goes on. I1 is checked all along, I7 at the end.
 */
import { expect, test } from "vitest";
import { Stage } from "./stage.ts";

const SETTLE_MS = 10_000;

function cluster(seed: number): { readonly stage: Stage; readonly leader: string; readonly other: string } {
  const stage = new Stage(seed, { arbiters: 2, masters: 3, spares: 2 }).pass(SETTLE_MS);
  const { arbiters } = stage.simulation;
  const leading = arbiters.find(({ state }) => state?.leadership.mode === "leading");
  const other = arbiters.find((host) => host !== leading);
  if (leading === undefined || other === undefined) throw new Error("nobody leads");
  return { stage, leader: leading.name, other: other.name };
}

function holders(stage: Stage): readonly (string | null)[] {
  return ["m1", "m2", "m3"].map((service) => stage.active(service));
}

test.each([1, 2, 3, 4, 5])(
  "seed %i: the lead goes to the one that reaches them, and nothing moves",
  (seed) => {
    const { stage, leader, other } = cluster(seed);
    const before = holders(stage);
    expect(before).not.toContain(null);
    // Its own cable to all daemons but one; store and the other arbiter are still reached.
    const daemons = stage.simulation.daemons.map(({ name }) => name);
    stage.cut(leader, daemons.slice(0, -1));
    stage.pass(30_000);
    const leads = stage.simulation.arbiters.find(({ state }) => state?.leadership.mode === "leading");
    expect(leads?.name).toBe(other);
    expect(holders(stage)).toEqual(before);
  },
);

test.each([1, 2, 3])("seed %i: where the daemons are dead indeed, it acts", (seed) => {
  const { stage, leader } = cluster(seed);
  const dead = new Set(["m1", "m2"]);
  for (const host of stage.simulation.daemons) if (dead.has(host.name)) host.crash("power cut");
  for (const host of stage.simulation.daemons) if (dead.has(host.name)) host.isUp = false;
  stage.pass(60_000);
  const leads = stage.simulation.arbiters.find(({ state }) => state?.leadership.mode === "leading");
  expect(leads?.name).toBe(leader);
  for (const service of ["m1", "m2", "m3"]) expect(stage.active(service)).not.toBeNull();
});
