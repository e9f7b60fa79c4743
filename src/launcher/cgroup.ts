/**
 * A control group (cgroup v2) for a program: what a process group can't hold. A program that
 * daemonises itself, calls `setsid`, or starts others that do, leaves its process group; it can't
 * leave its control group, nor can anything that it starts. One write into `cgroup.kill` ends all.
 *
 * Made below the launcher's own control group, so that nothing is needed but a place to write to:
 * root has it, and a systemd unit with `Delegate=yes`. Where there is none (no cgroup v2, mounted
 * read-only, a kernel before 5.14), process groups are what remains, and the launcher says so.
 *
 * No controller is switched on: nothing is limited or accounted. Zombies don't count as members.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  watch,
  writeFileSync,
  type FSWatcher,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf, messageOf } from "../protocol/errors.ts";

export type CgroupPlace =
  | { readonly folder: string }
  /** Why there is none, for people. */
  | { readonly because: string };

/** Where this process may make control groups of its own. */
export function findCgroupPlace(
  mountinfo: string = textOf("/proc/self/mountinfo"),
  own: string = textOf("/proc/self/cgroup"),
): CgroupPlace {
  const mount = cgroup2Mount(mountinfo);
  if (mount === null) return { because: "cgroup v2 isn't mounted" };
  const path = /^0::(?<path>\/.*)$/mu.exec(own)?.groups?.["path"];
  if (path === undefined) return { because: "this process has no cgroup v2" };
  const isBelow = mount.root === "/" || path === mount.root || path.startsWith(`${mount.root}/`);
  const relative = mount.root === "/" ? path : path.slice(mount.root.length);
  if (!isBelow || path.includes("/.."))
    return { because: `its own control group ${path} isn't visible here` };
  return { folder: join(mount.at, relative) };
}

/** A hybrid machine has it beside version 1, somewhere below /sys/fs/cgroup. */
function cgroup2Mount(mountinfo: string): { readonly root: string; readonly at: string } | null {
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ", 2);
    if (!after.startsWith("cgroup2 ")) continue;
    const [, , , root = "/", at = ""] = before.split(" ");
    return { root: unescapeOctal(root), at: unescapeOctal(at) };
  }
  return null;
}

/** The kernel writes blanks in paths as `\040`. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/gu, (_all, code: string) =>
    String.fromCodePoint(Number.parseInt(code, 8)),
  );
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Nobody tells of a member's end for sure: the file is looked at this often besides. */
const LOOK_EVERY_MS = 500;

export class Cgroup {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Throws where none can be made. */
  static make(folder: string): Cgroup {
    mkdirSync(folder);
    const cgroup = new Cgroup(folder);
    if (existsSync(join(folder, "cgroup.events")) && existsSync(join(folder, "cgroup.kill"))) return cgroup;
    cgroup.remove();
    throw new Error("this kernel has no cgroup.kill (it came with 5.14)");
  }

  /** One that an earlier launcher made. */
  static at(folder: string): Cgroup {
    return new Cgroup(folder);
  }

  /** The process, and all that it will start. It must not have started anything yet. */
  add(pid: number): void {
    writeFileSync(join(this.folder, "cgroup.procs"), `${pid}\n`);
  }

  /** True if nothing runs in it or below it. */
  get isEmpty(): boolean {
    return !/^populated 1$/mu.test(textOf(join(this.folder, "cgroup.events")));
  }

  /** Process ids, of this control group itself. */
  members(): number[] {
    return textOf(join(this.folder, "cgroup.procs"))
      .split("\n")
      .filter((line) => line !== "")
      .map(Number);
  }

  /** SIGKILL to all that is in it, at once; also to what is being forked. */
  kill(): void {
    try {
      writeFileSync(join(this.folder, "cgroup.kill"), "1");
    } catch (error) {
      if (codeOf(error) !== "ENOENT" && codeOf(error) !== "ENODEV") throw error;
    }
  }

  async waitUntilEmpty(remainingMs: () => number = () => Infinity): Promise<boolean> {
    for (let pauseMs = 1; !this.isEmpty; pauseMs = Math.min(pauseMs * 2, 10)) {
      const leftMs = remainingMs();
      if (leftMs <= 0) return false;
      await sleep(Math.min(pauseMs, leftMs));
    }
    return true;
  }

  async killAll(): Promise<void> {
    this.kill();
    await this.waitUntilEmpty();
  }

  /** Calls back once, as soon as nothing runs in it any more. Returns how to stop watching. */
  onceEmpty(callback: () => void): () => void {
    let watcher: FSWatcher | null = null;
    const stop = (): void => {
      clearInterval(timer);
      watcher?.close();
    };
    const look = (): void => {
      if (!this.isEmpty) return;
      stop();
      callback();
    };
    const timer = setInterval(look, LOOK_EVERY_MS);
    try {
      watcher = watch(join(this.folder, "cgroup.events"), look);
      watcher.on("error", () => {});
    } catch {
      // Without inotify the timer alone looks.
    }
    return stop;
  }

  /** An empty one, with those that the program made below it. One that isn't empty stays. */
  remove(): void {
    removeTree(this.folder);
  }
}

function removeTree(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(folder, entry.name));
    }
    rmdirSync(folder);
  } catch {
    // Gone already, or something still runs in it.
  }
}

/** By which they are known. */
export const CGROUP_PREFIX = "arbiter-program-";

/** Makes control groups for one launcher, each under a name that is never used twice. */
export class CgroupMaker {
  readonly #place: CgroupPlace;
  readonly #key: string;
  readonly #log: (level: "info" | "warn", text: string) => void;
  #count = 0;
  #hasSaid = false;

  /** `key`: of this launcher alone, for example its process id and start time. */
  constructor(place: CgroupPlace, key: string, log: (level: "info" | "warn", text: string) => void) {
    this.#place = place;
    this.#key = key;
    this.#log = log;
  }

  /** Null where there can be none; the reason is logged once. */
  make(): Cgroup | null {
    if ("because" in this.#place) return this.#without(this.#place.because);
    this.#count += 1;
    const folder = join(this.#place.folder, `${CGROUP_PREFIX}${this.#key}-${this.#count}`);
    try {
      return Cgroup.make(folder);
    } catch (error) {
      return this.#without(messageOf(error));
    }
  }

  #without(because: string): null {
    if (this.#hasSaid) return null;
    this.#hasSaid = true;
    this.#log(
      "info",
      `no control group for the program (${because}): what leaves its process group isn't ended with it`,
    );
    return null;
  }
}
