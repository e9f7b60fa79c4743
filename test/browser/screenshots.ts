/**
 * The pictures in docs/images: a cluster that has been through something, as the dashboard shows it.
 * `npm run screenshots` makes them anew; look at each before it is committed.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, Rig } from "../processes/arbiter-rig.ts";
import { openBrowser } from "./browser.ts";

const FOLDER = join(import.meta.dirname, "../../docs/images");
/** For the sparklines to have something to show. */
const SETTLE_MS = 40_000;

const rig = await Rig.create();
const browser = await openBrowser();
try {
  // Slower than other tests: a busy machine is not what the pictures are about.
  rig.writeCluster("failback = manual\ncheck_interval = 250ms\ntimeout = 200ms\nlease = 1500ms\n");
  const names = ["billing", "mail", "reports"];
  for (const name of names) await rig.addDaemon(`${name}-1`, "master");
  const spares = [await rig.addDaemon("spare-1", "spare"), await rig.addDaemon("spare-2", "spare")];
  for (const daemon of rig.daemons) await daemon.start();
  for (const daemon of rig.daemons) rig.writeDaemon(daemon, "capacity 2\n");
  await rig.start();
  for (const name of names)
    await eventually(async () => (await rig.held(`${name}-1`)).split(" ")[1], "held", 30_000);
  await sleep(SETTLE_MS / 2);
  await rig.post("/v1/services/reports-1/drill", { by: "alice", holdMs: 1_000 });
  await eventually(
    async () => (await rig.status()).daemons.find(({ name }) => name === "reports-1")?.lastDrill?.passed,
    true,
    30_000,
  );
  await rig.post("/v1/services/mail-1/switchover", { by: "alice" });
  await sleep(SETTLE_MS / 4);
  await rig.daemons[0]?.crash();
  await sleep(SETTLE_MS / 8);
  await rig.post("/v1/services/reports-1/pause", { by: "alice", reason: "new disks", forMs: 7_200_000 });
  await sleep(SETTLE_MS / 4);
  process.stdout.write(`${spares.length} spares; ${await rig.held("billing-1")}\n`);
  mkdirSync(FOLDER, { recursive: true });
  const looks = [
    { name: "dashboard-light", colorScheme: "light", viewport: { width: 1280, height: 1000 } },
    { name: "dashboard-dark", colorScheme: "dark", viewport: { width: 1280, height: 1000 } },
    { name: "dashboard-phone", colorScheme: "light", viewport: { width: 390, height: 844 } },
  ] as const;
  for (const { name, ...look } of looks) {
    const page = await browser.newPage(look);
    await page.goto(rig.url);
    await page.locator(".spark").first().waitFor();
    await page.getByRole("combobox", { name: "shown" }).selectOption("an hour");
    await sleep(1500);
    await page.evaluate("scrollTo(0, 0)");
    await page.screenshot({ path: join(FOLDER, `${name}.png`) });
    if (name === "dashboard-light") {
      await page
        .getByRole("button", { name: /^why billing-1 moved to spare/u })
        .first()
        .click();
      await page.locator("dialog details[open] .why li").first().waitFor();
      await page.screenshot({ path: join(FOLDER, "dashboard-why.png") });
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "operate mail-1" }).first().click();
      await page.getByRole("button", { name: "Switch over …" }).click();
      await page.screenshot({ path: join(FOLDER, "dashboard-operate.png") });
    }
    await page.close();
  }
} finally {
  await browser.close();
  await rig.close();
}
