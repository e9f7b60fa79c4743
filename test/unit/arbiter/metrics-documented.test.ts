/**
 * `docs/metrics.md` against the programs, both ways, and the alert rules and the dashboard against them:
 * none of them may name a series that isn't there. `UPDATE_DOCS=1` writes the tables anew.
 */
import { readFile, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { ArbiterMetrics } from "../../../src/arbiter/metrics.ts";
import { createDaemonMetrics } from "../../../src/daemon/metrics.ts";
import { MASTER_AND_SPARE } from "../core/arbiter-models.ts";
import { ClusterRig } from "../core/arbiter-rig.ts";
import type { Report } from "../../../src/core/messages.ts";

const ROOT = new URL("../../../", import.meta.url);
const DOCUMENT = new URL("docs/metrics.md", ROOT);
const BLOCK = /<!-- metrics: (\w+) -->\n(.*?)<!-- end -->/gsu;

interface Series {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

async function arbiterText(): Promise<string> {
  const world = new ClusterRig(MASTER_AND_SPARE).start().advance(600);
  world.service().lastMove = { gapMs: 1, gapIs: "measured", overlapMs: 0, overlapIs: "proof" };
  const settings = { sinceWallMs: 0, lastGoodWallMs: 1, failed: null, run: null };
  world.state.settings = { ...world.state.settings, drills: { svc: settings } };
  const metrics = new ArbiterMetrics(world.state, {
    nowMs: () => world.nowMs,
    problems: () => [{ code: "vacant", subject: "s", text: "", next: "" }],
    missing: () => [[{ kind: "drill", text: "" }]],
    drifted: () => [],
    unwritten: () => 0,
    lastEvent: () => 1,
    streams: () => 0,
  });
  metrics.watchAlerts(() => [{ target: "mail", count: 1, problem: "", forMs: 1 }]);
  metrics.checked(1);
  metrics.checkDue(1);
  metrics.checkFailed("timeout");
  metrics.storeAnswered("commit", 1);
  metrics.published({ kind: "standby" });
  metrics.alertSent("mail");
  metrics.alertFailed("mail");
  const common = { atMs: 0, atWallMs: 0, row: 320, because: "", evidence: {}, cleared: 0, term: 1, epoch: 1 };
  metrics.moved({ ...common, service: "svc", from: "held", to: "vacant", event: "service.vacant" });
  const next = { ...common, row: 200, epoch: 2 };
  metrics.moved({ ...next, service: "svc", from: "activating", to: "held", event: "service.held" });
  const text = await metrics.text();
  metrics.close();
  return text;
}

async function daemonText(): Promise<string> {
  const report = new ClusterRig(MASTER_AND_SPARE).start().advance(600).state.daemons.get("m")?.report;
  if (report === undefined || report === null) throw new Error("the daemon has not reported");
  const held: Report = report;
  const metrics = createDaemonMetrics(() => held);
  metrics.countAssignment("taken");
  metrics.countPromise(true);
  metrics.countReport(true);
  return (await metrics.render()).text;
}

/** What a scrape names, with the labels that it shows. */
function seriesIn(text: string): readonly Series[] {
  const series: Series[] = [];
  for (const [, name = "", help = ""] of text.matchAll(/^# HELP (\S+) (.*)$/gmu)) {
    const type = new RegExp(`^# TYPE ${name} (\\S+)$`, "mu").exec(text)?.[1] ?? "";
    const labels = new Set<string>();
    for (const [, shown = ""] of text.matchAll(new RegExp(`^${name}(?:_bucket)?\\{([^}]*)\\}`, "gmu"))) {
      for (const [, label = ""] of shown.matchAll(/(\w+)="/gu)) if (label !== "le") labels.add(label);
    }
    series.push({ name, type, labels: [...labels], help });
  }
  return series.toSorted((a, b) => a.name.localeCompare(b.name));
}

function tableOf(series: readonly Series[]): string {
  const rows = series.map(({ name, type, labels, help }) => {
    const shown = labels.length === 0 ? "" : `{${labels.join(",")}}`;
    return `| \`${name}${shown}\` | ${type} | ${help} |`;
  });
  return ["| series | type | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

async function programs(): Promise<Readonly<Record<string, readonly Series[]>>> {
  return { arbiter: seriesIn(await arbiterText()), daemon: seriesIn(await daemonText()) };
}

it("docs/metrics.md has every series of arbiter and daemon, with type, labels and meaning, and no other", async () => {
  const text = await readFile(DOCUMENT, "utf8");
  const found = await programs();
  const wanted = text.replaceAll(
    BLOCK,
    (_, who: string) => `<!-- metrics: ${who} -->\n${tableOf(found[who] ?? [])}\n<!-- end -->`,
  );
  if (process.env["UPDATE_DOCS"] !== undefined) await writeFile(DOCUMENT, wanted);
  expect(await readFile(DOCUMENT, "utf8")).toBe(wanted);
  expect(found["arbiter"]?.length).toBeGreaterThan(20);
  expect(found["daemon"]?.length).toBeGreaterThan(8);
});

/** What Prometheus adds to each series, and what alerts carry. */
const ADDED = new Set(["instance", "job", "le", "alertname"]);

interface Question {
  readonly text: string;
  /** What is printed of its answer: `{{ $labels.service }}`, a legend's `{{service}}`. */
  readonly shown: string;
}

async function questions(): Promise<readonly Question[]> {
  const rules = await readFile(new URL("etc/prometheus/arbiter.rules.yml", ROOT), "utf8");
  const dashboard: unknown = JSON.parse(await readFile(new URL("etc/grafana/arbiter.json", ROOT), "utf8"));
  const found: Question[] = rules
    .split("- alert:")
    .slice(1)
    .map((rule) => ({ text: /expr: (.*)/u.exec(rule)?.[1] ?? "", shown: rule }));
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const text: unknown = Reflect.get(value, "expr");
    if (typeof text === "string")
      found.push({ text, shown: String(Reflect.get(value, "legendFormat") ?? "") });
    for (const inner of Object.values(value)) walk(inner);
  };
  walk(dashboard);
  return found;
}

it("alert rules and dashboard name only series and labels that there are, with values that they can have", async () => {
  const { arbiter = [], daemon = [] } = await programs();
  const known = new Map([...arbiter, ...daemon].map(({ name, labels }) => [name, labels]));
  const served = `${await arbiterText()}${await daemonText()}${await readFile(new URL("docs/http.md", ROOT), "utf8")}`;
  const all = await questions();
  expect(all.length).toBeGreaterThan(40);
  for (const { text, shown } of all) {
    const names = [...text.matchAll(/\b(?:arbiter|process)_[a-z_0-9]+/gu)].map(([name]) =>
      known.has(name) ? name : name.replace(/_(?:bucket|count|sum)$/u, ""),
    );
    expect([text, names.filter((name) => !known.has(name))]).toEqual([text, []]);
    const labels = new Set([...names.flatMap((name) => known.get(name) ?? []), ...ADDED]);
    const used = [
      ...[...text.matchAll(/\b(?:by|on)\s*\(([^)]*)\)/gu)].flatMap(([, list = ""]) => list.split(/,\s*/u)),
      ...[...text.matchAll(/[{,]\s*(\w+)\s*[=!]/gu)].map(([, name = ""]) => name),
      ...[...shown.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/gu)].map(([, name = ""]) => name),
    ];
    expect([text, used.filter((name) => !labels.has(name))]).toEqual([text, []]);
    for (const [, label = "", value = ""] of text.matchAll(/(\w+)\s*!?=~?"([^"]*)"/gu)) {
      if (ADDED.has(label)) continue;
      const words = value
        .split("|")
        .filter((word) => !served.includes(`"${word}"`) && !served.includes(`\`${word}\``));
      expect([text, label, words]).toEqual([text, label, []]);
    }
  }
});
