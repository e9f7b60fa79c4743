/* eslint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-member-access -- JavaScript that no tsconfig covers has no types */
// Run before the scripts that are written in TypeScript: an old Node can't even read those, and what
// it says then helps nobody. Plain JavaScript, so that every Node can run it.
const [major = 0, minor = 0, patch = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && (minor < 22 || (minor === 22 && patch < 2)))) {
  process.stderr.write(
    `This needs Node 22.22.2 or later, and runs on ${process.versions.node}. ` +
      "`npm ci` brings a Node of its own into node_modules/.bin; with --ignore-scripts or --omit=dev it doesn't. " +
      "Run `npm ci` without them, and try again.\n",
  );
  process.exit(1);
}
