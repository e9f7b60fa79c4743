/**
 * Each row of the service's table, reached by what would bring it about in real life.
 */
import { describe, expect, test } from "vitest";
import { SERVICE_TABLE } from "../../../src/core/service-table.ts";
import { MASTER_AND_SPARE } from "./arbiter-models.ts";
import { ClusterRig } from "./arbiter-rig.ts";

/** Rows that some test of this file has reached. */
const reached = new Set<number>();

function rig(cluster = MASTER_AND_SPARE): ClusterRig {
  return new ClusterRig(cluster).start();
}

function saw(world: ClusterRig, ...rows: number[]): void {
  const taken = world.rowsTaken();
  for (const row of taken) reached.add(row);
  for (const row of rows) expect(taken, `rows taken: ${taken.join(", ")}`).toContain(row);
}

/** A holder's host that nobody reaches any more. */
function isolate(world: ClusterRig, name: string): void {
  world.node(name).cut = "timeout";
  world.node(name).alone = true;
}

/** The lease's end has passed, and the commit that followed was refused: vacant, not proven over. */
function vacantOnExpiry(activation: "at-once" | "never"): ClusterRig {
  const world = new ClusterRig();
  world.node("m").activation = activation;
  world.start().advance(600);
  isolate(world, "m");
  world.node("s").alone = true;
  while (world.service().phase !== "fencing") world.advance(10);
  world.refuseCommits = 1;
  while (world.service().phase === "fencing") world.advance(1);
  world.node("s").cut = "refused";
  world.arbiter({ kind: "connectionClosed", daemon: "s" });
  world.advance(600);
  expect(world.service()).toMatchObject({ phase: "vacant", knownCleared: 0, row: { epoch: 1 } });
  return world;
}

/** It leaves the configuration, and once that is committed there is nothing left of it. */
function mustEndByTime(world: ClusterRig, row: number): void {
  const configuration = { version: 0, hash: "without", atWallMs: 0, by: "test", files: {} };
  const without = { ...MASTER_AND_SPARE, services: [] };
  world.arbiter({ kind: "configured", model: without, configuration, plan: [] });
  world.advance(100);
  const { history } = world.service();
  world.advance(30_000);
  expect(world.rows.get("svc")).toMatchObject({ epoch: 1, cleared: 1 });
  for (const one of history) reached.add(one.row);
  expect(history.map((one) => one.row)).toContain(row);
}

describe("rows of the service's table", () => {
  test("100, 200: an empty cluster gives the service to the master, at epoch 1 and on proof", () => {
    const world = rig();
    expect(world.service().phase).toBe("held");
    expect(world.service().row).toMatchObject({ holder: "m", epoch: 1, cleared: 0 });
    expect(world.believers()).toEqual(["m"]);
    saw(world, 100, 200);
  });

  test("I2: the epoch is in the store before any assignment carries it", () => {
    const world = new ClusterRig();
    world.start();
    const first = world.assignments.findIndex(({ services }) =>
      (services ?? []).some(({ epoch }) => epoch === 1),
    );
    expect(first).toBeGreaterThan(0);
    expect(world.rows.get("svc")?.epoch).toBe(1);
  });

  test("I2: while the commit is unanswered nothing is assigned", () => {
    const world = rig();
    world.store = "silent";
    world.assignments.length = 0;
    world.daemon("m", { kind: "exited", service: "svc", epoch: 1, reason: "exit code 1" });
    world.advance(1000);
    expect(world.held).toHaveLength(1);
    expect(world.assignments.length).toBeGreaterThan(2);
    expect(world.assignments.every(({ services }) => (services ?? []).length === 0)).toBe(true);
  });

  test("320, 100: the program crashes under its launcher: the spare has it at once, on proof", () => {
    const world = rig();
    const beforeMs = world.nowMs;
    world.daemon("m", { kind: "exited", service: "svc", epoch: 1, reason: "exit code 1" });
    expect(world.nowMs).toBe(beforeMs);
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2, cleared: 1 });
    expect(world.believers()).toEqual(["s"]);
    expect(world.service().lastMove).toMatchObject({ gapMs: 0, gapIs: "measured", overlapMs: 0 });
    saw(world, 320);
  });

  test("340, 600: failback after failback_delay, on proof and without overlap", () => {
    const world = rig();
    world.daemon("m", { kind: "exited", service: "svc", epoch: 1, reason: "exit code 1" });
    world.advance(4900);
    expect(world.service().row.holder).toBe("s");
    world.advance(200);
    expect(world.service().row).toMatchObject({ holder: "m", epoch: 3, cleared: 2 });
    expect(world.believers()).toEqual(["m"]);
    saw(world, 340, 600);
  });

  test("330, 420, 520: a host falls silent: nobody else has it before its lease's end", () => {
    const world = rig().advance(1000);
    isolate(world, "m");
    const silentSinceMs = world.nowMs;
    while (world.service().row.holder === "m") {
      expect(world.believers().length).toBeLessThanOrEqual(1);
      world.advance(10);
      expect(world.nowMs - silentSinceMs).toBeLessThan(2100);
    }
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2, cleared: 0 });
    expect(world.believers()).toEqual(["s"]);
    saw(world, 330, 420, 520);
  });

  test("400: one lost check is no failover", () => {
    const world = rig().advance(1000);
    world.node("m").cut = "timeout";
    world.advance(500);
    world.node("m").cut = null;
    world.advance(1000);
    expect(world.service().phase).toBe("held");
    expect(world.service().row.epoch).toBe(1);
    saw(world, 330, 400);
  });

  test("500: cut off from the arbiter alone, the holder goes on in failsafe and nothing moves", () => {
    const world = rig().advance(1000);
    world.node("m").cut = "timeout";
    world.advance(20_000);
    expect(world.believers()).toEqual(["m"]);
    expect(world.service()).toMatchObject({ phase: "fencing", row: { epoch: 1, holder: "m" } });
    world.node("m").cut = null;
    world.advance(1000);
    expect(world.service()).toMatchObject({ phase: "held", row: { epoch: 1 } });
    saw(world, 420, 500);
  });

  test("410: a restarted holder is proof, also while it was suspect", () => {
    const world = rig().advance(1000);
    world.node("m").cut = "refused";
    world.arbiter({ kind: "connectionClosed", daemon: "m" });
    expect(world.service().phase).toBe("suspect");
    world.advance(20);
    world.restart("m");
    world.advance(100);
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2, cleared: 1 });
    saw(world, 410);
  });

  test("510: it restarts after renewals have ended", () => {
    const world = rig().advance(1000);
    isolate(world, "m");
    world.advance(1500);
    expect(world.service().phase).toBe("fencing");
    world.node("m").alone = false;
    world.restart("m");
    world.advance(600);
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2, cleared: 1 });
    saw(world, 510);
  });

  test("210, 510: an activation that fails goes to the other candidate, and backs off", () => {
    const world = new ClusterRig();
    world.node("m").activation = "fails";
    world.start();
    expect(world.service().row).toMatchObject({ holder: "s" });
    expect(world.view("m").backOffUntilMs).toBe(world.nowMs + 1000);
    saw(world, 210, 510);
  });

  test("211: the target dies while activating", () => {
    const world = new ClusterRig();
    world.node("m").activation = "never";
    world.start();
    expect(world.service().phase).toBe("activating");
    isolate(world, "m");
    world.node("m").cut = "refused";
    world.advance(3000);
    expect(world.service().row.holder).toBe("s");
    saw(world, 211);
  });

  test("212: activation_timeout", () => {
    const world = new ClusterRig();
    world.node("m").activation = "never";
    world.start();
    world.advance(31_000);
    expect(world.service().row).toMatchObject({ holder: "s" });
    saw(world, 212);
  });

  test("220: the store refuses the commit: nothing is assigned, and it is tried again", () => {
    const world = rig();
    world.store = "down";
    world.daemon("m", { kind: "exited", service: "svc", epoch: 1, reason: "exit code 1" });
    expect(world.service().phase).toBe("vacant");
    expect(world.believers()).toEqual([]);
    world.store = "up";
    world.advance(1000);
    expect(world.believers()).toEqual(["s"]);
    saw(world, 220);
  });

  test("a commit of unknown outcome: a new term first, then what the store says", () => {
    const world = rig();
    const term = world.state.term;
    world.store = "unknown";
    world.daemon("m", { kind: "exited", service: "svc", epoch: 1, reason: "exit code 1" });
    expect(world.believers()).toEqual([]);
    world.store = "up";
    world.advance(3000);
    expect(world.state.term).toBeGreaterThan(term);
    expect(world.believers()).toHaveLength(1);
  });

  test("310, 312: a restart in place keeps epoch and holder; its beginning, its reason and its success are told", () => {
    const world = rig().advance(100);
    world.daemon("m", { kind: "restarting", service: "svc", epoch: 1, reason: "exit code 1" });
    expect(world.service()).toMatchObject({ phase: "held", row: { epoch: 1 } });
    world.daemon("m", { kind: "activated", service: "svc", epoch: 1 });
    saw(world, 310, 312);
    const events = world.events.map(({ type, text }) => `${type} ${text}`);
    expect(events.filter((event) => event.startsWith("service.restart"))).toEqual([
      expect.stringContaining("in the same epoch: it is restarted in place: exit code 1."),
      expect.stringMatching(/^service.restarted /),
    ]);
  });

  test("311, 600: SIGTERM: it drains, says so, leaves; the spare is activated", () => {
    const world = rig();
    world.node("m").demotion = "never";
    world.daemon("m", { kind: "stopRequested", reason: "SIGTERM" });
    expect(world.service().phase).toBe("handing-over");
    expect(world.believers()).toEqual(["m"]);
    world.daemon("m", { kind: "demoted", service: "svc", epoch: 1 });
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2, cleared: 1 });
    expect(world.view("m").lossesAtMs).toEqual([]);
    saw(world, 311, 600);
  });

  test("401: a new leader finds the holder still activating", () => {
    const world = new ClusterRig();
    world.node("m").activation = "never";
    world.start();
    world.restartArbiter();
    expect(world.service().phase).toBe("activating");
    saw(world, 401);
  });

  test("402: a new leader finds the holder draining", () => {
    const world = rig();
    world.node("m").demotion = "never";
    world.daemon("m", { kind: "stopRequested", reason: "SIGTERM" });
    world.restartArbiter();
    expect(world.service().phase).toBe("handing-over");
    saw(world, 402);
  });

  test("a new leader adopts a holder with no gap and without a new epoch", () => {
    const world = rig().advance(5000);
    world.restartArbiter();
    expect(world.service()).toMatchObject({ phase: "held", row: { epoch: 1, holder: "m" } });
    expect(world.believers()).toEqual(["m"]);
  });

  test("a new leader waits leaseMax for a holder that it can't reach", () => {
    const world = rig().advance(1000);
    isolate(world, "m");
    const sinceMs = world.nowMs;
    world.restartArbiter();
    while (world.service().row.holder === "m") {
      world.advance(10);
      expect(world.believers().length).toBeLessThanOrEqual(1);
    }
    expect(world.nowMs - sinceMs).toBeGreaterThanOrEqual(2040);
    expect(world.nowMs - sinceMs).toBeLessThan(2100);
  });

  test("501: the holder was activating, fell silent, and answers again", () => {
    const world = new ClusterRig();
    world.node("m").activation = "never";
    world.start();
    world.node("m").cut = "timeout";
    world.advance(1500);
    expect(world.service().phase).toBe("fencing");
    world.node("m").cut = null;
    world.advance(600);
    expect(world.service().phase).toBe("activating");
    saw(world, 501);
  });

  test("610: drain_timeout ends renewals, and with them the lease", () => {
    const world = rig();
    world.node("m").demotion = "never";
    expect(
      world.command({ verb: "switchover", service: "svc", to: "s", force: false, evenIfAlive: false }).status,
    ).toBe(202);
    world.advance(15_000);
    expect(world.service().row.holder).toBe("s");
    saw(world, 340, 610);
  });

  test("620: it falls silent while draining", () => {
    const world = rig();
    world.node("m").demotion = "never";
    world.command({ verb: "switchover", service: "svc", to: "s", force: false, evenIfAlive: false });
    isolate(world, "m");
    world.node("m").cut = "refused";
    world.advance(4000);
    expect(world.service().row.holder).toBe("s");
    saw(world, 620);
  });

  test("350, 450, 550, 650, 230: an operator orders a failover from any phase", () => {
    const order = { verb: "failover", service: "svc", to: null, force: false, evenIfAlive: false } as const;
    const held = rig();
    expect(held.command(order).status).toBe(202);
    expect(held.service().row).toMatchObject({ holder: "s", epoch: 2, cleared: 1 });
    saw(held, 350);

    const suspect = rig().advance(1000);
    isolate(suspect, "m");
    while (suspect.service().phase !== "suspect") suspect.advance(10);
    suspect.command(order);
    saw(suspect, 450);

    const fencing = rig().advance(1000);
    isolate(fencing, "m");
    while (fencing.service().phase !== "fencing") fencing.advance(10);
    fencing.command(order);
    saw(fencing, 550);

    const draining = rig();
    draining.node("m").demotion = "never";
    draining.command({ ...order, verb: "switchover" });
    draining.command(order);
    saw(draining, 650);

    const activating = new ClusterRig();
    activating.node("m").activation = "never";
    activating.start();
    activating.command(order);
    saw(activating, 230);
  });

  test("351, 451, 551, 651, 231, 114: an operator declares the holder dead", () => {
    const order = { verb: "failover", service: "svc", to: null, force: true, evenIfAlive: true } as const;
    const held = rig();
    held.command(order);
    expect(held.service().row).toMatchObject({ cleared: 1, epoch: 2 });
    saw(held, 351);

    const suspect = rig().advance(1000);
    isolate(suspect, "m");
    while (suspect.service().phase !== "suspect") suspect.advance(10);
    suspect.command(order);
    saw(suspect, 451);

    const fencing = rig().advance(1000);
    isolate(fencing, "m");
    while (fencing.service().phase !== "fencing") fencing.advance(10);
    fencing.command(order);
    saw(fencing, 551);

    const draining = rig();
    draining.node("m").demotion = "never";
    draining.command({ ...order, verb: "switchover", force: false });
    draining.command(order);
    saw(draining, 651);

    const activating = new ClusterRig();
    activating.node("m").activation = "never";
    activating.start();
    activating.command(order);
    saw(activating, 231);
  });

  test("--force is refused while the holder answers, or a promise shows it alive", () => {
    const order = { verb: "failover", service: "svc", to: null, force: true, evenIfAlive: false } as const;
    const world = rig();
    expect(world.command(order)).toMatchObject({ status: 409 });
    world.advance(1000);
    world.node("m").cut = "timeout";
    world.advance(5000);
    expect(world.command(order).text).toContain("has promised");
    expect(world.believers()).toEqual(["m"]);
  });

  test("112, 100: vacant on expiry, and then the old holder comes back as another boot: proof", () => {
    const world = vacantOnExpiry("at-once");
    world.restart("m");
    world.advance(2000);
    expect(world.service().row).toMatchObject({ holder: "m", epoch: 2, cleared: 1 });
    saw(world, 220, 112);
  });

  test("114: vacant on expiry, and an operator declares the old holder dead", () => {
    const world = vacantOnExpiry("at-once");
    world.command({ verb: "failover", service: "svc", to: null, force: true, evenIfAlive: false });
    expect(world.service().knownCleared).toBe(1);
    saw(world, 114);
  });

  test("115: vacant on expiry, and then the service leaves the configuration", () => {
    const world = vacantOnExpiry("at-once");
    world.node("s").cut = null;
    mustEndByTime(world, 115);
    expect(world.state.services.size).toBe(0);
  });

  test("521: a service leaves the configuration while its holder is silent", () => {
    const world = rig();
    isolate(world, "m");
    mustEndByTime(world, 521);
    expect(world.state.services.size).toBe(0);
  });

  test("110: vacant on expiry, and the holder answers: it had gone on", () => {
    const world = vacantOnExpiry("at-once");
    const held = world.node("m").state.held.get("svc");
    expect(held).toBeUndefined();
    // Seen from here it never stopped: its clock may be slow, or its lease was longer.
    const view = world.view("m");
    const report = view.report;
    if (report === null) throw new Error("m has never answered");
    world.arbiter({
      kind: "reported",
      via: "check",
      sentAtMs: world.nowMs,
      report: {
        ...report,
        seq: report.seq + 1000,
        services: [
          { service: "svc", epoch: 1, state: "active", leaseRemainingMs: 500, candidatesVersion: 1 },
        ],
      },
    });
    expect(world.service().phase).toBe("held");
    saw(world, 110);
  });

  test("111: the same while it was activating", () => {
    const world = vacantOnExpiry("never");
    const { report } = world.view("m");
    if (report === null) throw new Error("m has never answered");
    world.arbiter({
      kind: "reported",
      via: "check",
      sentAtMs: world.nowMs,
      report: {
        ...report,
        seq: report.seq + 1000,
        services: [
          { service: "svc", epoch: 1, state: "activating", leaseRemainingMs: 500, candidatesVersion: 1 },
        ],
      },
    });
    expect(world.service().phase).toBe("activating");
    saw(world, 111);
  });

  test("113: a store that lost its past adopts a lone holder at its own epoch", () => {
    const world = rig();
    world.daemon("m", { kind: "exited", service: "svc", epoch: 1, reason: "exit code 1" });
    expect(world.service().row.epoch).toBe(2);
    world.rows = new Map();
    world.restartArbiter();
    world.advance(600);
    expect(world.service().row).toMatchObject({ holder: "s", epoch: 2 });
    expect(world.believers()).toEqual(["s"]);
    saw(world, 113);
  });
});

test("every row was reached by a test above", () => {
  const rows = Object.values(SERVICE_TABLE).flatMap((events) =>
    Object.values(events).flatMap((row) => (typeof row === "string" ? [] : [row.id])),
  );
  expect(rows.filter((id) => !reached.has(id))).toEqual([]);
});

test("the table's ids are unique, and each row has a reason", () => {
  const ids: number[] = [];
  for (const events of Object.values(SERVICE_TABLE))
    for (const row of Object.values(events)) {
      if (typeof row === "string") continue;
      ids.push(row.id);
      expect(row.because.length).toBeGreaterThan(10);
    }
  expect(new Set(ids).size).toBe(ids.length);
});
