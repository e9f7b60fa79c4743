/**
 * Programs that don't behave: each is held while it is wanted, told of when it ends, and gone for good
 * afterwards, wherever it went.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { findCgroupPlace } from "../../src/launcher/cgroup.ts";
import { nowMs } from "../../src/shell/clock.ts";
import { freePort } from "./library-processes.ts";
import {
  openWorkshop,
  parseObject,
  runningMembers,
  runs,
  shell,
  textOf,
  until,
} from "./launcher-workshop.ts";

/** Null: this machine can hold what leaves its process group. */
function withoutCgroups(): string | null {
  const place = findCgroupPlace();
  if ("because" in place) return place.because;
  return existsSync(join(place.folder, "cgroup.procs")) ? null : `${place.folder} isn't there`;
}

const missing = withoutCgroups();
if (missing !== null) console.log(`skipped, what leaves its process group: ${missing}`);

/** Listens at a port, in a session of its own, after two forks: as the daemons of old do it. */
const DAEMON = `
import os, socket, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
server = socket.socket(); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1]))); server.listen()
open(sys.argv[2], "w").write(str(os.getpid()))
while True: server.accept()[0].close()
`;

async function openDaemonised(more: object = {}): Promise<{
  shop: Awaited<ReturnType<typeof openWorkshop>>;
  pid: () => number;
}> {
  const port = await freePort();
  const shop = await openWorkshop(
    (folder) => ["python3", "-c", DAEMON, String(port), join(folder, "pid")],
    () => ({ healthTcp: `127.0.0.1:${port}`, ...more }),
  );
  return { shop, pid: () => Number(textOf(shop.path("pid"))) };
}

describe.skipIf(missing !== null && process.env["CI"] === undefined)(
  "a program that puts itself into the background",
  () => {
    test("is active while it answers, and gone when the service is taken away", async () => {
      const { shop, pid } = await openDaemonised();
      await using _shop = shop;
      await shop.activate();
      expect(runs(pid())).toBe(true);
      expect(runningMembers(shop.launcher.groupOf("s"))).toEqual([]);
      await sleep(300);
      expect(shop.sink.count("exited")).toBe(0);
      await shop.launcher.demote("s", 1, "test", nowMs() + 5000);
      expect(runs(pid())).toBe(false);
      expect(shop.sink.count("exited")).toBe(0);
    });

    test("is restarted in place when it is killed, and then told of as ended", async () => {
      const { shop, pid } = await openDaemonised({ restartAttempts: 1 });
      await using _shop = shop;
      await shop.activate();
      const first = pid();
      process.kill(first, "SIGKILL");
      await until("the restart", () => shop.sink.count("restarted") === 1);
      expect(shop.sink.said.join("\n")).toContain(
        "restarting s 1 the last of its processes in the background",
      );
      expect(pid()).not.toBe(first);
      process.kill(pid(), "SIGKILL");
      await until("its end is told", () => shop.sink.count("exited") === 1);
    });

    test("without a health check: its exit is its end, and nothing of it is left", async () => {
      await using shop = await openWorkshop((folder) =>
        shell(`setsid sh -c 'echo $$ > ${folder}/pid; exec sleep 600' & sleep 0.4; exit 0`),
      );
      await shop.activate();
      await until("its end is told", () => shop.sink.count("exited") === 1);
      const pid = Number(textOf(shop.path("pid")));
      expect(pid).toBeGreaterThan(1);
      expect(runs(pid)).toBe(false);
    });

    test("the lease ends: it is killed, wherever it went", async () => {
      await using shop = await openWorkshop((folder) =>
        shell(
          `setsid -f sh -c 'trap "" TERM; echo $$ > ${folder}/pid; while :; do sleep 0.1; done'; sleep 600`,
        ),
      );
      await shop.activate(1, 1000);
      await until("it is in the background", () => textOf(shop.path("pid")) !== "");
      const pid = Number(textOf(shop.path("pid")));
      await until("its end is told", () => shop.sink.count("exited") === 1);
      expect(runs(pid)).toBe(false);
    });
  },
);

test("a program whose first thread has ended still runs, and is stopped with all its threads", async () => {
  const script = `
import ctypes, os, sys, threading, time
def work():
    while True:
        open(sys.argv[1], "w").write(str(os.getpid())); time.sleep(0.02)
threading.Thread(target=work).start()
ctypes.CDLL(None).pthread_exit(None)
`;
  await using shop = await openWorkshop(
    (folder) => ["python3", "-c", script, join(folder, "pid")],
    () => ({ stopSignal: "SIGURG", stopTimeoutMs: 400 }),
  );
  await shop.activate();
  const group = shop.launcher.groupOf("s");
  await until("its first thread is a zombie", () => / Z /u.test(textOf(`/proc/${group}/stat`)));
  await until("it works", () => textOf(shop.path("pid")) !== "");
  expect(runningMembers(group)).toEqual([group]);
  const askedAt = performance.now();
  await shop.launcher.demote("s", 1, "test", nowMs() + 5000);
  // The signal means nothing to it: it had its time before SIGKILL came.
  expect(performance.now() - askedAt).toBeGreaterThan(350);
  expect(runs(group)).toBe(false);
});

test("exit code 0 is an end like any other", async () => {
  await using shop = await openWorkshop(() => shell("sleep 0.3; echo all done; exit 0"));
  await shop.activate();
  await until("told", () => shop.sink.count("exited") === 1);
  expect(shop.sink.said.at(-1)).toBe("exited s 1 it exited with code 0; its last words: all done");
});

test("the last lines before its death are in what is told of it, those of standard error first", async () => {
  await using shop = await openWorkshop(() =>
    shell(
      "seq 1 20 | tr '\\n' ' '; echo a >&2; sleep 0.3; for n in 1 2 3 4 5 6 7; do echo error $n >&2; done; exit 3",
    ),
  );
  await shop.activate();
  await until("told", () => shop.sink.count("exited") === 1);
  expect(shop.sink.said.at(-1)).toBe(
    "exited s 1 it exited with code 3; its last words: error 2 | error 3 | error 4 | error 5 | error 6 | error 7",
  );
});

test("a program that is unhealthy max_check_attempts times is restarted in place; then it is said to be unhealthy", async () => {
  await using shop = await openWorkshop(
    (folder) => shell(`rm -f ${folder}/ill; echo run >> ${folder}/runs; exec sleep 600`),
    (folder) => ({ healthCommand: shell(`test ! -e ${folder}/ill`), restartAttempts: 1 }),
  );
  await shop.activate();
  writeFileSync(shop.path("ill"), "");
  await until("the restart", () => shop.sink.count("restarted") === 1, 20_000);
  expect(shop.sink.said.join("\n")).toMatch(
    /restarting s 1 it was unhealthy 3 times: `health_command` ended with code 1/,
  );
  // Until then no arbiter was told that it is unhealthy: it would have moved the service.
  expect(shop.sink.count("health false")).toBe(0);
  expect(textOf(shop.path("runs")).trim().split("\n")).toHaveLength(2);
  writeFileSync(shop.path("ill"), "");
  await until("it is said", () => shop.sink.count("health false") === 1);
  expect(shop.sink.count("restarting")).toBe(1);
});

test("a frozen program with a health check is restarted in place; SIGCONT lets it hear the stop signal", async () => {
  const port = await freePort();
  await using shop = await openWorkshop(
    (folder) => [
      "node",
      "-e",
      `require("fs").appendFileSync("${folder}/runs", process.pid + " ");
       process.on("SIGTERM", () => { require("fs").writeFileSync("${folder}/heard", "yes"); process.exit(); });
       require("http").createServer((_, answer) => answer.end("fine")).listen(${port}, "127.0.0.1");`,
    ],
    () => ({ healthUrl: `http://127.0.0.1:${port}/`, restartAttempts: 1 }),
  );
  await shop.activate();
  process.kill(shop.launcher.groupOf("s"), "SIGSTOP");
  await until("the restart", () => shop.sink.count("restarted") === 1, 20_000);
  expect(textOf(shop.path("heard"))).toBe("yes");
  expect(textOf(shop.path("runs")).trim().split(" ")).toHaveLength(2);
});

/** Who sleeps for just so long, in any namespace. */
function sleepersOf(seconds: number): string[] {
  return readdirSync("/proc").filter(
    (pid) => /^\d+$/u.test(pid) && textOf(`/proc/${pid}/cmdline`) === `sleep\0${seconds}\0`,
  );
}

/** As process 1 of a container: `tini` reaps what others leave, the launcher is its child. */
describe("in a pid namespace of its own", () => {
  const tini = ["/usr/bin/tini", "/usr/bin/tini-static"].find((file) => existsSync(file)) ?? null;
  if (tini === null && process.env["CI"] !== undefined) throw new Error("tini isn't installed");
  if (tini === null) console.log("skipped, tini as process 1: it isn't installed");

  test.skipIf(tini === null)(
    "under tini: orphans are killed and reaped, the launcher ends cleanly",
    async () => {
      await using shop = await openWorkshop(() => ["true"]);
      const folder = shop.path("inner");
      execFileSync("mkdir", [folder]);
      const program = shell(
        `for n in 1 2 3; do (setsid sleep 7193 & ); (sleep 7193 & ); done; while :; do sleep 0.1; done`,
      );
      const script = join(import.meta.dirname, "launcher-process.ts");
      const inside = spawn(
        "unshare",
        [
          "--pid",
          "--fork",
          "--mount-proc",
          "--kill-child",
          tini ?? "",
          "--",
          process.execPath,
          script,
          folder,
          "{}",
          ...program,
        ],
        { stdio: ["pipe", "pipe", "inherit"] },
      );
      let said = "";
      inside.stdout.on("data", (chunk: Buffer) => (said += chunk.toString("latin1")));
      const has = (what: string): boolean =>
        said.split("\n").some((line) => line.startsWith("@{") && parseObject(line.slice(1))["what"] === what);
      try {
        await until("ready", () => has("ready"), 15_000);
        inside.stdin.write("activate 1 60000\n");
        await until("active", () => has("active"));
        await until("its orphans are there", () => sleepersOf(7193).length === 6);
        inside.stdin.write("demote 1\n");
        await until("demoted", () => has("demoted"));
        inside.stdin.end();
        await until("closed", () => has("closed"));
        await until("process 1 has ended", () => inside.exitCode !== null);
        expect(inside.exitCode).toBe(0);
      } finally {
        inside.kill("SIGKILL");
      }
    },
  );
});
