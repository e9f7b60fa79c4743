/** Edits as editors make them: noticed once each has come to rest, and never after closing. */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { watchConfiguration } from "../../../src/config/index.ts";
import { Folder } from "./folder.ts";

const SPARE = "scheduler_name  s\naddress  127.0.0.3\nspare  1\n";
/** Generous: only that something happens is asked, not how fast. */
const SOON = { timeout: 10_000, interval: 20 };

test("writing, renaming over, adding and removing are each noticed", async () => {
  await using folder = await Folder.of({ "a.cfg": SPARE, "daemons/b.cfg": SPARE });
  const onQuiet = vi.fn<() => void>();
  const watch = await watchConfiguration(folder.path, onQuiet, { quietMs: 100 });
  let noticed = 0;
  const next = async (): Promise<void> => {
    await vi.waitFor(() => {
      expect(onQuiet.mock.calls.length).toBeGreaterThan(noticed);
    }, SOON);
    noticed = onQuiet.mock.calls.length;
  };
  await folder.write("a.cfg", `${SPARE}# edited\n`);
  await next();
  await folder.write("daemons/b.cfg.tmp", `${SPARE}# edited\n`);
  await next();
  await rename(join(folder.path, "daemons/b.cfg.tmp"), join(folder.path, "daemons/b.cfg"));
  await next();
  await folder.write("daemons/c.cfg", SPARE);
  await next();
  await watch.close();
});

test("several writes in a row are one edit", async () => {
  await using folder = await Folder.of({ "a.cfg": SPARE });
  const onQuiet = vi.fn<() => void>();
  const watch = await watchConfiguration(folder.path, onQuiet, { quietMs: 600 });
  for (let i = 0; i < 5; i += 1) {
    await writeFile(join(folder.path, "a.cfg"), `${SPARE}# ${i}\n`);
    // The watcher itself reports two changes within 50 ms as one.
    await new Promise((done) => setTimeout(done, 100));
  }
  await vi.waitFor(() => {
    expect(onQuiet).toHaveBeenCalled();
  }, SOON);
  // Each write's own call, were there one, would have come by now.
  await new Promise((done) => setTimeout(done, 700));
  expect(onQuiet).toHaveBeenCalledTimes(1);
  await watch.close();
});

test("of a single file only that one counts, and nothing after closing", async () => {
  await using folder = await Folder.of({ "a.cfg": SPARE, "b.cfg": SPARE });
  const onQuiet = vi.fn<() => void>();
  const watch = await watchConfiguration(join(folder.path, "a.cfg"), onQuiet, { quietMs: 50 });
  await folder.write("b.cfg", `${SPARE}# edited\n`);
  await folder.write("var/x.cfg", SPARE);
  await new Promise((done) => setTimeout(done, 400));
  expect(onQuiet).not.toHaveBeenCalled();
  await folder.write("a.new", `${SPARE}# edited\n`);
  await rename(join(folder.path, "a.new"), join(folder.path, "a.cfg"));
  await vi.waitFor(() => {
    expect(onQuiet).toHaveBeenCalled();
  }, SOON);
  await watch.close();
  onQuiet.mockClear();
  await folder.write("a.cfg", SPARE);
  await new Promise((done) => setTimeout(done, 300));
  expect(onQuiet).not.toHaveBeenCalled();
});
