#!/usr/bin/env node
// Plain JavaScript that imports nothing of the project's statically, so that an old Node can say what is wrong.
import { existsSync } from "node:fs";

const [major = 0, minor = 0, patch = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && (minor < 22 || (minor === 22 && patch < 2)))) {
  process.stderr.write(
    `arbiter: Node ${process.versions.node} is too old; it needs 22.22.2 or later. ` +
      `Install a newer Node, or run it through npm inside the project: npx arbiter …\n`,
  );
  process.exit(2);
}
const program = new URL("../dist/cli/main.js", import.meta.url);
if (!existsSync(program)) {
  process.stderr.write(
    "arbiter: it has not been built (dist/cli/main.js is missing). Run `npm ci`, without --ignore-scripts, " +
      "or `npm run build`.\n",
  );
  process.exit(2);
}
const { main } = await import(program.href);
await main(process.argv.slice(2));
