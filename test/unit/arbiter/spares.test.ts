/** Spares that aren't ready, and pools of them that run out, with real cores. */
import { expect, test } from "vitest";
import { statusOf, type Status } from "../../../src/arbiter/status.ts";
import { daemonSpec, MASTER_AND_SPARE, model, serviceSpec } from "../core/arbiter-models.ts";
import { ClusterRig } from "../core/arbiter-rig.ts";

function statusIn(world: ClusterRig): Status {
  return statusOf(world.state, { nowMs: world.nowMs, wallMs: 1e12 + world.nowMs, undelivered: 0, drift: [] });
}

function problem(world: ClusterRig, code: string): string | undefined {
  return statusIn(world).problems.find((one) => one.code === code)?.text;
}

function says(world: ClusterRig, daemon: string, missing: string): void {
  world.daemon(daemon, { kind: "healthChanged", healthy: true, ready: missing === "", reason: missing });
  world.advance(1_000);
}

test("a spare that isn't ready is a problem that says what is missing", () => {
  const world = new ClusterRig(MASTER_AND_SPARE).start().advance(600);
  says(world, "s", "`command`: nginx isn't there");
  expect(problem(world, "degraded")).toContain("s is not ready (`command`: nginx isn't there)");
  expect(statusIn(world).daemons[1]).toMatchObject({ ready: false, healthy: true });
  says(world, "s", "");
  expect(statusIn(world).problems).toEqual([]);
});

const SHARED = model(
  [
    daemonSpec("m1"),
    daemonSpec("m2"),
    daemonSpec("m3"),
    daemonSpec("s1", { role: "spare" }),
    daemonSpec("s2", { role: "spare" }),
  ],
  ["m1", "m2", "m3"].map((name) => serviceSpec(name, { masters: [name], candidates: [name, "s1", "s2"] })),
);

test("of two spares the ready one is taken, whatever else ranks first", () => {
  for (const unready of ["s1", "s2"]) {
    const world = new ClusterRig(SHARED).start().advance(600);
    says(world, unready, "port 127.0.0.1:80 is taken");
    world.daemon("m1", { kind: "exited", service: "m1", epoch: 1, reason: "code 1" });
    world.advance(500);
    expect(world.service("m1").row.holder).toBe(unready === "s1" ? "s2" : "s1");
  }
});

test("where nobody is ready, one is tried all the same: it may be wrong about itself", () => {
  const world = new ClusterRig(SHARED).start().advance(600);
  for (const spare of ["s1", "s2"]) says(world, spare, "port 127.0.0.1:80 is taken");
  world.daemon("m1", { kind: "exited", service: "m1", epoch: 1, reason: "code 1" });
  world.advance(500);
  expect(world.service("m1").row.holder).toMatch(/^s[12]$/u);
});

test("nothing fails back to a master that isn't ready, until it is", () => {
  const world = new ClusterRig(MASTER_AND_SPARE).start().advance(600);
  says(world, "m", "`cwd` /srv isn't there");
  world.daemon("m", { kind: "exited", service: "svc", epoch: 1, reason: "code 1" });
  world.advance(30_000);
  expect(world.service().row.holder).toBe("s");
  says(world, "m", "");
  world.advance(10_000);
  expect(world.service().row.holder).toBe("m");
});

test("a shared pool: a warning while one place is left, another when none is", () => {
  const world = new ClusterRig(SHARED).start().advance(600);
  expect(problem(world, "pool-exhausted")).toBeUndefined();
  world.daemon("m1", { kind: "exited", service: "m1", epoch: 1, reason: "code 1" });
  world.node("m1").cut = "refused";
  world.advance(1_000);
  expect(problem(world, "pool-exhausted")).toMatch(
    /^One place is left on the spares of m1, m2, m3: .*holds m1/u,
  );
  world.daemon("m2", { kind: "exited", service: "m2", epoch: 1, reason: "code 1" });
  world.node("m2").cut = "refused";
  world.advance(1_000);
  expect(problem(world, "pool-exhausted")).toMatch(/^No place is left on the spares/u);
});
