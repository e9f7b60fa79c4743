/** `GET /v1/sd` as the real Prometheus reads it: every arbiter and daemon is found, and scraped. */
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientsRig, DAEMONS, SERVICE } from "./clients-rig.ts";
import { freePort, until } from "./library-processes.ts";

const PROGRAM = "/usr/bin/prometheus";
function isMissing(): boolean {
  if (existsSync(PROGRAM)) return false;
  if (process.env["CI"] === "true") throw new Error("prometheus isn't installed: apt-get install prometheus");
  process.stdout.write("skipped: prometheus isn't installed (apt-get install prometheus)\n");
  return true;
}

interface Target {
  readonly health: string;
  readonly scrapeUrl: string;
  readonly labels: Readonly<Record<string, string>>;
}

let rig: ClientsRig;
beforeAll(async () => {
  rig = await ClientsRig.start();
}, 60_000);
afterAll(async () => await rig[Symbol.asyncDispose]());

test("what is discovered, and one type of it", async () => {
  const groups: unknown = await (await fetch(`${rig.arbiterUrls[0]}/v1/sd`)).json();
  const host = (url: string): string => new URL(url).host;
  expect(groups).toEqual([
    expect.objectContaining({ targets: [host(rig.arbiterUrls[0] ?? "")] }),
    ...DAEMONS.map((name, index) => ({
      targets: [host(rig.urlOf(name))],
      labels: {
        __scheme__: "http",
        daemon: name,
        type: "scheduler",
        __meta_arbiter_name: name,
        __meta_arbiter_type: "scheduler",
        __meta_arbiter_role: index === 0 ? "master" : "spare",
        __meta_arbiter_realm: "All",
        __meta_arbiter_services: index === 0 ? `,${SERVICE},` : "",
      },
    })),
  ]);
  const one = await fetch(`${rig.arbiterUrls[0]}/v1/sd?type=scheduler`);
  expect(one.headers.get("content-type")).toBe("application/json");
  expect(await one.json()).toHaveLength(2);
}, 60_000);

test.skipIf(isMissing())(
  "Prometheus finds and scrapes them all",
  async () => {
    const port = await freePort();
    const file = path.join(rig.folder, "prometheus.yml");
    const job = `  - job_name: arbiter\n    scrape_interval: 1s\n    http_sd_configs:\n      - url: ${rig.arbiterUrls[0]}/v1/sd\n        refresh_interval: 1s\n`;
    writeFileSync(file, `scrape_configs:\n${job}`);
    const listen = `--web.listen-address=127.0.0.1:${port}`;
    const storage = `--storage.tsdb.path=${path.join(rig.folder, "tsdb")}`;
    rig.spawnOther("prometheus", PROGRAM, [`--config.file=${file}`, storage, listen]);
    const found = async (): Promise<readonly Target[]> => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/targets?state=active`).catch(() => null);
      const body: unknown = response?.ok === true ? await response.json() : null;
      return targetsIn(body);
    };
    await until(
      "all three are scraped",
      async () => (await found()).filter(({ health }) => health === "up").length === 3,
      40_000,
    );
    expect((await found()).map(({ labels }) => `${labels["daemon"]} ${labels["type"]}`).toSorted()).toEqual([
      "arbiter-0 arbiter",
      "scheduler-master scheduler",
      "scheduler-slave scheduler",
    ]);
  },
  60_000,
);

function targetsIn(body: unknown): readonly Target[] {
  if (typeof body !== "object" || body === null || !("data" in body)) return [];
  const { data } = body;
  if (typeof data !== "object" || data === null || !("activeTargets" in data)) return [];
  const { activeTargets } = data;
  return Array.isArray(activeTargets) ? activeTargets : [];
}
