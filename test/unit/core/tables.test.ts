/**
 * The two tables fit each other, their impossible cells are out of reach, and the documentation
 * shows them as they are.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { render } from "../../../scripts/protocol-tables.ts";
import { cell, SERVICE_TABLE, type ServiceEvent } from "../../../src/core/service-table.ts";
import type { ServicePhase } from "../../../src/core/arbiter-state.ts";
import type { DaemonEffect } from "../../../src/core/daemon-io.ts";
import { MASTER_AND_SPARE } from "./arbiter-models.ts";
import { ClusterRig } from "./arbiter-rig.ts";
import { Rig } from "./daemon-rig.ts";
import { SAID } from "./said.ts";

type Hold = "idle" | "activating" | "active" | "draining";

function daemonIn(hold: Hold): Rig {
  const rig = new Rig();
  if (hold === "idle") return rig;
  rig.assign([rig.item()]);
  if (hold === "activating") return rig;
  rig.send({ kind: "activated", service: "svc", epoch: 1 });
  if (hold === "draining") rig.assign([rig.item({ drain: true })]);
  return rig;
}

/** The daemon's hooks do what they are told, at once. */
function obey(rig: Rig, effects: readonly DaemonEffect[]): void {
  for (const effect of effects) {
    if (effect.kind === "activate")
      rig.send({ kind: "activated", service: effect.service, epoch: effect.epoch });
    if (effect.kind === "demote") rig.send({ kind: "demoted", service: effect.service, epoch: effect.epoch });
  }
}

describe("every assignment that the arbiter can make is one that the daemon can obey", () => {
  for (const [phase, said] of Object.entries(SAID))
    for (const hold of ["idle", "activating", "active", "draining"] as const)
      test(`service ${phase}, daemon ${hold}: repeated, it reaches what is wanted`, () => {
        const rig = daemonIn(hold);
        if (hold === "draining") rig.send({ kind: "demoted", service: "svc", epoch: 1 });
        for (let round = 0; round < 3; round += 1) {
          const items = said === "unlisted" ? [] : [rig.item({ drain: said === "drain" })];
          rig.assign(items);
          obey(rig, rig.effects);
          if (rig.state.held.get("svc")?.phase === "activating")
            rig.send({ kind: "activated", service: "svc", epoch: 1 });
        }
        const reached = rig.state.held.get("svc")?.phase ?? "idle";
        // An epoch that was given up is never taken again: the report then proves it over.
        expect(reached).toBe(said === "listed" && hold !== "draining" ? "active" : "idle");
        const isGivenUp = reached === "idle" && hold !== "idle";
        expect(rig.state.seenEpochs["svc"] ?? 0).toBeGreaterThanOrEqual(isGivenUp ? 1 : 0);
      });
});

test("impossible cells stay out of reach in thousands of random histories", () => {
  const impossible = Object.entries(SERVICE_TABLE).flatMap(([phase, events]) =>
    Object.entries(events).flatMap(([event, row]) => (row === "impossible" ? [`${phase}/${event}`] : [])),
  );
  expect(impossible.length).toBeGreaterThan(10);
  // A guard that produced one would throw inside `evaluate`, and fail this test with its name.
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((seed / 0x80000000) * below);
  };
  for (let history = 0; history < 300; history += 1) {
    const world = new ClusterRig(MASTER_AND_SPARE).start();
    for (let move = 0; move < 40; move += 1) act(world, random);
    expect(world.believers().length).toBeLessThanOrEqual(1);
  }
});

function act(world: ClusterRig, random: (below: number) => number): void {
  const name = ["m", "s"][random(2)] ?? "m";
  const node = world.node(name);
  const held = node.state.held.get("svc");
  const moves: readonly (() => void)[] = [
    () => world.advance(random(3000)),
    () => world.advance(random(200)),
    () => (node.cut = "timeout"),
    () => (node.cut = "refused"),
    () => (node.cut = null),
    () => (node.alone = !node.alone),
    () => world.restart(name),
    () => (node.activation = (["at-once", "never", "fails"] as const)[random(3)] ?? "at-once"),
    () => (node.demotion = (["at-once", "never"] as const)[random(2)] ?? "at-once"),
    () =>
      held !== undefined &&
      world.daemon(name, { kind: "exited", service: "svc", epoch: held.epoch, reason: "x" }),
    () =>
      held?.phase === "activating" &&
      world.daemon(name, { kind: "activated", service: "svc", epoch: held.epoch }),
    () =>
      held?.phase === "draining" &&
      world.daemon(name, { kind: "demoted", service: "svc", epoch: held.epoch }),
    () => world.daemon(name, { kind: "healthChanged", healthy: random(2) === 0, ready: true, reason: "" }),
    () => (world.store = (["up", "up", "down", "unknown"] as const)[random(4)] ?? "up"),
    () => world.restartArbiter(),
    () => world.command({ verb: "switchover", service: "svc", to: null, force: false, evenIfAlive: false }),
    () => world.command({ verb: "failover", service: "svc", to: null, force: false, evenIfAlive: false }),
  ];
  try {
    moves[random(moves.length)]?.();
  } catch (error) {
    if (!(error instanceof Error && error.message === "not answered")) throw error;
  }
}

test("a guard's event in an impossible cell would end the process", () => {
  const phase: ServicePhase = "vacant";
  const event: ServiceEvent = "overdue";
  expect(cell(phase, event)).toBe("impossible");
});

test("PROTOCOL.md shows the tables as they are", () => {
  const document = readFileSync(new URL("../../../src/core/PROTOCOL.md", import.meta.url), "utf8");
  expect(document, "run: npm run protocol:tables").toBe(render(document));
});
