/** The status on a terminal: what is wrong first, never wider or longer than the screen. */
import { describe, expect, test } from "vitest";
import type { DaemonStatus } from "../../../src/arbiter/status.ts";
import type { Terminal } from "../../../src/cli/output.ts";
import { statusScreen } from "../../../src/cli/status-text.ts";
import { daemonStatus, serviceStatus, status } from "./stand-in.ts";

const NOW = Date.parse("2026-01-02T03:05:05.000Z");

function terminal(width: number, height = Infinity): Terminal {
  return { isTerminal: true, width, height, write: () => {}, paint: (_style, text) => text };
}

const troubled = status({
  services: [
    serviceStatus(),
    serviceStatus({
      name: "broker-master",
      holder: null,
      role: null,
      phase: "vacant",
      leaseRemainingMs: null,
    }),
  ],
  daemons: [
    daemonStatus(),
    daemonStatus({ name: "broker-master", state: "unreachable", healthy: false, failedChecks: 3 }),
  ],
  problems: [
    {
      code: "vacant",
      subject: "broker-master",
      text: "broker-master has no holder. Its candidates: broker-master (down).",
      next: "Start one of its candidates.",
    },
  ],
});

describe("the screen", () => {
  test("begins with what is wrong and its next step, and puts what is wrong first in each table", () => {
    const lines = statusScreen(troubled, terminal(100), NOW, false).split("\n");
    expect(lines[0]).toBe("demo: 1 problem; arbiter-master leads, term 2, map 17, configuration 1");
    expect(lines[1]).toContain("vacant broker-master has no holder");
    expect(lines[2]).toBe("  → Start one of its candidates.");
    const order = lines.map((line) => line.split(" ")[0]).filter((word) => word?.endsWith("-master"));
    expect(order).toEqual([
      "broker-master",
      "scheduler-master",
      "broker-master",
      "scheduler-master",
      "arbiter-master",
    ]);
  });

  test.each([30, 40, 60, 80, 120, 200])("is never wider than %i characters", (width) => {
    for (const line of statusScreen(troubled, terminal(width), NOW, false).split("\n"))
      expect(Array.from(line).length).toBeLessThanOrEqual(width);
  });

  test("a long reason is cut before other columns go", () => {
    const missing = ["it runs with another file than the arbiter's: restart it with the present one"];
    const spare = daemonStatus({ name: "spare", state: "waiting", ready: false, missing, services: [] });
    const screen = statusScreen(status({ daemons: [spare] }), terminal(110), NOW, false);
    const line = screen.split("\n").find((one) => one.startsWith("spare"));
    expect(line).toMatch(/^spare +waiting, not ready +- .*it runs with another fi.*…$/u);
    expect(line).toContain("0.8 ms");
  });

  test("a pause shows its owner", () => {
    const pause = { by: "alice@ops", reason: "switch", until: null, all: false };
    const paused = status({ services: [serviceStatus({ pause })] });
    expect(statusScreen(paused, terminal(100), NOW, false)).toContain("held, paused by alice@ops");
  });
});

describe("ten thousand daemons", () => {
  const many: DaemonStatus[] = Array.from({ length: 10_000 }, (_none, at) =>
    daemonStatus({ name: `worker-${at}`, services: [] }),
  );
  many[7777] = daemonStatus({ name: "worker-7777", state: "unreachable", healthy: false });

  test("stay on one screen, and the one that is down is on it", () => {
    const text = statusScreen(status({ daemons: many }), terminal(80, 24), NOW, false);
    expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(24);
    expect(text).toContain("worker-7777");
    expect(text).toMatch(/… and 99\d\d more daemons, all well \(--all shows them\)/u);
  });

  test("--all shows every one", () => {
    const text = statusScreen(status({ daemons: many }), terminal(80, 24), NOW, true);
    expect(text.match(/^worker-/gmu)?.length).toBe(10_000);
  });
});
