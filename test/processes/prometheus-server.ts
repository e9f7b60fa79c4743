/** Debian's own Prometheus over the shipped rules, with less patience than they have in earnest. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, freePort } from "./arbiter-rig.ts";

export const RULES: string = fileURLToPath(
  new URL("../../etc/prometheus/arbiter.rules.yml", import.meta.url),
);

/** Every alert of the rules. */
export function alertsIn(rules: string): readonly string[] {
  return Array.from(rules.matchAll(/- alert: (\w+)/gu), ([, name = ""]) => name);
}

export class Prometheus {
  readonly #api: string;
  readonly #child: ChildProcess;

  private constructor(api: string, child: ChildProcess) {
    this.#api = api;
    this.#child = child;
  }

  /** `targets`: a file of them is written, and may be written again. */
  static async start(folder: string, targets: readonly string[]): Promise<Prometheus> {
    const rules = readFileSync(RULES, "utf8").replaceAll(/for: \d+[sm]$/gmu, "for: 1s");
    writeFileSync(path.join(folder, "rules.yml"), rules);
    writeTargets(folder, targets);
    writeFileSync(
      path.join(folder, "prometheus.yml"),
      `global: { scrape_interval: 500ms, evaluation_interval: 500ms }\nrule_files: [rules.yml]\nscrape_configs:\n` +
        `  - job_name: arbiter\n    file_sd_configs: [{ files: [targets.json], refresh_interval: 1s }]\n`,
    );
    const port = await freePort();
    const child = spawn(
      "/usr/bin/prometheus",
      [
        `--config.file=${path.join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${path.join(folder, "tsdb")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: "ignore" },
    );
    const made = new Prometheus(`http://127.0.0.1:${port}/api/v1`, child);
    await eventually(
      () =>
        made.firing().then(
          () => true,
          () => false,
        ),
      true,
      30_000,
    );
    return made;
  }

  async asked(question: string): Promise<unknown> {
    const response = await fetch(`${this.#api}/${question}`);
    const body: unknown = await response.json();
    return body;
  }

  /** Names of the alerts that fire. */
  async firing(): Promise<ReadonlySet<string>> {
    const body = await this.asked("alerts");
    const list: unknown = memberOf(memberOf(body, "data"), "alerts");
    const alerts: readonly unknown[] = Array.isArray(list) ? list : [];
    const names = alerts
      .filter((alert) => memberOf(alert, "state") === "firing")
      .map((alert) => String(memberOf(memberOf(alert, "labels"), "alertname")));
    return new Set(names);
  }

  /** Which of these don't fire (yet); empty: all have been seen to, at one time or another. */
  async untilFired(names: readonly string[]): Promise<void> {
    const missing = new Set(names);
    const look = async (): Promise<readonly string[]> => {
      for (const name of await this.firing()) missing.delete(name);
      return [...missing];
    };
    await eventually(look, [], 60_000);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

export function writeTargets(folder: string, targets: readonly string[]): void {
  writeFileSync(path.join(folder, "targets.json"), JSON.stringify([{ targets }]));
}

export function memberOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}
