/**
 * What is done to a cluster, and how long the service may then be without an act.
 *
 * The bounds are those of the model's table: nothing at all where the holder isn't touched; a proven
 * death; a lease's end. A fault carries itself out and heals itself; processes that it ended are
 * started again by the cluster.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { A_FEW_ROUND_TRIPS_MS, type Fault, type FaultClass, RECOVERY_MS, SILENCE_MS } from "./bounds.ts";
import { ARBITER, type Cluster, type Kind, signal } from "./cluster.ts";
import type { Random } from "./random.ts";
import { storm } from "./storm.ts";

interface Target {
  readonly what: string;
  readonly hitsArbiter?: boolean;
  pids(cluster: Cluster): number[];
  /** Frozen for so long; killed: null. */
  boundMs(frozenMs: number | null): number;
}

const longer = (frozenMs: number | null): number => Math.max(frozenMs ?? 0, SILENCE_MS);

const ARBITER_TARGET: Target = {
  what: "the arbiter",
  hitsArbiter: true,
  pids: (cluster) => [cluster.pidOf(ARBITER)],
  boundMs: () => 0,
};

function spareTarget(kind: Kind): Target {
  return {
    what: kind === "program" ? "the spare's launcher" : "the spare",
    pids: (cluster) => [cluster.pidOf(cluster.spareOf(kind))],
    boundMs: () => 0,
  };
}

const LIBRARY: Target = {
  what: "the library daemon",
  pids: (cluster) => [cluster.pidOf(cluster.holderOf("library").name)],
  boundMs: longer,
};

/** Parts of what runs a program, by how a set of them is named. */
const PARTS = {
  launcher: (cluster: Cluster) => [cluster.pidOf(cluster.holderOf("program").name)],
  guard: (cluster: Cluster) => cluster.guardsOf(cluster.holderOf("program").name),
  child: (cluster: Cluster) => [cluster.holderOf("program").pid],
} as const;

function parts(...names: (keyof typeof PARTS)[]): Target {
  const hasLauncher = names.includes("launcher");
  const hasChild = names.includes("child");
  return {
    what: `the ${names.join(" and the ")}`,
    pids: (cluster) => names.flatMap((name) => PARTS[name](cluster)),
    boundMs: (frozenMs) => {
      if (hasLauncher) return longer(null);
      // A frozen child rests: its launcher is well, and nobody said that it should be asked.
      if (hasChild) return (frozenMs ?? 0) + A_FEW_ROUND_TRIPS_MS;
      return 0;
    },
  };
}

const FROZEN: Readonly<Record<Kind, readonly Target[]>> = {
  // Launcher and guard frozen together are the documented limit, and no part of this.
  program: [
    parts("launcher"),
    parts("launcher"),
    parts("launcher", "child"),
    parts("launcher", "child"),
    parts("child"),
    parts("guard"),
    parts("guard", "child"),
    spareTarget("program"),
    ARBITER_TARGET,
  ],
  library: [LIBRARY, LIBRARY, LIBRARY, spareTarget("library"), ARBITER_TARGET],
};

const KILLED: Readonly<Record<Kind, readonly Target[]>> = {
  program: [
    parts("launcher"),
    parts("launcher"),
    parts("child"),
    parts("child"),
    parts("guard"),
    parts("launcher", "guard"),
    parts("guard", "launcher"),
    spareTarget("program"),
    ARBITER_TARGET,
  ],
  library: [LIBRARY, LIBRARY, LIBRARY, spareTarget("library"), ARBITER_TARGET],
};

const STOPPED: Readonly<Record<Kind, readonly Target[]>> = {
  program: [parts("launcher"), parts("launcher"), parts("child"), spareTarget("program"), ARBITER_TARGET],
  library: [LIBRARY, LIBRARY, spareTarget("library"), ARBITER_TARGET],
};

export function drawFault(random: Random, faultClass: FaultClass, kind: Kind): Fault {
  switch (faultClass) {
    case "freeze":
      return kind === "library" && random.chance(1 / 4) ? hang(random) : freeze(random, kind);
    case "kill":
      return kill(random, kind);
    case "stop":
      return random.chance(1 / 3) ? killedInHandover(random, kind) : stop(random, kind);
    case "disk":
      return disk(random, kind);
    case "storm":
      return storm(random, kind);
  }
}

/** Now and then shorter than a lease, mostly longer. */
function drawFreezeMs(random: Random): number {
  return random.chance(0.3) ? random.between(40, 250) : random.between(350, 2500);
}

function freeze(random: Random, kind: Kind): Fault {
  const target = random.one(FROZEN[kind]);
  const forMs = drawFreezeMs(random);
  return {
    kind,
    what: `SIGSTOP of ${target.what} for ${forMs} ms`,
    hitsArbiter: target.hitsArbiter ?? false,
    boundMs: target.boundMs(forMs),
    run: async (cluster) => {
      const pids = target.pids(cluster);
      for (const pid of pids) signal(pid, "SIGSTOP");
      await sleep(forMs);
      for (const pid of random.shuffled(pids)) signal(pid, "SIGCONT");
    },
  };
}

function hang(random: Random): Fault {
  const forMs = drawFreezeMs(random);
  return {
    kind: "library",
    what: `the library daemon's event loop hangs for ${forMs} ms`,
    hitsArbiter: false,
    boundMs: longer(forMs),
    run: async (cluster) => {
      writeFileSync(cluster.hangFile, String(forMs));
      for (const pid of LIBRARY.pids(cluster)) signal(pid, "SIGUSR2");
      await sleep(forMs);
    },
  };
}

/** Now and then something that has been frozen for a while is what gets killed. */
function kill(random: Random, kind: Kind): Fault {
  const target = random.one(KILLED[kind]);
  const before = random.chance(0.25) ? random.between(20, 400) : 0;
  // A launcher that is frozen together with its guard is the documented limit.
  const frozenFirst = target.what.includes("guard") ? 0 : before;
  return {
    kind,
    what: `kill -9 of ${target.what}${frozenFirst > 0 ? `, frozen for ${frozenFirst} ms` : ""}`,
    hitsArbiter: target.hitsArbiter ?? false,
    boundMs: target.boundMs(null) + (target.boundMs(null) > 0 ? frozenFirst : 0),
    run: async (cluster) => {
      const pids = target.pids(cluster);
      if (frozenFirst > 0) {
        for (const pid of pids) signal(pid, "SIGSTOP");
        await sleep(frozenFirst);
      }
      for (const pid of pids) signal(pid, "SIGKILL");
    },
  };
}

function stop(random: Random, kind: Kind): Fault {
  const target = random.one(STOPPED[kind]);
  return {
    kind,
    what: `SIGTERM to ${target.what}`,
    hitsArbiter: target.hitsArbiter ?? false,
    boundMs: target.boundMs(null) === 0 ? 0 : A_FEW_ROUND_TRIPS_MS,
    run: async (cluster) => {
      for (const pid of target.pids(cluster)) signal(pid, "SIGTERM");
    },
  };
}

/** A planned move, and one of those who take part is killed in its midst. */
function killedInHandover(random: Random, kind: Kind): Fault {
  const afterMs = random.between(0, 12);
  const isSpare = random.chance(0.5);
  return {
    kind,
    what: `a switchover, and kill -9 of the ${isSpare ? "spare" : "holder"} ${afterMs} ms later`,
    hitsArbiter: false,
    // The target may be what dies: then the one that let go gets it back, after the bound.
    boundMs: RECOVERY_MS + SILENCE_MS,
    run: async (cluster) => {
      const name = isSpare ? cluster.spareOf(kind) : cluster.holderOf(kind).name;
      const ordered = cluster.order(kind);
      await sleep(afterMs);
      signal(cluster.pidOf(name), "SIGKILL");
      await ordered;
    },
  };
}

/** Somebody's state folder is full, or can only be read, for a while; the holder is killed meanwhile. */
function disk(random: Random, kind: Kind): Fault {
  const forMs = random.between(400, 1500);
  const whose = random.one(["holder", "spare", ARBITER] as const);
  const isFull = random.chance(0.5);
  const victim = random.one(["nobody", "holder", "child"] as const);
  const folder = whose === ARBITER ? "the arbiter's state folder" : `the ${whose}'s state folder`;
  const meanwhile =
    victim === "nobody"
      ? ""
      : `, kill -9 of the ${victim === "child" && kind === "program" ? "child" : "holder"}`;
  return {
    kind,
    what: `${folder} is ${isFull ? "full" : "read-only"} for ${forMs} ms${meanwhile}`,
    hitsArbiter: whose === ARBITER,
    // Nothing can move before it is healed; nothing has to while the holder is well.
    boundMs: victim === "nobody" ? 0 : forMs + RECOVERY_MS,
    run: async (cluster) => {
      const holder = cluster.holderOf(kind);
      const name = whose === "holder" ? holder.name : whose === "spare" ? cluster.spareOf(kind) : ARBITER;
      const heal = isFull ? fill(cluster.stateFolderOf(name)) : makeReadOnly(cluster.stateFolderOf(name));
      try {
        await sleep(forMs / 4);
        if (victim === "child" && kind === "program") signal(holder.pid, "SIGKILL");
        else if (victim !== "nobody") signal(cluster.pidOf(holder.name), "SIGKILL");
        await sleep((forMs * 3) / 4);
      } finally {
        heal();
      }
    },
  };
}

/** Small enough to be filled in a moment, and large enough for an arbiter's store, journal and recording. */
const DISK_BYTES = 48 * 1024 * 1024;

/** Puts every state folder on a small disk of its own. Only in a mount namespace of our own. */
export function mountDisks(folders: readonly string[]): void {
  for (const folder of folders)
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "arbiter-chaos", folder]);
}

export function unmountDisks(folders: readonly string[]): void {
  for (const folder of folders) execFileSync("umount", ["--lazy", folder]);
}

function fill(folder: string): () => void {
  const file = join(folder, "ballast");
  try {
    writeFileSync(file, Buffer.alloc(DISK_BYTES));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
  return () => execFileSync("rm", ["-f", file]);
}

/** What is opened from now on can only be read; what is open stays as it was. */
function makeReadOnly(folder: string): () => void {
  execFileSync("mount", ["--bind", folder, folder]);
  execFileSync("mount", ["-o", "remount,bind,ro", folder]);
  return () => execFileSync("umount", ["--lazy", folder]);
}
