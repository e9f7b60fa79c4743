/**
 * What must hold when the launcher itself fails: killed, frozen, or without its guard. Every test
 * kills real processes and then asks the kernel who is left.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { LaunchSpec } from "../../src/core/model.ts";
import { findCgroupPlace } from "../../src/launcher/cgroup.ts";
import { holdersOf, kernelBootId, readStat } from "../../src/launcher/process-group.ts";
import { OtherLauncher } from "./launcher-other.ts";
import { isLockFree, makeFolder, runningMembers, runs, shell, textOf, until } from "./launcher-workshop.ts";

const opened: { folder: string; launchers: OtherLauncher[] }[] = [];

function bench(): { folder: string; open: (...args: OpenArguments) => OtherLauncher } {
  const folder = makeFolder();
  const launchers: OtherLauncher[] = [];
  opened.push({ folder, launchers });
  return {
    folder,
    open: (...args) => {
      const launcher = new OtherLauncher(folder, ...args);
      launchers.push(launcher);
      return launcher;
    },
  };
}
type OpenArguments = [command: readonly string[], more?: Partial<LaunchSpec>, env?: object];

// No test leaves anything behind, whatever came of it; and that is asserted too.
afterEach(async () => {
  for (const { folder, launchers } of opened.splice(0)) {
    for (const launcher of launchers) launcher.process.kill("SIGKILL");
    await until(`all have let go of ${folder}`, () => isLockFree(folder));
    rmSync(folder, { recursive: true, force: true });
  }
});

const stubborn = (folder: string): readonly string[] =>
  shell(
    `trap '' TERM HUP INT; sleep 60 & echo $! > ${folder}/left; while :; do echo $$ > ${folder}/pid; sleep 0.01; done`,
  );

async function grandchild(folder: string): Promise<number> {
  await until("the grandchild runs", () => textOf(join(folder, "left")).endsWith("\n"));
  return Number(textOf(join(folder, "left")));
}

describe("the launcher is killed", () => {
  test("kill -9: the guard kills the whole group, and lets go of the lock last", async () => {
    const { folder, open } = bench();
    const launcher = open(stubborn(folder));
    const group = await launcher.activate(1, 60_000);
    const left = await grandchild(folder);
    launcher.process.kill("SIGKILL");
    await until("the lock is free", () => isLockFree(folder));
    // Free means that nothing of the group runs any more: no waiting here.
    expect(runningMembers(group)).toEqual([]);
    expect(runs(left)).toBe(false);
  });

  test("kill -9 of launcher and guard in one moment: the next launcher kills what is recorded, then starts", async () => {
    const { folder, open } = bench();
    const launcher = open(stubborn(folder));
    const group = await launcher.activate(1, 60_000);
    const left = await grandchild(folder);
    const guard = launcher.guardPid(folder, group);
    expect(guard).toBeGreaterThan(1);
    // Stopped first, so that neither can do anything about the other.
    process.kill(guard, "SIGSTOP");
    process.kill(guard, "SIGKILL");
    launcher.process.kill("SIGKILL");
    await until("both are gone", () => !runs(guard) && !runs(launcher.pid));
    // The program itself dies with the launcher where setpriv is there; its children don't.
    expect(runs(left)).toBe(true);
    const next = open(["sleep", "60"]);
    const nextGroup = await next.activate(2, 60_000);
    expect(runningMembers(group)).toEqual([]);
    expect(runs(left)).toBe(false);
    expect(nextGroup).not.toBe(group);
    expect(JSON.stringify(next.said)).toContain(`process group ${group}`);
  });

  test.each(["the launcher", "launcher and guard"])(
    "kill -9 of %s: what left the process group is killed through its control group",
    async (who) => {
      if ("because" in findCgroupPlace()) return;
      const { folder, open } = bench();
      const launcher = open(
        shell(
          `setsid -f sh -c 'trap "" TERM; echo $$ > ${folder}/left; while :; do sleep 0.1; done'; sleep 600`,
        ),
      );
      const group = await launcher.activate(1, 60_000);
      const left = await grandchild(folder);
      expect(readStat(left)?.pgid).not.toBe(group);
      if (who !== "the launcher") process.kill(launcher.guardPid(folder, group), "SIGKILL");
      launcher.process.kill("SIGKILL");
      await until("the launcher is gone", () => !runs(launcher.pid));
      const next = open(["sleep", "60"]);
      await next.wait("ready");
      expect(runs(left)).toBe(false);
    },
  );

  test("killed while it only waits: the shim is gone too", async () => {
    const { folder, open } = bench();
    const launcher = open(["sleep", "60"]);
    await launcher.wait("ready");
    const holders = holdersOf(join(folder, "launcher.lock"));
    expect(holders.length).toBeGreaterThanOrEqual(3);
    launcher.process.kill("SIGKILL");
    await until("all are gone", () => holders.every((pid) => !runs(pid)));
  });

  test("a second launcher waits for one that lives, says who it is, and leaves its program alone", async () => {
    const { open } = bench();
    const first = open(["sleep", "60"]);
    const group = await first.activate(1, 60_000);
    const second = open(["sleep", "60"]);
    expect(String((await second.wait("warn"))["text"])).toMatch(
      new RegExp(`still in use by .*\\b${first.pid} \\(.*another name`),
    );
    await sleep(700);
    expect(runs(group)).toBe(true);
    expect(second.has("ready")).toBeUndefined();
    first.process.stdin?.end();
    await second.wait("ready");
    expect(runningMembers(group)).toEqual([]);
  });

  test("a record of another start of the kernel, or of another start time, kills nothing", async () => {
    const { folder, open } = bench();
    const bystander = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
    try {
      const pgid = bystander.pid ?? 0;
      const startTicks = readStat(pgid)?.startTicks ?? "";
      const record = join(folder, "groups.json");
      writeFileSync(record, JSON.stringify({ bootId: "another", groups: [{ pgid, startTicks }] }));
      const first = open(["sleep", "60"]);
      await first.wait("ready");
      first.process.stdin?.end();
      await once(first.process, "exit");
      expect(runs(pgid)).toBe(true);
      const groups = [{ pgid, startTicks: `${startTicks}1` }];
      writeFileSync(record, JSON.stringify({ bootId: kernelBootId(), groups }));
      const second = open(["sleep", "60"]);
      await second.wait("ready");
      expect(runs(pgid)).toBe(true);
      expect(JSON.parse(readFileSync(record, "utf8"))).toMatchObject({ bootId: kernelBootId() });
    } finally {
      bystander.kill("SIGKILL");
    }
  });
});

describe("the launcher is frozen", () => {
  test("SIGSTOP: the group is dead at the lease's end, not before; SIGCONT: it is told as an exit", async () => {
    const { folder, open } = bench();
    const launcher = open(stubborn(folder));
    const group = await launcher.activate(1, 60_000);
    const left = await grandchild(folder);
    launcher.order("renew 1 400");
    launcher.order("renew 1 500");
    await sleep(60);
    launcher.process.kill("SIGSTOP");
    await sleep(150);
    expect(runs(group)).toBe(true);
    await until("the group is dead", () => runningMembers(group).length === 0);
    expect(runs(left)).toBe(false);
    expect(launcher.has("exited")).toBeUndefined();
    launcher.process.kill("SIGCONT");
    expect((await launcher.wait("exited"))["reason"]).toBe("it was killed, since its lease was over");
    // It stands by again, and another epoch can be activated.
    launcher.said.length = 0;
    launcher.order("activate 2 60000");
    expect(runs(Number((await launcher.wait("active"))["group"]))).toBe(true);
  });

  test("renewals keep it alive far beyond the first lease", async () => {
    const { open } = bench();
    const launcher = open(["sleep", "60"]);
    const group = await launcher.activate(1, 300);
    for (let i = 0; i < 12; i++) {
      launcher.order("renew 1 300");
      await sleep(50);
    }
    expect(runs(group)).toBe(true);
    expect(launcher.has("exited")).toBeUndefined();
  });
});

describe("the guard fails", () => {
  test("killed: another takes its place, and it knows the lease", async () => {
    const { folder, open } = bench();
    const launcher = open(stubborn(folder));
    const group = await launcher.activate(1, 60_000);
    const first = launcher.guardPid(folder, group);
    launcher.order("renew 1 700");
    await sleep(50);
    process.kill(first, "SIGKILL");
    let second = 0;
    await until("another guard", () => {
      second = launcher.guardPid(folder, group);
      return second !== 0 && second !== first;
    });
    expect(runs(group)).toBe(true);
    // Long enough to have read its first line; then the launcher can do nothing any more.
    await sleep(100);
    launcher.process.kill("SIGSTOP");
    await until("the group is dead", () => runningMembers(group).length === 0);
    launcher.process.kill("SIGCONT");
    await launcher.wait("exited");
  });

  test("stopped: it is noticed by its silence, killed and replaced", async () => {
    const { folder, open } = bench();
    const launcher = open(["sleep", "60"]);
    const group = await launcher.activate(1, 60_000);
    const first = launcher.guardPid(folder, group);
    process.kill(first, "SIGSTOP");
    await until("another guard", () => {
      launcher.order("renew 1 60000");
      const second = launcher.guardPid(folder, group);
      return second !== 0 && second !== first;
    });
    expect(runs(group)).toBe(true);
  });

  test("not stopped, only unheard: a launcher that stood still reads its answers before it judges", async () => {
    const { folder, open } = bench();
    const launcher = open(["sleep", "60"]);
    const group = await launcher.activate(1, 60_000);
    const guard = launcher.guardPid(folder, group);
    for (let i = 0; i < 2; i++) {
      launcher.order("renew 1 60000");
      await sleep(50);
      launcher.process.kill("SIGSTOP");
      await sleep(400);
      launcher.process.kill("SIGCONT");
    }
    launcher.order("renew 1 60000");
    await sleep(600);
    expect(launcher.guardPid(folder, group)).toBe(guard);
    expect(launcher.has("warn")).toBeUndefined();
  });

  test("can't be replaced: the program is stopped, and says why", async () => {
    const { folder, open } = bench();
    // A bash that works once: then it is taken away.
    const bin = join(folder, "bash");
    writeFileSync(bin, `#!/bin/sh\n[ -e ${folder}/broken ] && exit 1\nexec /bin/bash "$@"\n`, {
      mode: 0o755,
    });
    const launcher = open(["sleep", "60"], {}, { PATH: `${folder}:${process.env["PATH"] ?? ""}` });
    const group = await launcher.activate(1, 60_000);
    writeFileSync(join(folder, "broken"), "");
    process.kill(launcher.guardPid(folder, group), "SIGKILL");
    expect((await launcher.wait("exited"))["reason"]).toMatch(/^the guard can't be kept running/);
    expect(runningMembers(group)).toEqual([]);
  });
});

describe("what the launcher needs", () => {
  test.each([
    { tool: "flock", says: /The program `flock` can't be run.*Install it.*util-linux/ },
    { tool: "bash", says: /The program `bash` isn't in PATH.*Install the package bash/ },
  ])("without $tool: one clear error", async ({ tool, says }) => {
    const folder = makeFolder();
    const bin = join(folder, "bin");
    const script = `mkdir ${bin}; for t in sh flock bash mkfifo setpriv getent; do [ $t = ${tool} ] || ln -s $(command -v $t) ${bin}/$t; done`;
    await once(spawn("sh", ["-c", script]), "close");
    const launcher = spawn(
      process.execPath,
      [join(import.meta.dirname, "launcher-process.ts"), folder, "{}", "sleep", "60"],
      { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, PATH: bin } },
    );
    let error = "";
    launcher.stderr.on("data", (chunk: Buffer) => {
      error += chunk.toString();
    });
    await once(launcher, "close");
    expect(launcher.exitCode).toBe(1);
    expect(error).toMatch(says);
    rmSync(folder, { recursive: true, force: true });
  });
});
