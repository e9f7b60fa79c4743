/**
 * Under whose account a program runs (`user`), and what stands before its command line for it.
 *
 * `setpriv` (util-linux) sets user, group and the groups that the user is a member of; Node's own
 * `uid` and `gid` would drop those. It also has the kernel kill the program should the launcher die:
 * a second guard, for the program alone, that needs no process. Where there is no setpriv, Node's
 * way is taken, and the user's further groups are not set.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { ArbiterError } from "../protocol/errors.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** The program's file, looked for in PATH as `execvp` does it; null: none. */
export function findProgram(name: string, path: string | undefined = process.env["PATH"]): string | null {
  if (name.includes("/")) return isExecutable(name) ? name : null;
  const folders = (path ?? "/usr/local/bin:/usr/bin:/bin").split(delimiter);
  for (const folder of folders) {
    const file = join(folder === "" ? "." : folder, name);
    if (isExecutable(file)) return file;
  }
  return null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Null: the launcher's own account. */
export function findAccount(user: string | null): Account | null {
  if (user === null) return null;
  const account = parsePasswd(passwdLines(user), user);
  if (account === null) {
    throw new ArbiterError("ERR_ARB_LAUNCHER", `There is no user \`${user}\` on this machine (\`user\`).`);
  }
  const own = process.getuid?.();
  if (own === account.uid) return null;
  if (own !== 0) {
    throw new ArbiterError(
      "ERR_ARB_LAUNCHER",
      `\`user = ${user}\`: only root can run a program as another user. Start the launcher as root or as ${user}.`,
    );
  }
  return account;
}

/** `getent` asks everything that knows users (LDAP, for one); the file is what remains without it. */
function passwdLines(user: string): string {
  try {
    return execFileSync("getent", ["passwd", user], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return readFileSync("/etc/passwd", "utf8");
  }
}

export function parsePasswd(text: string, user: string): Account | null {
  for (const line of text.split("\n")) {
    const [name = "", , uid = "", gid = "", , home = "/"] = line.split(":");
    if (name === "" || (name !== user && uid !== user)) continue;
    return { name, uid: Number(uid), gid: Number(gid), home };
  }
  return null;
}

/**
 * Where the settings' files of a program lie: in the state folder, or, where the program's user
 * can't look into that, in a folder of its own under /run, always the same one, so that what a
 * killed launcher left there is replaced and not added to.
 *
 * The program's user may pass through that folder and change nothing in it: what he could put there
 * (a link to a file of root's) would be written through and given to him.
 */
export function settingsFolder(stateFolder: string, account: Account | null): string {
  if (account === null) return stateFolder;
  const key = createHash("sha256").update(stateFolder).digest("hex").slice(0, 16);
  const folder = isWritable("/run")
    ? madeAnew(`/run/arbiter-${key}`)
    : mkdtempSync(join(tmpdir(), "arbiter-"));
  chmodSync(folder, 0o711);
  return folder;
}

function madeAnew(folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What goes before a program's own words, and what Node has to set where `setpriv` isn't there. */
export interface Privileges {
  readonly words: readonly string[];
  readonly spawn: { readonly uid?: number; readonly gid?: number };
}

export function privilegesFor(account: Account | null, setpriv: string | null): Privileges {
  if (setpriv === null) {
    return { words: [], spawn: account === null ? {} : { uid: account.uid, gid: account.gid } };
  }
  const user = account === null ? [] : [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--init-groups"];
  return { words: [setpriv, ...user, "--pdeathsig=KILL", "--"], spawn: {} };
}
