/**
 * A storm: signals in any order to the parts of one service, one right behind the other, without
 * waiting for anything to come to order between them. At its end everything is woken.
 *
 * The documented limit alone is left out: that nobody is there who could end the program at its
 * lease's end. So in one storm launchers are frozen or guards are, never both; and where launchers
 * are frozen no guard is killed, since a frozen launcher puts no other in its place.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { RECOVERY_MS, SILENCE_MS, type Fault } from "./bounds.ts";
import { signal, type Cluster, type Kind } from "./cluster.ts";
import type { Random } from "./random.ts";

type Target = "holder" | "spare" | "guard" | "child";
type Blow = readonly [NodeJS.Signals, Target];

const PROGRAM: readonly Blow[] = [
  ["SIGSTOP", "child"],
  ["SIGKILL", "child"],
  ["SIGTERM", "child"],
  ["SIGKILL", "holder"],
  ["SIGTERM", "holder"],
  ["SIGKILL", "spare"],
  ["SIGTERM", "spare"],
  // It lets nobody talk it out of its duty.
  ["SIGTERM", "guard"],
  ["SIGHUP", "guard"],
];
const LAUNCHERS_FREEZE: readonly Blow[] = [
  ...PROGRAM,
  ["SIGSTOP", "holder"],
  ["SIGSTOP", "holder"],
  ["SIGCONT", "holder"],
  ["SIGSTOP", "spare"],
  ["SIGCONT", "child"],
];
const GUARDS_FREEZE: readonly Blow[] = [
  ...PROGRAM,
  ["SIGSTOP", "guard"],
  ["SIGSTOP", "guard"],
  ["SIGCONT", "guard"],
  ["SIGKILL", "guard"],
  ["SIGCONT", "child"],
];
const LIBRARY: readonly Blow[] = [
  ["SIGSTOP", "holder"],
  ["SIGCONT", "holder"],
  ["SIGKILL", "holder"],
  ["SIGTERM", "holder"],
  ["SIGSTOP", "spare"],
  ["SIGCONT", "spare"],
  ["SIGKILL", "spare"],
  ["SIGTERM", "spare"],
];

/** Blows come at once, within a renewal, or about a lease apart. */
function drawPauseMs(random: Random): number {
  return random.chance(0.3) ? 0 : random.between(1, random.chance(0.5) ? 40 : 350);
}

export function storm(random: Random, kind: Kind): Fault {
  const blows = kind === "library" ? LIBRARY : random.one([LAUNCHERS_FREEZE, GUARDS_FREEZE]);
  const plan = Array.from({ length: random.between(3, 8) }, () => ({
    blow: random.one(blows),
    pauseMs: drawPauseMs(random),
  }));
  const said = plan.map(({ blow: [name, target], pauseMs }) => `${name.slice(3)} ${target}, ${pauseMs} ms`);
  return {
    kind,
    what: `a storm: ${said.join(", ")}`,
    hitsArbiter: false,
    boundMs: RECOVERY_MS + SILENCE_MS,
    isFromTheEnd: true,
    run: async (cluster) => {
      const hit = new Set<number>();
      for (const { blow, pauseMs } of plan) {
        const [name, target] = blow;
        for (const pid of pidsOf(cluster, kind, target)) {
          hit.add(pid);
          signal(pid, name);
        }
        await sleep(pauseMs);
      }
      for (const pid of hit) if (cluster.owns(pid)) signal(pid, "SIGCONT");
    },
  };
}

function pidsOf(cluster: Cluster, kind: Kind, target: Target): number[] {
  const holder = cluster.holderOf(kind);
  switch (target) {
    case "holder":
      return [cluster.pidOf(holder.name)];
    case "spare":
      return [cluster.pidOf(cluster.spareOf(kind))];
    case "guard":
      return cluster.guardsOf(holder.name);
    case "child":
      // As the work wrote it last: by now the number may be somebody else's.
      return cluster.owns(holder.pid) ? [holder.pid] : [];
  }
}
