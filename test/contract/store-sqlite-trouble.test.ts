/**
 * What can be wrong with a SQLite file and its disk: each is one sentence that says what to do,
 * leaves nothing half done, and is over as soon as the trouble is.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StoreUnavailable, type Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import { commit, event, leadershipRecord, serviceRow } from "./store-samples.ts";

let folder: string;
let file: string;
const opened: Store[] = [];
const processes: ChildProcess[] = [];
const mounts: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "arbiter-store-"));
  file = join(folder, "arbiter.db");
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  for (const child of processes.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  for (const mount of mounts.splice(0)) execFileSync("umount", [mount]);
  rmSync(folder, { recursive: true, force: true });
});

async function open(url = "sqlite:arbiter.db"): Promise<Store> {
  const store = await openStore(url, { stateDir: folder, busyTimeoutMs: 100 });
  opened.push(store);
  return store;
}

/** A store that is led, with one event and one service. */
async function led(): Promise<Store> {
  const store = await open();
  await store.campaign(null, leadershipRecord());
  const change = { row: serviceRow(), expectedEpoch: 0 };
  await store.commit(commit({ changes: [change], events: [event("first")] }));
  return store;
}

async function troubleOf(promise: Promise<unknown>): Promise<StoreUnavailable> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof StoreUnavailable) return error;
  throw new Error(`Expected StoreUnavailable, got ${String(error)}`);
}

/** Another process that holds the file until it is killed. */
async function lockedByAnother(sql: string): Promise<ChildProcess> {
  const code = `const { DatabaseSync } = require("node:sqlite");
    const db = new DatabaseSync(${JSON.stringify(file)});
    db.exec(${JSON.stringify(sql)});
    console.log("locked");
    setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  processes.push(child);
  await once(child.stdout, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

function edit(sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

const isRoot = process.getuid?.() === 0;
const canMount = isRoot && mountWorks();

function mountWorks(): boolean {
  const at = mkdtempSync(join(tmpdir(), "arbiter-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", at], { stdio: "ignore" });
    execFileSync("umount", [at]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(at, { recursive: true, force: true });
  }
}

function mountTmpfs(sizeKib: number): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeKib}k`, "tmpfs", folder]);
  mounts.push(folder);
}

/** Writes until nothing more fits. */
function fillDisk(): string {
  const filler = join(folder, "filler");
  const fd = openSync(filler, "w");
  try {
    for (const size of [65_536, 4_096, 1]) {
      for (let wrote = size; wrote === size;) wrote = writeSync(fd, Buffer.alloc(size, 1));
    }
  } catch {
    // Full.
  } finally {
    closeSync(fd);
  }
  return filler;
}

describe("the url", () => {
  test.each(["quorum://anna:secret@h1"])(
    "%s: an engine that isn't there yet is said so, without secrets",
    async (url) => {
      const error = await open(url).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "ERR_ARB_STORE_ENGINE" });
      expect(String(error)).toContain("Use one of sqlite, postgres, mysql, etcd, zookeeper");
      expect(String(error)).not.toContain("secret");
    },
  );

  test.each([
    "",
    "var/arbiter.db",
    "oracle:x",
    "sqlite:",
    "sqlite:var/",
    "sqlite://host/a.db",
    "sqlite::memory:",
  ])("%j is refused with the form that is meant", async (url) => {
    const error = await open(url).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "ERR_ARB_STORE_URL" });
    expect(String(error)).toContain("sqlite:PATH");
  });

  test("a relative path lies below the state folder, whose folders are made; only the owner reads it", async () => {
    await open("sqlite:a/b/arbiter.db");
    expect(statSync(join(folder, "a/b/arbiter.db")).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "a/b")).mode & 0o777).toBe(0o700);
  });

  test.each(["sqlite:", "sqlite://"])("%s with an absolute path is that file", async (prefix) => {
    await open(`${prefix}${file}`);
    expect(existsSync(file)).toBe(true);
  });
});

describe("a file that can't be opened", () => {
  test("an absolute path in a folder that doesn't exist: its disk may not be mounted", async () => {
    const trouble = await troubleOf(open(`sqlite:${folder}/missing/arbiter.db`));
    expect(trouble.message).toContain(`the folder ${folder}/missing does not exist`);
    expect(trouble.outcome).toBe("refused");
    expect(existsSync(join(folder, "missing"))).toBe(false);
  });

  test("the path is a folder, or goes through a file", async () => {
    mkdirSync(file);
    expect((await troubleOf(open())).message).toContain("can't be opened");
    writeFileSync(join(folder, "plain"), "x");
    expect((await troubleOf(open("sqlite:plain/arbiter.db"))).message).toContain("can't be opened");
  });

  test("a file that is no database is left as it is", async () => {
    writeFileSync(file, "these are a person's notes, not a database\n".repeat(100));
    const before = readFileSync(file);
    const trouble = await troubleOf(open());
    expect(trouble.message).toMatch(/damaged or is no SQLite database.*put a copy back/u);
    expect(readFileSync(file)).toEqual(before);
  });

  test("another program's database is left as it is", async () => {
    edit("CREATE TABLE customers (id INTEGER); INSERT INTO customers VALUES (1)");
    const trouble = await troubleOf(open());
    expect(trouble.message).toMatch(/belongs to another program.*customers/u);
    const db = new DatabaseSync(file);
    expect(db.prepare("SELECT name FROM sqlite_schema").all()).toHaveLength(1);
    db.close();
  });

  test("a newer version's database is left as it is", async () => {
    await (await led()).close();
    edit("PRAGMA user_version = 99");
    expect((await troubleOf(open())).message).toContain("schema 99");
  });

  test.runIf(!isRoot)("a file without permission says so", async () => {
    await (await led()).close();
    chmodSync(file, 0o400);
    expect((await troubleOf(open())).message).toContain("read-only");
  });

  test.runIf(canMount)("a read-only file system says so; made writable again, it works", async () => {
    mountTmpfs(1024);
    await (await led()).close();
    execFileSync("mount", ["-o", "remount,ro", folder]);
    const trouble = await troubleOf(open());
    expect(trouble.message).toMatch(/read-only/u);
    expect(trouble.outcome).toBe("refused");
    execFileSync("mount", ["-o", "remount,rw", folder]);
    expect((await (await open()).load()).lastEvent).toBe(1);
  });

  test.runIf(canMount)("a full disk says so; with space again, it works", async () => {
    mountTmpfs(256);
    const filler = fillDisk();
    const trouble = await troubleOf(open());
    expect(trouble.message).toMatch(/the disk that holds .* is full/u);
    rmSync(filler);
    expect(await (await open()).leadership()).toBeNull();
  });

  test("locked for good by another process: named, and open works once it has let go", async () => {
    await (await led()).close();
    const other = await lockedByAnother("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    const trouble = await troubleOf(open());
    expect(trouble.message).toMatch(/is locked: another process holds .*"fuser/u);
    await kill(other);
    expect((await (await open()).load()).lastEvent).toBe(1);
  });
});

describe("trouble while it is open", () => {
  test("locked: writes are refused, reads go on, and it recovers by itself", async () => {
    const store = await led();
    const other = await lockedByAnother("BEGIN IMMEDIATE");
    const results = await Promise.allSettled([
      store.commit(commit({ events: [event("refused")] })),
      store.load(),
      store.campaign(leadershipRecord(), leadershipRecord({ beat: 2 })),
    ]);
    expect(results[0]).toMatchObject({ reason: { outcome: "refused", code: "ERR_ARB_STORE_UNAVAILABLE" } });
    expect(results[1]).toMatchObject({ value: { lastEvent: 1 } });
    expect(results[2]).toMatchObject({ reason: { outcome: "refused" } });
    await kill(other);
    const { events } = await store.commit(commit({ events: [event("second")] }));
    expect(events[0]?.seq).toBe(2);
    expect(await store.leadership()).toEqual(leadershipRecord());
  });

  test.runIf(canMount)("a full disk: refused, nothing lost, and it recovers by itself", async () => {
    mountTmpfs(512);
    const store = await led();
    const before = await store.load();
    const filler = fillDisk();
    const text = "x".repeat(20_000);
    // What still fits is taken; from the first that doesn't, each is refused as a whole.
    let acknowledged = 1;
    const writeOn = async (): Promise<never> => {
      for (;;) {
        await store.commit(commit({ events: [event(text), event(text)] }));
        acknowledged += 2;
      }
    };
    const trouble = await troubleOf(writeOn());
    expect(trouble).toMatchObject({ outcome: "refused" });
    expect(String(trouble)).toMatch(/is full\. Free some space/u);
    expect(await store.load()).toEqual({ ...before, lastEvent: acknowledged });
    rmSync(filler);
    const { events } = await store.commit(commit({ events: [event("after")] }));
    expect(events[0]?.seq).toBe(acknowledged + 1);
    const kept = await store.events(0, 1_000);
    expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: acknowledged + 1 }, (_, i) => i + 1));
  });

  test("a database whose pages were overwritten: an error, not a crash", async () => {
    const store = await led();
    await store.commit(commit({ events: Array.from({ length: 500 }, () => event("x".repeat(200))) }));
    await store.close();
    const fd = openSync(file, "r+");
    const { size } = fstatSync(fd);
    writeSync(fd, Buffer.alloc(size - 4096, 0x5a), 0, size - 4096, 4096);
    closeSync(fd);
    const trouble = await troubleOf(open().then((again) => again.load()));
    expect(trouble.message).toMatch(/damaged/u);
  });

  test.each([
    ["UPDATE services SET row = '{\"service\":'", "load", "the row of service scheduler-master"],
    ["UPDATE services SET row = json_set(row, '$.epoch', '1')", "load", "`epoch` must be"],
    ["UPDATE services SET epoch = 7", "load", "contradict"],
    [
      "UPDATE services SET row = json_remove(row, '$.candidates.list[0].url')",
      "load",
      "`candidates.list[0].url`",
    ],
    ["UPDATE state SET settings = '[]'", "load", "the settings"],
    ["UPDATE leadership SET record = json_set(record, '$.term', -1)", "leadership", "the leadership record"],
    ["UPDATE events SET event = json_remove(event, '$.text')", "events", "event 1"],
  ] as const)("damaged contents are named: %s", async (sql, call, named) => {
    await (await led()).close();
    edit(sql);
    const store = await open();
    const asked =
      call === "events" ? store.events(0, 10) : call === "load" ? store.load() : store.leadership();
    const trouble = await troubleOf(asked);
    expect(trouble.message).toContain("holds damaged contents");
    expect(trouble.message).toContain(named);
    expect(trouble.outcome).toBe("refused");
  });

  test("a commit that fails half way leaves nothing, and the one sent with it is whole", async () => {
    const store = await led();
    // No number that JavaScript can hold: the rows are written by then, the events can't be numbered.
    edit("INSERT INTO events VALUES (9007199254740993, 0, '{}')");
    const results = await Promise.allSettled([
      store.commit(
        commit({ changes: [{ row: serviceRow({ epoch: 2 }), expectedEpoch: 1 }], events: [event("half")] }),
      ),
      store.commit(commit({ changes: [{ row: serviceRow({ service: "other" }), expectedEpoch: 0 }] })),
    ]);
    expect(results[0]).toMatchObject({ reason: { outcome: "refused", code: "ERR_ARB_STORE_UNAVAILABLE" } });
    expect(results[1]).toMatchObject({ value: { revision: 2 } });
    edit("DELETE FROM events WHERE seq > 1");
    const { rows, revision, lastEvent } = await store.load();
    expect(rows.map(({ service, epoch }) => `${service} ${epoch}`)).toEqual([
      "other 1",
      "scheduler-master 1",
    ]);
    expect([revision, lastEvent]).toEqual([2, 1]);
  });

  test("a file that was deleted under it takes no more writes, and none is begun in its place", async () => {
    const store = await led();
    rmSync(file);
    for (let again = 0; again < 2; again++) {
      const trouble = await troubleOf(store.commit(commit({ events: [event("lost")] })));
      expect(trouble.message).toContain("has lost its file");
      expect(trouble.outcome).toBe("refused");
    }
    expect(existsSync(file)).toBe(false);
  });

  test("a file that was moved away and put back is used again", async () => {
    const store = await led();
    await store.close();
    const again = await open();
    await again.load();
    copyFileSync(file, `${file}.copy`);
    rmSync(file);
    await troubleOf(again.load());
    renameSync(`${file}.copy`, file);
    expect((await again.load()).lastEvent).toBe(1);
    expect((await again.commit(commit({ events: [event("second")] }))).events[0]?.seq).toBe(2);
  });

  test("a disk that doesn't answer: the outcome of a write is unknown, and it may be applied later", async () => {
    await (await led()).close();
    const options = { stateDir: folder, busyTimeoutMs: 60_000, callTimeoutMs: 1_500 };
    const store = await openStore("sqlite:arbiter.db", options);
    opened.push(store);
    const other = await lockedByAnother("BEGIN IMMEDIATE");
    const trouble = await troubleOf(store.commit(commit({ events: [event("late")] })));
    expect(trouble.outcome).toBe("unknown");
    expect(trouble.message).toContain("did not answer within 1500 ms");
    await kill(other);
    // Queued behind it, and so answered after it.
    expect((await store.load()).lastEvent).toBe(2);
  });

  test("another process's commit is told to who watches; the own ones aren't", async () => {
    const store = await led();
    const other = await open();
    const told: string[] = [];
    let end = (): void => {
      told.push("ended");
    };
    const heard = new Promise<void>((resolve) => {
      end = store.watch(() => {
        told.push("changed");
        resolve();
      });
    });
    await store.load();
    await store.commit(commit({ events: [event("own")] }));
    await store.load();
    expect(told).toEqual([]);
    await other.campaign(leadershipRecord(), leadershipRecord({ released: true }));
    await heard;
    expect(await store.leadership()).toMatchObject({ released: true });
    end();
  });
});
