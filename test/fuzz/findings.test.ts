/** What the fuzzer has found, each with its story: it must not come back. */
import { expect, test } from "vitest";
import type { Report } from "../../src/core/messages.ts";
import { parseAssignment, parseReport } from "../../src/protocol/messages.ts";
import { loadFiles, said } from "../unit/config/folder.ts";
import { ClusterRig } from "../unit/core/arbiter-rig.ts";
import { ASSIGNMENT, REPORT } from "./samples.ts";

/** What asks without pause is ended here, before it has filled the memory. */
const MOST_ASSIGNMENTS = 10_000;

function led(): ClusterRig {
  const rig = new ClusterRig().start().advance(1_500);
  const push = rig.assignments.push.bind(rig.assignments);
  rig.assignments.push = (...more): number => {
    if (rig.assignments.length > MOST_ASSIGNMENTS) throw new Error("assignments without pause");
    return push(...more);
  };
  return rig;
}

function forged(rig: ClusterRig, name: string, rest: Partial<Report>): void {
  const last = rig.view(name).report ?? REPORT;
  rig.arbiter({
    kind: "reported",
    report: { ...last, seq: last.seq + 1, ...rest },
    via: "unasked",
    sentAtMs: null,
  });
}

// `seenEpochs["constructor"]` is a function for every object: the comparison with it was neither
// true nor false, and an epoch of such a service was taken twice (I3); it also counted as paused.
test.each(["constructor", "__proto__", "toString"])("`%s` is the name of nothing", async (name) => {
  const [service] = ASSIGNMENT.services ?? [];
  const assignment = { ...ASSIGNMENT, services: [{ ...service, service: name }] };
  expect(parseAssignment(JSON.parse(JSON.stringify(assignment)))).toMatchObject({ ok: false });
  const report = JSON.stringify(REPORT).replace('"seenEpochs":{"svc"', `"seenEpochs":{"${name}"`);
  expect(parseReport(JSON.parse(report))).toMatchObject({ ok: false });
  const loaded = await loadFiles({ "a.cfg": `scheduler_name  ${name}\naddress  127.0.0.1\n` });
  expect(said(loaded, "error").join("\n")).toMatch(/can't be/u);
  const labelled = await loadFiles({ "a.cfg": `[scheduler ${name}]\naddress = 127.0.0.1\n` });
  expect(labelled.ok).toBe(false);
});

// One daemon that said it had seen the largest number there is made the next epoch one that can't be
// counted, and stored: the service could never move again. The same for terms, and for what a
// daemon says that it holds.
test("no daemon counts the epochs away", () => {
  const rig = led();
  for (const epoch of [Number.MAX_SAFE_INTEGER, 2 ** 50]) {
    forged(rig, "s", { seenEpochs: { svc: epoch } });
    rig.command({ verb: "failover", service: "svc", to: null, force: true, evenIfAlive: true });
    rig.advance(10_000);
  }
  expect(rig.service().row.epoch).toBeLessThan(1_000);
  forged(rig, "s", {
    services: [
      {
        service: "svc",
        epoch: Number.MAX_SAFE_INTEGER,
        state: "active",
        leaseRemainingMs: 1,
        candidatesVersion: 1,
      },
    ],
  });
  rig.advance(10_000);
  expect(rig.service().row.epoch).toBeLessThan(1_000);
  expect(rig.believers()).toHaveLength(1);
});

test("no daemon counts the terms away", () => {
  const rig = led();
  forged(rig, "s", { term: Number.MAX_SAFE_INTEGER });
  rig.store = "unknown";
  rig.command({ verb: "pause", service: "svc", reason: "", forMs: null });
  rig.store = "up";
  rig.advance(10_000);
  expect(rig.state.term).toBeGreaterThan(1);
  expect(rig.state.term).toBeLessThan(100);
});

// But a store that lost its past still begins above what the daemons have seen (I2).
test("what a lost past explains is believed", () => {
  const rig = led();
  forged(rig, "s", { seenEpochs: { svc: 1_000_000 } });
  rig.command({ verb: "failover", service: "svc", to: null, force: true, evenIfAlive: true });
  rig.advance(10_000);
  expect(rig.service().row.epoch).toBeGreaterThan(1_000_000);
});

// A report with a far too high number made all later ones of that boot out of date; each said that
// it lacked a lease, and was asked again at once: a loop without a pause, as fast as the network.
test("a daemon that goes on lacking a lease is not asked without pause", () => {
  const rig = led();
  rig.node("s").cut = "timeout";
  rig.advance(5_000);
  const before = rig.assignments.length;
  // It says that it doesn't hold the service any more, so it is given it again, on a nonce that it never made.
  forged(rig, "m", { seq: Number.MAX_SAFE_INTEGER, nonce: "forged", services: [], state: "waiting" });
  rig.advance(5_000);
  expect(rig.service().row.epoch).toBeGreaterThan(1);
  expect(rig.assignments.length - before).toBeLessThan(200);
});

// The fuzzer's own cluster wouldn't start: `[cluster] name` was taken for the name of each daemon
// that its section's header names.
test("the cluster's name is no daemon's", async () => {
  const files = {
    "arbiter.cfg": "[cluster]\nname = demo\n",
    "daemons.cfg": "[scheduler a]\naddress = 127.0.0.1\n[scheduler b]\naddress = 127.0.0.2\nspare = 1\n",
  };
  const loaded = await loadFiles(files);
  expect(said(loaded, "error")).toEqual([]);
  expect(loaded.model?.name).toBe("demo");
  expect(loaded.model?.daemons.map(({ name }) => name)).toEqual(["a", "b"]);
});
