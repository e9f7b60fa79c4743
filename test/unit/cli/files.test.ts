/** Commands that read or write files alone: `config check`, `show`, `hash`, `init`. No arbiter runs. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { arbiter } from "./run.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "arbiter-cli-"));
  folders.push(folder);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

const MASTER = "scheduler_name      scheduler-master\naddress     127.0.0.1\nspare   0\n";
const SPARE = "scheduler_name      scheduler-slave\naddress     127.0.0.2\nspare   1\n";
const ARBITER = "[arbiter]\nname = arbiter-master\naddress = 127.0.0.3\n";
const GOOD = { "arbiter.cfg": ARBITER, "daemons/a.cfg": MASTER, "daemons/b.cfg": SPARE };
/** A warning: a master without a spare. */
const WARNED = { "arbiter.cfg": ARBITER, "daemons/a.cfg": MASTER };
/** Two errors in two files. */
const BAD = {
  "a.cfg": "[scheduler]\nname = one\nspar = 1\n",
  "b.cfg": "[scheduler]\nname = two\nport = nine\naddress = 127.0.0.9\n",
};

describe("config check", () => {
  test("of a good folder says on standard output that it is valid, and what it holds", async () => {
    const folder = await folderOf(GOOD);
    const { exitCode, stdout, stderr } = await arbiter(["config", "check", folder]);
    expect(stdout).toBe(`${folder} is valid: 1 arbiter, 2 daemons, 1 service; no warnings\n`);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
  });

  test("prints every error with file, line, column and a caret, and ends with 1", async () => {
    const folder = await folderOf(BAD);
    const { exitCode, stdout, stderr } = await arbiter(["config", "check", "--config", folder]);
    expect(stderr).toMatch(/^a\.cfg:3:1: error: .*spar.*\n3 \| spar = 1\n {2}\| \^\^\^\^\n/mu);
    expect(stderr).toMatch(/^b\.cfg:3:8: error: .*nine.*\n3 \| port = nine\n {2}\| {8}\^\^\^\^\n/mu);
    expect(stderr).toContain(`${folder}: 2 errors`);
    expect(stderr).not.toContain("\u001B[");
    expect(stdout).toBe("");
    expect(exitCode).toBe(1);
  });

  test("warnings go to standard error and end with 0", async () => {
    const folder = await folderOf(WARNED);
    const { exitCode, stdout, stderr } = await arbiter(["config", "check"], {
      env: { ARBITER_CONFIG: folder },
    });
    expect(stderr).toMatch(/^daemons\/a\.cfg:1:\d+: warning: .*spare/mu);
    expect(stdout).toBe(`${folder} is valid: 1 arbiter, 1 daemon, 1 service; 1 warning\n`);
    expect(exitCode).toBe(0);
  });

  test("--json is one value, good or bad", async () => {
    const good = await arbiter(["config", "check", await folderOf(GOOD), "--json"]);
    expect(JSON.parse(good.stdout)).toMatchObject({ ok: true, errors: 0, warnings: 0, problems: [] });
    const bad = await arbiter(["config", "check", await folderOf(BAD), "--json"]);
    expect(JSON.parse(bad.stdout)).toMatchObject({ ok: false, hash: null, errors: 2 });
    expect(JSON.parse(bad.stdout)).toHaveProperty(
      "problems",
      expect.arrayContaining([expect.objectContaining({ file: "a.cfg", line: 3, column: 1, key: "spar" })]),
    );
    expect(bad.stderr).toBe("");
    expect([good.exitCode, bad.exitCode]).toEqual([0, 1]);
  });

  test("takes ./etc/arbiter where nothing names a folder, and says so where there is none", async () => {
    const good = Object.entries(GOOD).map(([path, content]) => [`etc/arbiter/${path}`, content]);
    const cwd = await folderOf(Object.fromEntries(good));
    expect((await arbiter(["config", "check"], { cwd })).exitCode).toBe(0);
    const empty = await folderOf({});
    const { exitCode, stderr } = await arbiter(["config", "check"], { cwd: empty });
    expect(stderr).toContain("arbiter init");
    expect(exitCode).toBe(1);
  });

  test.each([
    ["an empty folder", {}, /no configuration/u],
    ["a file cut in half", { "a.cfg": "define scheduler {\n  scheduler_name x\n" }, /a\.cfg:1:1: error/u],
    ["two daemons of one name", { "a.cfg": MASTER, "b.cfg": MASTER, "c.cfg": SPARE }, /scheduler-master/u],
    ["a spare without a master", { "b.cfg": SPARE }, /scheduler-slave/u],
  ])("%s is an error", async (_what, files, message) => {
    const { exitCode, stderr } = await arbiter(["config", "check", await folderOf(files)]);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(1);
  });

  test("a path that isn't there is one error", async () => {
    const { exitCode, stderr } = await arbiter(["config", "check", "/nowhere/at/all"]);
    expect(stderr).toContain("/nowhere/at/all");
    expect(exitCode).toBe(1);
  });
});

describe("config hash", () => {
  test("doesn't depend on order, spacing and comments, and does on values", async () => {
    const plain = await arbiter(["config", "hash", await folderOf(GOOD)]);
    const other = {
      ...GOOD,
      "daemons/a.cfg": `# a comment\nspare 0\n\naddress\t127.0.0.1\nscheduler_name scheduler-master\n`,
    };
    const same = await arbiter(["config", "hash", await folderOf(other)]);
    const changed = { ...GOOD, "daemons/a.cfg": `${MASTER}lease 4s\n` };
    const different = await arbiter(["config", "hash", await folderOf(changed)]);
    expect(plain.stdout).toMatch(/^[0-9a-f]{64}\n$/u);
    expect(same.stdout).toBe(plain.stdout);
    expect(different.stdout).not.toBe(plain.stdout);
    const json = await arbiter(["config", "hash", "--json", await folderOf(GOOD)]);
    expect(JSON.parse(json.stdout)).toEqual({ hash: plain.stdout.trim() });
  });

  test("of a bad folder is none", async () => {
    const { exitCode, stdout } = await arbiter(["config", "hash", await folderOf(BAD)]);
    expect(stdout).toBe("");
    expect(exitCode).toBe(1);
  });
});

describe("config show", () => {
  test("--json has the cluster's parts, each daemon with every key in force", async () => {
    const { exitCode, stdout } = await arbiter(["config", "show", "--json", await folderOf(GOOD)]);
    const shown: unknown = JSON.parse(stdout);
    for (const part of ["cluster", "arbiters", "daemons", "services", "realms", "warnings"]) {
      expect(shown).toHaveProperty(part);
    }
    expect(shown).toMatchObject({
      daemons: [
        {
          name: "scheduler-master",
          type: "scheduler",
          role: "master",
          address: "127.0.0.1",
          port: 7768,
          lease: "2s",
        },
        { name: "scheduler-slave", role: "spare" },
      ],
      services: [{ name: "scheduler-master", candidates: ["scheduler-master", "scheduler-slave"] }],
    });
    expect(exitCode).toBe(0);
  });

  test("for people has a section for each, with the file that it comes from", async () => {
    const { exitCode, stdout } = await arbiter(["config", "show", await folderOf(GOOD)]);
    expect(stdout).toContain("[scheduler scheduler-slave]  ; daemons/b.cfg:1\n");
    expect(stdout).toContain("\ncheck_interval = 500ms\n");
    expect(exitCode).toBe(0);
  });
});

describe("config plan", () => {
  test("says that there is nothing to compare with while no arbiter answers", async () => {
    const files = { ...GOOD, "arbiter.cfg": `${ARBITER}port = 1\n` };
    const { exitCode, stdout, stderr } = await arbiter(["config", "plan", "--config", await folderOf(files)]);
    expect(stderr).toContain("there is nothing to compare with: no arbiter answers (http://127.0.0.3:1");
    expect(stdout).toBe("");
    expect(exitCode).toBe(1);
  });
});

describe("init", () => {
  test("writes a sample that is valid, and never overwrites", async () => {
    const cwd = await folderOf({});
    const first = await arbiter(["init"], { cwd });
    expect(first.stdout).toContain("wrote etc/arbiter/arbiter.cfg\n");
    expect(first.exitCode).toBe(0);
    const check = await arbiter(["config", "check"], { cwd });
    expect(check.stderr).toBe("");
    expect(check.exitCode).toBe(0);
    const file = join(cwd, "etc/arbiter/arbiter.cfg");
    await writeFile(file, "mine");
    const written = await readdir(join(cwd, "etc/arbiter/daemons"));
    for (const name of written) await rm(join(cwd, "etc/arbiter/daemons", name));
    const second = await arbiter(["init"], { cwd });
    expect(second.stderr).toContain("arbiter.cfg");
    expect(second.exitCode).toBe(1);
    expect(await readFile(file, "utf8")).toBe("mine");
    expect(await readdir(join(cwd, "etc/arbiter/daemons"))).toEqual([]);
  });

  test("a folder that can't be made is one clear error", async () => {
    const { stderr, exitCode } = await arbiter(["init", "/proc/arbiter-test"], { cwd: await folderOf({}) });
    expect(stderr).toContain("/proc/arbiter-test can't be made");
    expect(exitCode).toBe(1);
  });

  test("--json lists what was written", async () => {
    const cwd = await folderOf({});
    const { stdout } = await arbiter(["init", "conf", "--json"], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({ folder: join(cwd, "conf") });
    expect(stdout).toContain('"arbiter.cfg"');
  });
});
