/** One program under a launcher, from activation to the last of its processes; no arbiter needed. */
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { nowMs } from "../../src/shell/clock.ts";
import {
  openWorkshop,
  parseObject,
  runningMembers,
  runs,
  shell,
  textOf,
  until,
} from "./launcher-workshop.ts";

function noteHook(folder: string, name: string): readonly string[] {
  return shell(`echo ${name} $ARBITER_SERVICE $ARBITER_EPOCH >> ${folder}/order`);
}

describe("activation", () => {
  test("the program gets its arguments untouched, its environment, its settings and a group of its own", async () => {
    await using shop = await openWorkshop(
      (folder) => [
        "node",
        "-e",
        `require("fs").writeFileSync("out.json", JSON.stringify({ argv: process.argv.slice(1), env: process.env,
           config: require("fs").readFileSync(process.env.ARBITER_CONFIG, "utf8"), cwd: process.cwd(), pid: process.pid }));
         setInterval(() => {}, 1000);`,
        "two words",
        "$HOME; *",
        "",
        "line\nbreak",
        folder,
      ],
      (folder) => ({ cwd: folder, env: { COLOUR: 'a = "b" $c', LINES_OF_TEXT: "x\ny" } }),
    );
    await shop.activate(7);
    await until("the program wrote", () => textOf(shop.path("out.json")).endsWith("}"));
    const out = parseObject(readFileSync(shop.path("out.json"), "utf8"));
    const configFile = join(shop.folder, "config-s.json");
    expect(out["env"]).not.toHaveProperty("ARBITER_SHIM");
    expect(out).toMatchObject({
      argv: ["two words", "$HOME; *", "", "line\nbreak", shop.folder],
      cwd: shop.folder,
      pid: shop.launcher.groupOf("s"),
      env: {
        ARBITER_SERVICE: "s",
        ARBITER_EPOCH: "7",
        ARBITER_NAME: "d1",
        ARBITER_ROLE: "master",
        ARBITER_HEALTH_URL: "http://127.0.0.1:7799/health",
        ARBITER_CONFIG: configFile,
        ARBITER_URL: "http://127.0.0.1:7770,http://127.0.0.2:7770",
        COLOUR: 'a = "b" $c',
        LINES_OF_TEXT: "x\ny",
        PWD: shop.folder,
      },
    });
    expect(parseObject(String(out["config"]))).toEqual({ answer: "42" });
    expect(statSync(configFile).mode & 0o077).toBe(0);
    await shop.launcher.demote("s", 7, "test", nowMs() + 5000);
    expect(runs(Number(out["pid"]))).toBe(false);
    expect(existsSync(configFile)).toBe(false);
  });

  test.each([
    { command: ["/no/such/program"], says: /can't be run: no such program/ },
    { command: ["no-such-program-anywhere"], says: /can't be run: no such program in PATH/ },
    { command: ["/etc/passwd"], says: /isn't an executable file/ },
  ])("a command that can't be run is a failed activation: $command", async ({ command, says }) => {
    await using shop = await openWorkshop(() => command);
    await expect(shop.activate()).rejects.toThrow(says);
    expect(shop.launcher.groupOf("s")).toBe(0);
    // Failed once, it may be tried again, under a new epoch.
    await expect(shop.activate(2)).rejects.toThrow(says);
    expect(shop.sink.count("exited")).toBe(0);
  });

  test("a working directory that isn't there is named", async () => {
    await using shop = await openWorkshop(
      () => ["sleep", "60"],
      (folder) => ({ cwd: `${folder}/gone` }),
    );
    await expect(shop.activate()).rejects.toThrow(/working directory \(`cwd`\) can't be entered.*\/gone/);
  });

  test("a program that ends before it is healthy is a failed activation, and what it left is killed", async () => {
    await using shop = await openWorkshop(
      (folder) => shell(`sleep 60 & echo $! > ${folder}/left; exit 3`),
      () => ({ healthTcp: "127.0.0.1:1" }),
    );
    await expect(shop.activate()).rejects.toThrow(/ended before it was ready: it exited with code 3/);
    expect(runs(Number(textOf(shop.path("left"))))).toBe(false);
    expect(shop.sink.count("exited")).toBe(0);
  });

  test("pre_start that fails is a failed activation; the program never runs, post_stop tidies up", async () => {
    await using shop = await openWorkshop(
      (folder) => ["touch", `${folder}/ran`],
      (folder) => ({ preStart: shell("exit 4"), postStop: ["touch", `${folder}/tidied`] }),
    );
    await expect(shop.activate()).rejects.toThrow("pre_start failed: it exited with code 4");
    expect(existsSync(shop.path("ran"))).toBe(false);
    expect(existsSync(shop.path("tidied"))).toBe(true);
  });

  test("a hook that takes too long is killed with all that it started", async () => {
    await using shop = await openWorkshop(
      () => ["sleep", "60"],
      (folder) => ({ preStart: shell(`sleep 60 & echo $! > ${folder}/hook; wait`), hookTimeoutMs: 150 }),
    );
    await expect(shop.activate()).rejects.toThrow(/pre_start failed: it took longer than 150 ms/);
    expect(runs(Number(textOf(shop.path("hook"))))).toBe(false);
  });

  test("hooks run in order, with the program's environment", async () => {
    await using shop = await openWorkshop(
      (folder) => shell(`echo program >> ${folder}/order; exec sleep 60`),
      (folder) => ({
        preStart: noteHook(folder, "pre_start"),
        postStart: shell(`sleep 0.1; echo post_start >> ${folder}/order`),
        preStop: noteHook(folder, "pre_stop"),
        postStop: noteHook(folder, "post_stop"),
      }),
    );
    await shop.activate(5);
    await shop.launcher.demote("s", 5, "test", nowMs() + 5000);
    expect(textOf(shop.path("order")).trim().split("\n")).toEqual([
      "pre_start s 5",
      "program",
      "post_start",
      "pre_stop s 5",
      "post_stop s 5",
    ]);
  });

  test("a demotion while it starts: nothing is left, and the activation has failed", async () => {
    await using shop = await openWorkshop(
      (folder) => shell(`echo $$ > ${folder}/pid; exec sleep 60`),
      () => ({ healthTcp: "127.0.0.1:1", startTimeoutMs: 30_000 }),
    );
    const activation = shop.activate(1).then(
      () => "active",
      (error: unknown) => String(error),
    );
    await until("it runs", () => textOf(shop.path("pid")).endsWith("\n"));
    await shop.launcher.demote("s", 1, "test", nowMs() + 5000);
    expect(await activation).toMatch(/stopped while it started/);
    expect(runs(Number(textOf(shop.path("pid"))))).toBe(false);
  });

  test("nothing is started under a lease that is over", async () => {
    await using shop = await openWorkshop((folder) => ["touch", `${folder}/ran`]);
    await expect(shop.activate(1, 0)).rejects.toThrow(/lease ended before|killed before it could start/);
    await sleep(50);
    expect(existsSync(shop.path("ran"))).toBe(false);
  });
});

test("two services at once, each with its own group and lease; then again with what is left standing", async () => {
  await using shop = await openWorkshop(() => ["sleep", "60"]);
  const { launcher, sink } = shop;
  const activate = async (service: string, epoch: number): Promise<void> => {
    const leaseEndMs = nowMs() + 60_000;
    launcher.leaseSet(service, epoch, leaseEndMs, leaseEndMs);
    await launcher.activate({ service, epoch, config: {}, leaseEndMs, arbiters: [] });
  };
  await Promise.all([activate("a", 1), activate("b", 1)]);
  const [a, b] = [launcher.groupOf("a"), launcher.groupOf("b")];
  expect(a).not.toBe(b);
  process.kill(a, "SIGKILL");
  await until("one has exited", () => sink.count("exited a 1") === 1);
  expect(runs(b)).toBe(true);
  await activate("a", 2);
  expect(runs(launcher.groupOf("a"))).toBe(true);
  await launcher.demote("b", 1, "test", nowMs() + 5000);
  expect(runs(b)).toBe(false);
  expect(runs(launcher.groupOf("a"))).toBe(true);
});

describe("user", () => {
  const isRoot = process.getuid?.() === 0;
  test.skipIf(!isRoot)(
    "the program runs as that user, finds its settings beside nothing of its own, and may open /dev/stdout",
    async () => {
      const out = join(tmpdir(), `arbiter-user-${process.pid}`);
      writeFileSync(out, "");
      chmodSync(out, 0o666);
      const note = `(id -un; id -gn; echo "$USER $HOME"; pwd; cat "$ARBITER_CONFIG"; touch "\${ARBITER_CONFIG%/*}/planted" || echo closed) >> ${out}`;
      try {
        await using shop = await openWorkshop(
          () => shell(`${note}; echo through >/dev/stdout && echo end >> ${out}; exec sleep 60`),
          () => ({ user: "nobody" }),
        );
        await shop.activate();
        await until("it wrote", () => textOf(out).includes("end\n"));
        expect(textOf(out)).toMatch(
          /^nobody\nnogroup\nnobody \/nonexistent\n\/\n\{\n {2}"answer": "42"\n\}\n/,
        );
        // What it could put beside them, the launcher would write to and give away as root.
        expect(textOf(out)).toContain("\nclosed\n");
        const group = shop.launcher.groupOf("s");
        await shop.launcher.demote("s", 1, "test", nowMs() + 5000);
        expect(runs(group)).toBe(false);
      } finally {
        rmSync(out);
      }
    },
  );

  test("one that doesn't exist is an error at the start", async () => {
    const opened = openWorkshop(
      () => ["sleep", "60"],
      () => ({ user: "nobody-of-this-name" }),
    );
    await expect(opened).rejects.toThrow(/no user `nobody-of-this-name`/);
  });
});

describe("health", () => {
  test("health_url: active only once it answers well; every change is told", async () => {
    let status = 503;
    const server = createServer((_request, response) => {
      response.statusCode = status;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const { port } = address;
    try {
      await using shop = await openWorkshop(
        () => ["sleep", "60"],
        () => ({ healthUrl: `http://127.0.0.1:${port}/` }),
      );
      let isActive = false;
      const activation = shop.activate().then(() => {
        isActive = true;
      });
      await sleep(150);
      expect(isActive).toBe(false);
      status = 200;
      await activation;
      status = 500;
      await until("unhealthy", () => shop.sink.count("health false") === 1);
      expect(shop.sink.said.at(-1)).toContain("answers 500");
      status = 200;
      await until("healthy", () => shop.sink.said.at(-1)?.startsWith("health true") === true);
    } finally {
      server.close();
    }
  });

  test("health_text: the answer must contain it", async () => {
    let says = "status: starting";
    const server = createServer((_request, response) => response.end(`${"x".repeat(20_000)}${says}`)).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await using shop = await openWorkshop(
      () => ["sleep", "60"],
      () => ({ healthUrl: `http://127.0.0.1:${port}/`, healthText: "status: ok", startTimeoutMs: 300 }),
    );
    await expect(shop.activate(1)).rejects.toThrow(/doesn't say `status: ok`/u);
    says = "status: ok";
    await shop.activate(2);
    says = "status: on fire";
    await until("it is told", () => shop.sink.said.some((line) => /health false.*doesn't say/u.test(line)));
    server.close();
  });

  test("start_timeout: the reason says what the probe saw", async () => {
    await using shop = await openWorkshop(
      () => ["sleep", "60"],
      () => ({ healthCommand: ["false"], startTimeoutMs: 100 }),
    );
    await expect(shop.activate()).rejects.toThrow(
      "it wasn't healthy within 100 ms (`start_timeout`): `health_command` ended with code 1",
    );
  });
});

describe("exit", () => {
  test("is told at once, and only when nothing of the group runs any more", async () => {
    await using shop = await openWorkshop((folder) =>
      shell(`(trap '' TERM HUP; sleep 60) & sleep 60 & echo $! > ${folder}/left; sleep 0.05; exit 9`),
    );
    let membersAtExit: number[] | null = null;
    await shop.activate();
    const group = shop.launcher.groupOf("s");
    expect(group).toBeGreaterThan(1);
    shop.sink.exited = (service, epoch, reason): void => {
      membersAtExit = runningMembers(group);
      shop.sink.said.push(`exited ${service} ${epoch} ${reason}`);
    };
    await until("exited", () => shop.sink.count("exited") === 1);
    expect(shop.sink.said.at(-1)).toBe("exited s 1 it exited with code 9");
    expect(membersAtExit).toEqual([]);
    expect(runs(Number(textOf(shop.path("left"))))).toBe(false);
  });

  test("kill -9 of the program: told with its signal, and the next activation works", async () => {
    await using shop = await openWorkshop(() => ["sleep", "60"]);
    await shop.activate(1);
    process.kill(shop.launcher.groupOf("s"), "SIGKILL");
    await until("exited", () => shop.sink.count("exited") === 1);
    expect(shop.sink.said).toEqual(["exited s 1 it was killed by SIGKILL"]);
    await shop.activate(2);
    const group = shop.launcher.groupOf("s");
    expect(runs(group)).toBe(true);
    await shop.launcher.demote("s", 2, "test", nowMs() + 5000);
    expect(runs(group)).toBe(false);
    expect(shop.sink.count("exited")).toBe(1);
  });

  test("restarts in place: as many as allowed, then proof of death", async () => {
    await using shop = await openWorkshop(
      (folder) => shell(`echo run >> ${folder}/runs; sleep 0.3; exit 1`),
      () => ({ restartAttempts: 2, restartDelayMs: 10 }),
    );
    await shop.activate();
    await until("exited", () => shop.sink.count("exited") === 1);
    expect(shop.sink.said.map((line) => line.split(" ")[0])).toEqual([
      "restarting",
      "restarted",
      "restarting",
      "restarted",
      "exited",
    ]);
    expect(textOf(shop.path("runs")).trim().split("\n")).toHaveLength(3);
  });

  test("a demotion during the wait before a restart: it isn't started again", async () => {
    await using shop = await openWorkshop(
      (folder) => shell(`echo run >> ${folder}/runs; sleep 0.3; exit 1`),
      () => ({ restartAttempts: 5, restartDelayMs: 60_000 }),
    );
    await shop.activate();
    await until("restarting", () => shop.sink.count("restarting") === 1);
    await shop.launcher.demote("s", 1, "test", nowMs() + 5000);
    expect(shop.sink.count("exited")).toBe(0);
    expect(textOf(shop.path("runs")).trim().split("\n")).toHaveLength(1);
    await shop.activate(2);
  });
});

describe("stop", () => {
  test("the stop signal reaches the whole group, and there is time to tidy up", async () => {
    await using shop = await openWorkshop(
      (folder) =>
        shell(
          `trap 'sleep 0.1; echo tidied > ${folder}/tidied; exit 0' USR1; echo up > ${folder}/up; while :; do sleep 0.01; done`,
        ),
      () => ({ stopSignal: "SIGUSR1" }),
    );
    await shop.activate();
    await until("up", () => textOf(shop.path("up")) !== "");
    await shop.launcher.demote("s", 1, "test", nowMs() + 5000);
    expect(textOf(shop.path("tidied"))).toBe("tidied\n");
  });

  test("a program that ignores it gets SIGKILL after stop_timeout, its grandchildren too", async () => {
    await using shop = await openWorkshop(
      (folder) =>
        shell(`trap '' TERM; sleep 60 & echo $! > ${folder}/left; echo up > ${folder}/up; wait; sleep 60`),
      () => ({ stopTimeoutMs: 100 }),
    );
    await shop.activate();
    await until("up", () => textOf(shop.path("up")) !== "");
    const group = shop.launcher.groupOf("s");
    await shop.launcher.demote("s", 1, "test", nowMs() + 60_000);
    expect(runningMembers(group)).toEqual([]);
    expect(runs(Number(textOf(shop.path("left"))))).toBe(false);
    expect(shop.sink.said.join("\n")).toContain("SIGKILL");
  });

  test("the deadline comes before stop_timeout", async () => {
    await using shop = await openWorkshop(
      (folder) => shell(`trap '' TERM; echo up > ${folder}/up; while :; do sleep 1; done`),
      () => ({ stopTimeoutMs: 3_600_000 }),
    );
    await shop.activate();
    await until("up", () => textOf(shop.path("up")) !== "");
    const group = shop.launcher.groupOf("s");
    await shop.launcher.demote("s", 1, "test", nowMs() + 100);
    expect(runningMembers(group)).toEqual([]);
  });

  test("fence kills at once, without the stop signal, and no restart follows", async () => {
    await using shop = await openWorkshop(
      (folder) =>
        shell(
          `trap 'echo asked > ${folder}/asked' TERM; echo up > ${folder}/up; while :; do sleep 0.01; done`,
        ),
      () => ({ restartAttempts: 5 }),
    );
    await shop.activate();
    await until("up", () => textOf(shop.path("up")) !== "");
    shop.launcher.fence("s", 1, "the lease is over");
    await until("exited", () => shop.sink.count("exited") === 1);
    expect(existsSync(shop.path("asked"))).toBe(false);
    expect(shop.sink.count("restarting")).toBe(0);
  });
});
