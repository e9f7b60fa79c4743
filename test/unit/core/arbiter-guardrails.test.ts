/**
 * What keeps an arbiter from moving too much: windows of failback, damping, the budget of causes,
 * pauses that end, and its doubt about itself.
 */
import { describe, expect, test } from "vitest";
import type { ClusterModel } from "../../../src/core/model.ts";
import { daemonSpec, model, serviceSpec } from "./arbiter-models.ts";
import { ClusterRig } from "./arbiter-rig.ts";

const CRASH = { kind: "exited", reason: "exit code 1" } as const;

function events(world: ClusterRig, type: string): readonly string[] {
  return world.events.filter((event) => event.type === type).map(({ text }) => text);
}

/** So many masters, each on a host of its own, and as many spares. */
function pairs(count: number, over: Partial<ClusterModel> = {}): ClusterModel {
  const names = Array.from({ length: count }, (_none, at) => at);
  const services = names.map((at) =>
    serviceSpec(`m${at}`, { masters: [`m${at}`], candidates: [`m${at}`, `s${at}`], failback: "manual" }),
  );
  const daemons = names.flatMap((at) => [
    daemonSpec(`m${at}`, { address: `10.0.0.${at}` }),
    daemonSpec(`s${at}`, { role: "spare", address: `10.0.1.${at}` }),
  ]);
  return { ...model(daemons, services), ...over };
}

describe("failback_window", () => {
  const WINDOW = "0 2 * * * for 1h";
  const windowed = model(
    [daemonSpec("m"), daemonSpec("s", { role: "spare" })],
    [serviceSpec("svc", { failbackWindow: WINDOW })],
  );

  function movedAway(): ClusterRig {
    const world = new ClusterRig(windowed).start();
    world.daemon("m", { ...CRASH, service: "svc", epoch: 1 });
    world.advance(60_000);
    expect(world.service().row.holder).toBe("s");
    return world;
  }

  test("outside of it nothing fails back, however long the master has been well", () => {
    const world = movedAway();
    world.advance(3_600_000);
    expect(world.service().row.holder).toBe("s");
  });

  test("once it opens the master gets its service back, and not after it has closed", () => {
    const open = movedAway();
    open.arbiter({ kind: "windowOpened", window: WINDOW, forMs: 1000 });
    open.advance(500);
    expect(open.service().row.holder).toBe("m");

    const closed = movedAway();
    closed.node("m").cut = "refused";
    closed.advance(2000);
    closed.arbiter({ kind: "windowOpened", window: WINDOW, forMs: 1000 });
    closed.advance(1500);
    closed.node("m").cut = null;
    closed.advance(600_000);
    expect(closed.service().row.holder).toBe("s");
  });

  test("an operator's failback asks no window", () => {
    const world = movedAway();
    const order = { verb: "failback", service: "svc", to: null, force: false, evenIfAlive: false } as const;
    expect(world.command(order).status).toBe(202);
    world.advance(1000);
    expect(world.service().row.holder).toBe("m");
  });

  test("another window's opening means nothing", () => {
    const world = movedAway();
    world.arbiter({ kind: "windowOpened", window: "0 3 * * * for 1h", forMs: 3_600_000 });
    world.advance(60_000);
    expect(world.service().row.holder).toBe("s");
  });
});

describe("damping", () => {
  test("a quiet failure_timeout resets the delay, also where failback_delay_max is longer", () => {
    const damped = model(
      [daemonSpec("m"), daemonSpec("s", { role: "spare" })],
      [
        serviceSpec("svc", {
          failbackDelayMs: 5000,
          failbackDelayMaxMs: 3_600_000,
          failureTimeoutMs: 60_000,
        }),
      ],
    );
    const world = new ClusterRig(damped).start();
    const losses = 5;
    for (let loss = 0; loss < losses; loss += 1) world.view("m").lossesAtMs.push(world.nowMs);
    world.daemon("m", { ...CRASH, service: "svc", epoch: 1 });
    // Five doublings: 160 s. A minute without a loss, and the five seconds count again.
    world.advance(59_000);
    expect(world.service().row.holder).toBe("s");
    world.advance(7000);
    expect(world.service().row.holder).toBe("m");
  });
});

describe("failover_budget", () => {
  const BUDGET = { failoverBudget: { causes: 2, perMs: 600_000 } };

  function lose(world: ClusterRig, at: number): void {
    world.node(`m${at}`).cut = "refused";
    world.node(`m${at}`).alone = true;
    world.advance(15_000);
  }

  test("past it a lost service stays where it was, and it is said how to lift it", () => {
    const world = new ClusterRig(pairs(4, BUDGET)).start();
    for (const at of [0, 1, 2]) lose(world, at);
    expect(world.service("m0").row.holder).toBe("s0");
    expect(world.service("m1").row.holder).toBe("s1");
    expect(world.service("m2").row.holder).toBe("m2");
    expect(world.service("m2").phase).not.toBe("held");
    expect(events(world, "failover.held-back")).toEqual([
      expect.stringMatching(/^m2 isn't moved: 2 causes have used up failover_budget\..*`arbiter resume m2`/u),
    ]);
  });

  test("the daemon that had it gets it back", () => {
    const world = new ClusterRig(pairs(4, BUDGET)).start();
    for (const at of [0, 1, 2]) lose(world, at);
    world.restart("m2");
    world.node("m2").alone = false;
    world.advance(5000);
    expect(world.service("m2").phase).toBe("held");
    expect(world.service("m2").row.holder).toBe("m2");
  });

  test("when the period is over it moves", () => {
    const world = new ClusterRig(pairs(4, BUDGET)).start();
    for (const at of [0, 1, 2]) lose(world, at);
    world.advance(600_000);
    expect(world.service("m2").row.holder).toBe("s2");
    expect(world.service("m2").phase).toBe("held");
  });

  test.each(["m2", null])("an operator resumes %s", (service) => {
    const world = new ClusterRig(pairs(4, BUDGET)).start();
    for (const at of [0, 1, 2]) lose(world, at);
    const answer = world.command({ verb: "resume", service });
    expect(answer).toMatchObject({ status: 202, text: "m2 may move: failover_budget is lifted" });
    world.advance(1000);
    expect(world.service("m2").row.holder).toBe("s2");
  });

  test("services lost with one host are one cause", () => {
    const names = Array.from({ length: 10 }, (_none, at) => at);
    const services = names.map((at) =>
      serviceSpec(`m${at}`, { masters: [`m${at}`], candidates: [`m${at}`, "s"], failback: "manual" }),
    );
    const daemons = [
      ...names.map((at) => daemonSpec(`m${at}`, { address: "10.0.0.1" })),
      daemonSpec("s", { role: "spare", capacity: 20, address: "10.0.0.2" }),
    ];
    const budget = { failoverBudget: { causes: 1, perMs: 600_000 } };
    const world = new ClusterRig({ ...model(daemons, services), ...budget }).start();
    for (const at of names) {
      world.node(`m${at}`).cut = "refused";
      world.node(`m${at}`).alone = true;
    }
    world.advance(15_000);
    for (const at of names) expect(world.service(`m${at}`).row.holder).toBe("s");
    expect(world.state.spentCauses).toHaveLength(1);
  });

  test("an operator's own moves ask no budget and cost none", () => {
    const world = new ClusterRig(pairs(4, BUDGET)).start();
    for (const at of [0, 1, 2, 3]) {
      const service = `m${at}`;
      world.command({ verb: "switchover", service, to: null, force: false, evenIfAlive: false });
      world.advance(1000);
      expect(world.service(service).row.holder).toBe(`s${at}`);
    }
    expect(world.state.spentCauses).toEqual([]);
  });

  test("an unhealthy holder keeps it, too", () => {
    const world = new ClusterRig(pairs(3, { failoverBudget: { causes: 1, perMs: 600_000 } })).start();
    world.daemon("m0", { kind: "healthChanged", healthy: false, ready: false, reason: "disk full" });
    world.advance(5000);
    expect(world.service("m0").row.holder).toBe("s0");
    world.daemon("m1", { kind: "healthChanged", healthy: false, ready: false, reason: "disk full" });
    world.advance(60_000);
    expect(world.service("m1").row.holder).toBe("m1");
  });
});

describe("a pause", () => {
  test("is warned of before its end, once, with its owner and its reason", () => {
    const world = new ClusterRig().start();
    world.command({ verb: "pause", service: null, reason: "new switch", forMs: 3_600_000 });
    world.advance(54 * 60_000);
    expect(events(world, "operator.pause-ending")).toEqual([]);
    world.advance(2 * 60_000);
    expect(events(world, "operator.pause-ending")).toEqual([
      "The pause of every service by tester (new switch) ends in 300 s: what waits may move then. `arbiter pause --for 1h` makes it longer.",
    ]);
    world.advance(10 * 60_000);
    expect(events(world, "operator.pause-ending")).toHaveLength(1);
    expect(world.settings.pauses).toEqual({});
  });

  test("a short one is warned of at its last quarter", () => {
    const world = new ClusterRig().start();
    world.command({ verb: "pause", service: "svc", reason: "", forMs: 40_000 });
    world.advance(29_000);
    expect(events(world, "operator.pause-ending")).toEqual([]);
    world.advance(2000);
    expect(events(world, "operator.pause-ending")).toHaveLength(1);
  });
});

describe("doubt about itself", () => {
  function withOthers(count: number, others: readonly string[]): ClusterModel {
    const base = pairs(count);
    const [self] = base.arbiters;
    if (self === undefined) throw new Error("no arbiter");
    const more = others.map((name) => ({ ...self, name, url: `http://${name}` }));
    return { ...base, arbiters: [self, ...more] };
  }

  /** On an empty store an arbiter that isn't alone waits a moment before it leads. */
  function settled(cluster: ClusterModel): ClusterRig {
    const world = new ClusterRig(cluster).start().advance(5000);
    for (const { name } of cluster.services) expect(world.service(name).phase).toBe("held");
    return world;
  }

  function fallSilent(world: ClusterRig, names: readonly string[]): void {
    for (const name of names) {
      world.node(name).cut = "timeout";
      world.node(name).alone = true;
    }
  }

  test("most daemons silent in one moment: it says so, and asks the others before it acts", () => {
    const world = settled(withOthers(3, ["b"]));
    fallSilent(world, ["m0", "m1", "m2", "s2"]);
    world.advance(1500);
    expect(events(world, "arbiter.doubts-itself")[0]).toMatch(/of 6 daemons fell silent in one moment/u);
    expect(world.asked).toEqual(["b"]);
    expect(world.state.doubt.open).not.toBeNull();
  });

  test("another one reaches them: it hands the lead over, and moves nothing", () => {
    const world = settled(withOthers(3, ["b"]));
    fallSilent(world, ["m0", "m1", "m2", "s2"]);
    world.advance(900);
    world.arbiter({ kind: "opinionGiven", arbiter: "b", opinion: { reached: 4, of: 4 } });
    expect(events(world, "arbiter.trusts-another")).toHaveLength(1);
    expect(world.record).toMatchObject({ released: true, successor: "b" });
    expect(world.state.leadership.mode).not.toBe("leading");
  });

  test("the others don't reach them either: it acts as ever", () => {
    const world = settled(withOthers(3, ["b", "c"]));
    fallSilent(world, ["m0", "m1", "m2", "s2"]);
    world.advance(900);
    world.arbiter({ kind: "opinionGiven", arbiter: "b", opinion: { reached: 1, of: 4 } });
    world.arbiter({ kind: "opinionGiven", arbiter: "c", opinion: null });
    expect(events(world, "arbiter.trusts-itself")).toEqual([
      "b reaches 1 of 4: a believes what it sees, and acts.",
    ]);
    world.advance(10_000);
    expect(world.service("m0").row.holder).toBe("s0");
    expect(world.service("m1").row.holder).toBe("s1");
  });

  test("no answer from anybody: a second later it acts all the same (I7)", () => {
    const world = settled(withOthers(3, ["b"]));
    fallSilent(world, ["m0", "m1", "m2", "s2"]);
    world.advance(15_000);
    expect(events(world, "arbiter.trusts-itself")).toEqual([
      "no other arbiter answers: a believes what it sees, and acts.",
    ]);
    expect(world.service("m0").row.holder).toBe("s0");
  });

  test("while it asks, nothing that was held by one of them moves", () => {
    const world = settled(withOthers(3, ["b"]));
    fallSilent(world, ["m0", "m1", "m2", "s2"]);
    world.advance(900);
    // As if every lease had ended already: only the doubt keeps it.
    for (const name of ["m0", "m1"]) world.service(name).boundMs = 0;
    world.advance(400);
    expect(world.service("m0").row.holder).toBe("m0");
  });

  test("alone, it says so and goes on", () => {
    const world = settled(pairs(3));
    fallSilent(world, ["m0", "m1", "m2", "s2"]);
    world.advance(15_000);
    expect(events(world, "arbiter.doubts-itself")[0]).toContain("no other arbiter to ask");
    expect(world.service("m0").row.holder).toBe("s0");
  });

  test("one after the other, or all on one host, is no riddle", () => {
    const slowly = settled(withOthers(4, ["b"]));
    for (const name of ["m0", "m1", "m2", "m3", "s3"]) {
      fallSilent(slowly, [name]);
      slowly.advance(5000);
    }
    expect(events(slowly, "arbiter.doubts-itself")).toEqual([]);

    const base = withOthers(2, ["b"]);
    const oneHost = {
      ...base,
      daemons: base.daemons.map(({ name, role }) => daemonSpec(name, { role, address: "10.0.0.1" })),
    };
    const together = settled(oneHost);
    fallSilent(together, ["m0", "m1", "s0", "s1"]);
    together.advance(5000);
    expect(events(together, "arbiter.doubts-itself")).toEqual([]);
  });
});
