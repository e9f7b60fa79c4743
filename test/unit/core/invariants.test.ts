/** The invariants as predicates: each says yes to what is right, and one sentence to what isn't. */
import { describe, expect, test } from "vitest";
import {
  clearedIsPast,
  committedFirst,
  consecutive,
  countsOn,
  epochRises,
  neverBack,
  nothingOld,
  oneHolder,
  recovers,
  sameConfiguration,
  staysActive,
} from "../../../src/core/invariants.ts";
import type { ServiceRow } from "../../../src/core/model.ts";
import { Rig } from "./daemon-rig.ts";

const ROW: ServiceRow = {
  service: "svc",
  holder: "m",
  stateId: "state-m",
  bootId: "boot-m",
  epoch: 3,
  cleared: 2,
  leaseMaxMs: 2000,
  candidates: { version: 1, list: [] },
  pastSets: [],
  sinceWallMs: 0,
};
const M = { service: "svc", daemon: "m", epoch: 3 };
const S = { service: "svc", daemon: "s", epoch: 4 };

describe("the invariants", () => {
  test("I1: two that believe in one service, of whatever epochs", () => {
    expect(oneHolder([M, { ...S, service: "other" }])).toBeNull();
    expect(oneHolder([M, S])).toMatch(/^I1: m \(epoch 3\) and s \(epoch 4\)/);
    expect(oneHolder([M, { ...M }])).toMatch(/^I1/);
  });

  test("I2: epochs rise with each holder and `cleared` never falls", () => {
    expect(epochRises(null, ROW)).toBeNull();
    expect(epochRises(ROW, { ...ROW, cleared: 3 })).toBeNull();
    expect(epochRises(ROW, { ...ROW, epoch: 4, holder: "s" })).toBeNull();
    expect(epochRises(ROW, { ...ROW, epoch: 2 })).toMatch(/^I2: svc goes back from epoch 3/);
    expect(epochRises(ROW, { ...ROW, cleared: 1 })).toMatch(/^I2: svc goes back from cleared 2/);
    expect(epochRises(ROW, { ...ROW, holder: "s" })).toMatch(/^I2: svc goes from m to s/);
    expect(epochRises(ROW, { ...ROW, bootId: "boot-2" })).toMatch(/^I2/);
    expect(clearedIsPast(ROW)).toBeNull();
    expect(clearedIsPast({ ...ROW, cleared: 4 })).toMatch(/^I2/);
  });

  test("I2: what is assigned was committed before, for that daemon and boot", () => {
    const rig = new Rig();
    const assignment = rig.assignment([rig.item({ epoch: 3 })]);
    expect(committedFirst(assignment, () => ({ holder: "m", bootId: "boot-m" }))).toBeNull();
    expect(committedFirst(assignment, () => ({ holder: "s", bootId: "boot-m" }))).toMatch(/^I2/);
    expect(committedFirst(assignment, () => ({ holder: "m", bootId: "boot-x" }))).toMatch(/^I2/);
    expect(committedFirst(assignment, () => null)).toMatch(/^I2: m is assigned svc at epoch 3/);
    expect(committedFirst(rig.assignment(null), () => null)).toBeNull();
  });

  test("I3: nothing old", () => {
    expect(nothingOld({ term: 2, epoch: 3 }, { term: 2, epoch: 4 })).toBeNull();
    expect(nothingOld({ term: 2, epoch: 3 }, { term: 1, epoch: 4 })).toMatch(/^I3: term/);
    expect(nothingOld({ term: 2, epoch: 3 }, { term: 2, epoch: 3 })).toMatch(/^I3: epoch/);
    expect(countsOn(2, 7, 8)).toBeNull();
    expect(countsOn(2, 7, 7)).toMatch(/^I3: term 2/);
  });

  test("I4: who was active still is", () => {
    expect(staysActive([M], [S, M])).toBeNull();
    expect(staysActive([M], [S])).toMatch(/^I4: svc at m, epoch 3/);
  });

  test("I5 to I8", () => {
    expect(consecutive([4, 5, 6])).toBeNull();
    expect(consecutive([4, 6])).toMatch(/^I5: event 6 follows event 4/);
    expect(sameConfiguration({ hash: "a" }, { hash: "a" })).toBeNull();
    expect(sameConfiguration({ hash: "a" }, { hash: "b" })).toMatch(/^I6/);
    expect(recovers("svc", 100, 100)).toBeNull();
    expect(recovers("svc", 101, 100)).toMatch(/^I7: svc/);
    expect(neverBack(7, 7)).toBeNull();
    expect(neverBack(7, 6)).toMatch(/^I8/);
  });
});
