/** The INI dialect, Alignak 2's form of it, and the traps of the package that reads its values. */
import { describe, expect, test } from "vitest";
import { loadFiles, said, SPARE } from "./folder.ts";

async function load(
  text: string,
  others: Record<string, string> = {},
  env: Record<string, string> = {},
): ReturnType<typeof loadFiles> {
  return loadFiles({ "a.cfg": text, "z.cfg": SPARE, ...others }, env);
}

describe("sections", () => {
  test("name the type, and may name the daemon", async () => {
    const loaded = await load(
      "[scheduler]\nscheduler_name = one\naddress = 127.0.0.2\n[scheduler two]\naddress=127.0.0.3\nspare = yes\n[worker w.1]\nport = 9000\naddress = 127.0.0.4\n",
    );
    expect(said(loaded, "error")).toEqual([]);
    expect(loaded.model?.daemons.slice(0, 3)).toMatchObject([
      { name: "one", type: "scheduler", address: "127.0.0.2" },
      { name: "two", role: "spare" },
      { name: "w.1", type: "worker", port: 9000, url: "http://127.0.0.4:9000" },
    ]);
  });

  test("values that the package would misread stay what they are", async () => {
    const values: Record<string, string> = {
      "s3cr#t;x": "s3cr#t;x",
      "a\\;b \\# c": "a;b # c",
      '"quoted ; # value"': "quoted ; # value",
      "'single # quotes'": "single # quotes",
      "'a' and 'b'": "'a' and 'b'",
      true: "true",
      null: "null",
      "007": "007",
      "'1e3'": "1e3",
      "[x]": "[x]",
      "a=b=c": "a=b=c",
      "=": "=",
      '"a\\"b"': 'a"b',
      "ünïcode → ✓": "ünïcode → ✓",
      "back\\slash": "back\\slash",
    };
    const keys = Object.keys(values).map((written, i) => `_k${i} = ${written}`);
    const loaded = await load(`[scheduler one]\naddress = 127.0.0.2\n${keys.join("\n")}\n_a.b = dotted\n`);
    expect(said(loaded)).toEqual([]);
    const passed = loaded.model?.daemons[0]?.passed ?? {};
    expect(Object.values(values).map((_, i) => passed[`_k${i}`])).toEqual(Object.values(values));
    expect(passed["_a.b"]).toBe("dotted");
  });

  test("names that are dangerous in JavaScript are only text", async () => {
    const loaded = await load(
      "[scheduler one]\naddress = 127.0.0.2\n__proto__ = x\n_constructor = y\n[service __proto__]\nlease = 3s\n",
    );
    expect(said(loaded, "error")).toEqual([expect.stringContaining("no service is called `__proto__`")]);
    expect(Object.prototype).not.toHaveProperty("x");
  });

  test.each([
    [
      "an unknown key",
      "[scheduler one]\naddress = 127.0.0.2\nspar = 1\n",
      "3:1 nobody knows the key `spar`: did you mean `spare`?",
    ],
    ["a key of another section", "[scheduler one]\nbind = ::1\n", "2:1 `bind` has no meaning here"],
    [
      "garbage",
      "[scheduler one]\naddress = 127.0.0.2\nwhat is this\n",
      "3:1 this is neither a section nor a key",
    ],
    [
      "a header that is never closed",
      "[scheduler one]\naddress = 127.0.0.2\n[schedul",
      "3:1 this section's header is never closed",
    ],
    [
      "text behind a header",
      "[scheduler one] two\naddress = 127.0.0.2\n",
      "1:17 text behind a section's header",
    ],
    [
      "a key before any section",
      "address = 127.0.0.3\n[scheduler one]\naddress = 127.0.0.2\n",
      "1:1 `address` stands before any section",
    ],
    [
      "an unknown section",
      "[scheduler one]\naddress = 127.0.0.2\n[securty]\ntoken_file = x\n",
      "3:1 `[securty]` is no section of Arbiter's, and no daemon, since it has no name: did you mean `[security]`?",
    ],
    ["a section without a name", "[]\nx = y\n", "1:1 a section without a name"],
    ["a daemon without a name", "[scheduler]\naddress = 127.0.0.2\n", "1:1 this scheduler has no name"],
    ["a value without a key", "[scheduler one]\n = 3\n", "2:2 a value without a key"],
    [
      "two values of one key",
      "[scheduler one]\naddress = 127.0.0.2\naddress = 127.0.0.3\n",
      "3:1 `address` is written twice with two values",
    ],
    [
      "two names of one key",
      "[scheduler one]\ntimeout = 1\nshort_timeout = 2\n",
      "3:1 `short_timeout` (the same as `timeout`) is written twice",
    ],
    [
      "a header and a key that disagree",
      "[scheduler one]\nname = two\n",
      "2:8 the section's header says `one`",
    ],
    [
      "another type's name key",
      "[scheduler one]\nbroker_name = two\n",
      "2:1 `broker_name` in an object of type `scheduler`",
    ],
    [
      "a program that may hold a comment",
      "[scheduler one]\ncommand = job ; loud\n",
      "2:15 is this a comment or a part of `command`?",
    ],
  ])("%s is an error at its place", async (_, text, error) => {
    const loaded = await load(text);
    expect(loaded.model).toBeNull();
    expect(said(loaded, "error")).toEqual(
      expect.arrayContaining([expect.stringContaining(`error a.cfg:${error}`)]),
    );
  });

  test("a section's stray forms are read as meant", async () => {
    const loaded = await load(
      "[scheduler one]\naddress: 127.0.0.2\nspare   0\nport = 7000 ; here\ncommand = sh -c 'a ; b # c'\n",
    );
    expect(said(loaded, "error")).toEqual([]);
    expect(said(loaded, "warning")).toEqual([
      expect.stringContaining("warning a.cfg:2:1 read as `address = …`"),
      expect.stringContaining("warning a.cfg:3:1 read as `spare = …`"),
      expect.stringContaining("warning a.cfg:4:13 `;` behind a value"),
    ]);
    expect(loaded.model?.daemons[0]).toMatchObject({
      port: 7000,
      launch: { command: ["sh", "-c", "a ; b # c"] },
    });
  });

  test("${NAME} comes from the environment, and its absence is an error", async () => {
    const text = "[scheduler one]\naddress = ${HOST}\n_a = x-${A}-$${A}\n";
    const loaded = await load(text, {}, { HOST: "127.0.0.2", A: "1" });
    expect(loaded.model?.daemons[0]).toMatchObject({ address: "127.0.0.2", passed: { _a: "x-1-${A}" } });
    expect(said(await load(text, {}, { A: "1" }), "error")).toContain(
      "error a.cfg:2:11 the environment has no variable `HOST`",
    );
  });
});

describe("Alignak 2's form", () => {
  const DEFAULT =
    "[DEFAULT]\n; a comment\nname=nobody\nconfig_name=mine\nlog_level=WARNING\n_dist=/usr/local\n_var=%(_dist)s/var\nmax_check_attempts=4\n";

  test("[daemon.NAME] inherits [DEFAULT] of the whole folder, with %(key)s", async () => {
    const loaded = await loadFiles({
      "alignak.ini": `${DEFAULT}[alignak-configuration]\nx=y\n`,
      "alignak.d/daemons.ini":
        "[daemon.one]\ntype=scheduler\nname=one\nport=7768\n_log=%(_var)s/log/%(name)s\n[daemon.two]\ntype=scheduler\nport=17768\nspare=1\npolling_interval=2\nsatellite_map=a=1\n",
    });
    expect(said(loaded, "error")).toEqual([]);
    expect(loaded.model?.daemons).toMatchObject([
      {
        name: "one",
        maxCheckAttempts: 4,
        passed: { _log: "/usr/local/var/log/one", config_name: "mine" },
        origin: { file: "alignak.d/daemons.ini", line: 1 },
      },
      { name: "two", role: "spare", checkIntervalMs: 2000, passed: { satellite_map: "a=1" } },
    ]);
    expect(loaded.ignored).toEqual({ "alignak-configuration": 1 });
  });

  test("an unknown key is a warning there", async () => {
    const loaded = await loadFiles({ "a.ini": "[daemon.one]\ntype=scheduler\nspar=1\n", "z.cfg": SPARE });
    expect(loaded.ok).toBe(true);
    expect(said(loaded, "warning")).toEqual(
      expect.arrayContaining([
        expect.stringContaining("warning a.ini:3:1 nobody knows the key `spar`: did you mean `spare`?"),
      ]),
    );
  });

  test("an .ini of sections that name the type is as strict as a .cfg; [DEFAULT] is not", async () => {
    const strict = await loadFiles({ "a.ini": "[scheduler one]\nspar = 1\n" });
    expect(said(strict, "error")).toEqual([
      expect.stringContaining("error a.ini:2:1 nobody knows the key `spar`"),
    ]);
    const shared = await loadFiles({ "a.ini": "[DEFAULT]\nspar = 1\n[scheduler one]\naddress=127.0.0.2\n" });
    expect(said(shared, "error")).toEqual([]);
    expect(said(shared, "warning")).toContainEqual(
      expect.stringContaining("warning a.ini:2:1 nobody knows the key `spar`"),
    );
  });

  test("polling_interval is a worker's own key elsewhere", async () => {
    const loaded = await load("[scheduler one]\naddress = 127.0.0.2\npolling_interval = 7\n");
    expect(loaded.model?.daemons[0]).toMatchObject({
      checkIntervalMs: 500,
      passed: { polling_interval: "7" },
    });
  });

  test("what %(key)s can't find, or finds in itself, is an error", async () => {
    const loaded = await loadFiles({
      "a.ini": "[daemon.one]\ntype=scheduler\n_a=%(nothing)s\n_b=%(_c)s\n_c=%(_b)s\n_d=%%(x)s\n",
      "z.cfg": SPARE,
    });
    expect(said(loaded, "error")).toEqual([
      "error a.ini:3:4 `%(nothing)s` names no key of this section or of its [DEFAULT]",
      "error a.ini:4:4 `%(_b)s` leads back to itself",
      "error a.ini:5:4 `%(_c)s` leads back to itself",
    ]);
  });

  test("a section without a type is an error", async () => {
    expect(said(await loadFiles({ "a.ini": "[daemon.one]\nport=1\n" }), "error")).toEqual([
      "error a.ini:1:1 `[daemon.one]` has no `type`",
    ]);
  });
});

test("`[arbiter.one]` without the rest of that form is told as what it was meant to be", async () => {
  const { problems } = await load("[arbiter.one]\nport = 1\n");
  expect(problems.find(({ severity }) => severity === "error")?.expected).toBe("`[arbiter one]`");
});
