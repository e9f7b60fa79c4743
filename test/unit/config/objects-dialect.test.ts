/** The Nagios dialect and the bare one: what they mean, and each way in which files of them go wrong. */
import { describe, expect, test } from "vitest";
import { loadFiles, MASTER, said, SPARE } from "./folder.ts";

/** A master in `a.cfg` with a spare beside it. */
async function load(text: string, others: Record<string, string> = {}): ReturnType<typeof loadFiles> {
  return loadFiles({ "a.cfg": text, "z.cfg": SPARE, ...others });
}

describe("objects", () => {
  test("keys, comments and several objects in one file", async () => {
    const loaded = await loadFiles({
      "a.cfg": [
        "# a comment",
        "define scheduler{",
        "\tscheduler_name\tone ; the name",
        "    address   127.0.0.2",
        "  # another",
        "    _note  a\\;b",
        "}",
        "define   scheduler   {",
        "  scheduler_name   two",
        "  address   127.0.0.3",
        "  spare  1",
        "}",
      ].join("\n"),
    });
    expect(said(loaded)).toEqual([]);
    expect(loaded.model?.daemons).toMatchObject([
      {
        name: "one",
        type: "scheduler",
        role: "master",
        address: "127.0.0.2",
        port: 7768,
        passed: { _note: "a;b" },
      },
      { name: "two", role: "spare", address: "127.0.0.3" },
    ]);
    expect(loaded.model?.daemons[0]?.origin).toEqual({ file: "a.cfg", line: 2 });
  });

  test("CRLF and a byte-order mark are read; the mark is told", async () => {
    const loaded = await load(
      "\u{feff}define scheduler {\r\n  scheduler_name  one\r\n  address  127.0.0.2\r\n}\r\n",
    );
    expect(loaded.ok).toBe(true);
    expect(said(loaded)).toEqual([expect.stringContaining("warning a.cfg:1:1 a byte-order mark")]);
    expect(loaded.model?.daemons[0]).toMatchObject({ name: "one", address: "127.0.0.2" });
  });

  test.each([
    [
      "upper-case DEFINE",
      "DEFINE scheduler {\n scheduler_name  one\n address  127.0.0.2\n}\n",
      "1:1 `DEFINE` is read as `define`",
    ],
    [
      "Define Scheduler",
      "define Scheduler {\n scheduler_name  one\n address  127.0.0.2\n}\n",
      "1:8 `Scheduler` is read as `scheduler`",
    ],
    [
      "text behind {",
      "define scheduler { scheduler_name  one\n address  127.0.0.2\n}\n",
      "1:20 text behind `{`",
    ],
    [
      "text behind }",
      "define scheduler {\n scheduler_name  one\n address  127.0.0.2\n} # end\n",
      "4:2 text behind `}`",
    ],
    [
      "} behind a value",
      "define scheduler {\n scheduler_name  one\n address  127.0.0.2 }\n",
      "3:21 `}` behind a value",
    ],
    [
      "key=value",
      "define scheduler {\n scheduler_name=one\n address = 127.0.0.2\n}\n",
      "2:2 `scheduler_name=…` is read as",
    ],
    [
      "# behind a value",
      "define scheduler {\n scheduler_name  one\n address  127.0.0.2 # here\n}\n",
      "3:21 `#` behind a value",
    ],
    [
      "a tab in a value",
      "define scheduler {\n scheduler_name  one\n address  127.0.0.2\n _note a\tb\n}\n",
      "4:8 one space behind `_note` and a tab",
    ],
    [
      "a key twice with one value",
      "define scheduler {\n scheduler_name  one\n address  127.0.0.2\n address  127.0.0.2\n}\n",
      "4:2 `address` is written twice",
    ],
    [
      "{ on the next line",
      "define scheduler\n{\n scheduler_name  one\n address  127.0.0.2\n}\n",
      "2:1 `{` belongs on the line",
    ],
    [
      "a ; glued to a value",
      "define scheduler {\n scheduler_name  one\n address  127.0.0.2;x\n}\n",
      "3:20 a comment begins here",
    ],
  ])("%s is read as meant, with a warning", async (_, text, warning) => {
    const loaded = await load(text);
    expect(said(loaded, "error")).toEqual([]);
    expect(said(loaded, "warning")).toEqual(
      expect.arrayContaining([expect.stringContaining(`warning a.cfg:${warning}`)]),
    );
    expect(loaded.model?.daemons[0]).toMatchObject({ name: "one", type: "scheduler", address: "127.0.0.2" });
  });

  test("a whole object on one line: one pair, and several that can only be pairs", async () => {
    const one = await loadFiles({ "a.cfg": "define scheduler { scheduler_name one }\n", "z.cfg": SPARE });
    expect(one.model?.daemons[0]).toMatchObject({ name: "one", address: "127.0.0.1" });
    expect(said(one)).toEqual(
      expect.arrayContaining([expect.stringContaining("warning a.cfg:1:20 a whole `define` on one line")]),
    );
    const many = await load("define scheduler { scheduler_name one address 127.0.0.2 spare 0 }\n");
    expect(many.model?.daemons[0]).toMatchObject({ name: "one", address: "127.0.0.2", role: "master" });
  });

  test("an object on one line whose words could be anything is an error", async () => {
    const loaded = await load("define scheduler { scheduler_name one two address 127.0.0.2 }\n");
    expect(said(loaded, "error")).toEqual([
      expect.stringContaining("error a.cfg:1:20 can't tell keys from values"),
    ]);
  });

  test.each([
    [
      "at the end of the file",
      "define scheduler {\n scheduler_name  one\n",
      "1:1 this `define scheduler` is never closed",
    ],
    [
      "before the next one",
      "define scheduler {\n scheduler_name  one\ndefine scheduler {\n scheduler_name  two\n}\n",
      "1:1 this `define scheduler` is not closed before the next one in line 3",
    ],
    ["closed twice", "define scheduler {\n scheduler_name  one\n}\n}\n", "4:1 this `}` closes nothing"],
    [
      "a key outside",
      "define scheduler {\n scheduler_name  one\n}\naddress  127.0.0.2\n",
      "4:1 this line stands outside",
    ],
  ])("an unclosed block, %s", async (_, text, error) => {
    expect(said(await load(text), "error")).toEqual(
      expect.arrayContaining([expect.stringContaining(`error a.cfg:${error}`)]),
    );
  });

  test("a key twice with two values is an error that names both", async () => {
    const loaded = await load(
      "define scheduler {\n scheduler_name  one\n address  127.0.0.2\n address  127.0.0.3\n}\n",
    );
    expect(said(loaded, "error")).toEqual([
      "error a.cfg:4:2 `address` is written twice with two values: `127.0.0.2` in line 3, and `127.0.0.3` here",
    ]);
  });

  test("what may be a comment or a part of a program is an error", async () => {
    const loaded = await load("define scheduler {\n scheduler_name  one\n command  /bin/job # loud\n}\n");
    expect(said(loaded, "error")).toEqual([
      expect.stringContaining("error a.cfg:3:20 is this a comment or a part of `command`?"),
    ]);
  });

  test("an unknown key is a warning with the nearest known one, and is kept", async () => {
    const loaded = await load("define scheduler {\n scheduler_name  one\n adress  127.0.0.2\n}\n");
    expect(loaded.ok).toBe(true);
    expect(said(loaded, "warning")).toEqual(
      expect.arrayContaining([
        expect.stringContaining("warning a.cfg:3:2 nobody knows the key `adress`: did you mean `address`?"),
      ]),
    );
    expect(loaded.model?.daemons[0]?.passed).toEqual({ adress: "127.0.0.2" });
  });

  test("objects of other tools and lines of their main files are passed over and counted", async () => {
    const loaded = await load(
      "cfg_dir=objects\ncfg_file=x.cfg\n$USER1$=/usr/lib\ndefine host { host_name x\n}\ndefine service{\n a\n}\ndefine scheduler {\n scheduler_name  one\n address 127.0.0.2\n}\n",
    );
    expect(loaded.ok).toBe(true);
    expect(loaded.ignored).toEqual({ host: 1, service: 1, lines: 3 });
    expect(loaded.problems.filter((problem) => problem.severity === "information")).toHaveLength(1);
  });

  test("a type that nobody has needs its port", async () => {
    const loaded = await loadFiles({ "a.cfg": "define worker {\n worker_name  w\n address  127.0.0.2\n}\n" });
    expect(said(loaded, "error")).toEqual(["error a.cfg:1:1 a daemon of type `worker` must name its port"]);
    const misspelt = await loadFiles({
      "a.cfg": "define schedular {\n schedular_name  w\n address  127.0.0.2\n}\n",
    });
    expect(said(misspelt, "error")).toEqual([expect.stringContaining("or did you mean `scheduler`?")]);
  });
});

describe("templates", () => {
  const TEMPLATES =
    "define scheduler {\n name  base\n register  0\n check_interval  1\n _a  base\n}\ndefine scheduler {\n name  slow\n register  0\n use  base\n check_interval  2\n}\n";

  test("give what the object itself lacks; the first one counts; chains work; files may be others", async () => {
    const loaded = await load(
      "define scheduler {\n use  slow,base\n scheduler_name  one\n address  127.0.0.2\n}\n",
      { "templates.cfg": TEMPLATES },
    );
    expect(said(loaded, "error")).toEqual([]);
    expect(loaded.model?.daemons[0]).toMatchObject({
      name: "one",
      checkIntervalMs: 2000,
      leaseMs: 10_000,
      passed: { _a: "base" },
    });
    expect(loaded.model?.daemons).toHaveLength(2);
  });

  test("that don't exist, or lead back to themselves, are errors", async () => {
    const missing = await load(
      "define scheduler {\n use  slwo\n scheduler_name  one\n address  127.0.0.2\n}\n",
      { "t.cfg": TEMPLATES },
    );
    expect(said(missing, "error")).toEqual([
      "error a.cfg:2:7 no template of type `scheduler` is called `slwo`: did you mean `slow`?",
    ]);
    const circle = await load(
      "define scheduler {\n use  a\n scheduler_name  one\n address  127.0.0.2\n}\ndefine scheduler {\n name  a\n register  0\n use  b\n}\ndefine scheduler {\n name  b\n register 0\n use  a\n}\n",
    );
    expect(said(circle, "error")).toEqual([
      expect.stringContaining("error a.cfg:14:2 templates in a circle"),
    ]);
  });
});

describe("bare lines", () => {
  test("are one daemon, whose type comes from its name's key", async () => {
    const loaded = await loadFiles({
      "m.cfg": "scheduler_name      scheduler-master\naddress             127.0.0.2\nspare               0\n",
      "s.cfg": "scheduler_name      scheduler-slave\naddress             127.0.0.3\nspare               1\n",
    });
    expect(said(loaded)).toEqual([]);
    expect(loaded.model?.services).toMatchObject([
      {
        name: "scheduler-master",
        type: "scheduler",
        leaseMs: 2000,
        candidates: ["scheduler-master", "scheduler-slave"],
      },
    ]);
    expect(loaded.model?.arbiters).toEqual([
      expect.objectContaining({ name: "arbiter-master", port: 7770, origin: null }),
    ]);
  });

  test("without a name are an error", async () => {
    expect(said(await load("address  127.0.0.2\nspare  0\n"), "error")).toEqual([
      expect.stringContaining("error a.cfg:1:1 this file names no daemon"),
    ]);
  });

  test("cut in the middle of a key are an error", async () => {
    expect(said(await load("scheduler_name  one\naddr"), "error")).toEqual([
      expect.stringContaining("error a.cfg:2:1 nobody knows the key `addr`"),
    ]);
    expect(said(await load("scheduler_name  one\naddress"), "error")).toEqual([
      "error a.cfg:2:8 `address` has no value",
    ]);
  });

  test("with = between are read as meant", async () => {
    const loaded = await loadFiles({
      "a.cfg": "scheduler_name = one\naddress=127.0.0.2\nspare = 1\n",
      "z.cfg": MASTER,
    });
    expect(said(loaded, "error")).toEqual([]);
    expect(loaded.model?.daemons[0]).toMatchObject({ name: "one", address: "127.0.0.2", role: "spare" });
    expect(said(loaded, "warning")).toHaveLength(3);
  });

  test("of another tool's main file are passed over", async () => {
    const loaded = await load("scheduler_name  one\naddress  127.0.0.2\n", {
      "main.cfg": "cfg_dir=daemons\nlog_file=/x\n# c\n",
    });
    expect(loaded.ok).toBe(true);
    expect(loaded.ignored).toEqual({ lines: 2 });
  });
});
