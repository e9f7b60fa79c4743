/** `arbiter init` with flags: what it writes is valid, says what was asked for, and keeps its secrets. */
import { mkdtemp, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfiguration } from "../../../src/config/load.ts";
import { arbiter } from "./run.ts";

async function init(...flags: readonly string[]): Promise<{ folder: string; said: string; code: number }> {
  const folder = join(await mkdtemp(join(tmpdir(), "arbiter-init-")), "conf");
  const { stdout, stderr, exitCode } = await arbiter(["init", folder, ...flags]);
  return { folder, said: stdout + stderr, code: exitCode };
}

describe("a configuration that works", () => {
  test("of one master and one spare", async () => {
    const { folder, said, code } = await init(
      "--type",
      "web",
      "--master",
      "10.0.0.2",
      "--spare",
      "10.0.0.3",
      "--arbiter",
      "10.0.0.1",
      "--port",
      "8080",
      "--command",
      "/usr/bin/web -f '/etc/my web.conf'",
    );
    expect(code).toBe(0);
    const loaded = await loadConfiguration(folder);
    expect(loaded.problems.filter(({ severity }) => severity !== "information")).toEqual([]);
    expect(loaded.model?.arbiters).toMatchObject([{ name: "arbiter", address: "10.0.0.1", port: 7770 }]);
    expect(loaded.model?.services).toMatchObject([
      { name: "web-master", masters: ["web-master"], candidates: ["web-master", "web-spare"] },
    ]);
    expect(loaded.model?.daemons[0]?.launch?.command).toEqual(["/usr/bin/web", "-f", "/etc/my web.conf"]);
    expect(said).toContain(
      `arbiter daemon --role master --config ${join(folder, "daemons/web-master.cfg")}\n`,
    );
    // Not on loopback: nobody may change it without the token, and nobody else may read that.
    expect((await stat(join(folder, "token"))).mode & 0o777).toBe(0o600);
    expect(loaded.settings.security.tokenFile).toBe(join(folder, "token"));
  });

  test("of N masters and M spares, with room for all on the spares", async () => {
    const { folder, code } = await init(
      "--shape",
      "many",
      "--type",
      "worker",
      "--master",
      "10.0.0.2,10.0.0.2,10.0.0.4",
      "--spare",
      "10.0.0.5,10.0.0.6",
      "--arbiter",
      "10.0.0.1",
    );
    expect(code).toBe(0);
    const loaded = await loadConfiguration(folder);
    expect(loaded.problems.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(loaded.model?.services.map(({ name, candidates }) => [name, candidates.length])).toEqual([
      ["worker-1", 3],
      ["worker-2", 3],
      ["worker-3", 3],
    ]);
    const spares = loaded.model?.daemons.filter(({ role }) => role === "spare") ?? [];
    expect(spares.map(({ capacity }) => capacity)).toEqual([2, 2]);
    // Two on one machine: each has a port of its own.
    expect(loaded.model?.daemons.map(({ address, port }) => `${address}:${port}`)).toHaveLength(
      new Set(loaded.model?.daemons.map(({ address, port }) => `${address}:${port}`)).size,
    );
  });

  test("of two arbiters on a store, whose password stands in a file of its own", async () => {
    const store = "postgres://arbiter:open-sesame@10.0.0.9/arbiter";
    const { folder, code } = await init(
      "--shape",
      "arbiters",
      "--arbiter",
      "10.0.0.1,10.0.0.2",
      "--store",
      store,
      "--master",
      "10.0.0.3",
      "--spare",
      "10.0.0.4",
    );
    expect(code).toBe(0);
    const loaded = await loadConfiguration(folder);
    expect(loaded.problems.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(loaded.model?.arbiters.map(({ name, role }) => [name, role])).toEqual([
      ["arbiter-1", "master"],
      ["arbiter-2", "spare"],
    ]);
    expect(loaded.settings.store).toMatchObject({ type: "postgres", url: store });
    expect(await readFile(join(folder, "arbiter.cfg"), "utf8")).not.toContain("open-sesame");
    expect((await stat(join(folder, "store-url"))).mode & 0o777).toBe(0o600);
  });
});

test.each([
  [["--shape", "arbiters"], "two arbiters or more"],
  [["--arbiter", "10.0.0.1,10.0.0.2"], "a store that all of them reach"],
  [["--type", "arbiter"], "can't be the type"],
  [["--master", "10.0.0.2,not an address"], "neither an IP address nor a host name"],
  [["--shape", "pair", "--master", "10.0.0.2,10.0.0.3"], "one master and one spare"],
])("%j is wrong usage, and the next step is said", async (flags, why) => {
  const { said, code } = await init(...flags);
  expect(code).toBe(2);
  expect(said).toContain(why);
  expect(said.trim().split("\n").length).toBeGreaterThan(1);
});
