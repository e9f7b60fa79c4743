/**
 * Placement, failback, pause, maintenance, operators' moves and edits of the configuration, on
 * clusters of several services.
 */
import { describe, expect, test } from "vitest";
import type { ClusterModel } from "../../../src/core/model.ts";
import { daemonSpec, MASTER_AND_SPARE, model, serviceSpec } from "./arbiter-models.ts";
import { ClusterRig } from "./arbiter-rig.ts";

const CRASH = { kind: "exited", epoch: 1, reason: "exit code 1" } as const;

/** `masters` masters with a service each, over `spares` spares. */
function nPlusM(masters: number, spares: number, capacity = 1): ClusterModel {
  const masterNames = Array.from({ length: masters }, (_, index) => `m${index}`);
  const spareNames = Array.from({ length: spares }, (_, index) => `s${index}`);
  return model(
    [
      ...masterNames.map((name) => daemonSpec(name)),
      ...spareNames.map((name) => daemonSpec(name, { role: "spare", capacity })),
    ],
    masterNames.map((name) => serviceSpec(name, { masters: [name], candidates: [name, ...spareNames] })),
  );
}

function holders(world: ClusterRig): Record<string, string | null> {
  return Object.fromEntries(
    [...world.state.services].map(([name, view]) => [name, view.phase === "held" ? view.row.holder : null]),
  );
}

const withFailback = (failback: "auto" | "manual" | "never"): ClusterModel =>
  model([daemonSpec("m"), daemonSpec("s", { role: "spare" })], [serviceSpec("svc", { failback })]);

const edit = (world: ClusterRig, next: ClusterModel): void => {
  const configuration = { version: 0, hash: `h${world.seq}`, atWallMs: 0, by: "test", files: {} };
  world.arbiter({ kind: "configured", model: next, configuration, plan: ["a change"] });
};

describe("placement", () => {
  test("N + M: as many services move as there is capacity, and the rest wait", () => {
    const world = new ClusterRig(nPlusM(4, 2)).start();
    for (const name of ["m0", "m1", "m2"]) {
      world.node(name).cut = "refused";
      world.node(name).alone = true;
    }
    world.advance(4000);
    const held = holders(world);
    const onSpares = Object.values(held).filter((name) => name?.startsWith("s"));
    expect(new Set(onSpares)).toEqual(new Set(["s0", "s1"]));
    expect(Object.values(held).filter((name) => name === null)).toHaveLength(1);
    expect(held["m3"]).toBe("m3");
  });

  test("capacity 3: one spare holds three services, and highest random weight spreads many", () => {
    const one = new ClusterRig(nPlusM(3, 1, 3)).start();
    for (const service of ["m0", "m1", "m2"]) one.daemon(service, { ...CRASH, service });
    expect(Object.values(holders(one))).toEqual(["s0", "s0", "s0"]);

    const many = new ClusterRig(nPlusM(12, 3, 12)).start();
    for (let index = 0; index < 12; index += 1) many.daemon(`m${index}`, { ...CRASH, service: `m${index}` });
    const counts = new Map<string, number>();
    for (const name of Object.values(holders(many)))
      counts.set(name ?? "", (counts.get(name ?? "") ?? 0) + 1);
    expect([...counts.values()]).toEqual([4, 4, 4]);
  });

  test("priority: masters that share a service take it in order, and spares after them", () => {
    const shared = model(
      [
        daemonSpec("m1", { priority: 1 }),
        daemonSpec("m2", { priority: 2 }),
        daemonSpec("s", { role: "spare", priority: 9 }),
      ],
      [serviceSpec("svc", { masters: ["m2", "m1"], candidates: ["m2", "m1", "s"] })],
    );
    const world = new ClusterRig(shared).start();
    expect(world.service().row.holder).toBe("m2");
    world.daemon("m2", { ...CRASH, service: "svc" });
    expect(world.service().row.holder).toBe("m1");
    world.advance(6000);
    expect(world.service().row.holder).toBe("m2");
  });

  test("a better candidate that hasn't answered yet is waited for, a silent one isn't", () => {
    const world = new ClusterRig();
    world.node("m").cut = "timeout";
    world.start();
    expect(world.service().phase).toBe("vacant");
    world.advance(900);
    expect(world.service().phase).toBe("vacant");
    world.advance(3000);
    expect(world.service().row.holder).toBe("s");
  });

  test("the only candidate gets its service back at once", () => {
    const alone = model([daemonSpec("m")], [serviceSpec("svc", { candidates: ["m"] })]);
    const world = new ClusterRig(alone).start().advance(2000);
    world.daemon("m", { ...CRASH, service: "svc" });
    world.advance(600);
    expect(world.service().row).toMatchObject({ holder: "m", epoch: 2, cleared: 1 });
  });

  test("an unhealthy holder hands over to a healthy candidate, and stays if there is none", () => {
    const world = new ClusterRig().start();
    world.daemon("m", { kind: "healthChanged", healthy: false, ready: true, reason: "disk full" });
    world.advance(2000);
    expect(world.service().row.holder).toBe("s");

    const stuck = new ClusterRig().start();
    stuck.node("s").cut = "refused";
    stuck.advance(2000);
    stuck.daemon("m", { kind: "healthChanged", healthy: false, ready: true, reason: "disk full" });
    stuck.advance(300);
    expect(stuck.service()).toMatchObject({ phase: "held", row: { holder: "m" } });
  });
});

test("a crash loop backs off: it doesn't bounce between the daemons", () => {
  const world = new ClusterRig().start();
  const crash = (): void => {
    const { holder, epoch } = world.service().row;
    if (holder !== null && world.service().phase === "held")
      world.daemon(holder, { kind: "exited", service: "svc", epoch, reason: "exit code 1" });
  };
  for (let ms = 0; ms < 60_000; ms += 10) {
    crash();
    world.advance(10);
  }
  expect(world.service().row.epoch).toBeLessThan(20);
  world.advance(61_000);
  expect(world.service().phase).toBe("held");
});

describe("failback", () => {
  const order = { service: "svc", to: null, force: false, evenIfAlive: false } as const;

  test("manual: it waits for the order", () => {
    const world = new ClusterRig(withFailback("manual")).start();
    world.daemon("m", { ...CRASH, service: "svc" });
    world.advance(60_000);
    expect(world.service().row.holder).toBe("s");
    expect(world.command({ verb: "failback", ...order }).status).toBe(202);
    expect(world.service().row.holder).toBe("m");
  });

  test("never: the order is refused, with what to do", () => {
    const world = new ClusterRig(withFailback("never")).start();
    world.daemon("m", { ...CRASH, service: "svc" });
    world.advance(60_000);
    expect(world.service().row.holder).toBe("s");
    const answer = world.command({ verb: "failback", ...order });
    expect(answer.status).toBe(409);
    expect(answer.text).toContain("arbiter switchover svc --to m");
  });

  test("each further loss within failure_timeout doubles the delay; a quiet one resets it", () => {
    const world = new ClusterRig(withFailback("auto")).start();
    const backAfterMs = (): number => {
      const epoch = world.service().row.epoch;
      world.daemon("m", { kind: "exited", service: "svc", epoch, reason: "crash" });
      const sinceMs = world.nowMs;
      while (world.service().row.holder !== "m") world.advance(100);
      return Math.round((world.nowMs - sinceMs) / 100) * 100;
    };
    expect([backAfterMs(), backAfterMs(), backAfterMs()]).toEqual([5000, 10_000, 20_000]);
    world.advance(700_000);
    expect(backAfterMs()).toBe(5000);
  });

  test("an operator's switchover isn't undone until the master has been away", () => {
    const world = new ClusterRig().start();
    world.advance(10_000);
    expect(world.command({ verb: "switchover", ...order, to: "s" }).status).toBe(202);
    expect(world.service().row.holder).toBe("s");
    world.advance(60_000);
    expect(world.service().row.holder).toBe("s");
    world.restartArbiter();
    world.advance(60_000);
    expect(world.service().row.holder).toBe("s");
    world.restart("m");
    world.advance(7000);
    expect(world.service().row.holder).toBe("m");
  });
});

describe("operators", () => {
  const order = { service: "svc", to: null, force: false, evenIfAlive: false } as const;

  test("I5: a command is answered with the number of its event, once that is in the store", () => {
    const world = new ClusterRig().start();
    const answer = world.command({ verb: "switchover", ...order });
    expect(answer).toMatchObject({ status: 202 });
    expect(world.events[(answer.eventSeq ?? 0) - 1]?.type).toBe("operator.switchover");
    world.store = "silent";
    world.arbiter({
      kind: "commanded",
      id: "late",
      by: "x",
      command: { verb: "pause", service: null, reason: "", forMs: null },
    });
    expect(world.answers.has("late")).toBe(false);
  });

  // Seen (I4, seed 1586268826): a commit that ended an operator's failover, and one that was made before it
  // was answered. The second wrote the settings as they had been, and the next leader failed over again.
  test("I5: orders are written one after another, and none undoes another's settings", () => {
    const world = new ClusterRig().start();
    world.store = "silent";
    for (const id of ["svc", "m", "s"]) {
      const command =
        id === "svc"
          ? ({ verb: "pause", service: "svc", reason: "", forMs: null } as const)
          : ({ verb: "maintenance", daemon: id, on: true, reason: "" } as const);
      world.arbiter({ kind: "commanded", id, by: "x", command });
    }
    expect(world.held).toHaveLength(1);
    world.store = "up";
    world.answerHeld();
    expect([...world.answers].map(([id, { status }]) => [id, status])).toEqual([
      ["svc", 202],
      ["m", 202],
      ["s", 202],
    ]);
    expect(Object.keys(world.settings.pauses)).toEqual(["svc"]);
    expect(Object.keys(world.settings.maintenance)).toEqual(["m", "s"]);
  });

  test("an order that waits for another is refused where the store goes away meanwhile", () => {
    const world = new ClusterRig().start();
    world.store = "silent";
    const pause = { verb: "pause", service: null, reason: "", forMs: null } as const;
    world.arbiter({ kind: "commanded", id: "one", by: "x", command: pause });
    world.arbiter({ kind: "commanded", id: "other", by: "x", command: pause });
    world.store = "down";
    world.answerHeld();
    expect(world.answers.get("one")?.status).toBe(503);
    expect(world.answers.get("other")?.status).toBe(503);
  });

  test("paused: nothing moves by itself, leases are renewed, and the same daemon may have it back", () => {
    const world = new ClusterRig().start();
    expect(world.command({ verb: "pause", service: "svc", reason: "upgrade", forMs: 60_000 }).status).toBe(
      202,
    );
    world.advance(10_000);
    expect(world.believers()).toEqual(["m"]);
    world.daemon("m", { ...CRASH, service: "svc" });
    world.advance(5000);
    expect(world.service().row).toMatchObject({ holder: "m", epoch: 2 });
    world.node("m").cut = "refused";
    world.node("m").alone = true;
    world.advance(20_000);
    expect(world.service().row.holder).toBe("m");
    expect(world.believers()).toEqual([]);
    world.advance(30_000);
    expect(world.service().row.holder).toBe("s");
  });

  test("maintenance: a daemon gives up what it holds and isn't chosen", () => {
    const world = new ClusterRig().start();
    world.command({ verb: "maintenance", daemon: "m", on: true, reason: "disks" });
    expect(world.service().row.holder).toBe("s");
    world.daemon("s", { kind: "exited", service: "svc", epoch: 2, reason: "crash" });
    world.advance(600);
    expect(world.service().row.holder).toBe("s");
    world.command({ verb: "maintenance", daemon: "m", on: false, reason: "" });
    world.advance(10_000);
    expect(world.service().row.holder).toBe("m");
  });

  test("clear refusals: unknown service, no candidate, holder already, nobody fit, store away", () => {
    const world = new ClusterRig().start();
    expect(world.command({ verb: "switchover", ...order, service: "nope" })).toMatchObject({ status: 404 });
    expect(world.command({ verb: "switchover", ...order, to: "x" })).toMatchObject({ status: 409 });
    expect(world.command({ verb: "switchover", ...order, to: "m" }).text).toContain("holds svc already");
    world.node("s").cut = "refused";
    world.advance(2000);
    expect(world.command({ verb: "switchover", ...order }).text).toContain("s: it is silent");
    world.store = "down";
    world.advance(2000);
    expect(world.command({ verb: "switchover", ...order }).status).toBe(503);
    expect(world.believers()).toEqual(["m"]);
  });
});

describe("I4: without the store, and without the arbiter", () => {
  test("the store is down: leases are renewed, nothing fails over, and it recovers by itself", () => {
    const world = new ClusterRig().start();
    world.store = "down";
    world.advance(60_000);
    expect(world.believers()).toEqual(["m"]);
    world.daemon("m", { ...CRASH, service: "svc" });
    world.advance(5000);
    expect(world.believers()).toEqual([]);
    world.store = "up";
    world.advance(2000);
    expect(world.believers()).toEqual(["s"]);
  });

  test("every arbiter dead: the holder goes on while the other candidate promises", () => {
    const world = new ClusterRig().start();
    world.advance(1000);
    world.arbiterDead = true;
    world.advance(60_000);
    expect(world.believers()).toEqual(["m"]);
    world.node("s").alone = true;
    world.advance(2100);
    expect(world.believers()).toEqual([]);
  });
});

describe("the configuration is edited", () => {
  test("a service that it doesn't concern notices nothing", () => {
    const world = new ClusterRig(nPlusM(2, 1)).start();
    const next = nPlusM(3, 1);
    world.addNode(daemonSpec("m2"));
    const before = world.service("m0").row;
    edit(world, next);
    world.advance(1000);
    expect(world.service("m0").row.epoch).toBe(before.epoch);
    expect(holders(world)).toEqual({ m0: "m0", m1: "m1", m2: "m2" });
    expect(world.state.configuration.version).toBe(2);
  });

  test("a service that leaves the files is drained and let go; added again it has a higher epoch", () => {
    const world = new ClusterRig(nPlusM(2, 1)).start();
    edit(world, nPlusM(1, 1));
    world.advance(1000);
    expect(world.state.services.has("m1")).toBe(false);
    expect(world.state.daemons.has("m1")).toBe(false);
    expect(world.believers("m1")).toEqual([]);
    edit(world, nPlusM(2, 1));
    world.advance(1000);
    expect(world.service("m1").row).toMatchObject({ holder: "m1", epoch: 2 });
  });

  test("a rename waits until the old service is over on its holder", () => {
    const world = new ClusterRig(MASTER_AND_SPARE).start();
    world.node("m").demotion = "never";
    const renamed = model(
      [daemonSpec("m"), daemonSpec("s", { role: "spare" })],
      [serviceSpec("new", { masters: ["m"], candidates: ["m"] })],
    );
    edit(world, renamed);
    world.advance(1000);
    expect(world.believers("svc")).toEqual(["m"]);
    expect(world.service("new").phase).toBe("vacant");
    world.daemon("m", { kind: "demoted", service: "svc", epoch: 1 });
    world.advance(3000);
    expect(world.believers("new")).toEqual(["m"]);
    expect(world.state.services.has("svc")).toBe(false);
  });

  test("a longer lease is granted only after leaseMax is committed", () => {
    const world = new ClusterRig().start();
    world.store = "silent";
    const longer = model(
      [daemonSpec("m"), daemonSpec("s", { role: "spare" })],
      [serviceSpec("svc", { leaseMs: 8000 })],
    );
    world.store = "up";
    world.assignments.length = 0;
    edit(world, longer);
    world.advance(2000);
    const firstLong = world.assignments.findIndex(({ services }) =>
      services?.some(({ leaseMs }) => leaseMs === 8000),
    );
    expect(firstLong).toBeGreaterThanOrEqual(0);
    expect(world.rows.get("svc")?.leaseMaxMs).toBe(8000);
  });

  test("I6: a refused edit changes nothing and is told", () => {
    const world = new ClusterRig().start();
    const before = world.state.model;
    world.arbiter({ kind: "configRefused", errors: ["daemons/m.cfg:3: …"] });
    expect(world.state.model).toBe(before);
    expect(world.events.at(-1)?.type).toBe("config.refused");
    expect(world.state.refusedEdit?.errors).toHaveLength(1);
  });

  test("an edit while the store is away waits for it", () => {
    const world = new ClusterRig(nPlusM(1, 1)).start();
    world.store = "down";
    world.advance(1000);
    world.addNode(daemonSpec("m1"));
    edit(world, nPlusM(2, 1));
    expect(world.state.services.has("m1")).toBe(false);
    world.store = "up";
    world.advance(1000);
    expect(world.believers("m1")).toEqual(["m1"]);
  });
});

describe("the arbiter doubts itself first", () => {
  test("what timed out while it was stalled is repeated, not counted", () => {
    const world = new ClusterRig().start().advance(1000);
    world.node("m").cut = "timeout";
    for (let round = 0; round < 5; round += 1) {
      world.nowMs += 3000;
      world.arbiter({ kind: "stalled", lateMs: 3000 });
      world.advance(1);
    }
    expect(world.view("m").failedChecks).toBe(0);
  });

  test("its own limits and stale connections count against nobody", () => {
    const world = new ClusterRig().start().advance(1000);
    for (const cause of ["exhausted", "stale-connection"] as const) {
      world.view("m").inFlightSinceMs = world.nowMs;
      world.arbiter({ kind: "checkFailed", daemon: "m", sentAtMs: world.nowMs, cause, detail: "" });
    }
    expect(world.view("m").failedChecks).toBe(0);
    expect(world.service().phase).toBe("held");
  });
});

describe("proof_by_refusal", () => {
  const withRefusal = (proofByRefusal: boolean): ClusterRig => {
    const specs = [daemonSpec("m", { proofByRefusal }), daemonSpec("s", { role: "spare", proofByRefusal })];
    return new ClusterRig(model(specs, [serviceSpec("svc")])).start().advance(2000);
  };
  const dies = (world: ClusterRig): number => {
    const sinceMs = world.nowMs;
    world.node("m").cut = "refused";
    world.node("m").alone = true;
    world.node("m").state.held.clear();
    world.arbiter({ kind: "connectionClosed", daemon: "m" });
    while (world.service().row.holder !== "s") world.advance(10);
    return world.nowMs - sinceMs;
  };

  test("a closed port is proof where the operator says so, and only a hint elsewhere", () => {
    const trusting = withRefusal(true);
    expect(dies(trusting)).toBeLessThanOrEqual(10);
    expect(trusting.service().row).toMatchObject({ epoch: 2, cleared: 1 });
    const careful = withRefusal(false);
    expect(dies(careful)).toBeGreaterThan(1000);
    expect(careful.service().row).toMatchObject({ epoch: 2, cleared: 0 });
  });

  test("not at another address than the one that answered last, and never of a launcher", () => {
    const moved = withRefusal(true);
    moved.view("m").reportedUrl = "http://elsewhere";
    expect(dies(moved)).toBeGreaterThan(1000);
    const launched = withRefusal(true);
    const view = launched.view("m");
    if (view.report !== null) view.report = { ...view.report, launched: true };
    expect(dies(launched)).toBeGreaterThan(1000);
  });
});

test("a failback that nobody could take is refused, with each master's reason", () => {
  const world = new ClusterRig(MASTER_AND_SPARE).start().advance(600);
  world.daemon("m", { ...CRASH, service: "svc" });
  world.node("m").cut = "refused";
  world.advance(3_000);
  const { status, text } = world.command({
    verb: "failback",
    service: "svc",
    to: null,
    force: false,
    evenIfAlive: false,
  });
  expect(status).toBe(409);
  expect(text).toMatch(/^No master of svc could take it now: m \(it is silent/u);
});
