/** Other files in the configuration folder: all or none, and those before are kept. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { finishReplacement, replaceFiles } from "../../../src/arbiter/sync/replace-files.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "arbiter-replace-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(name: string, content: string, mode = 0o640): Promise<void> {
  await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
  await writeFile(path.join(folder, name), content, { mode });
}

const text = (name: string): Promise<string> => readFile(path.join(folder, name), "utf8");
const present = [
  { path: "a.cfg", content: "a1" },
  { path: "d/b.cfg", content: "b1" },
  { path: "old.cfg", content: "o1" },
];

test("new, changed and removed files; the replaced ones are kept, with their modes; others are left alone", async () => {
  for (const file of present) await put(file.path, file.content, 0o600);
  await put("token", "secret");
  const files = { "a.cfg": "a2", "d/b.cfg": "b1", "e/c.cfg": "c1" };
  const kept = await replaceFiles({ folder, files, present, atWallMs: 0 });
  expect([await text("a.cfg"), await text("d/b.cfg"), await text("e/c.cfg")]).toEqual(["a2", "b1", "c1"]);
  expect((await stat(path.join(folder, "a.cfg"))).mode & 0o777).toBe(0o600);
  expect((await readdir(kept)).toSorted()).toEqual(["a.cfg", "old.cfg"]);
  expect(await readFile(path.join(kept, "a.cfg"), "utf8")).toBe("a1");
  expect((await readdir(folder)).toSorted()).toEqual([".arbiter-replaced", "a.cfg", "d", "e", "token"]);
});

test("interrupted after it began to count, it is finished at the next start; before, nothing has happened", async () => {
  for (const file of present) await put(file.path, file.content);
  await put(".arbiter-incoming.new/a.cfg", "half");
  expect(await finishReplacement(folder)).toBe(false);
  expect(await text("a.cfg")).toBe("a1");
  // `a.cfg` had been moved into its place already.
  await put("a.cfg", "a2");
  await put(".arbiter-incoming/d/b.cfg", "b2");
  const list = { stamp: "1970", files: ["a.cfg", "d/b.cfg"], removed: ["old.cfg"] };
  await put(".arbiter-incoming/arbiter-incoming.json", JSON.stringify(list));
  expect(await finishReplacement(folder)).toBe(true);
  expect([await text("a.cfg"), await text("d/b.cfg")]).toEqual(["a2", "b2"]);
  await expect(text("old.cfg")).rejects.toThrow("ENOENT");
  expect(await finishReplacement(folder)).toBe(false);
});

test.each(["../up.cfg", "/etc/x.cfg", "token", ".hidden/x.cfg", "a/../../x.cfg"])(
  "%s is no file of the folder: nothing is written",
  async (name) => {
    await put("a.cfg", "a1");
    const wrong = replaceFiles({ folder, files: { "a.cfg": "a2", [name]: "x" }, present: [], atWallMs: 0 });
    await expect(wrong).rejects.toThrow("no file of a configuration folder");
    expect(await text("a.cfg")).toBe("a1");
  },
);
