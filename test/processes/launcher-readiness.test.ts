/** A launcher that waits looks whether it could run its program, and says what is missing. */
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LaunchSpec } from "../../src/core/model.ts";
import { missingHere } from "../../src/launcher/readiness.ts";
import { nowMs } from "../../src/shell/clock.ts";
import { launchSpec, makeFolder, openWorkshop, shell, textOf, until } from "./launcher-workshop.ts";

async function missing(
  more: Partial<LaunchSpec>,
  command: readonly string[] = ["sleep", "1"],
): Promise<string> {
  const options = { spec: launchSpec(command, more), env: process.env, wrap: [] };
  return await missingHere(options, new AbortController().signal);
}

test("nothing is missing for a program that is there", async () => {
  expect(await missing({})).toBe("");
});

test("a command, a hook or a health command that isn't there or isn't executable, a folder, a device", async () => {
  const folder = makeFolder();
  writeFileSync(join(folder, "run"), "#!/bin/sh\n");
  expect(await missing({ cwd: folder }, ["./run"])).toMatch(
    /`command`: \.\/run isn't there, or isn't executable/u,
  );
  chmodSync(join(folder, "run"), 0o755);
  expect(await missing({ cwd: folder }, ["./run"])).toBe("");
  expect(await missing({ preStart: ["no-such-hook"], healthCommand: ["/no/such"] })).toBe(
    "`health_command`: /no/such isn't there, or isn't executable; `pre_start`: no-such-hook isn't there, or isn't executable",
  );
  expect(await missing({ cwd: "/no/such/folder" })).toContain("`cwd` /no/such/folder isn't there");
  expect(await missing({ watchdog: "/no/such/device" })).toContain("/no/such/device can't be opened");
  rmSync(folder, { recursive: true });
});

test.each(["127.0.0.1", "0.0.0.0", "::"])(
  "a port that somebody else listens at, bound to %s",
  async (bound) => {
    const server = createServer().listen(0, bound);
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const taken = `port 127.0.0.1:${port} is taken by process ${process.pid}`;
    expect(await missing({ healthTcp: `127.0.0.1:${port}` })).toBe(taken);
    expect(await missing({ healthUrl: `http://127.0.0.1:${port}/health` })).toBe(taken);
    // Not this machine's: what listens there says nothing of it.
    expect(await missing({ healthTcp: `192.0.2.7:${port}` })).toBe("");
    server.close();
    await once(server, "close");
    expect(await missing({ healthTcp: `127.0.0.1:${port}` })).toBe("");
  },
);

test("a port that another launcher's program has is as it should be", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  server.close();
  const program = `require("net").createServer().listen(${port}, "127.0.0.1")`;
  await using shop = await openWorkshop(
    () => ["node", "-e", program],
    () => ({ healthTcp: `127.0.0.1:${port}` }),
  );
  await shop.activate();
  expect(await missing({ healthTcp: `127.0.0.1:${port}` })).toBe("");
});

test("hooks that understand it are rehearsed, one by one; a rehearsal that fails is what is missing", async () => {
  const folder = makeFolder();
  const hook = shell(`echo $ARBITER_HOOK $ARBITER_DRY_RUN >> ${folder}/said; test ! -e ${folder}/broken`);
  const more = { preStart: hook, postStop: hook };
  expect(await missing(more)).toBe("");
  expect(textOf(join(folder, "said"))).toBe("");
  expect(await missing({ ...more, hookDryRun: true })).toBe("");
  expect(textOf(join(folder, "said"))).toBe("pre_start 1\npost_stop 1\n");
  writeFileSync(join(folder, "broken"), "");
  expect(await missing({ ...more, hookDryRun: true })).toBe(
    "the dry run of pre_start ended with code 1; the dry run of post_stop ended with code 1",
  );
  rmSync(folder, { recursive: true });
});

test("a launcher says so while it waits, and no more once it runs or nothing is missing", async () => {
  await using shop = await openWorkshop(
    () => ["sleep", "60"],
    (folder) => ({ preStop: [join(folder, "later")] }),
  );
  const said = (): string => shop.sink.said.findLast((line) => line.startsWith("health ")) ?? "";
  await until("it says what is missing", () => said().includes("`pre_stop`"));
  expect(said()).toMatch(/^health true /u);
  await shop.activate();
  expect(said()).toBe("health true ");
  await shop.launcher.demote("s", 1, "test", nowMs() + 5000);
  await until("it says it again", () => said().includes("`pre_stop`"));
  writeFileSync(shop.path("later"), "#!/bin/sh\n", { mode: 0o755 });
  await until("nothing is missing", () => said() === "health true ", 15_000);
});
