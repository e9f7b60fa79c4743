/**
 * A configuration whose arbiters can't be read: looking at the default address is said, and nothing is
 * changed there, since it may be another cluster's.
 */
import { describe, expect, test } from "vitest";
import { Folder } from "../config/folder.ts";
import { arbiter } from "./run.ts";

const BROKEN = {
  "arbiter.cfg": "[cluster]\nname = demo\n",
  "daemons/arbiter.cfg": "arbiter_name  one\naddress  127.0.0.9\nport  seventy\n",
  "daemons/web.cfg": "[web]\nname = web\nport = 1\n",
};

describe("where no arbiter can be read from the files", () => {
  test.each([
    ["pause", "--for", "1h", "--reason", "x"],
    ["switchover", "web"],
    ["maintenance", "web", "on"],
    ["leader", "transfer", "one"],
  ])("`arbiter %s` changes nothing at an address that is only a guess", async (...argv) => {
    await using folder = await Folder.of(BROKEN);
    const { exitCode, stderr, stdout } = await arbiter([...argv, "--config", folder.path]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/daemons\/arbiter\.cfg:3/u);
    expect(stderr).toContain("--url");
  });

  test("`arbiter status` says whom it asks instead", async () => {
    await using folder = await Folder.of(BROKEN);
    const { stderr } = await arbiter(["status", "--config", folder.path]);
    expect(stderr).toMatch(
      /daemons\/arbiter\.cfg:3.*http:\/\/127\.0\.0\.1:7770, the default, is asked instead/su,
    );
  });

  test("an error elsewhere leaves the arbiter known", async () => {
    await using folder = await Folder.of({
      ...BROKEN,
      "daemons/arbiter.cfg": "arbiter_name  one\naddress  127.0.0.1\nport  1\n",
      "daemons/web.cfg": "[web]\nname = web\nport = many\n",
    });
    const { exitCode, stderr } = await arbiter(["pause", "--config", folder.path]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("http://127.0.0.1:1");
    expect(stderr).not.toContain("the default");
  });
});
