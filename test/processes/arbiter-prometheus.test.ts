/**
 * What is shipped for Prometheus, in Debian's own: promtool takes rules and metrics, every question of the
 * dashboard is one, and the alerts fire when what they are about happens.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, freePort, Rig } from "./arbiter-rig.ts";

const RULES = fileURLToPath(new URL("../../etc/prometheus/arbiter.rules.yml", import.meta.url));
const DASHBOARD = new URL("../../etc/grafana/arbiter.json", import.meta.url);
const isThere = ["prometheus", "promtool"].every((name) => existsSync(`/usr/bin/${name}`));
const WHY = "Prometheus is not installed (Debian: apt-get install prometheus)";
if (!isThere) {
  if (process.env["CI"] === "true") throw new Error(WHY);
  process.stderr.write(`Skipped: ${WHY}.\n`);
}

let rig: Rig;
let master: ScriptedDaemon;
let prometheus: ChildProcess;
let api: string;

async function start(): Promise<void> {
  rig = await Rig.create();
  const nobody = await freePort();
  rig.writeCluster(
    `check_interval = 150ms\ntimeout = 120ms\nlease = 2s\n[alerts]\nwebhook = http://127.0.0.1:${nobody}/\n`,
  );
  master = await rig.addDaemon("scheduler-master", "master");
  await master.start();
  await rig.start();
  await eventually(() => rig.held("scheduler-master"), "scheduler-master@1 held");
  // As shipped, but for the patience.
  const rules = readFileSync(RULES, "utf8").replaceAll(/for: \d+[sm]$/gmu, "for: 1s");
  writeFileSync(path.join(rig.folder, "rules.yml"), rules);
  writeFileSync(
    path.join(rig.folder, "prometheus.yml"),
    `global: { scrape_interval: 1s, evaluation_interval: 1s }\nrule_files: [rules.yml]\nscrape_configs:\n` +
      `  - job_name: arbiter\n    static_configs: [{ targets: ["127.0.0.1:${rig.port}"] }]\n`,
  );
  const port = await freePort();
  api = `http://127.0.0.1:${port}/api/v1`;
  prometheus = spawn(
    "/usr/bin/prometheus",
    [
      `--config.file=${path.join(rig.folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${path.join(rig.folder, "tsdb")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: "ignore" },
  );
  await eventually(
    () =>
      firing().then(
        () => true,
        () => false,
      ),
    true,
    30_000,
  );
}

async function stop(): Promise<void> {
  if (prometheus.exitCode === null && prometheus.signalCode === null) {
    const ended = once(prometheus, "exit");
    prometheus.kill("SIGKILL");
    await ended;
  }
  await rig.close();
}

async function asked(question: string): Promise<unknown> {
  const response = await fetch(`${api}/${question}`);
  const body: unknown = await response.json();
  return body;
}

/** Names of the alerts that fire. */
async function firing(): Promise<ReadonlySet<string>> {
  const body = await asked("alerts");
  const list: unknown = memberOf(memberOf(body, "data"), "alerts");
  const alerts: readonly unknown[] = Array.isArray(list) ? list : [];
  const names = alerts
    .filter((alert) => memberOf(alert, "state") === "firing")
    .map((alert) => String(memberOf(memberOf(alert, "labels"), "alertname")));
  return new Set(names);
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}

async function fires(name: string): Promise<void> {
  await eventually(async () => (await firing()).has(name), true, 40_000);
}

describe.runIf(isThere)("Prometheus", () => {
  beforeAll(start, 60_000);
  afterAll(stop);

  it("promtool finds nothing wrong with the rules, nor with what arbiters say", async () => {
    const rules = await execa("promtool", ["check", "rules", RULES], { reject: false });
    expect([rules.exitCode, rules.stdout]).toEqual([0, expect.stringMatching(/SUCCESS: \d+ rules found/u)]);
    const { text } = await rig.get("/metrics");
    const metrics = await execa("promtool", ["check", "metrics"], { input: text, reject: false });
    expect([metrics.exitCode, metrics.stderr]).toEqual([0, ""]);
  });

  it("each question of the dashboard is one that Prometheus understands", async () => {
    const dashboard = readFileSync(DASHBOARD, "utf8");
    const questions = [...dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/gu)].map(([, json = ""]) =>
      String(JSON.parse(json)),
    );
    expect(questions.length).toBeGreaterThan(20);
    for (const question of questions) {
      const plain = question.replaceAll("$job", ".*").replaceAll("$__rate_interval", "1m");
      const answer = await asked(`query?query=${encodeURIComponent(plain)}`);
      expect([plain, memberOf(answer, "status")]).toEqual([plain, "success"]);
    }
  });

  it("nothing fires while all is well; then each as it happens", async () => {
    // So many scrapes that whatever fires without a cause would have by now.
    const scraped = "query?query=count_over_time(up[1m])";
    await eventually(
      async () => /"value":\[[\d.]+,"[5-9]"\]/u.test(JSON.stringify(await asked(scraped))),
      true,
      30_000,
    );
    expect([...(await firing())]).toEqual([]);
    await master.crash();
    await fires("ArbiterServiceWithoutHolder");
    await fires("ArbiterServicesNotHeld");
    await fires("ArbiterUndelivered");
    await rig.arbiters[0]?.stop("SIGKILL");
    await fires("ArbiterDown");
    await fires("ArbiterNobodyLeads");
  }, 180_000);
});
