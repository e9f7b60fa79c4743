/** Reading a folder: what is there, what can't be read, and what changes meanwhile. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Folder, loadFiles, said } from "./folder.ts";

const MASTER = "scheduler_name  m\naddress  127.0.0.2\n";
const SPARE = "scheduler_name  s\naddress  127.0.0.3\nspare  1\n";

describe("a folder", () => {
  test("is read whole: sub-folders, .cfg and .ini, sorted; nothing else", async () => {
    await using folder = await Folder.of({
      "z.cfg": MASTER,
      "daemons/deep/s.CFG": SPARE,
      "a.ini": "[daemon.x]\ntype=poller\n",
      "notes.txt": "not a configuration",
      ".hidden.cfg": "garbage",
      "m.cfg~": "garbage",
      "var/state.cfg": "garbage",
      ".git/x.cfg": "garbage",
    });
    await symlink(folder.path, join(folder.path, "circle"));
    const loaded = await folder.load();
    expect(loaded.files.map((file) => file.path)).toEqual(["a.ini", "daemons/deep/s.CFG", "z.cfg"]);
    expect(said(loaded, "error")).toEqual([]);
    expect(loaded.files[2]).toMatchObject({
      content: MASTER,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/u) as unknown,
    });
  });

  test("that is empty, or isn't there, is one clear error", async () => {
    await using folder = await Folder.of();
    const empty = await folder.load();
    expect(said(empty)).toEqual([
      expect.stringContaining("holds no configuration: no `*.cfg` and no `*.ini` file"),
    ]);
    const missing = await folder.load("nowhere");
    expect(said(missing)).toEqual([expect.stringContaining("it does not exist")]);
    expect([empty.ok, empty.model, missing.ok]).toEqual([false, null, false]);
  });

  test("with comments alone is a warning: there is nothing to keep running", async () => {
    expect(said(await loadFiles({ "a.cfg": "# nothing\n" }))).toEqual([
      expect.stringMatching(/^warning .* no daemon is configured/u),
    ]);
  });
});

describe("a single file", () => {
  test("with one daemon is not asked about the rest of the cluster", async () => {
    await using folder = await Folder.of({ "s.cfg": SPARE, "broken.cfg": "garbage" });
    const loaded = await folder.load("s.cfg");
    expect(loaded).toMatchObject({
      ok: true,
      isLone: true,
      problems: [],
      model: { daemons: [{ name: "s", role: "spare" }] },
    });
    expect(loaded.files.map((file) => file.path)).toEqual(["s.cfg"]);
  });
  test("with several is a cluster", async () => {
    await using folder = await Folder.of({
      "all.cfg": "[scheduler m]\naddress = 127.0.0.2\n[broker b]\nspare = 1\n",
    });
    const loaded = await folder.load("all.cfg");
    expect(loaded.isLone).toBe(false);
    expect(said(loaded, "error")).toEqual(["error all.cfg:4:9 `b` is a spare without a master to back up"]);
  });
  test("with no daemon is an error", async () => {
    await using folder = await Folder.of({ "x.cfg": "\n" });
    expect(said(await folder.load("x.cfg"), "error")).toEqual([
      expect.stringContaining("no daemon is configured"),
    ]);
  });
});

describe("a file that can't be read is one clear error", () => {
  test.each<[string, Uint8Array, string]>([
    ["10 MB", Buffer.alloc(10_000_000, "x = y\n"), "has 10000000 bytes: too many"],
    ["UTF-16", Buffer.from("\u{feff}[scheduler]\n", "utf16le"), "zero byte"],
    ["Latin-1", Buffer.from("# ok\n# ok\n# caf\u{e9}\n", "latin1"), "line 3 is not valid UTF-8"],
    ["binary", Buffer.from([1, 2, 3, 0, 255, 254]), "zero byte"],
  ])("%s", async (_, content, error) => {
    const loaded = await loadFiles({ "m.cfg": MASTER, "s.cfg": SPARE, "x.cfg": content });
    expect(said(loaded)).toEqual([expect.stringContaining("error x.cfg:1:1 ")]);
    expect(said(loaded)[0]).toContain(error);
  });

  test("a link to nowhere", async () => {
    await using folder = await Folder.of({ "m.cfg": MASTER });
    await symlink("/nowhere/at/all", join(folder.path, "x.cfg"));
    expect(said(await folder.load(), "error")).toEqual([
      "error x.cfg:1:1 can't read this file: it does not exist",
    ]);
  });

  test("a pipe doesn't keep the reader waiting", async () => {
    await using folder = await Folder.of({ "m.cfg": MASTER });
    const made = spawn("mkfifo", [join(folder.path, "x.cfg")]);
    await once(made, "exit");
    expect(said(await folder.load(), "error")).toEqual(["error x.cfg:1:1 this is no regular file"]);
  });

  // Root reads what it likes.
  test.skipIf(process.getuid?.() === 0)("one without permission", async () => {
    await using folder = await Folder.of({ "m.cfg": MASTER });
    await writeFile(join(folder.path, "x.cfg"), SPARE, { mode: 0o000 });
    expect(said(await folder.load(), "error")).toEqual([expect.stringContaining("permission denied")]);
  });

  test("one line of a megabyte", async () => {
    const loaded = await loadFiles({
      "m.cfg": MASTER,
      "x.cfg": `[scheduler s]\naddress = ${"a ; \" ' # ".repeat(90_000)}\n`,
    });
    expect(said(loaded, "warning")).toContainEqual(expect.stringContaining("`;` behind a value"));
  });
});

/** Appends in each turn of the event loop: so between any two steps of a reader. */
function keepWriting(path: string): { stop: () => void } {
  const work = { isDone: false };
  const write = (): void => {
    if (work.isDone) return;
    appendFileSync(path, "# a line\n");
    setImmediate(write);
  };
  write();
  return {
    stop: () => {
      work.isDone = true;
    },
  };
}

describe("a file that is being written", () => {
  test("all the time is an error that says so", async () => {
    await using folder = await Folder.of({ "m.cfg": MASTER, "s.cfg": SPARE });
    const writer = keepWriting(join(folder.path, "m.cfg"));
    const loaded = await folder.load();
    writer.stop();
    expect(said(loaded)).toEqual([
      expect.stringContaining("error m.cfg:1:1 this file changed each time that it was read"),
    ]);
    expect(said(await folder.load())).toEqual([]);
  });

  test("for a moment is read again until it holds still", async () => {
    await using folder = await Folder.of({ "m.cfg": MASTER, "s.cfg": SPARE });
    const writer = keepWriting(join(folder.path, "m.cfg"));
    setTimeout(() => {
      writer.stop();
    }, 50);
    const loaded = await folder.load();
    expect(said(loaded)).toEqual([]);
    expect(loaded.files[0]?.content).toBe(readFileSync(join(folder.path, "m.cfg"), "utf8"));
  });

  test("may be replaced by renaming over it", async () => {
    await using folder = await Folder.of({ "m.cfg": MASTER, "s.cfg": SPARE });
    const work = { isDone: false };
    const writer = (async () => {
      for (let i = 0; !work.isDone; i += 1) {
        await folder.write("m.new", `${MASTER}_n  ${i}\n_end  yes\n`);
        await rename(join(folder.path, "m.new"), join(folder.path, "m.cfg"));
        await new Promise((done) => setTimeout(done, 5));
      }
    })();
    for (let i = 0; i < 10; i += 1) {
      const loaded = await folder.load();
      const passed = loaded.model?.daemons[0]?.passed ?? {};
      expect("_n" in passed ? passed["_end"] : "yes").toBe("yes");
      expect(said(loaded, "error").filter((text) => !text.includes("still writing"))).toEqual([]);
    }
    work.isDone = true;
    await writer;
  });

  test("one cut in half says so, and one that is empty too", async () => {
    const object = "define scheduler {\n scheduler_name  m\n address  127.0.0.2\n}\n";
    for (let length = 1; length < object.length - 1; length += 1) {
      const loaded = await loadFiles({ "m.cfg": object.slice(0, length), "s.cfg": SPARE });
      expect(loaded.ok).toBe(false);
    }
    expect(said(await loadFiles({ "m.cfg": "", "s.cfg": MASTER }))).toContain(
      "warning m.cfg:1:1 this file is empty: is it half written?",
    );
  });
});

test("too deep a folder is an error, not a crash", async () => {
  await using folder = await Folder.of({ "m.cfg": MASTER });
  await mkdir(join(folder.path, ...Array.from({ length: 20 }, () => "d")), { recursive: true });
  expect(said(await folder.load(), "error")).toEqual([
    expect.stringContaining("sub-folders lie more than 12 deep"),
  ]);
});
