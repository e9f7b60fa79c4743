/** What the simulator looks with must itself see what is wrong, and nothing else. */
import { describe, expect, test } from "vitest";
import type { ServiceRow } from "../../src/core/model.ts";
import type { CommandAnswer, OperatorCommand } from "../../src/core/arbiter-io.ts";
import { OrdersKept } from "../../src/simulator/checkers/orders-kept.ts";
import { EpochsGiven } from "../../src/simulator/checkers/epochs-given.ts";

function rowOf(epoch: number, holder: string): ServiceRow {
  return {
    service: "svc",
    holder,
    stateId: `state of ${holder}`,
    bootId: `boot of ${holder}`,
    epoch,
    cleared: epoch - 1,
    leaseMaxMs: 2000,
    candidates: { version: 1, list: [] },
    pastSets: [],
    sinceWallMs: 0,
  };
}

describe("I2, over a store that is restored", () => {
  const first = rowOf(4, "m");
  const given = (epochs: EpochsGiven, to: string): string | undefined =>
    epochs.given("c", "svc", 5, `boot of ${to}`)?.holder;

  test("an epoch is given to whom it was committed for, and to nobody else", () => {
    const epochs = new EpochsGiven();
    expect(given(epochs, "m")).toBeUndefined();
    expect(epochs.committed("c", rowOf(5, "m"))).toBe(true);
    expect(epochs.committed("c", rowOf(5, "s"))).toBe(false);
    expect(given(epochs, "m")).toBe("m");
    expect(given(epochs, "m")).toBe("m");
    expect(given(epochs, "s")).toBe("m");
  });

  // Seen (world restored, seed 2078630489): this was taken for an epoch that is used twice.
  test("one that was lost before anybody was given it may be committed once more", () => {
    const epochs = new EpochsGiven();
    epochs.committed("c", rowOf(5, "m"));
    epochs.restored([first]);
    expect(epochs.committed("c", rowOf(5, "s"))).toBe(true);
    expect(given(epochs, "s")).toBe("s");
    // Whoever hears of the lost commit so late gives the epoch away a second time.
    expect(given(epochs, "m")).toBe("s");
  });

  test("one that somebody was given may not, nor one that the copy knows", () => {
    for (const isGiven of [true, false]) {
      const epochs = new EpochsGiven();
      epochs.committed("c", rowOf(5, "m"));
      if (isGiven) given(epochs, "m");
      epochs.restored([isGiven ? first : rowOf(5, "m")]);
      expect(epochs.committed("c", rowOf(5, "s"))).toBe(false);
      expect(given(epochs, "s")).toBe("m");
    }
  });

  test("where everything is forgotten, epochs may begin anew", () => {
    const epochs = new EpochsGiven();
    epochs.committed("c", rowOf(5, "m"));
    given(epochs, "m");
    epochs.restored(null);
    expect(epochs.committed("c", rowOf(5, "s"))).toBe(true);
    expect(given(epochs, "s")).toBe("s");
  });
});

describe("I5, over a store that is restored", () => {
  const on: OperatorCommand = { verb: "maintenance", daemon: "m", on: true, reason: "" };
  const done: CommandAnswer = { status: 202, text: "", eventSeq: 1 };
  const undone = { pauses: {}, maintenance: {}, moves: {}, joined: {} };

  test("what was acknowledged stays", () => {
    const orders = new OrdersKept();
    orders.given("one", on);
    orders.answered("one", on, done);
    expect(orders.check(undone)).toMatch(/^I5: m was acknowledged/u);
    orders.forget();
    expect(orders.check(undone)).toBeNull();
  });

  // Seen (world restored, seed 1377274070): it was on disk, then lost, then the answer came.
  test("an order that was lost before its answer came may be gone", () => {
    const orders = new OrdersKept();
    orders.given("one", on);
    orders.forget();
    orders.answered("one", on, done);
    expect(orders.check(undone)).toBeNull();
    orders.given("other", on);
    orders.answered("other", on, done);
    expect(orders.check(undone)).toMatch(/^I5/u);
  });
});
