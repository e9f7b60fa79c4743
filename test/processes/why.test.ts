/**
 * Why, and what if, on a real arbiter: what `arbiter explain` tells of a failover, that its journal is
 * decided again as it was, and drills by hand and on a schedule. The daemons are scripted.
 */
import { spawn } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ScriptedDaemon } from "./arbiter-daemon.ts";
import { eventually, Rig } from "./arbiter-rig.ts";

const COMMAND_LINE = join(import.meta.dirname, "launcher-cli.ts");
const SERVICE = "scheduler-master";
/** Each starts the command line several times, which takes seconds on a busy machine. */
const LIMIT_MS = 60_000;

let rig: Rig;
let master: ScriptedDaemon;
let spare: ScriptedDaemon;

beforeEach(async () => {
  rig = await Rig.create();
  rig.writeCluster();
  master = await rig.addDaemon("scheduler-master", "master");
  spare = await rig.addDaemon("scheduler-slave", "spare");
  await master.start();
  await spare.start();
});
afterEach(() => rig.close());

const heldBy = (expected: string): Promise<void> => eventually(() => rig.held(SERVICE), expected);

async function arbiter(...words: string[]): Promise<{ code: number | null; out: string; error: string }> {
  const child = spawn(process.execPath, [COMMAND_LINE, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, out, error };
}

it(
  "a failover is explained with its evidence, and decided again from the journal",
  async () => {
    const process_ = await rig.start();
    await heldBy("scheduler-master@1 held");
    await master.crash();
    await heldBy("scheduler-slave@2 held");
    const explained = await arbiter("explain", SERVICE, "--config", rig.config);
    expect(explained).toMatchObject({ code: 0, error: "" });
    const prose = explained.out.replaceAll(/\s+/gu, " ");
    expect(prose).toContain("is held by scheduler-slave, at epoch 2.");
    expect(prose).toContain("It is not given back to its master scheduler-master: ");
    expect(prose).toContain("Failover from scheduler-master to scheduler-slave (epoch 2).");
    expect(prose).toMatch(/\d checks? of scheduler-master in a row failed/u);
    expect(prose).toContain("Passed over: scheduler-master (");
    const { status, body } = await rig.get(`/v1/services/${SERVICE}/explain?moves=1`);
    expect({ status, body }).toMatchObject({
      status: 200,
      body: {
        service: SERVICE,
        leads: true,
        holder: "scheduler-slave",
        epoch: 2,
        moves: [{ kind: "failover" }],
      },
    });
    expect((await rig.get("/v1/services/nothing/explain")).status).toBe(404);

    await process_.stop();
    const replayed = await arbiter("replay", `${rig.stateDir}/arbiter-master/journal.jsonl`, "--json");
    expect(replayed.error).toBe("");
    expect(JSON.parse(replayed.out)).toMatchObject({ difference: null, uncovered: 0, unplayable: 0 });
  },
  LIMIT_MS,
);

it(
  "a drill goes over and back, and one that can't begin says why",
  async () => {
    await rig.start();
    await heldBy("scheduler-master@1 held");
    await eventually(async () => (await rig.status()).problems.length, 0);
    const good = await arbiter("drill", SERVICE, "--hold", "300ms", "--config", rig.config, "--json");
    expect(good.error).toBe("");
    const result: unknown = JSON.parse(good.out);
    expect(result).toMatchObject({
      passed: true,
      home: "scheduler-master",
      spare: "scheduler-slave",
      outOverlapMs: 0,
    });
    await heldBy("scheduler-master@3 held");
    await spare.crash();
    await eventually(async () => (await rig.status()).problems.map(({ code }) => code), ["degraded"]);
    const refused = await arbiter("drill", SERVICE, "--config", rig.config);
    expect(refused.code).toBe(1);
    expect(refused.error).toContain("scheduler-slave: it is silent");
  },
  LIMIT_MS,
);

it(
  "a plan of an edit tells what would move as the cluster stands, and changes nothing",
  async () => {
    await rig.start();
    await heldBy("scheduler-master@1 held");
    const edited = join(rig.folder, "edited");
    cpSync(rig.config, edited, { recursive: true });
    writeFileSync(
      join(edited, "daemons", "other.cfg"),
      "[scheduler]\nname = other\nport = 7799\naddress = 127.0.0.1\n",
    );
    const plan = await arbiter("config", "plan", edited, "--config", rig.config);
    expect(plan.code).toBe(0);
    expect(plan.out).toContain(
      "what moves, as the cluster stands now:\n  other starts on other, at once: it is new",
    );
    expect(await rig.held(SERVICE)).toBe("scheduler-master@1 held");
  },
  LIMIT_MS,
);

it(
  "a scheduled drill is begun by the leader at its time",
  async () => {
    rig.write("drill.cfg", `[service ${SERVICE}]\ndrill = */2 * * * * *\ndrill_hold = 200ms\n`);
    await rig.start();
    await heldBy("scheduler-master@1 held");
    await expect
      .poll(async () => (await rig.events()).map(({ type }) => type), { timeout: 30_000 })
      .toContain("drill.passed");
  },
  LIMIT_MS,
);
