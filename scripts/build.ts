/**
 * Builds `dist/`: compiles `src` with the checks on, and copies what is not TypeScript (the guard's
 * shell script, the status page's files) to the same places beside it.
 *
 * Everything is made in a folder of its own and put in place by a rename, so that a build that
 * fails leaves the last good `dist/` as it was, and nobody ever runs half of one.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { cp, mkdir, readdir, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

const root = dirname(import.meta.dirname);
const source = join(root, "src");
const target = join(root, "dist");
// Below node_modules, so that no tool looks at it, and on the same file system, so that it can be renamed.
const making = join(root, "node_modules", ".cache", `arbiter-dist-${process.pid}`);
const replaced = `${making}-old`;

function fail(message: string): never {
  process.stderr.write(`build: ${message}\n`);
  process.exit(1);
}

/** The compiler of this project, never one that happens to be in PATH. */
async function compilerPath(): Promise<string> {
  const path = join(root, "node_modules", "typescript", "bin", "tsc");
  if (await exists(path)) return path;
  fail("the compiler isn't installed. Run `npm ci`, development dependencies included, and build again.");
}

function compile(compiler: string): void {
  const run = spawnSync(
    process.execPath,
    [compiler, "-p", join(root, "tsconfig.build.json"), "--outDir", making],
    { cwd: root, stdio: "inherit" },
  );
  if (run.error !== undefined) fail(`the compiler can't be run: ${run.error.message}`);
  if (run.status !== 0) {
    fail(`the compiler found errors (see above); dist/ is left as it was.`);
  }
}

/** Copies each file that the compiler doesn't read. Gives back how many there were. */
async function copyAssets(): Promise<number> {
  let copied = 0;
  for (const entry of await readdir(source, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || entry.name.endsWith(".ts") || entry.name.endsWith(".md")) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(making, relative(source, from));
    await mkdir(dirname(to), { recursive: true });
    // Keeps the mode: a script that may be executed stays one.
    await cp(from, to);
    copied += 1;
  }
  return copied;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function putInPlace(): Promise<void> {
  if (await exists(target)) await rename(target, replaced);
  await rename(making, target);
}

/**
 * npm links the bins of dependencies, not the project's own. With this link `npx arbiter` works in
 * a fresh clone, at once and under the Node of `node_modules/.bin`, whatever the system's is.
 */
async function linkProgram(): Promise<void> {
  const link = join(root, "node_modules", ".bin", "arbiter");
  await rm(link, { force: true });
  await symlink(join("..", "..", "bin", "arbiter.js"), link);
}

const startedMs = performance.now();
process.on("exit", () => {
  // The compiler emits although it found errors: nothing of that may stay.
  rmSync(making, { recursive: true, force: true });
  rmSync(replaced, { recursive: true, force: true });
});
compile(await compilerPath());
const assets = await copyAssets();
if (!(await exists(join(making, "cli", "main.js")))) fail("src/cli/main.ts is missing: there is no program.");
await putInPlace();
if (process.platform !== "win32") await linkProgram();
process.stdout.write(
  `build: dist/ is ready, with ${assets} copied files, in ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`,
);
