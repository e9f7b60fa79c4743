/** The watchdog device, with a file in its place: each byte in it is one that the device would get. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Watchdog } from "../../src/launcher/watchdog.ts";
import { nowMs } from "../../src/shell/clock.ts";
import { OtherLauncher } from "./launcher-other.ts";
import { makeFolder, openWorkshop, runs, shell, textOf, until } from "./launcher-workshop.ts";

const folders: string[] = [];

function folderOf(): string {
  const folder = makeFolder();
  folders.push(folder);
  return folder;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function openWatched(): Promise<Awaited<ReturnType<typeof openWorkshop>>> {
  return await openWorkshop(
    () => ["sleep", "600"],
    (folder) => {
      writeFileSync(join(folder, "watchdog"), "");
      return { watchdog: join(folder, "watchdog") };
    },
  );
}

test("it is fed while the service is held, and let go of when nothing runs any more", async () => {
  await using shop = await openWatched();
  const device = (): string => textOf(shop.path("watchdog"));
  await sleep(400);
  expect(device()).toBe("");
  await shop.activate();
  await until("it is fed", () => device().length >= 3);
  await shop.launcher.demote("s", 1, "test", nowMs() + 5000);
  expect(device()).toMatch(/^k+V$/u);
  const { length } = device();
  await sleep(600);
  expect(device()).toHaveLength(length);
});

test("it is not fed beyond the lease, whatever still runs", async () => {
  const folder = folderOf();
  const file = join(folder, "watchdog");
  writeFileSync(file, "");
  const leaseEndMs = nowMs() + 900;
  const watchdog = new Watchdog({
    file,
    leases: () => [{ leaseMs: 900, leaseEndMs }],
    log: () => {},
    timeoutMs: null,
  });
  watchdog.arm(900);
  await sleep(1000);
  const fed = readFileSync(file, "latin1");
  expect(fed.length).toBeGreaterThan(1);
  await sleep(700);
  expect(readFileSync(file, "latin1")).toBe(fed);
  watchdog.disarm();
  expect(readFileSync(file, "latin1")).toBe(`${fed}V`);
});

test.each([
  { timeoutMs: 1000, leaseMs: 2000, warns: false, fedAt: { 1500: true, 900: false } },
  { timeoutMs: 60_000, leaseMs: 2000, warns: true, fedAt: { 1500: true, 900: true } },
  { timeoutMs: null, leaseMs: 2000, warns: true, fedAt: { 1500: true, 900: true } },
])(
  "a time-out of $timeoutMs ms, a lease of $leaseMs ms: fed only while it would fire before the lease's end, or warned",
  ({ timeoutMs, leaseMs, warns, fedAt }) => {
    const file = join(folderOf(), "watchdog");
    for (const [leftMs, isFed] of Object.entries(fedAt)) {
      writeFileSync(file, "");
      const said: string[] = [];
      const watchdog = new Watchdog({
        file,
        leases: () => [{ leaseMs, leaseEndMs: nowMs() + Number(leftMs) }],
        log: (_level, text) => said.push(text),
        timeoutMs,
      });
      watchdog.arm(leaseMs);
      watchdog.disarm();
      expect(textOf(file)).toBe(isFed ? "kV" : "V");
      expect(said.length > 0).toBe(warns);
    }
  },
);

test("a device that can't be opened is a failed activation that says so; the program never runs", async () => {
  await using shop = await openWorkshop(
    (folder) => shell(`touch ${folder}/ran; exec sleep 600`),
    () => ({ watchdog: "/no/such/device" }),
  );
  await expect(shop.activate()).rejects.toThrow(/`watchdog = \/no\/such\/device` can't be opened/u);
  expect(existsSync(shop.path("ran"))).toBe(false);
});

test("a frozen launcher feeds no more; a killed one's guard lets go of it, once the program is dead", async () => {
  const folder = folderOf();
  const file = join(folder, "watchdog");
  writeFileSync(file, "");
  const launcher = new OtherLauncher(folder, ["sleep", "600"], { watchdog: file });
  const group = await launcher.activate(1, 60_000);
  await until("it is fed", () => textOf(file).length >= 2);
  launcher.process.kill("SIGSTOP");
  await sleep(100);
  const { length } = textOf(file);
  await sleep(700);
  expect(textOf(file)).toHaveLength(length);
  launcher.process.kill("SIGKILL");
  await until("it is let go of", () => textOf(file).endsWith("V"));
  expect(runs(group)).toBe(false);
});
