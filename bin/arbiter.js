#!/usr/bin/env node
// Plain JavaScript without static imports, so that an old Node can say what is wrong.
const [major = 0, minor = 0, patch = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && (minor < 22 || (minor === 22 && patch < 2)))) {
  process.stderr.write(
    `arbiter: Node ${process.versions.node} is too old; it needs 22.22.2 or later. ` +
      `Install a newer Node, or run it through npm inside the project: npx arbiter …\n`,
  );
  process.exit(2);
}
const { main } = await import("../dist/cli/main.js");
await main(process.argv.slice(2));
