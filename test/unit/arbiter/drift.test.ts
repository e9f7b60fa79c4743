/** When files differ, which version a rollback means, and what an edit has lost. */
import { expect, test } from "vitest";
import type { ArbiterState } from "../../../src/core/arbiter-state.ts";
import { AutoRollback } from "../../../src/arbiter/sync/auto-rollback.ts";
import type { Reference } from "../../../src/arbiter/sync/drift.ts";
import { driftOf, fileList } from "../../../src/arbiter/sync/drift.ts";
import { rollbackTarget } from "../../../src/arbiter/sync/history.ts";
import type { Manifest } from "../../../src/arbiter/sync/manifest.ts";
import { hashesOf, parseManifest } from "../../../src/arbiter/sync/manifest.ts";
import { ClusterRig } from "../core/arbiter-rig.ts";

const files = hashesOf({ "a.cfg": "1", "b.cfg": "2" });
const reference: Reference = { version: 4, hash: "h4", program: "1.0.0", files };
const manifest: Manifest = {
  name: "two",
  program: "1.0.0",
  state: "standing-by",
  version: 4,
  hash: "h4",
  configSync: "warn",
  joined: "",
  folder: "",
  own: { hash: "h4", errors: 0, files },
  refusedEdit: null,
};
const having = (own: Partial<Manifest["own"]>, more: Partial<Manifest> = {}): Manifest => ({
  ...manifest,
  ...more,
  own: { ...manifest.own, ...own },
});

test("what the files mean is what counts", () => {
  expect(driftOf(manifest, reference)).toBeNull();
  // A comment was added: the file differs, what it says doesn't.
  expect(driftOf(having({ files: hashesOf({ "a.cfg": "1 ; x" }) }), reference)).toBeNull();
  const other = having({ hash: "h3", files: hashesOf({ "a.cfg": "9", "c.cfg": "3" }) });
  expect(driftOf(other, reference)?.text).toBe(
    "two's files are not version 4 of the configuration, which is in force: ~ a.cfg, + c.cfg, - b.cfg.",
  );
});

test("the same files in another version of the program are no drift; in the same one they are", () => {
  expect(driftOf(having({ hash: "other" }, { program: "2.0.0" }), reference)).toBeNull();
  expect(driftOf(having({ hash: "other" }), reference)?.text).toContain("other values of the environment");
});

test("files with errors are drift on a standby, and the leader's own refused edit on the leader", () => {
  expect(driftOf(having({ hash: "", errors: 2 }), reference)?.text).toContain("they have 2 errors");
  expect(driftOf(having({ hash: "", errors: 2 }, { state: "leading" }), reference)).toBeNull();
});

test("a long list of files is cut short", () => {
  const changed = ["1", "2", "3", "4", "5", "6", "7"];
  expect(fileList({ added: [], changed, removed: [] })).toMatch(/~ 5 and 2 more$/u);
});

test("a manifest of another shape is refused, one with unknown members isn't", () => {
  expect(parseManifest({ ...manifest, later: true }).ok).toBe(true);
  expect(parseManifest({ ...manifest, own: { hash: 1 } }).ok).toBe(false);
});

test("a rollback goes to the newest one before that says something else", () => {
  const version = (number: number, hash: string) => ({
    version: number,
    hash,
    atWallMs: 0,
    by: "x",
    files: {},
  });
  const versions = [version(4, "b"), version(3, "b"), version(2, "a"), version(1, "c")];
  expect(rollbackTarget(versions, { version: 4, hash: "b" }, null)?.version).toBe(2);
  expect(rollbackTarget(versions, { version: 4, hash: "b" }, 1)?.version).toBe(1);
  expect(rollbackTarget(versions, { version: 4, hash: "b" }, 9)).toBeNull();
  expect(rollbackTarget(versions.slice(0, 2), { version: 4, hash: "b" }, null)).toBeNull();
});

function lossOf(phase: "vacant" | "activating" | "held", forMs: number): string | null {
  const world = new ClusterRig();
  world.start();
  const state: ArbiterState = world.state;
  const [name = ""] = state.services.keys();
  const view = state.services.get(name);
  if (view === undefined) throw new Error("no service");
  let nowMs = 0;
  let lost: string | null = null;
  const watch = new AutoRollback({
    state: () => state,
    nowMs: () => nowMs,
    isOn: () => true,
    rollBack: (service) => {
      lost = service;
    },
  });
  watch.applied(state.configuration.version, [name]);
  view.phase = phase;
  for (; nowMs <= forMs; nowMs += 250) watch.look();
  watch.close();
  return lost;
}

test("a service that stays vacant after an edit is lost; one that is held, activating or gone for a moment isn't", () => {
  expect(lossOf("vacant", 10_000)).not.toBeNull();
  expect(lossOf("vacant", 750)).toBeNull();
  expect(lossOf("activating", 20_000)).toBeNull();
  expect(lossOf("held", 20_000)).toBeNull();
});
