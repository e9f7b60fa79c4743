/** A program's output through the launcher: every line with its prefix, nothing lost, nothing held. */
import { execFileSync, spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { array, assert, constant, oneof, property, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";
import { linePrefixer } from "../../src/launcher/output.ts";
import { makeFolder, openWorkshop, shell, textOf, until } from "./launcher-workshop.ts";

const SCRIPT = join(import.meta.dirname, "launcher-process.ts");
/** Takes orders and passes output on; see launcher-process.ts. `before` stands before its command line. */
function startLauncher(
  folder: string,
  command: readonly string[],
  before: readonly string[] = [],
): ChildProcessByStdio<Writable, Readable, null> {
  const [program = "", ...words] = [...before, process.execPath, SCRIPT, folder, "{}", ...command];
  return spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] });
}

const TOTAL_BYTES = 200_000_000;

test("a prefix before each line, however the output is cut into pieces, byte for byte", () => {
  assert(
    property(
      array(oneof(uint8Array({ maxLength: 8 }), constant(new Uint8Array([10]))), {
        maxLength: 12,
      }),
      (pieces) => {
        const addPrefix = linePrefixer("é| ");
        const out = Buffer.concat(pieces.map((piece) => addPrefix(Buffer.from(piece))));
        const whole = Buffer.concat(pieces).toString("latin1");
        const lines = whole.split("\n");
        const head = Buffer.from("é| ").toString("latin1");
        const expected = lines
          .map((line, at) => (at === lines.length - 1 && line === "" ? "" : head + line))
          .join("\n");
        expect(out.toString("latin1")).toBe(expected);
      },
    ),
  );
});

describe("a launcher in a process of its own", () => {
  test("200 MB pass through unharmed, into a pipe, and its memory doesn't grow", async () => {
    const folder = makeFolder();
    const line = "0123456789abcdef".repeat(6).slice(0, 91);
    const count = Math.floor(TOTAL_BYTES / (line.length + 1));
    const launcher = spawn(
      process.execPath,
      [
        SCRIPT,
        folder,
        "{}",
        ...shell(
          `until [ -e ${folder}/go ]; do sleep 0.01; done; yes ${line} | head -n ${count}; echo end >&2; exec sleep 60`,
        ),
      ],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
    let lines = 0;
    let bytes = 0;
    let tail = "";
    let stderr = "";
    launcher.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString("latin1");
    });
    const own: string[] = [];
    let peakRss = 0;
    launcher.stdout.on("data", (chunk: Buffer) => {
      const text = tail + chunk.toString("latin1");
      const end = text.lastIndexOf("\n") + 1;
      tail = text.slice(end);
      for (const one of text.slice(0, end).split("\n")) {
        if (one.startsWith("d1 | ")) {
          lines += 1;
          bytes += one.length - 4;
        } else if (one !== "") own.push(one);
      }
    });
    await until("ready", () => own.some((one) => one.includes('"ready"')));
    const before = rssOf(launcher.pid);
    launcher.stdin.write("activate 1 60000\n");
    // What the launcher's process says itself must not stand in the middle of a line.
    await until("active", () => own.some((one) => one.includes('"active"')));
    writeFileSync(join(folder, "go"), "");
    const all = (): boolean => {
      peakRss = Math.max(peakRss, rssOf(launcher.pid));
      return lines === count;
    };
    await until("all lines", all, 30_000);
    await until("standard error", () => stderr.includes("d1 | end\n"));
    launcher.stdin.end();
    await once(launcher, "close");
    expect(lines).toBe(count);
    expect(bytes).toBe(count * (line.length + 1));
    // Two hundred times less than what went through, and room for a garbage collector's moods.
    expect(peakRss - before).toBeLessThan(60_000_000);
    rmSync(folder, { recursive: true, force: true });
  }, 40_000);

  test("nobody reads: the program waits, the launcher doesn't; it answers and it ends", async () => {
    const folder = makeFolder();
    // What the launcher says goes where nobody looks too: its orders are judged by their effects.
    const launcher = startLauncher(folder, shell("yes >/dev/stdout"));
    let text = "";
    const collect = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      if (text.includes('"active"')) {
        launcher.stdout.off("data", collect);
        launcher.stdout.pause();
      }
    };
    launcher.stdout.on("data", collect);
    launcher.stdin.write("activate 1 60000\n");
    await until("active", () => text.includes('"active"'));
    const group = Number(/"group":(\d+)/.exec(text)?.[1]);
    await until("the program waits in its write", () => /^State:\s+S/m.test(textOf(`/proc/${group}/status`)));
    const before = rssOf(launcher.pid);
    await sleep(300);
    expect(rssOf(launcher.pid) - before).toBeLessThan(20_000_000);
    launcher.stdin.write("demote 1\n");
    await until("the program has ended", () => textOf(`/proc/${group}/stat`) === "");
    launcher.kill("SIGKILL");
    await once(launcher, "exit");
    launcher.stdout.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  test("into a file, the last lines of a program that is killed are there", async () => {
    const folder = makeFolder();
    const program = shell("seq 20000; printf 'no newline'; kill -9 $$");
    const launcher = startLauncher(folder, program, shell(`exec "$0" "$@" >${folder}/log`));
    launcher.stdin.write("activate 1 60000\n");
    await until("exited", () => textOf(join(folder, "log")).includes('"exited"'));
    launcher.stdin.end();
    await once(launcher, "close");
    // What the launcher says itself may stand in the middle of a line.
    const text = readFileSync(join(folder, "log"), "latin1").replaceAll(/@\{.*\n/gu, "");
    const expected = Array.from({ length: 20_000 }, (_, at) => `d1 | ${at + 1}\n`).join("");
    expect(text).toBe(`${expected}d1 | no newline`);
    rmSync(folder, { recursive: true, force: true });
  });
});

function rssOf(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+)/.exec(textOf(`/proc/${pid ?? 0}/status`))?.[1] ?? 0) * 1024;
}

describe("a file of its own", () => {
  test("takes both outputs as they are, and moves aside when it is full", async () => {
    await using shop = await openWorkshop(
      () => shell("echo to stderr >&2; yes 0123456789abcdef | head -c 4000000; echo the end; exec sleep 600"),
      (folder) => ({ outputFile: join(folder, "out.log"), outputMaxMib: 1, outputKeep: 2 }),
    );
    await shop.activate();
    await until("all is written", () => textOf(shop.path("out.log")).endsWith("the end\n"));
    const files = readdirSync(shop.folder).filter((name) => name.startsWith("out.log"));
    expect(files.toSorted()).toEqual(["out.log", "out.log.1", "out.log.2"]);
    for (const file of files) expect(statSync(shop.path(file)).size).toBeLessThanOrEqual(1_048_576);
    expect(statSync(shop.path("out.log")).mode & 0o007).toBe(0);
    // Nothing is lost at the seams, and no name stands before the lines.
    const lines = (textOf(shop.path("out.log.2")) + textOf(shop.path("out.log.1"))).split("\n").slice(1, -1);
    expect(new Set(lines)).toEqual(new Set(["0123456789abcdef"]));
  });

  test("a gigabyte goes by: files are bounded, no line is torn, memory doesn't grow", async () => {
    const line = "0123456789abcdef".repeat(64).slice(0, 999);
    const count = 1_000_000;
    await using shop = await openWorkshop(
      () => shell(`yes ${line} | head -n ${count}; echo the end; exec sleep 600`),
      (folder) => ({ outputFile: join(folder, "out.log"), outputMaxMib: 64, outputKeep: 1 }),
    );
    const before = rssOf(process.pid);
    let peak = 0;
    await shop.activate();
    const newest = shop.path("out.log");
    const isDone = (): boolean => {
      peak = Math.max(peak, rssOf(process.pid));
      return execFileSync("tail", ["-c", "8", newest], { encoding: "latin1" }) === "the end\n";
    };
    for (const endMs = performance.now() + 90_000; !isDone() && performance.now() < endMs;) await sleep(50);
    expect(isDone()).toBe(true);
    expect(
      readdirSync(shop.folder)
        .filter((name) => name.startsWith("out.log"))
        .toSorted(),
    ).toEqual(["out.log", "out.log.1"]);
    // 64 MiB hold 67,000 of them; the first and the last may have their other half in another file.
    const last = textOf(shop.path("out.log.1")).split("\n").slice(1, -1);
    expect(last.length).toBeGreaterThan(60_000);
    expect(last.every((one) => one === line)).toBe(true);
    expect(peak - before).toBeLessThan(150_000_000);
  }, 100_000);

  test("that can't be written is an error at the start", async () => {
    await expect(
      openWorkshop(
        () => ["sleep", "600"],
        () => ({ outputFile: "/no/such/folder/out.log" }),
      ),
    ).rejects.toThrow(/\/no\/such\/folder\/out.log can't be written/u);
  });
});
