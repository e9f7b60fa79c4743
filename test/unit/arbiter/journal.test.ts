/** The journal: one JSON line a transition, bounded in size, and never a reason to stop. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RateLimit } from "../../../src/protocol/rate-limit.ts";
import { Journal } from "../../../src/arbiter/journal.ts";
import { pidFileContent, readPidFile } from "../../../src/arbiter/pid-file.ts";
import { openArbiterFolder } from "../../../src/arbiter/state-folder.ts";
import type { JournalEntry } from "../../../src/core/arbiter-io.ts";
import { journalLine } from "../../../src/shell/journal-line.ts";

const entry = (epoch: number): JournalEntry => ({
  atMs: 1,
  atWallMs: 2,
  service: "s",
  row: 100,
  from: "vacant",
  to: "activating",
  because: "x".repeat(200),
  evidence: {},
  cleared: 0,
  term: 1,
  epoch,
  event: "service.activating",
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "arbiter-journal-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the journal", () => {
  it("has each entry as it is, on a line of its own, at once", () => {
    const journal = new Journal(folder, () => {});
    journal.write(entry(1));
    journal.write(entry(2));
    const lines = readFileSync(path.join(folder, "journal.jsonl"), "utf8").trimEnd().split("\n");
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
      journalLine(entry(1)),
      journalLine(entry(2)),
    ]);
    const { atWallMs: _atWallMs, ...rest } = entry(1);
    expect(journalLine(entry(1))).toEqual({ v: 1, at: "1970-01-01T00:00:00.002Z", ...rest });
    journal.close();
  });

  it("goes on where it ended, and moves aside when it is large: four old files, in order", () => {
    for (let run = 0; run < 2; run += 1) {
      const journal = new Journal(folder, () => {}, 1_000);
      for (let epoch = 0; epoch < 20; epoch += 1) journal.write(entry(run * 20 + epoch));
      journal.close();
    }
    expect(readdirSync(folder).toSorted()).toEqual([
      "journal.1.jsonl",
      "journal.2.jsonl",
      "journal.3.jsonl",
      "journal.4.jsonl",
      "journal.jsonl",
      "recording.jsonl",
    ]);
    const epochs = [".4", ".3", ".2", ".1", ""].flatMap((part) =>
      readFileSync(path.join(folder, `journal${part}.jsonl`), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => Number(/"epoch":(\d+)/u.exec(line)?.[1])),
    );
    const last = 39;
    expect(epochs).toEqual(
      Array.from({ length: epochs.length }, (_, index) => last - epochs.length + 1 + index),
    );
    expect(epochs.length).toBeGreaterThan(10);
  });

  it("that can't be moved aside says so once and goes on", () => {
    const problems: string[] = [];
    const journal = new Journal(folder, (text) => problems.push(text), 1_000);
    mkdirSync(path.join(folder, "journal.4.jsonl"));
    for (let epoch = 0; epoch < 20; epoch += 1) journal.write(entry(epoch));
    journal.close();
    expect(problems).toHaveLength(1);
    expect(readFileSync(path.join(folder, "journal.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(20);
  });

  it("is an error with the file's name where it can't be begun", () => {
    mkdirSync(path.join(folder, "journal.jsonl"));
    expect(() => new Journal(folder, () => {})).toThrow(/journal\.jsonl/u);
  });
});

describe("the state folder", () => {
  it("keeps one identity, and excludes a second arbiter while it is open", () => {
    const first = openArbiterFolder(folder, "a");
    expect(() => openArbiterFolder(folder, "a")).toThrow(/runs already/u);
    const other = openArbiterFolder(folder, "b");
    expect(other.stateId).not.toBe(first.stateId);
    first.close();
    const again = openArbiterFolder(folder, "a");
    expect(again.stateId).toBe(first.stateId);
    again.close();
    other.close();
  });

  it("with a state id that was cut off is an error, and unlocked again", () => {
    openArbiterFolder(folder, "a").close();
    writeFileSync(path.join(folder, "a", "state-id"), "");
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect(() => openArbiterFolder(folder, "a")).toThrow(/state-id holds no state id/u);
    }
  });
});

const write = (content: string): void => writeFileSync(path.join(folder, "arbiter.pid"), content);

describe("a pid file", () => {
  it("names the process that wrote it, by pid and start time", () => {
    write(pidFileContent("a", "http://a", 0));
    expect(readPidFile(folder)).toMatchObject({ pid: process.pid, name: "a", url: "http://a" });
  });

  it.runIf(process.platform === "linux")("of a process whose pid was used again names nobody", () => {
    write(pidFileContent("a", "http://a", 0).replace(/"startTicks":"\d+"/u, '"startTicks":"1"'));
    expect(readPidFile(folder)).toBeNull();
  });

  it.each([
    "",
    "{}",
    "null",
    '{"pid":-1,"name":"a","url":"u","startTicks":null}',
    '{"pid":1e9,"name":"a","url":"u","startTicks":null}',
  ])("that holds %j names nobody", (content) => {
    write(content);
    expect(readPidFile(folder)).toBeNull();
  });
});

it("a rate limit lets a burst through, then so many a second, each name for itself", () => {
  const limit = new RateLimit(10, 3);
  const take = (name: string, atMs: number, count: number): number =>
    Array.from({ length: count }, () => limit.allows(name, atMs)).filter(Boolean).length;
  expect(take("a", 0, 5)).toBe(3);
  expect(take("b", 0, 1)).toBe(1);
  expect(take("a", 100, 5)).toBe(1);
  expect(take("a", 10_000, 50)).toBe(3);
});
