/**
 * Arbiters with folders of their own: drift is seen everywhere, a drifted arbiter leaves the lead to
 * others, the leader's files reach the others, and a bad version is rolled back.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, expect, it } from "vitest";
import { arbiter } from "../unit/cli/run.ts";
import { eventually } from "./arbiter-rig.ts";
import { daemonFile, SERVICE, SyncRig } from "./sync-rig.ts";

const SLOW = { timeout: 20_000 };

let rig: SyncRig;
afterEach(() => rig.close());

async function cluster(names: readonly string[], settings: string): Promise<void> {
  rig = await SyncRig.create(names, settings);
  for (const name of names) {
    await rig.start(name);
    await eventually(() => rig.leader(name), "one", 20_000);
  }
}

const spareFile = "daemons/scheduler-spare.cfg";
const edited = (): string => daemonFile(rig.daemons[1]!, "priority  3\n");
const versionOf = async (name: string): Promise<unknown> => (await rig.get(name, "/v1/config"))["version"];

it("warn: drift is a problem on each arbiter, an event, a metric; diff shows the key; it ends with the right file", async () => {
  await cluster(["one", "two"], "config_sync = warn\nconfig_sync_schedule = */2 * * * * *");
  const config = rig.machine("one").config;
  const same = await arbiter(["config", "diff", "--with", "two", "--config", config]);
  expect([same.exitCode, same.stdout]).toEqual([0, expect.stringContaining("the same")]);
  rig.write(rig.machine("two"), spareFile, edited());
  for (const name of ["one", "two"]) await expect.poll(() => rig.problems(name), SLOW).toContain("drift two");
  expect(await rig.log("one")).toContain("config.drift");
  expect(await rig.text("one", "/metrics")).toContain('arbiter_config_drift{arbiter="two"} 1');
  await expect
    .poll(() => rig.text("one", "/v1/events?after=0"), SLOW)
    .toMatch(/config\.compared.*two does not/u);
  const status = await arbiter(["status", "--config", config]);
  expect([status.exitCode, status.stdout]).toEqual([1, expect.stringContaining("problem drift subject=two")]);
  const differs = await arbiter(["config", "diff", "--with", "two", "--config", config]);
  expect(differs.exitCode).toBe(1);
  expect(differs.stdout).toContain(`file ${spareFile}: differs`);
  expect(differs.stdout).toContain("scheduler-spare.priority: 0 here, 3 on two");
  rig.write(rig.machine("two"), spareFile, daemonFile(rig.daemons[1]!));
  await expect.poll(() => rig.problems("one"), SLOW).not.toContain("drift two");
  expect(await rig.log("one")).toContain("config.in-sync");
}, 60_000);

it("enforce: a drifted arbiter leaves the lead to another, leads when there is none, and gives it back", async () => {
  await cluster(["one", "two", "three"], "config_sync = enforce");
  // Older files: what the leader has now was never theirs.
  rig.write(rig.machine("one"), spareFile, edited());
  rig.write(rig.machine("three"), spareFile, edited());
  await expect.poll(() => rig.problems("one"), SLOW).toContain("drift two");
  await expect.poll(() => rig.problems("one"), SLOW).not.toContain("drift three");
  await rig.stop("one", "SIGKILL");
  await eventually(() => rig.leader("two"), "three", 20_000);
  await rig.stop("three", "SIGKILL");
  await eventually(() => rig.leader("two"), "two", 20_000);
  // Not with its own files, which are older than the committed version.
  expect(await versionOf("two")).toBe(2);
  expect(await rig.text("two", "/v1/events?after=0")).not.toContain("version 3");
  await rig.start("three");
  await eventually(() => rig.leader("three"), "three", 20_000);
  expect(rig.daemons[0]!.held).toEqual({ service: SERVICE, epoch: 1 });
}, 60_000);

it("replicate: the leader's files reach the others, replaced ones are kept, a local edit is refused", async () => {
  await cluster(["one", "two"], "config_sync = replicate");
  const [one, two] = [rig.machine("one"), rig.machine("two")];
  const folder = path.join(one.config, "daemons");
  mkdirSync(path.join(folder, "more"));
  writeFileSync(path.join(folder, "more", "late.cfg"), "scheduler_name late\nport 1\nspare 1\n");
  writeFileSync(path.join(one.config, "secret.token"), "not-a-configuration-file");
  rig.write(one, spareFile, edited());
  await eventually(() => rig.files("two")["daemons/more/late.cfg"], "scheduler_name late\nport 1\nspare 1\n");
  await eventually(() => rig.files("two")[spareFile], edited());
  expect(existsSync(path.join(two.config, "secret.token"))).toBe(false);
  const kept = path.join(two.config, ".arbiter-replaced");
  const [first = ""] = readdirSync(kept);
  expect(readFileSync(path.join(kept, first, spareFile), "utf8")).toBe(daemonFile(rig.daemons[1]!));
  await eventually(() => versionOf("two"), 2);
  // On the standby.
  rig.write(two, spareFile, daemonFile(rig.daemons[1]!, "priority  9\n"));
  const refused = await rig.post("two", "/v1/reload", {});
  expect(refused.status === 422 || refused.status === 200).toBe(true);
  await expect
    .poll(() => rig.text("one", "/v1/events?after=0"), SLOW)
    .toMatch(/two has refused an edit.*Edit them on one/u);
  await eventually(() => rig.files("two")[spareFile], edited());
  expect((await rig.get("two", "/v1/config"))["refusedEdit"]).toMatchObject({
    errors: [expect.stringContaining(one.url)],
  });
  expect(await versionOf("one")).toBe(2);
  // Away while the leader is edited, then alone: the committed version counts, not its older files.
  await rig.stop("two");
  rig.write(one, spareFile, daemonFile(rig.daemons[1]!, "priority  5\n"));
  await eventually(() => versionOf("one"), 3);
  await rig.stop("one", "SIGKILL");
  await rig.start("two");
  await eventually(() => rig.leader("two"), "two", 20_000);
  expect(await versionOf("two")).toBe(3);
  await eventually(() => rig.files("two")[spareFile], daemonFile(rig.daemons[1]!, "priority  5\n"));
}, 60_000);

it("history and rollback; auto: a version that leaves a service vacant is rolled back by itself", async () => {
  // With a lease that a busy machine keeps: a loss would be taken for the edit's doing.
  await cluster(["one"], "reload_rollback = auto\nlease = 2s\ncheck_interval = 300ms\ntimeout = 200ms");
  const { config } = rig.machine("one");
  const before = rig.files("one")[spareFile];
  rig.write({ config }, spareFile, edited());
  await eventually(() => versionOf("one"), 2);
  const back = await arbiter(["config", "rollback", "--config", config]);
  expect([back.exitCode, back.stdout]).toEqual([0, expect.stringContaining("version 3 is in force")]);
  expect(rig.files("one")[spareFile]).toBe(before);
  const history = await arbiter(["config", "history", "--config", config]);
  expect(history.stdout.split("\n").map((line) => line.split(" ")[0])).toEqual(["3", "2", "1", ""]);
  expect(history.stdout).toMatch(/^3 .*rollback to version 1 by/u);
  const none = await arbiter(["config", "rollback", "77", "--config", config]);
  expect([none.exitCode, none.stderr]).toEqual([1, expect.stringContaining("no such version")]);
  // Both daemons are looked for where nobody is.
  const files = { ...rig.files("one") };
  for (const [at, name] of ["master", "spare"].entries())
    rig.write(
      { config },
      `daemons/scheduler-${name}.cfg`,
      (files[`daemons/scheduler-${name}.cfg`] ?? "").replace(/port .*/u, `port ${at + 1}`),
    );
  await expect.poll(() => rig.log("one"), SLOW).toContain("config.rollback");
  await eventually(() => rig.files("one"), files);
  await expect
    .poll(async () => JSON.stringify((await rig.get("one", "/v1/status"))["services"]), SLOW)
    .toContain('"holder":"scheduler-master","role":"master","epoch":');
  await expect.poll(() => rig.daemons[0]!.held?.service, SLOW).toBe(SERVICE);
}, 60_000);

it("replicate with one folder for both arbiters: an edit is the leader's, and stays", async () => {
  rig = await SyncRig.create(["one", "two"], "config_sync = replicate");
  const { config } = rig.machine("one");
  for (const name of ["one", "two"]) {
    await rig.start(name, config);
    await eventually(() => rig.leader(name), "one", 20_000);
  }
  rig.write({ config }, spareFile, edited());
  for (const name of ["one", "two"]) await eventually(() => versionOf(name), 2);
  expect(rig.files("one")[spareFile]).toBe(edited());
  expect(await rig.log("one")).not.toContain("config.refused");
  expect(existsSync(path.join(config, ".arbiter-replaced"))).toBe(false);
}, 40_000);
