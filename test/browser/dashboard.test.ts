/** The dashboard in a browser, at real arbiters: what a person would see and do. */
import path from "node:path";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Rig } from "../processes/arbiter-rig.ts";
import { isMissing, openBrowser, watch } from "./browser.ts";

const WAIT_MS = 30_000;

let browser: Browser | null = null;
let rig: Rig | null = null;

beforeAll(async () => {
  if (!isMissing()) browser = await openBrowser();
});
afterAll(async () => browser?.close());
afterEach(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
  await rig?.close();
  rig = null;
});

/** An arbiter, a master and a spare, all of them running. */
async function cluster(extra = ""): Promise<Rig> {
  const made = await Rig.create();
  rig = made;
  made.writeCluster(extra);
  const daemons = [
    await made.addDaemon("scheduler-master", "master"),
    await made.addDaemon("scheduler-slave", "spare"),
  ];
  for (const daemon of daemons) await daemon.start();
  await made.start();
  return made;
}

async function open(url: string, options: Parameters<Browser["newPage"]>[0] = {}): Promise<Page> {
  if (browser === null) throw new Error("no browser");
  const page = await browser.newPage(options);
  await page.goto(url);
  await page.getByRole("heading", { name: "Services" }).waitFor({ timeout: WAIT_MS });
  return page;
}

function holder(page: Page): ReturnType<Page["locator"]> {
  return page.getByRole("table", { name: "Services" }).locator(".rows .c-holder").first();
}

async function untilHeldBy(page: Page, name: string): Promise<void> {
  await holder(page).filter({ hasText: name }).waitFor({ timeout: WAIT_MS });
}

/** What axe finds, as sentences; empty: nothing. */
async function barriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  // As text: it runs in the page, where axe has just been loaded.
  const found = await page.evaluate("axe.run().then(({ violations }) => JSON.stringify(violations))");
  const list: unknown = JSON.parse(String(found));
  return Array.isArray(list)
    ? list.map(
        (one: { id: string; nodes: { html: string }[] }) =>
          `${one.id}: ${one.nodes.map(({ html }) => html).join(" ")}`,
      )
    : ["axe said nothing"];
}

describe("the dashboard", () => {
  test.skipIf(isMissing())(
    "shows a failover as it happens, on the page that was open",
    { timeout: 90_000 },
    async () => {
      const { url, daemons } = await cluster();
      const page = await open(url);
      const { complaints, origins } = watch(page);
      await untilHeldBy(page, "scheduler-master");
      await page.evaluate(() => Reflect.set(globalThis, "sameAsEver", true));
      await daemons[0]?.crash();
      await untilHeldBy(page, "scheduler-slave");
      await page
        .getByText("Failover", { exact: false })
        .or(page.locator("#moves td", { hasText: "scheduler-slave" }))
        .first()
        .waitFor();
      await page.locator("#problems", { hasText: "degraded" }).waitFor({ timeout: WAIT_MS });
      await page.locator("#events", { hasText: "service.held" }).waitFor();
      expect(await page.evaluate(() => Reflect.get(globalThis, "sameAsEver"))).toBe(true);
      await page.getByRole("button", { name: "why scheduler-master moved to scheduler-slave" }).click();
      await page.locator("dialog details[open] .why li").first().waitFor({ timeout: WAIT_MS });
      await page.keyboard.press("Escape");
      expect(await page.getByRole("dialog").count()).toBe(0);
      expect(complaints).toEqual([]);
      expect([...origins]).toEqual([url]);
    },
  );

  test.skipIf(isMissing())(
    "has no barrier that axe knows: light, dark, on a phone, in a dialog",
    { timeout: 90_000 },
    async () => {
      const { url } = await cluster();
      const looks = [
        { colorScheme: "light", viewport: { width: 1280, height: 900 } },
        { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
        { colorScheme: "light", viewport: { width: 390, height: 800 } },
      ] as const;
      for (const look of looks) {
        const page = await open(url, look);
        await untilHeldBy(page, "scheduler-master");
        expect(await barriers(page)).toEqual([]);
        const isWider = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
        expect(isWider).toBe(false);
        await page.getByRole("button", { name: "operate scheduler-master" }).first().click();
        expect(await barriers(page)).toEqual([]);
        await page.close();
      }
    },
  );

  test.skipIf(isMissing())(
    "moves a service, with a confirmation, by keyboard alone",
    { timeout: 90_000 },
    async () => {
      const { url } = await cluster();
      const page = await open(url);
      await untilHeldBy(page, "scheduler-master");
      await page.getByRole("button", { name: "operate scheduler-master" }).first().focus();
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Switch over …" }).press("Enter");
      await dialog.getByText("drains and says so").waitFor();
      expect(await holder(page).textContent()).toContain("scheduler-master");
      await dialog.getByRole("button", { name: "Switch over", exact: true }).press("Enter");
      await untilHeldBy(page, "scheduler-slave");
    },
  );

  test.skipIf(isMissing())(
    "whoever hasn't the token is asked for it, and a wrong one does nothing",
    { timeout: 90_000 },
    async () => {
      const made = await Rig.create();
      rig = made;
      made.write("token", "a-token-of-the-cluster-0123456789\n");
      made.writeCluster("[security]\ntoken_file = token\nread_token_file = token\n");
      await made.start();
      if (browser === null) throw new Error("no browser");
      const page = await browser.newPage();
      await page.goto(made.url);
      await page.getByRole("button", { name: "Give the token …" }).click();
      await page.getByRole("textbox", { name: "token" }).fill("wrong-token-0123456789-0123456789");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Give the token …" }).click();
      await page.getByRole("textbox", { name: "token" }).fill("a-token-of-the-cluster-0123456789");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Services" }).waitFor({ timeout: WAIT_MS });
      expect(await page.getByRole("button", { name: "Give the token …" }).count()).toBe(0);
    },
  );

  test.skipIf(isMissing())(
    "goes on at another arbiter when this one dies",
    { timeout: 120_000 },
    async () => {
      const made = await Rig.create();
      rig = made;
      made.writeCluster();
      const second = await made.addArbiter("arbiter-2");
      const arbiter = made.spawn("arbiter-master");
      const other = made.spawn("arbiter-2");
      await arbiter.ready();
      await other.ready();
      if (browser === null) throw new Error("no browser");
      const page = await browser.newPage();
      await page.goto(`${made.url}/#filter=some`);
      await page.getByRole("heading", { name: "Arbiters" }).waitFor({ timeout: WAIT_MS });
      await page.locator(".arbiters", { hasText: "arbiter-2" }).waitFor();
      await arbiter.stop("SIGKILL");
      await page.waitForURL(`http://127.0.0.1:${second}/#filter=some`, { timeout: 60_000 });
      await page.getByRole("heading", { name: "Arbiters" }).waitFor({ timeout: WAIT_MS });
      expect(await page.getByRole("searchbox", { name: "filter" }).inputValue()).toBe("some");
    },
  );
});

describe("a page with a token whose arbiter dies", () => {
  test.skipIf(isMissing())(
    "goes on at another one, says so, asks for the token again and goes on with what was ordered",
    { timeout: 120_000 },
    async () => {
      const made = await Rig.create();
      rig = made;
      const secret = "a-token-of-the-cluster-0123456789";
      made.write("token", `${secret}\n`);
      made.writeCluster("[security]\ntoken_file = token\n");
      const second = await made.addArbiter("arbiter-2");
      const arbiter = made.spawn("arbiter-master");
      const other = made.spawn("arbiter-2");
      await arbiter.ready();
      await other.ready();
      if (browser === null) throw new Error("no browser");
      const page = await browser.newPage();
      const asked: string[] = [];
      page.on("request", (request) => asked.push(request.url()));
      page.on("framenavigated", (frame) => asked.push(frame.url()));
      await page.goto(made.url);
      await page.locator(".arbiters", { hasText: "arbiter-2" }).waitFor({ timeout: WAIT_MS });
      await page.getByRole("button", { name: "token …" }).click();
      await page.getByRole("textbox", { name: "token" }).fill(secret);
      await page.keyboard.press("Enter");
      // While somebody reads a dialog the page stays.
      await page.getByRole("button", { name: "operate …" }).click();
      await arbiter.stop("SIGKILL");
      await page.locator(".silent").waitFor({ timeout: WAIT_MS });
      expect(new URL(page.url()).port).toBe(String(made.port));
      await page.keyboard.press("Escape");
      await page.waitForURL((url) => url.port === String(second), { timeout: 60_000 });
      const arrived = page.getByRole("alert").filter({ hasText: "you go on at arbiter-2" });
      await arrived.waitFor({ timeout: WAIT_MS });
      expect(await arrived.textContent()).toContain("arbiter-master doesn't answer");
      expect(page.url()).toBe(`http://127.0.0.1:${second}/`);
      expect(asked.filter((url) => url.includes(secret))).toEqual([]);
      expect(await barriers(page)).toEqual([]);
      // Without it, an order is refused and asks for it; after that it stands there again, to be confirmed.
      await page.getByRole("button", { name: "operate …" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Resume everything …" }).click();
      await dialog.getByRole("button", { name: "Resume everything", exact: true }).click();
      await dialog.getByRole("button", { name: "Give the token …" }).click();
      await page.getByRole("textbox", { name: "token" }).fill(secret);
      await page.keyboard.press("Enter");
      await dialog.getByRole("button", { name: "Pause everything …" }).click();
      await dialog.getByRole("textbox", { name: "reason" }).fill("an arbiter is gone");
      await dialog.getByRole("button", { name: "Pause everything", exact: true }).click();
      await dialog.getByText("every service is paused").waitFor({ timeout: WAIT_MS });
      await dialog.getByRole("button", { name: "Close" }).click();
      await arrived.waitFor({ state: "detached", timeout: WAIT_MS });
    },
  );
});

describe("ten thousand daemons", () => {
  test.skipIf(isMissing())(
    "are scrolled and filtered through a window of rows",
    { timeout: 120_000 },
    async () => {
      const made = await Rig.create();
      rig = made;
      made.writeCluster();
      const count = 10_000;
      // Nobody is there: each is tried once, and then no more while the test lasts.
      const lines = Array.from(
        { length: count },
        (_none, at) =>
          `[daemon.worker-${String(at).padStart(5, "0")}]\ntype = worker\naddress = 127.0.0.2\nport = ${20_000 + at}\nspare = ${at % 1000 === 0 ? 1 : 0}\n`,
      );
      made.write(
        "arbiter.cfg",
        `[cluster]\nname = many\ncheck_interval = 1h\nlease = 6h\nmax_check_attempts = 1\n${lines.join("")}`,
      );
      await made.start();
      const page = await open(made.url);
      const rows = page.getByRole("table", { name: "Daemons" }).locator(".rows .row");
      await page.locator("#daemons-title", { hasText: String(count) }).waitFor({ timeout: WAIT_MS });
      const box = page.getByRole("region", { name: /^Daemons, / });
      await box.focus();
      await page.keyboard.press("End");
      await rows.filter({ hasText: "worker-09999" }).waitFor({ timeout: WAIT_MS });
      expect(await rows.count()).toBeLessThan(100);
      await page.keyboard.press("/");
      await page.keyboard.type("worker-0777");
      await page.locator("#daemons-title", { hasText: "10 match" }).waitFor({ timeout: WAIT_MS });
      expect(await rows.count()).toBe(10);
    },
  );
});

test("the page's files are its own: nothing of the cluster in them, a policy, and a tag", async () => {
  const made = await Rig.create();
  rig = made;
  made.writeCluster();
  await made.start();
  const { status, headers, text } = await made.get("/");
  expect(status).toBe(200);
  expect(text).not.toContain("arbiter-master");
  const policy = headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|data:|\*/u);
  for (const [, file] of text.matchAll(/(?:src|href)="([^"]+)"/gu)) {
    const answer = await made.get(file ?? "");
    expect([path.basename(file ?? ""), answer.status]).toEqual([path.basename(file ?? ""), 200]);
    const again = await made.get(file ?? "", { "if-none-match": answer.headers.get("etag") ?? "" });
    expect(again.status).toBe(304);
  }
  expect((await made.get("/dashboard/..%2f..%2fpackage.json")).status).toBe(404);
});
