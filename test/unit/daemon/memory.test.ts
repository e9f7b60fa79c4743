/** A memory that isn't one must never be taken for one (I3, the reboot rule). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { assert, json, property } from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DaemonMemory } from "../../../src/core/daemon-io.ts";
import { makeStateFolder, openStateFolder, parseMemory } from "../../../src/daemon/state-folder.ts";

const memory: DaemonMemory = {
  clusterId: "c",
  term: 4,
  longestPromiseMs: 2000,
  seenEpochs: { s: 7 },
  arbiters: [{ name: "a", url: "http://10.0.0.1:7770" }],
};
let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(path.join(tmpdir(), "arbiter-memory-"));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

test("what was remembered is there again, and the daemon is the same", async () => {
  const folder = openStateFolder(makeStateFolder(stateDir, "d"), false);
  expect(folder.memory).toBeNull();
  await Promise.all([folder.remember({ ...memory, term: 3 }, false), folder.remember(memory, true)]);
  const again = openStateFolder(folder.path, false);
  expect(again.memory).toEqual(memory);
  expect(again.stateId).toBe(folder.stateId);
});

test("the last of many writes is what stays", async () => {
  const folder = openStateFolder(makeStateFolder(stateDir, "d"), false);
  const terms = Array.from({ length: 50 }, (_, index) => index);
  await Promise.all(terms.map(async (term) => await folder.remember({ ...memory, term }, term % 3 === 0)));
  expect(openStateFolder(folder.path, false).memory?.term).toBe(49);
});

test("--forget-cluster forgets the cluster, not what was promised", async () => {
  const folder = openStateFolder(makeStateFolder(stateDir, "d"), false);
  await folder.remember(memory, true);
  const forgotten = { clusterId: null, term: 0, longestPromiseMs: 2000, seenEpochs: {}, arbiters: [] };
  expect(openStateFolder(folder.path, true).memory).toEqual(forgotten);
  expect(openStateFolder(folder.path, false).memory).toEqual(forgotten);
});

test("every part of a memory that is cut off is refused, and so is one of another shape", () => {
  const text = JSON.stringify(memory);
  for (let length = 0; length < text.length; length++) expect(parseMemory(text.slice(0, length))).toBeNull();
  for (const key of Object.keys(memory)) {
    const rest = Object.fromEntries(Object.entries(memory).filter(([other]) => other !== key));
    expect(parseMemory(JSON.stringify(rest))).toBeNull();
    expect(parseMemory(JSON.stringify({ ...rest, [key]: true }))).toBeNull();
  }
  assert(
    property(json(), (other) => {
      expect(parseMemory(other)).toBeNull();
    }),
  );
});

test("a state id that is none stops the start", () => {
  const folder = openStateFolder(makeStateFolder(stateDir, "d"), false);
  const file = path.join(folder.path, "state-id");
  expect(readFileSync(file, "utf8").trim()).toBe(folder.stateId);
  writeFileSync(file, "");
  expect(() => openStateFolder(folder.path, false)).toThrow(/doesn't hold a state id/);
});
