/** An arbiter over the folder that it is given; with `WITHOUT_DOUBT=1` one that never doubts itself. */
import { runArbiter } from "../src/arbiter/main.ts";

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

process.exitCode = await runArbiter({
  configPath: process.argv[2] ?? ".",
  env: process.env,
  log: { info: say, warn: say, error: say },
  doubtsItself: process.env["WITHOUT_DOUBT"] !== "1",
  onEvent: ({ type, text }) => say(`event ${type} ${text}`),
});
