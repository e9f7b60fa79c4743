/**
 * `arbiter status --watch` on a real terminal (a pseudo-terminal of `script`): drawn in place, as wide as the
 * terminal is at that moment, honest about silence, and over with the exit code of the last look.
 */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { daemonStatus, serveStatus, standIn, status } from "./stand-in.ts";
import type { Route } from "./stand-in.ts";

const isThere = existsSync("/usr/bin/script") && process.platform === "linux";
if (!isThere) process.stderr.write("Skipped: `script` of util-linux is needed for a pseudo-terminal.\n");

const HOME = "\u001B[H";
const OTHER_SCREEN = "\u001B[?1049h";
const OWN_SCREEN = "\u001B[?1049l";
const CLEARED = "\u001B[J";

class TerminalRun {
  readonly child: ChildProcess;
  output = "";
  readonly ended: Promise<number | null>;

  constructor(argv: readonly string[], columns: number) {
    const program = [process.execPath, join(import.meta.dirname, "program.ts"), ...argv].join(" ");
    const inner = `stty cols ${columns} rows 24; tty; exec ${program}`;
    this.child = spawn("/usr/bin/script", ["-qefc", inner, "/dev/null"], {
      env: { PATH: process.env["PATH"] ?? "", TERM: "xterm", SHELL: "/bin/sh" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
    });
    this.ended = once(this.child, "close").then(() => this.child.exitCode);
  }

  /** The last screen that was drawn whole, as lines. */
  screen(): readonly string[] {
    const drawn = this.output.split(HOME).slice(1);
    const last = drawn.findLast((text) => text.includes(CLEARED)) ?? "";
    return stripVTControlCharacters(last.slice(0, last.indexOf(CLEARED) + 1)).split(/\r?\n/u);
  }

  async shows(text: string): Promise<void> {
    const deadlineMs = performance.now() + 15_000;
    while (!this.screen().join("\n").includes(text)) {
      if (performance.now() > deadlineMs) throw new Error(`no ${text} on: ${this.screen().join("\n")}`);
      await sleep(20);
    }
  }

  resize(columns: number): void {
    const terminal = /\/dev\/pts\/\d+/u.exec(this.output)?.[0] ?? "";
    const { status: code } = spawnSync("stty", ["-F", terminal, "cols", String(columns)]);
    if (code !== 0) throw new Error(`${terminal} can't be resized`);
  }

  key(bytes: string): void {
    this.child.stdin?.write(bytes);
  }
}

const runs: TerminalRun[] = [];
afterEach(async () => {
  for (const { child, ended } of runs.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  }
});

function watchAt(url: string, columns = 100): TerminalRun {
  const run = new TerminalRun(["status", "--watch", "--url", url], columns);
  runs.push(run);
  return run;
}

const CTRL_C = "\u0003";
const WELL = serveStatus(status());

describe.runIf(isThere)("status --watch on a terminal", () => {
  test("is drawn in place, follows the terminal's width, and gives the screen back", async () => {
    await using server = await standIn(WELL);
    const run = watchAt(server.url);
    await run.shows("LEASE LEFT");
    expect(run.output).toContain(OTHER_SCREEN);
    run.resize(40);
    await expect
      .poll(() => Math.max(...run.screen().map((line) => line.length)), { timeout: 15_000 })
      .toBeLessThan(41);
    expect(run.screen().join("\n")).toContain("scheduler-master");
    run.key(CTRL_C);
    expect(await run.ended).toBe(0);
    const [, after = ""] = run.output.split(OWN_SCREEN);
    // The last look stays below the prompt.
    expect(stripVTControlCharacters(after)).toContain("demo: all well");
  });

  test("ends with 1 where something is wrong", async () => {
    const problems = [
      { code: "degraded", subject: "web", text: "web has no spare.", next: "Start one." },
    ] as const;
    await using server = await standIn(serveStatus(status({ problems, daemons: [daemonStatus()] })));
    const run = watchAt(server.url);
    await run.shows("web has no spare.");
    run.key(CTRL_C);
    expect(await run.ended).toBe(1);
  });

  test("says when nobody answers and how old the rest is, and ends with 1 then", async () => {
    let isSilent = false;
    const route: Route = (asked, response) => {
      if (!isSilent) return WELL(asked, response);
      response.destroy();
      return true;
    };
    await using server = await standIn(route);
    const run = watchAt(server.url);
    await run.shows("all well");
    isSilent = true;
    await run.shows("no answer");
    expect(run.screen().join(" ").replaceAll(/\s+/gu, " ")).toMatch(/What is shown is [\d.]+ m?s old/u);
    expect(run.screen().join("\n")).toContain("scheduler-master");
    isSilent = false;
    await expect.poll(() => run.screen().join("\n"), { timeout: 15_000 }).not.toContain("no answer");
    isSilent = true;
    await run.shows("no answer");
    run.key(CTRL_C);
    expect(await run.ended).toBe(1);
  });

  test("looks on where nobody answers from the beginning, and ends with 1", async () => {
    const run = watchAt("http://127.0.0.1:1");
    await run.shows("no arbiter answers");
    run.key(CTRL_C);
    expect(await run.ended).toBe(1);
  });
});

test("status --watch in a pipe ends with the last look's exit code when it is asked to", async () => {
  await using server = await standIn(WELL);
  const argv = [join(import.meta.dirname, "program.ts"), "status", "--watch", "--url", server.url];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "ignore"] });
  child.stdout.setEncoding("utf8");
  await once(child.stdout, "data");
  child.kill("SIGINT");
  await once(child, "close");
  expect([child.exitCode, child.signalCode]).toEqual([0, null]);
});
