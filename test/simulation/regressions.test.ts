/**
 * What the simulator once found, each played again by hand. Seeds change their meaning whenever
 * the simulator learns something new; these scenes don't.
 */
import { describe, expect, test } from "vitest";
import { Stage } from "./stage.ts";

describe("what the simulator once found", () => {
  // Seen: a waiting daemon restarted while a check of it was on its way. Its old boot's last report
  // overtook the new boot's answer, so the answer proved nothing (right), but the arbiter also went
  // on waiting for that check (wrong), and never checked the daemon again.
  test.each([1, 2, 3, 4, 5])(
    "a restart between a check and its answer doesn't end the checks (seed %i)",
    (seed) => {
      const stage = new Stage(seed).pass(10_000);
      const spare = stage.simulation.daemon("s1");
      const { leader } = stage.simulation;
      const view = leader?.state?.daemons.get("s1");
      while (leader?.state?.daemons.get("s1")?.inFlightSinceMs === null) stage.pass(0.1);
      spare.crash("restarted");
      expect(spare.isRunning).toBe(false);
      spare.start();
      const bootId = spare.state?.options.bootId;
      stage.pass(2000);
      expect(view?.report?.bootId).toBe(bootId);
      expect(view?.report?.state).toBe("waiting");
      // And it may still take over.
      stage.simulation.daemon("m1").exitWork();
      expect(stage.until("s1", 1000)).toBeLessThan(200);
    },
  );

  // Seen: the holder's machine was replaced, under the same name, with an empty state folder. The new
  // one answered every check, so no check failed; it wasn't the holder, so no report was good. The
  // service stayed suspect for ever, and an operator's order to fail over was refused, as "it answers".
  test.each([1, 2, 3])("a holder replaced by another state is given up (seed %i)", (seed) => {
    const stage = new Stage(seed, { spares: 2 }).pass(10_000);
    const master = stage.simulation.daemon("m1");
    master.wipe();
    master.start();
    stage.pass(5000);
    expect(stage.active()).toMatch(/^s[12]$/);
  });

  test.each([1, 2, 3])(
    "an operator may declare a replaced holder dead, if nobody else is left (seed %i)",
    (seed) => {
      const stage = new Stage(seed).pass(10_000);
      stage.simulation.daemon("s1").powerOff();
      const master = stage.simulation.daemon("m1");
      master.wipe();
      master.start();
      stage.pass(20_000);
      // The new one was never heard of by the old holder: nobody but an operator can decide.
      expect(stage.active()).toBeNull();
      const order = { verb: "failover", service: "m1", to: null, force: true, evenIfAlive: false } as const;
      let status = 0;
      stage.simulation.leader?.command(order, (answer) => {
        status = answer.status;
      });
      expect(stage.until("m1", 1000)).toBeLessThan(200);
      expect(status).toBe(202);
    },
  );

  // Seen (I4, seed 839423002): the store took longer to write an operator's failover down than the failover
  // itself took. It stood there as still to be done, and whoever led next failed over once more.
  test.each([1, 2, 3])("a failover that was ordered is carried out once (seed %i)", (seed) => {
    const slowly = { latencyMs: 400, unknownProbability: 0, slowProbability: 0 };
    const stage = new Stage(seed, { store: slowly }).pass(10_000);
    const order = { verb: "failover", service: "m1", to: null, force: false, evenIfAlive: false } as const;
    stage.simulation.leader?.command(order, () => {});
    stage.until("s1", 5000);
    const { activations } = stage.simulation.oneHolder;
    const [arbiter] = stage.simulation.arbiters;
    arbiter?.crash("kill -9");
    arbiter?.start();
    stage.pass(10_000);
    expect(stage.active()).toBe("s1");
    expect(stage.simulation.oneHolder.activations).toBe(activations);
  });

  // Seen: a leader was frozen past its leadership's end while a beat of it was on its way. It stepped
  // down, then heard that the beat had been taken, and led the same term again with its count of
  // assignments at zero: daemons ignored it until the count had caught up, minutes later.
  test.each([1, 2, 3, 4, 5])("no term is led twice, not by the same arbiter either (seed %i)", (seed) => {
    const stage = new Stage(seed, { arbiters: 2, store: { latencyMs: 100, slowProbability: 0 } });
    stage.pass(60_000);
    const { leader } = stage.simulation;
    const state = leader?.state;
    while (leader?.state?.leadership.calling === false) stage.pass(1);
    leader?.process?.pause();
    // Past the end of the leadership as it knows it, not past that which the beat would give it.
    stage.pass(1600);
    leader?.resume();
    const place = (): number => (state?.term ?? 0) * 1e9 + (state?.seq ?? 0);
    let lastPlace = place();
    for (let ms = 0; ms < 5000; ms += 10) {
      stage.pass(10);
      expect(place()).toBeGreaterThanOrEqual(lastPlace);
      lastPlace = place();
    }
    // And whoever leads is obeyed: the service moves as soon as its program ends.
    stage.simulation.daemon("m1").exitWork();
    expect(stage.until("s1", 5000)).toBeLessThan(2000);
  });
});
