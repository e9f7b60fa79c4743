/** What the runtime keeps of leases: judged by the clock at the call, and by the epoch (I1, I3). */
import { expect, test } from "vitest";
import { withSlack } from "../../../src/daemon/effects.ts";
import { LeaseTable } from "../../../src/daemon/lease-table.ts";
import { earliestKillMs } from "../../../src/daemon/lease-watch.ts";
import { LeaseLostError, OwnLease } from "../../../src/daemon/lease.ts";

const lease = (service: string, epoch: number, leaseEndMs: number) => ({
  service,
  epoch,
  leaseEndMs,
  fenceAtMs: leaseEndMs - 100,
});

test("a lease is over once the clock says so, though nothing has fired", () => {
  let now = 0;
  const table = new LeaseTable(
    () => now,
    () => {},
  );
  table.set(lease("s", 3, 1000));
  expect(table.remainingMs("s", 3)).toBe(1000);
  now = 999;
  expect(table.remainingMs("s", 3)).toBe(1);
  now = 1000;
  expect(table.remainingMs("s", 3)).toBe(0);
  expect(table.remainingMs("s", 4)).toBe(0);
  expect(table.remainingMs("t", 3)).toBe(0);
});

test("the end of an older epoch leaves a newer one's lease alone", () => {
  const told: number[] = [];
  const table = new LeaseTable(
    () => 0,
    (leases) => told.push(leases.size),
  );
  table.set(lease("s", 4, 1000));
  table.drop("s", 3);
  expect(table.remainingMs("s", 4)).toBe(1000);
  table.drop("s", 4);
  expect(table.remainingMs("s", 4)).toBe(0);
  expect(told).toEqual([1, 0]);
});

test("the watch kills for the lease that ends first, between its fence and its end", () => {
  expect(earliestKillMs(new Map())).toBeNull();
  const leases = new Map([
    ["s", lease("s", 1, 5000)],
    ["t", lease("t", 1, 2000)],
  ]);
  expect(earliestKillMs(leases)).toBe(1950);
});

test("a lease that was given up stays lost, also if its end had not come", () => {
  const own = new OwnLease("s", 7, 1000, () => 500);
  own.assertHeld();
  own.moveTo(2000);
  expect(own.remainingMs()).toBe(1500);
  own.endNow("the arbiter moves the service");
  own.moveTo(9000);
  expect(own.held()).toBe(false);
  expect(own.remainingMs()).toBe(0);
  expect(() => own.assertHeld()).toThrow(LeaseLostError);
  expect(() => own.assertHeld()).toThrow(/s at epoch 7 is lost: the arbiter moves the service/);
});

test("a launcher's timer may come a little late, and never past a lease's fence", () => {
  const leases = new LeaseTable(
    () => 0,
    () => {},
  );
  expect(leases.earliestFenceMs).toBe(Infinity);
  leases.set({ service: "a", epoch: 1, leaseEndMs: 2000, fenceAtMs: 1750 });
  leases.set({ service: "b", epoch: 1, leaseEndMs: 1200, fenceAtMs: 1010 });
  expect(leases.earliestFenceMs).toBe(1010);
  leases.drop("b", 1);
  const fenceAtMs = leases.earliestFenceMs;
  expect(fenceAtMs).toBe(1750);
  expect(withSlack(800, 0, fenceAtMs)).toBe(850);
  expect(withSlack(1740, 0, fenceAtMs)).toBe(1750);
  expect(withSlack(1750, 0, fenceAtMs)).toBe(1750);
  // What has passed is due at once, whatever the fence.
  expect(withSlack(1800, 1900, fenceAtMs)).toBe(1800);
  expect(withSlack(800, 0, Infinity)).toBe(850);
});
