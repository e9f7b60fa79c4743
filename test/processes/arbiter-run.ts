/** Runs an arbiter as `arbiter start` does, without the command line: for the process tests. */
import { runArbiter } from "../../src/arbiter/main.ts";
import { codeOf, messageOf } from "../../src/protocol/errors.ts";

const [configPath = ".", name] = process.argv.slice(2);
const say = (level: string, text: string): void => {
  process.stderr.write(`${level} ${text}\n`);
};

try {
  process.exitCode = await runArbiter({
    configPath,
    name: name ?? null,
    env: process.env,
    log: {
      info: (text) => say("info", text),
      warn: (text) => say("warn", text),
      error: (text) => say("error", text),
    },
    onReady: (url) => {
      process.stdout.write(`ready ${url}\n`);
    },
  });
} catch (error) {
  process.stderr.write(`failed ${codeOf(error)} ${messageOf(error)}\n`);
  process.exitCode = 1;
}
