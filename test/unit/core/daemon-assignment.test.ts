/** What a daemon takes from an assignment, and what it refuses (I3). */
import { describe, expect, test } from "vitest";
import { memoryOf, reportOf } from "../../../src/core/daemon.ts";
import { issueNonce } from "../../../src/core/lease.ts";
import { LEASE_MS, Rig, SELF, SPARE, THIRD } from "./daemon-rig.ts";

const SPARES_EPOCH = { epoch: 1, cleared: 0, bootId: "boot-of-the-spare" };

describe("the order of assignments", () => {
  test("one that isn't above the last is answered with a report and changes nothing", () => {
    const rig = new Rig();
    const late = rig.assignment([]);
    rig.hold();
    const report = rig.deliver(late);
    expect(rig.effect("answer").problem?.code).toBe("outdated");
    expect(report.services).toMatchObject([{ epoch: 1, state: "active" }]);
    rig.deliver({ ...late, seq: 99, term: 0 });
    expect(rig.effect("answer").problem?.code).toBe("outdated");
    expect(rig.phase).toBe("active");
  });

  test("a duplicate changes nothing", () => {
    const rig = new Rig();
    const assignment = rig.assignment([rig.item()]);
    rig.deliver(assignment);
    rig.deliver(assignment);
    expect(rig.effect("answer").problem?.code).toBe("outdated");
    expect(rig.all("activate")).toEqual([]);
  });

  test("a higher term begins a new count", () => {
    const rig = new Rig().hold();
    rig.assign([rig.item()], { term: 5, seq: 1 });
    expect(rig.effect("answer").problem).toBeNull();
    rig.assign([], { term: 4, seq: 1000 });
    expect(rig.effect("answer").problem?.code).toBe("outdated");
    expect(rig.phase).toBe("active");
  });

  test("a term that was seen before a restart still counts", () => {
    const rig = new Rig({}, memoryOf(new Rig().hold().state));
    expect(rig.state.term).toBe(1);
    rig.assign([], { term: 0 });
    expect(rig.effect("answer").problem?.code).toBe("outdated");
  });

  test("one for another daemon is refused", () => {
    const rig = new Rig();
    const report = rig.assign([rig.item()], { to: "s" });
    expect(rig.effect("answer").problem?.code).toBe("not-addressed");
    expect([report.name, report.seenEpochs, report.term]).toEqual(["m", {}, 0]);
  });
});

describe("another cluster", () => {
  test("is refused by a holder", () => {
    const rig = new Rig().hold();
    rig.assign([], { clusterId: "cluster-2", term: 9 });
    expect(rig.effect("answer").problem?.code).toBe("other-cluster");
    expect([rig.phase, rig.state.term, rig.state.clusterId]).toEqual(["active", 1, "cluster-1"]);
  });

  test("is refused by one that holds nothing, too: its cluster counts on it", () => {
    const rig = new Rig();
    rig.assign([]);
    rig.elapse(LEASE_MS);
    rig.assign([], { clusterId: "cluster-2", term: 9 });
    expect(rig.effect("answer").problem?.code).toBe("other-cluster");
    expect([rig.state.term, rig.state.clusterId]).toEqual([1, "cluster-1"]);
  });

  test("is taken by one that was started to forget its own", () => {
    const before = new Rig();
    before.assign([]);
    const rig = new Rig({}, { ...memoryOf(before.state), clusterId: null, term: 0, seenEpochs: {} });
    rig.assign([], { clusterId: "cluster-2" });
    expect([rig.effect("answer").problem, rig.state.clusterId]).toEqual([null, "cluster-2"]);
  });

  test("is refused while a promise of an earlier boot may be live", () => {
    const before = new Rig();
    before.assign([]);
    before.ask();
    const rig = new Rig({}, memoryOf(before.state));
    rig.assign([], { clusterId: "cluster-2" });
    expect(rig.effect("answer").problem?.code).toBe("other-cluster");
  });

  test("doesn't make it forget epochs and terms", () => {
    const rig = new Rig();
    rig.assign([rig.item({ epoch: 7, bootId: "boot-x" })], { term: 3 });
    const report = rig.assign([], { clusterId: "cluster-2", term: 3 });
    expect([report.seenEpochs, report.term]).toEqual([{ svc: 7 }, 3]);
  });
});

describe("a probe", () => {
  test("changes nothing of what is held, and teaches leader, term and cluster", () => {
    const rig = new Rig().hold();
    const report = rig.assign(null, { term: 2, leader: { name: "b", url: "http://b" } });
    expect([rig.phase, rig.leaseEndMs]).toEqual(["active", 3000]);
    expect([report.term, rig.state.leader?.name]).toEqual([2, "b"]);
    expect(rig.effect("persist")).toMatchObject({ token: null, memory: { term: 2 } });
  });

  test("is answered with a fresh nonce, so that the first epoch can come with a lease", () => {
    const rig = new Rig();
    const { nonce } = rig.assign(null, { nonce: null });
    rig.pause(20);
    rig.assign([rig.item()], { nonce });
    expect([rig.phase, rig.leaseEndMs]).toEqual(["activating", 1000 + LEASE_MS]);
  });
});

describe("an epoch that is offered", () => {
  test("is seen in the step in which it is taken, and written down without waiting", () => {
    const rig = new Rig();
    rig.assign([]);
    const report = rig.assign([rig.item({ epoch: 4, cleared: 3 })]);
    expect(report.seenEpochs).toEqual({ svc: 4 });
    expect(rig.effect("persist")).toMatchObject({ token: null, memory: { seenEpochs: { svc: 4 } } });
  });

  test("for another boot is refused for good", () => {
    const rig = new Rig();
    const report = rig.assign([rig.item({ epoch: 4, bootId: "boot-x" })]);
    expect(report.refusals).toEqual([{ service: "svc", epoch: 4, because: "other-boot" }]);
    expect(report.seenEpochs).toEqual({ svc: 4 });
    expect(rig.assign([rig.item({ epoch: 4 })]).refusals).toMatchObject([{ because: "old-epoch" }]);
    expect(rig.phase).toBe("idle");
  });

  test("that was given up is never taken again", () => {
    const rig = new Rig().hold();
    rig.assign([]);
    rig.send({ kind: "demoted", service: "svc", epoch: 1 });
    expect(rig.assign([rig.item()]).refusals).toMatchObject([{ epoch: 1, because: "old-epoch" }]);
    expect(rig.phase).toBe("idle");
  });

  test("that was lost with a boot is never taken again", () => {
    const rig = new Rig({}, memoryOf(new Rig().hold().state));
    expect(rig.assign([rig.item()]).refusals).toMatchObject([{ because: "old-epoch" }]);
  });

  test("that is over by its own assignment is refused", () => {
    const rig = new Rig();
    expect(rig.assign([rig.item({ epoch: 3, cleared: 3 })]).refusals).toMatchObject([
      { because: "old-epoch" },
    ]);
  });

  test("below the one held is refused, and the one held is kept", () => {
    const rig = new Rig().hold({ epoch: 5, cleared: 4 });
    expect(rig.assign([rig.item({ epoch: 4 })]).refusals).toMatchObject([{ because: "old-epoch" }]);
    expect(rig.phase).toBe("active");
  });

  test("while an older one is held waits until that is wound up: busy, not seen, then taken", () => {
    const rig = new Rig().hold();
    const offer = rig.item({ epoch: 2, cleared: 1 });
    const report = rig.assign([offer]);
    expect(report.refusals).toMatchObject([{ epoch: 2, because: "busy" }]);
    expect([report.seenEpochs, rig.phase]).toEqual([{ svc: 1 }, "draining"]);
    rig.send({ kind: "demoted", service: "svc", epoch: 1 });
    expect(rig.assign([offer]).services).toMatchObject([{ epoch: 2, state: "activating" }]);
  });

  test("for another boot ends an older one that is held", () => {
    const rig = new Rig().hold();
    rig.assign([rig.item({ epoch: 2, bootId: "boot-x" })]);
    expect(rig.phase).toBe("draining");
  });

  test("without a usable nonce isn't seen, and is taken with the nonce of that very answer", () => {
    const rig = new Rig();
    for (const nonce of [null, issueNonce("boot-x", 1000, rig.env), issueNonce("boot-m", 0, rig.env)]) {
      rig.pause(LEASE_MS);
      const report = rig.assign([rig.item()], { nonce });
      expect(report.refusals).toMatchObject([{ epoch: 1, because: "no-lease" }]);
      expect(report.seenEpochs).toEqual({});
    }
    const { nonce } = rig.assign([rig.item()], { nonce: null });
    rig.pause(50);
    expect(rig.assign([rig.item()], { nonce }).services).toMatchObject([{ epoch: 1 }]);
  });

  test("with a nonce so old that it would be stopped at once is refused", () => {
    const rig = new Rig();
    const { nonce } = rig.assign(null);
    rig.pause(1500);
    expect(rig.assign([rig.item()], { nonce }).refusals).toMatchObject([{ because: "no-lease" }]);
  });

  test("is refused by one that leaves", () => {
    const rig = new Rig().hold({ service: "other" });
    rig.send({ kind: "stopRequested", reason: "SIGTERM" });
    const report = rig.assign([rig.item({ service: "other" }), rig.item()]);
    expect(report.refusals).toEqual([{ service: "svc", epoch: 1, because: "leaving" }]);
    expect(report.seenEpochs["svc"]).toBe(1);
  });
});

describe("a service that is held", () => {
  test("is stopped when it isn't listed, and the others go on", () => {
    const rig = new Rig();
    rig.assign([rig.item(), rig.item({ service: "other" })]);
    rig.send({ kind: "activated", service: "other", epoch: 1 });
    rig.assign([rig.item({ service: "other" })]);
    expect(rig.effect("demote")).toMatchObject({ service: "svc", epoch: 1, deadlineMs: 2750 });
    expect(rig.state.held.get("other")?.phase).toBe("active");
  });

  test("is listed in the report until its demotion has finished", () => {
    const rig = new Rig().hold();
    const during = rig.assign([]);
    expect(during.services).toMatchObject([{ service: "svc", epoch: 1, state: "draining" }]);
    rig.send({ kind: "demoted", service: "svc", epoch: 1 });
    const sent = rig.effect("sendReport").report;
    expect([sent.services, sent.seenEpochs, sent.state]).toEqual([[], { svc: 1 }, "waiting"]);
  });

  test("is renewed while it drains, up to `drain_timeout`", () => {
    const rig = new Rig().hold();
    rig.assign([rig.item({ drain: true })]);
    expect(rig.effect("demote").deadlineMs).toBe(11_000);
    for (let round = 0; round < 9; round++) {
      rig.elapse(1000);
      rig.assign([rig.item({ drain: true })]);
    }
    expect([rig.phase, rig.leaseEndMs]).toEqual(["draining", 12_000]);
    expect(rig.state.held.get("svc")?.fenced).toBe(false);
    rig.elapse(1000);
    expect(rig.all("fence")).toHaveLength(1);
  });

  test("takes newer sets of candidates, never an older one, and reports the version", () => {
    const rig = new Rig().hold({ candidates: { version: 4, list: [SELF, SPARE] } });
    const newer = { version: 5, list: [SELF, SPARE, THIRD] };
    expect(rig.assign([rig.item({ candidates: newer })]).services[0]?.candidatesVersion).toBe(5);
    const older = { version: 4, list: [SELF, SPARE] };
    expect(rig.assign([rig.item({ candidates: older })]).services[0]?.candidatesVersion).toBe(5);
    expect(rig.state.held.get("svc")?.candidates).toBe(newer);
  });

  test("news of an epoch that is no longer held changes nothing", () => {
    const rig = new Rig().hold({ epoch: 2, cleared: 1 });
    for (const kind of ["activated", "demoted"] as const) rig.send({ kind, service: "svc", epoch: 1 });
    rig.send({ kind: "exited", service: "svc", epoch: 1, reason: "" });
    rig.send({ kind: "exited", service: "nothing", epoch: 2, reason: "" });
    expect(rig.phase).toBe("active");
    expect(rig.effects).toEqual([]);
  });
});

describe("what a daemon says of itself", () => {
  test("every report counts on and carries a fresh nonce; the one for /health doesn't", () => {
    const rig = new Rig();
    const first = rig.assign([]);
    const second = rig.assign([]);
    expect(second.seq).toBe(first.seq + 1);
    const health = reportOf(rig.state, rig.nowMs);
    expect([health.nonce, health.seq, rig.state.reportSeq]).toEqual(["", second.seq, second.seq]);
    expect(second.nonce).toBe(rig.nonce());
  });

  test("it reports at its start, to the arbiters that it remembers", () => {
    const rig = new Rig({}, memoryOf(new Rig().hold().state));
    rig.send({ kind: "started" });
    expect(rig.effect("sendReport").report).toMatchObject({ state: "waiting", bootId: "boot-m" });
    expect(rig.state.arbiters).toEqual([{ name: "a", url: "http://a" }]);
  });

  test("a failed activation is reported at once, and it waits again once the arbiter knows", () => {
    const rig = new Rig();
    rig.assign([rig.item()]);
    rig.send({ kind: "activationFailed", service: "svc", epoch: 1, reason: "no port" });
    expect(rig.effect("sendReport").report).toMatchObject({ state: "failed", services: [] });
    expect(rig.assign([rig.item()]).state).toBe("failed");
    expect(rig.assign([]).state).toBe("waiting");
  });

  test("the report of a program's end is proof: seen, and not held", () => {
    const rig = new Rig().hold();
    rig.send({ kind: "exited", service: "svc", epoch: 1, reason: "signal 9" });
    const { report } = rig.effect("sendReport");
    expect(report).toMatchObject({ state: "failed", services: [], seenEpochs: { svc: 1 } });
    expect(report.reason).toContain("signal 9");
  });

  test("a change of health is reported at once, a new reason alone isn't", () => {
    const rig = new Rig().hold();
    rig.send({ kind: "healthChanged", healthy: false, ready: true, reason: "disk" });
    expect(rig.effect("sendReport").report).toMatchObject({ healthy: false, reason: "disk" });
    rig.send({ kind: "healthChanged", healthy: false, ready: true, reason: "disk still" });
    expect(rig.effects).toEqual([]);
    expect(reportOf(rig.state, rig.nowMs).reason).toBe("disk still");
  });

  test("its state is that of the service that goes furthest", () => {
    const rig = new Rig();
    rig.assign([rig.item(), rig.item({ service: "b" })]);
    expect(reportOf(rig.state, 0).state).toBe("activating");
    rig.send({ kind: "activated", service: "b", epoch: 1 });
    expect(reportOf(rig.state, 0).state).toBe("active");
    rig.assign([rig.item({ drain: true }), rig.item({ service: "b", drain: true })]);
    expect(reportOf(rig.state, 0).state).toBe("draining");
  });

  test("promises of others' services don't hinder its own", () => {
    const rig = new Rig();
    rig.assign([]);
    expect(rig.ask({ service: "other" }).promised).toBe(true);
    rig.assign([rig.item({ ...SPARES_EPOCH, bootId: "boot-m" })]);
    expect(rig.phase).toBe("activating");
  });
});

describe("a request to stop", () => {
  test("ends a daemon that nobody has spoken to at once, after its last report", () => {
    const rig = new Rig();
    rig.send({ kind: "stopRequested", reason: "SIGTERM" });
    expect(rig.kinds()).toEqual(["sendReport", "left"]);
    expect(rig.effect("sendReport").report.state).toBe("leaving");
  });

  test("drains a holder, which goes on being renewed until it has finished, then leaves", () => {
    const rig = new Rig().hold();
    rig.send({ kind: "stopRequested", reason: "SIGTERM" });
    expect(rig.kinds()).toEqual(["demote", "log", "sendReport"]);
    expect(rig.effect("sendReport").report).toMatchObject({
      state: "leaving",
      services: [{ state: "draining" }],
    });
    rig.elapse(1000);
    rig.assign([rig.item({ drain: true })]);
    expect([rig.leaseEndMs, rig.all("left")]).toEqual([2000 + LEASE_MS, []]);
    rig.send({ kind: "demoted", service: "svc", epoch: 1 });
    expect(rig.kinds()).toEqual(["log", "sendReport", "timer"]);
    expect(rig.effect("sendReport").report).toMatchObject({ state: "leaving", services: [] });
    // It stays for a moment: whoever holds it next may need its word (daemon-farewell).
    rig.elapse(LEASE_MS / 2);
    rig.assign([]);
    expect(rig.all("left")).toHaveLength(1);
    rig.send({ kind: "stopRequested", reason: "SIGTERM again" });
    expect(rig.effects).toEqual([]);
  });
});
