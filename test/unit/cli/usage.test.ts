/** Help, wrong usage and exit codes: 0 yes, 1 a clear no, 2 wrong usage. */
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { arbiter } from "./run.ts";

describe("help", () => {
  test("lists every command on standard output, with exit code 0", async () => {
    const { exitCode, stdout, stderr } = await arbiter(["--help"]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
    for (const { name, summary } of COMMANDS) {
      expect(stdout).toContain(`  ${name} `);
      expect(stdout.replaceAll(/\s+/gu, " ")).toContain(summary);
    }
  });

  test.each(COMMANDS.map(({ name }) => name))(
    "%s --help says what it does, with an example",
    async (name) => {
      const { exitCode, stdout, stderr } = await arbiter([name, "--help"]);
      expect(stderr).toBe("");
      expect(exitCode).toBe(0);
      expect(stdout).toContain(`arbiter ${name}`);
      expect(stdout).toMatch(/^Examples?:\n {2}\S/mu);
      // The same by another way.
      expect(await arbiter(["help", name])).toEqual({ exitCode, stdout, stderr });
    },
  );

  test("--version prints the package's version alone", async () => {
    const { exitCode, stdout } = await arbiter(["--version"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/u);
  });
});

describe("wrong usage is exit code 2, says why on standard error, and prints nothing else", () => {
  const WRONG: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["no command", [], /Usage: arbiter/u],
    ["an unknown command", ["statsu"], /unknown command 'statsu'[\s\S]*status/u],
    ["an unknown option", ["status", "--jsn"], /unknown option '--jsn'[\s\S]*--json/u],
    ["a missing argument", ["switchover"], /missing required argument 'service'/u],
    ["an argument too many", ["resolve", "a", "b"], /too many arguments/u],
    ["an option without its value", ["status", "--url"], /argument missing/u],
    ["a state that is neither on nor off", ["maintenance", "d", "up"], /on, off/u],
    ["a duration without a unit", ["pause", "--for", "2"], /duration with its unit/u],
    ["a duration that is none", ["pause", "--for", "2 hats"], /duration with its unit/u],
    ["a number that is none", ["events", "--after", "-1"], /whole number/u],
    ["an option that goes with another", ["failover", "s", "--even-if-alive"], /goes with --force/u],
    ["a URL that is none", ["status", "--url", "10.0.0.1:7770"], /http:\/\/10\.0\.0\.1:7770/u],
    ["a sub-command that is missing", ["config"], /check/u],
    ["an unknown sub-command", ["config", "chek"], /chek/u],
  ];
  test.each(WRONG)("%s", async (_what, argv, message) => {
    const { exitCode, stdout, stderr } = await arbiter(argv);
    expect(stderr).toMatch(message);
    expect(stdout).toBe("");
    expect(exitCode).toBe(2);
  });
});
