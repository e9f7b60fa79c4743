/** What a reload would move, found by making it in the simulator. */
import { describe, expect, test } from "vitest";
import type { ClusterModel } from "../../src/core/model.ts";
import { reloadMoves, type Standing } from "../../src/simulator/own-reload.ts";
import { daemonSpec, model, serviceSpec } from "../unit/core/arbiter-models.ts";

const spare = (name: string): ClusterModel["daemons"][number] => daemonSpec(name, { role: "spare" });
const cluster = (
  candidates: readonly string[],
  over: Partial<ClusterModel["services"][number]> = {},
): ClusterModel =>
  model(
    candidates.map((name) => (name.startsWith("m") ? daemonSpec(name) : spare(name))),
    [serviceSpec("svc", { masters: ["m"], candidates, ...over })],
  );
const BEFORE = cluster(["m", "s", "t"]);
const standing = (over: Partial<Standing> = {}): Standing => ({
  holders: { svc: "m" },
  down: [],
  unhealthy: [],
  paused: [],
  inMaintenance: [],
  ...over,
});

describe("a reload", () => {
  test("that concerns no holder moves nothing", () => {
    expect(reloadMoves(BEFORE, cluster(["m", "s"]), standing())).toEqual([]);
    expect(reloadMoves(BEFORE, cluster(["m", "s", "t"], { failbackDelayMs: 9000 }), standing())).toEqual([]);
  });

  test("that takes the holder out of the candidates moves the service from it, and says why", () => {
    const [move, ...more] = reloadMoves(
      BEFORE,
      cluster(["m", "t"]),
      standing({ holders: { svc: "s" }, down: ["m"] }),
    );
    expect(more).toEqual([]);
    expect(move).toMatchObject({ service: "svc", from: "s", to: "t", because: "s is no candidate any more" });
    expect(move?.gapMs).toBeGreaterThan(0);
  });

  test("that takes everyone who could have it says that nobody has it then", () => {
    const moves = reloadMoves(BEFORE, cluster(["m"]), standing({ holders: { svc: "s" }, down: ["m"] }));
    expect(moves).toMatchObject([{ from: "s", to: null }]);
  });

  test("that lets failback happen tells when", () => {
    const manual = cluster(["m", "s"], { failback: "manual" });
    expect(reloadMoves(manual, manual, standing({ holders: { svc: "s" } }))).toEqual([]);
    const more = model(
      [...cluster(["m", "s"]).daemons, daemonSpec("new")],
      [...cluster(["m", "s"]).services, serviceSpec("other", { masters: ["new"], candidates: ["new"] })],
    );
    const started = reloadMoves(cluster(["m", "s"]), more, standing());
    expect(started).toMatchObject([{ service: "other", from: null, to: "new" }]);
  });

  test("that removes a service stops it where it is", () => {
    const both = model(
      [daemonSpec("m"), spare("s"), daemonSpec("n")],
      [
        serviceSpec("svc", { masters: ["m"], candidates: ["m", "s"] }),
        serviceSpec("other", { masters: ["n"], candidates: ["n"] }),
      ],
    );
    const moves = reloadMoves(both, cluster(["m", "s"]), standing({ holders: { svc: "m", other: "n" } }));
    expect(moves).toMatchObject([
      { service: "other", from: "n", to: null, because: "the service left the configuration" },
    ]);
  });
});
