/** The real arbiter as a process of its own: `node library-arbiter-program.ts CONFIG`. */
import process from "node:process";
import { runArbiter } from "../../src/arbiter/main.ts";

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};
process.exitCode = await runArbiter({
  configPath: process.argv[2] ?? "",
  log: { info: say, warn: say, error: say },
  env: process.env,
  onReady: (url) => process.stdout.write(`ready ${url}\n`),
});
