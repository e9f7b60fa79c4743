/** node-cron on two daemons: each kind of move once, and no second of the schedule is lost or done twice. */
import { createTask } from "node-cron";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { arbiterCoordinator } from "../../src/index.ts";
import { cronFailovers } from "./cron-failovers.ts";
import { until } from "./library-processes.ts";

test("every second is done once, over every kind of move", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "arbiter-cron-"));
  try {
    const outcome = await cronFailovers(4, path.join(folder, "ledger.db"), () => {});
    expect(outcome).toMatchObject({ twice: 0, missing: 0, outOfOrder: 0 });
    expect(outcome.done).toBeGreaterThan(4);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 240_000);

test("a distributed task runs only where the lease is held at that instant", async () => {
  const fired = { held: 0, lost: 0, none: 0 };
  let skipped = 0;
  const lease = (isHeld: boolean): Parameters<typeof arbiterCoordinator>[0] => ({
    service: "s",
    epoch: 1,
    held: () => isHeld,
  });
  const tasks = [
    createTask("* * * * * *", () => (fired.held += 1), {
      name: "held",
      distributed: true,
      runCoordinator: arbiterCoordinator(lease(true)),
    }),
    createTask("* * * * * *", () => (fired.lost += 1), {
      name: "lost",
      distributed: true,
      runCoordinator: arbiterCoordinator(lease(false)),
    }),
    createTask("* * * * * *", () => (fired.none += 1), {
      name: "none",
      distributed: true,
      runCoordinator: arbiterCoordinator(() => null),
    }),
  ];
  for (const task of tasks) {
    task.on("execution:skipped", () => {
      skipped += 1;
    });
    await task.start();
  }
  await until("the held one has run, and the others were skipped", () => fired.held > 1 && skipped > 1);
  for (const task of tasks) await task.destroy();
  expect([fired.lost, fired.none]).toEqual([0, 0]);
}, 30_000);
