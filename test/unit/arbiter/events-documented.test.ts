/** `docs/events.md` and the code have the same events, both ways. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
/** Where the name of what was ordered stands in the middle. */
const ORDERED = ["switchover", "failback", "failover"].map((verb) => `operator.${verb}`);
/** What looks like one and isn't: names of files. */
const FILES = /\.(?:js|cfg|log|pid|json|md|ts|sock|db|crt|key|css|svg|html)$/u;
const KINDS =
  /^(?:service|failover|daemon|member|operator|leader|arbiter|store|map|config|drill|security|alert)\./u;

async function inCode(): Promise<ReadonlySet<string>> {
  const found = new Set(ORDERED);
  for (const entry of await readdir(join(ROOT, "src"), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const text = await readFile(join(entry.parentPath, entry.name), "utf8");
    if (entry.parentPath.endsWith("cli") || entry.parentPath.endsWith("simulator")) continue;
    for (const match of text.matchAll(/"([a-z]+\.[a-z]+(?:-[a-z]+)*)"/gu)) {
      const name = match[1] ?? "";
      if (KINDS.test(name) && !FILES.test(name)) found.add(name);
    }
  }
  return found;
}

test("every event is documented, and every documented event can happen", async () => {
  const text = await readFile(join(ROOT, "docs/events.md"), "utf8");
  const documented = Array.from(text.matchAll(/^\| `([a-z]+\.[a-z-]+)` \|/gmu), ([, name]) => name ?? "");
  expect(new Set(documented).size).toBe(documented.length);
  expect(documented.toSorted()).toEqual([...(await inCode())].toSorted());
});
