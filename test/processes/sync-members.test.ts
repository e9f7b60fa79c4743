/** Daemons join a running cluster and leave it, through any arbiter, also while a leader is being replaced. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { arbiter } from "../unit/cli/run.ts";
import { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, freePort } from "./arbiter-rig.ts";
import { daemonFile, SERVICE, SyncRig } from "./sync-rig.ts";

const SLOW = { timeout: 20_000 };
const PROGRAM = path.join(import.meta.dirname, "launcher-cli.ts");

let rig: SyncRig;
const children: ChildProcess[] = [];
beforeEach(async () => {
  rig = await SyncRig.create(["one", "two"], "member_timeout = 2s");
  await rig.start("one");
  await eventually(() => rig.leader("one"), "one", 20_000);
  await rig.start("two");
  await eventually(() => rig.leader("two"), "one", 20_000);
}, 40_000);
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await rig.close();
});

async function names(of: string): Promise<readonly string[]> {
  const { daemons } = await rig.get(of, "/v1/daemons");
  const list: readonly unknown[] = Array.isArray(daemons) ? daemons : [];
  return list.flatMap((daemon) =>
    typeof daemon === "object" && daemon !== null && "name" in daemon && "origin" in daemon
      ? [`${String(daemon.name)} ${String(daemon.origin)}`]
      : [],
  );
}

function launch(name: string, port: number, urls: readonly string[]): ChildProcess {
  const state = path.join(rig.root, "state");
  const asked = ["--role", "spare", "--type", "scheduler", "--name", name, "--port", String(port)];
  const argv = ["daemon", ...asked, "--host", "127.0.0.1", "--state-dir", state, "--join", urls.join(",")];
  const child = spawn(process.execPath, [PROGRAM, ...argv, "--", "sleep", "600"], { stdio: "ignore" });
  children.push(child);
  return child;
}

it("--join: through a standby, while the leader is killed; a new leader knows it, it takes over, and leaves", async () => {
  const child = launch("late", await freePort(), [rig.machine("two").url]);
  await rig.stop("one", "SIGKILL");
  await expect.poll(() => names("two").catch(() => []), SLOW).toContain("late joined");
  await eventually(() => rig.leader("two"), "two", 20_000);
  // The other has it from the store, not from its files.
  await rig.start("one");
  await eventually(() => rig.leader("one"), "two", 20_000);
  await rig.stop("two");
  await eventually(() => rig.leader("one"), "one", 20_000);
  await expect.poll(() => names("one"), SLOW).toContain("late joined");
  const shown = await arbiter(["config", "show", "--json", "--config", rig.machine("one").config]);
  expect(shown.stdout).toMatch(
    /"name": "late",\s+"type": "scheduler",\s+"role": "spare"[^}]*"origin": "joined"/u,
  );
  for (const daemon of rig.daemons) await daemon.crash();
  await expect.poll(() => rig.text("one", `/v1/services/${SERVICE}`), SLOW).toContain('"holder":"late"');
  child.kill("SIGTERM");
  await once(child, "exit");
  await expect.poll(() => names("one"), SLOW).not.toContain("late joined");
  expect(await rig.log("one")).toContain("member.left");
}, 90_000);

it("joining twice changes nothing; what doesn't fit is refused; who is gone is dropped, but not a held service's master", async () => {
  const late = new ScriptedDaemon("late", "spare", await freePort());
  rig.daemons.push(late);
  await late.start();
  const body = { name: "late", type: "scheduler", address: "127.0.0.1", port: late.port };
  const first = await rig.post("two", "/v1/daemons", body);
  expect([first.status, first.text]).toEqual([202, expect.stringContaining("late (scheduler) joins")]);
  expect((await rig.post("one", "/v1/daemons", body)).status).toBe(200);
  const log = await rig.log("one");
  expect(log.filter((type) => type === "member.joined")).toHaveLength(1);
  const refused = async (more: object): Promise<number> =>
    (await rig.post("one", "/v1/daemons", { ...body, ...more })).status;
  expect(await refused({ name: "other" })).toBe(422);
  expect(await refused({ name: "scheduler-master" })).toBe(409);
  expect(await refused({ name: "x\n[security]" })).toBe(400);
  expect(await refused({ name: "x", type: "security" })).toBe(400);
  expect(await refused({ name: "x", port: 1, command: "rm" })).toBe(400);
  expect(await refused({ name: "x", port: 1, lease: "soon" })).toBe(422);
  // A file that names it makes it one of the files.
  for (const machine of rig.machines) rig.write(machine, "daemons/late.cfg", daemonFile(late));
  await expect.poll(() => names("one"), SLOW).toContain("late file");
  // A master of its own service, and a spare for it that takes over.
  const solo = new ScriptedDaemon("solo", "master", await freePort());
  rig.daemons.push(solo);
  await solo.start();
  await rig.post("one", "/v1/daemons", { ...body, name: "solo", port: solo.port, role: "master" });
  await expect.poll(() => solo.held?.service, SLOW).toBe("solo");
  await solo.crash();
  await expect
    .poll(() => rig.text("one", "/v1/services/solo"), SLOW)
    .toMatch(/"holder":"(?:late|scheduler-spare)"/u);
  const remove = async (name: string, force: boolean): Promise<number> => {
    const headers = { "content-type": "application/json" };
    const target = `${rig.machine("two").url}/v1/daemons/${name}`;
    return (await fetch(target, { method: "DELETE", headers, body: JSON.stringify({ force }) })).status;
  };
  expect(await remove("solo", false)).toBe(409);
  expect(await remove("nobody", false)).toBe(404);
  expect(await remove("scheduler-spare", false)).toBe(409);
  expect(await names("one")).toContain("solo joined");
  expect(await remove("solo", true)).toBe(202);
  await expect.poll(() => names("one"), SLOW).not.toContain("solo joined");
  // Gone for `member_timeout`.
  await rig.post("one", "/v1/daemons", { ...body, name: "gone", port: await freePort() });
  await expect.poll(() => rig.log("one"), SLOW).toContain("member.timeout");
  expect(await names("one")).not.toContain("gone joined");
}, 90_000);
