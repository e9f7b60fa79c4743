/** What the shells complete: the scripts are run by the shells themselves. */
import { spawnSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { arbiter } from "./run.ts";
import { serveStatus, standIn, status } from "./stand-in.ts";

const NAMES = COMMANDS.map(({ name }) => name);

function has(shell: string): boolean {
  return spawnSync(shell, ["-c", "true"]).status === 0;
}

/** In continuous integration a shell that isn't there is an error; elsewhere it is said. */
function isMissing(shell: string): boolean {
  if (has(shell)) return false;
  expect(process.env["CI"], `${shell} is needed in continuous integration`).toBeUndefined();
  process.stdout.write(`${shell} isn't installed: its completion isn't tried\n`);
  return true;
}

async function scriptFile(shell: string): Promise<string> {
  const { stdout, exitCode } = await arbiter(["completion", shell]);
  expect(exitCode).toBe(0);
  const file = join(await mkdtemp(join(tmpdir(), "arbiter-completion-")), shell);
  await writeFile(file, stdout);
  return file;
}

function run(shell: string, script: string): string {
  const { stdout, stderr, status: code } = spawnSync(shell, ["-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return stdout;
}

describe("bash", () => {
  test("completes commands, options, fixed words and names of the cluster", async () => {
    const file = await scriptFile("bash");
    const words = (...line: readonly string[]): string[] =>
      run(
        "bash",
        `arbiter() { printf '%s\\n' web-1 web-2; }; source ${file}
         COMP_WORDS=(arbiter ${line.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${line.length}
         _arbiter; printf '%s\\n' "\${COMPREPLY[@]}"`,
      )
        .split("\n")
        .filter((word) => word !== "");
    expect(words("")).toEqual([...NAMES, "help"]);
    expect(words("sw")).toEqual(["switchover"]);
    expect(words("config", "sh")).toEqual(["show"]);
    expect(words("daemon", "--role", "")).toEqual(["master", "spare"]);
    expect(words("switchover", "")).toEqual(["web-1", "web-2"]);
    expect(words("switchover", "web-1", "--to", "web-2")).toEqual(["web-2"]);
    expect(words("status", "--w")).toEqual(["--watch"]);
  });
});

describe("fish", () => {
  test("completes commands, options and fixed words", async () => {
    const file = await scriptFile("fish");
    if (isMissing("fish")) return;
    const words = (line: string): string[] =>
      run("fish", `source ${file}; complete -C '${line}'`)
        .split("\n")
        .map((word) => word.split("\t")[0] ?? "")
        .filter((word) => word !== "");
    expect(words("arbiter sw")).toEqual(["switchover"]);
    expect(words("arbiter config sh")).toEqual(["show"]);
    expect(words("arbiter daemon --role ")).toEqual(["master", "spare"]);
    expect(words("arbiter status --w")).toEqual(["--watch"]);
  });
});

describe("zsh", () => {
  test("takes the script, and completes a command at a key press", async () => {
    const file = await scriptFile("zsh");
    if (isMissing("zsh")) return;
    const screen = run(
      "zsh",
      `zmodload zsh/zpty; zpty z 'zsh -f -i'
       zpty -w z 'PS1=; autoload -U compinit; compinit -u -D; source ${file}; echo REA""DY'
       repeat 200 { zpty -r -t z line && seen+=$line; [[ $seen == *READY* ]] && break; sleep 0.1 }
       zpty -w -n z $'arbiter switcho\\t--t\\t'
       repeat 200 { zpty -r -t z line && seen+=$line; [[ $seen == *timeout* ]] && break; sleep 0.1 }
       print -r -- "$seen"; zpty -d z`,
    );
    expect(screen).toContain("switchover");
    expect(screen).toContain("timeout");
  });
});

describe("names", () => {
  test("are the cluster's, one a line", async () => {
    await using server = await standIn(serveStatus(status()));
    const { stdout } = await arbiter(["completion", "--names", "daemons", "--url", server.url]);
    expect(stdout).toBe("scheduler-master\nscheduler-slave\n");
  });

  test("of an arbiter that doesn't answer are none, and nothing is said", async () => {
    const ran = await arbiter(["completion", "--names", "services", "--url", "http://127.0.0.1:1"]);
    expect(ran).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });
});
