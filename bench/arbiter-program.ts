/**
 * An arbiter over the folder that it is given; with `WITHOUT_DOUBT=1` one that never doubts itself.
 * `BUSY_BESIDE=N` starts so many processes that burn CPU in its own session: they take it from this
 * arbiter rather than from anybody else.
 */
import { spawn } from "node:child_process";
import { runArbiter } from "../src/arbiter/main.ts";

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

const busy = Array.from({ length: Number(process.env["BUSY_BESIDE"] ?? 0) }, () =>
  spawn("setpriv", ["--pdeathsig=KILL", "perl", "-e", "1 while 1"], { stdio: "ignore" }),
);
process.exitCode = await runArbiter({
  configPath: process.argv[2] ?? ".",
  env: process.env,
  log: { info: say, warn: say, error: say },
  doubtsItself: process.env["WITHOUT_DOUBT"] !== "1",
  onEvent: ({ type, text }) => say(`event ${type} ${text}`),
});
for (const child of busy) child.kill("SIGKILL");
