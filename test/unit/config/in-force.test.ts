/** What is asked of a configuration once it is read: show, hash, plan, where things are, who is who. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  defaultLaunch,
  environmentOf,
  loadConfiguration,
  type Loaded,
  planChange,
  renderProblem,
  resolveConfigPath,
  showConfiguration,
  stateDirOf,
  tokenFileOf,
  whichArbiter,
} from "../../../src/config/index.ts";
import { isEmptyPlan } from "../../../src/config/plan.ts";
import type { ClusterModel } from "../../../src/core/model.ts";
import { Folder, loadFiles } from "./folder.ts";

const MASTER =
  "[scheduler m]\naddress = 127.0.0.2\nenv_DB_PASSWORD = hunter2\nenv_LANG = C\n_token = hunter2\nmodules = a, b\ncommand = job 'x y'\n";
const SPARE = "scheduler_name  s\naddress  127.0.0.3\nspare  1\n";
const CLUSTER =
  "[store]\nurl = postgres://me:hunter2@h/db\n[alerts]\nwebhook = https://hunter2.example.org/\n[security]\ntoken_file = token\n[realm All]\n";
const FILES = { "arbiter.cfg": CLUSTER, "m.cfg": MASTER, "s.cfg": SPARE };

function modelOf(loaded: Loaded): ClusterModel {
  if (loaded.model === null)
    throw new Error(loaded.problems.map((problem) => renderProblem(problem)).join("\n"));
  return loaded.model;
}

describe("show", () => {
  test("names each key in force as the files do, arbiters apart, secrets hidden", async () => {
    const shown = showConfiguration(await loadFiles(FILES));
    expect(Object.keys(shown)).toEqual(["cluster", "arbiters", "daemons", "services", "realms", "warnings"]);
    expect(shown.arbiters).toMatchObject([
      {
        name: "arbiter-master",
        type: "arbiter",
        role: "master",
        address: "127.0.0.1",
        port: 7770,
        realm: "All",
      },
    ]);
    expect(shown.daemons).toMatchObject([
      {
        name: "m",
        type: "scheduler",
        role: "master",
        port: 7768,
        realm: "All",
        spare: false,
        lease: "2s",
        check_interval: "500ms",
        modules: "a, b",
        command: ["job", "x y"],
        env_LANG: "C",
        env_DB_PASSWORD: "(hidden)",
        _token: "(hidden)",
        service: "m",
      },
      { name: "s", role: "spare", spare: true },
    ]);
    expect(shown.services).toMatchObject([
      { name: "m", type: "scheduler", realm: "All", masters: ["m"], candidates: ["m", "s"] },
    ]);
    expect(shown.realms).toMatchObject([{ name: "All" }]);
    expect(JSON.stringify(shown)).not.toContain("hunter2");
  });
});

describe("hash", () => {
  test("is that of the meaning: order, comments, spacing and dialect don't change it", async () => {
    const one = await loadFiles({
      "m.cfg": "scheduler_name  m\naddress  127.0.0.2\ncheck_interval  2\n",
      "s.cfg": SPARE,
    });
    const other = await loadFiles({
      "a/z.cfg":
        "# here\ndefine scheduler {\n  spare   yes ; !\n  address 127.0.0.3\n  scheduler_name s\n}\n[",
      "b.ini": "",
    }).then(() =>
      loadFiles({
        "a/z.cfg":
          "# here\ndefine scheduler {\n  spare   yes ; !\n  address 127.0.0.3\n  scheduler_name s\n}\n",
        "y.cfg": "[scheduler]\ncheck_interval = 2000ms\n; c\naddress=127.0.0.2\nscheduler_name = m\n",
      }),
    );
    expect(one.hash).toMatch(/^[0-9a-f]{64}$/u);
    expect(other.hash).toBe(one.hash);
  });
  test("changes with a value, not with a secret or with where the folder lies", async () => {
    const before = await loadFiles(FILES);
    expect((await loadFiles(FILES)).hash).toBe(before.hash);
    expect(
      (
        await loadFiles({
          ...FILES,
          "m.cfg": MASTER.replaceAll("hunter2", "other"),
          "arbiter.cfg": CLUSTER.replaceAll("hunter2", "other"),
        })
      ).hash,
    ).toBe(before.hash);
    expect((await loadFiles({ ...FILES, "m.cfg": `${MASTER}priority = 1\n` })).hash).not.toBe(before.hash);
    expect(
      (await loadFiles({ ...FILES, "arbiter.cfg": `[cluster]\nconfig_sync = enforce\n${CLUSTER}` })).hash,
    ).not.toBe(before.hash);
  });
});

const other = (name: string, host: number): Record<string, string> => ({
  [`${name}.cfg`]: `broker_name  ${name}\naddress  127.0.0.${host}\n`,
});

async function plan(before: Record<string, string>, after: Record<string, string>): Promise<string[]> {
  const [a, b] = [modelOf(await loadFiles(before)), modelOf(await loadFiles(after))];
  return planChange(a, b).map((line) => line.text);
}

describe("plan", () => {
  test("of nothing is empty, and names what is untouched", async () => {
    const model = modelOf(await loadFiles(FILES));
    const same = planChange(model, modelOf(await loadFiles(FILES)));
    expect(isEmptyPlan(same)).toBe(true);
    expect(same.map((line) => line.text)).toEqual(["= service m: untouched"]);
  });
  test("says what is added, removed and changed, and whom it doesn't touch", async () => {
    const before = { ...FILES, ...other("b1", 4), ...other("b2", 5) };
    const after = {
      ...FILES,
      ...other("b1", 4),
      ...other("b3", 6),
      "m.cfg": `${MASTER}check_interval = 1\n`,
    };
    expect(await plan(before, after)).toEqual([
      "- daemon b2 (broker, master, 127.0.0.5:7772)",
      "+ daemon b3 (broker, master, 127.0.0.6:7772)",
      "~ daemon m: check_interval 500ms → 1s, lease 2s → 5s, drain_margin 500ms → 1250ms",
      "- service b2 (b2): its holder stops it",
      "+ service b3 (b3): activated on the best of its candidates",
      "~ service m: lease 2s → 5s, check_interval 500ms → 1s",
      "= service b1: untouched",
    ]);
  });
  test("says what happens to a holder that leaves or moves", async () => {
    const after = { ...FILES, "s.cfg": SPARE.replace("127.0.0.3", "127.0.0.7") };
    expect(await plan(FILES, after)).toEqual([
      "~ daemon s: address 127.0.0.3 → 127.0.0.7",
      "~ service m: its candidate s changed; its holder goes on; s must answer at the new address",
    ]);
    const { "s.cfg": _, ...gone } = FILES;
    expect(await plan(FILES, gone)).toEqual([
      "- daemon s (scheduler, spare, 127.0.0.3:7768)",
      "~ service m: candidates m, s → m; if s holds it, it moves",
    ]);
  });
  test("notices a changed secret without telling it", async () => {
    const lines = await plan(FILES, { ...FILES, "m.cfg": MASTER.replaceAll("hunter2", "other") });
    expect(lines[0]).toBe(
      "~ daemon m: db_password changed, _token changed".replace("db_password", "DB_PASSWORD"),
    );
    expect(lines.join()).not.toMatch(/hunter2|other/u);
  });
});

describe("where things are", () => {
  test("the folder: --config, $ARBITER_CONFIG, ./etc/arbiter, else an error that says so", async () => {
    await using folder = await Folder.of({ "etc/arbiter/a.cfg": SPARE });
    const cwd = folder.path;
    expect(resolveConfigPath({ flag: "x", env: { ARBITER_CONFIG: "y" }, cwd })).toEqual({
      ok: true,
      path: join(cwd, "x"),
    });
    expect(resolveConfigPath({ env: { ARBITER_CONFIG: "/y" }, cwd })).toEqual({ ok: true, path: "/y" });
    expect(resolveConfigPath({ env: {}, cwd })).toEqual({ ok: true, path: join(cwd, "etc/arbiter") });
  });
  test.each([
    ["/etc/arbiter", "/var/lib/arbiter"],
    ["/opt/x/etc/arbiter", "/opt/x/var"],
    ["/opt/x/etc/arbiter/daemons", "/opt/x/var"],
    ["/srv/conf", "/srv/conf/var"],
    ["/srv/conf/daemons", "/srv/conf/var"],
  ])("state of %s lies in %s", async (directory, wanted) => {
    const { settings } = await loadFiles(FILES);
    expect(stateDirOf({ directory, settings })).toBe(wanted);
    expect(stateDirOf({ directory, settings }, "m")).toBe(join(wanted, "m"));
    expect(stateDirOf({ directory, settings: { ...settings, stateDir: "/data" } }, "m")).toBe("/data/m");
  });
  test("a daemon's token is its own file's, else the cluster's", async () => {
    await using folder = await Folder.of({ ...FILES, "s.cfg": `${SPARE}token_file  own\n` });
    const loaded = await folder.load();
    expect(tokenFileOf(loaded, "m")).toBe(join(folder.path, "token"));
    expect(tokenFileOf(loaded, "s")).toBe(join(folder.path, "own"));
  });
  test("a program's variables, from files too", async () => {
    await using folder = await Folder.of({
      "m.cfg": "[scheduler m]\nenv_A = 1\nenv_KEY_file = key\n",
      key: "s3cret\n",
    });
    const [daemon] = modelOf(await folder.load("m.cfg")).daemons;
    expect(daemon?.launch).toEqual({
      ...defaultLaunch({ drainTimeoutMs: 10_000 }),
      env: { A: "1", KEY_file: "key" },
    });
    expect(
      daemon?.launch === null || daemon === undefined
        ? null
        : await environmentOf(daemon.launch, folder.path),
    ).toEqual({ A: "1", KEY: "s3cret" });
  });
});

const arbiters = (...addresses: string[]): Promise<ClusterModel> => {
  const sections = addresses.map(
    (address, i) => `[arbiter a${i}]\naddress = ${address}\nport = ${7770 + i}\n`,
  );
  return loadFiles({
    "a.cfg": `${sections.join("")}[store]\nurl = etcd://h:2379\n[security]\ninsecure = 1\n`,
  }).then(modelOf);
};

describe("which arbiter this is", () => {
  test("the one named; the one here; the only one; else an error that lists them", async () => {
    const two = await arbiters("192.0.2.1", "192.0.2.2");
    expect(whichArbiter(two, { name: "a1" })).toMatchObject({ ok: true, arbiter: { name: "a1" } });
    expect(whichArbiter(two, { localAddresses: ["127.0.0.1", "192.0.2.1"] })).toMatchObject({
      ok: true,
      arbiter: { name: "a0" },
    });
    expect(whichArbiter(await arbiters("192.0.2.1"), {})).toMatchObject({
      ok: true,
      arbiter: { name: "a0" },
    });
    const lost = whichArbiter(two, { localAddresses: ["127.0.0.1"] });
    expect(lost).toEqual({
      ok: false,
      error:
        "which arbiter is this? There are: a0 (192.0.2.1:7770), a1 (192.0.2.2:7771); none of them has an address of this machine. Say `--name NAME`.",
    });
    expect(whichArbiter(await arbiters("127.0.0.1", "localhost"), {})).toMatchObject({
      ok: false,
      error: expect.stringContaining("more than one has an address of this machine") as unknown,
    });
    expect(whichArbiter(two, { name: "x" })).toMatchObject({
      ok: false,
      error: expect.stringContaining("no arbiter is called x; there are: a0") as unknown,
    });
  });
});

test("a problem is shown with its line and a caret, tabs kept", async () => {
  const loaded = await loadFiles({ "m.cfg": "scheduler_name\tm\nport\t\t77x\n" });
  const first = loaded.problems.find((problem) => problem.severity === "error");
  if (first === undefined) throw new Error("no error was found");
  expect(renderProblem(first)).toBe(
    [
      "m.cfg:2:7: error: `port` can't be `77x`",
      "2 | port\t\t77x",
      "  |     \t\t^^^",
      "  = key `port`, found `77x`, expected a port: a number from 1 to 65535",
    ].join("\n"),
  );
  expect(renderProblem(first, { color: true })).toContain("\u{1b}[31m");
});

test("what is said of a secret never holds it", async () => {
  const loaded = await loadFiles({
    "m.cfg":
      "[scheduler m]\n_password = hunter2\n_password = hunter22\nenv_TOKEN = hunter2 # hunter2\n[store]\ntype = etcd\nurl = mysql://me:hunter2@h/db\n[alerts]\nwebhook = ftp://hunter2\nsmtp = \n_secret: hunter2\npassword hunter2\n",
    "o.cfg":
      "define scheduler {\n scheduler_name  o\n _password hunter\t2\n password=hunter2\n}\npassword hunter2\n",
  });
  expect(loaded.problems.length).toBeGreaterThan(4);
  const told = loaded.problems.map((problem) => renderProblem(problem)).join("\n");
  expect(told).toContain("_password = ********");
  expect(told).toContain("mysql://**********@h/db");
  expect(told + JSON.stringify(loaded.problems)).not.toContain("hunter");
});

test("ten thousand daemons load", async () => {
  const sections = Array.from(
    { length: 10_000 },
    (_, i) =>
      `[worker w${i}]\naddress = 10.${i >> 16}.${(i >> 8) & 255}.${i & 255}\nport = 9000\nspare = ${i % 10 === 0 ? 1 : 0}\nrealm = r${Math.floor(i / 20)}\n`,
  );
  const realms = Array.from({ length: 500 }, (_, i) => `[realm r${i}]\n`);
  await using folder = await Folder.of({
    "all.cfg": [...sections, ...realms, "[security]\ninsecure = 1\n"].join(""),
  });
  const loaded = await loadConfiguration(folder.path, { env: {} });
  expect(modelOf(loaded).daemons).toHaveLength(10_000);
});
