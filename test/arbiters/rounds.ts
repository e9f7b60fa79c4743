/**
 * What is done to a cluster of several arbiters in one round: the leader is killed, frozen, stopped,
 * asked to hand over or cut off, and at some moment of that the service is moved or its holder lost.
 *
 * Each round says for how long nobody may have acted. What counts is what the work itself wrote.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../chaos/random.ts";
import { LEASE_MS, MASTER, type ArbitersCluster } from "./cluster.ts";

export const LEADER_FAULTS = ["killed", "frozen", "stopped", "handed over"] as const;
/** Only where there are links to cut. */
export const LEADER_CUTS = [
  "cut off from everyone",
  "cut off from the store",
  "cut off from the arbiters",
  "cut off from the holder",
] as const;
export type LeaderFault = (typeof LEADER_FAULTS)[number] | (typeof LEADER_CUTS)[number];
export const SERVICE_FAULTS = ["left alone", "switched over", "killed", "frozen"] as const;
export type ServiceFault = (typeof SERVICE_FAULTS)[number];

/** The machine has other work: nothing here is to fail because of it alone. */
export const ALLOWANCE_MS = 900;
/** Time-to-live or lease × (1 + clock_drift), and slack. */
const RUNS_OUT_MS = LEASE_MS * 1.01 + 20;
/** A standby asks so often at least, where the engine doesn't tell it. */
const LOOK_MS = LEASE_MS / 8;

export interface RoundReport {
  readonly leader: LeaderFault;
  readonly service: ServiceFault;
  readonly gapMs: number;
  readonly boundMs: number;
  /** Until another arbiter led; null: none had to. */
  readonly takeoverMs: number | null;
}

/** In one moment, the leader's place and the holder's lease may have to run out, one after the other. */
function boundOf(service: ServiceFault): number {
  if (service === "left alone") return ALLOWANCE_MS;
  return RUNS_OUT_MS + LOOK_MS + RUNS_OUT_MS + ALLOWANCE_MS;
}

export async function playRound(
  cluster: ArbitersCluster,
  random: Random,
  fault: { readonly leader: LeaderFault; readonly service: ServiceFault },
): Promise<RoundReport> {
  const before = await cluster.settled();
  const leader = before.leader ?? "";
  const holder = before.services[0]?.holder ?? MASTER;
  cluster.judge.read();
  const undo = await strikeLeader(cluster, fault.leader, leader, holder);
  const takeover = mayKeepTheLead(fault.leader)
    ? Promise.resolve(null)
    : cluster.leaderAfter(leader).then((ms) => Math.round(ms));
  await sleep(random.between(0, LEASE_MS));
  const restore = await strikeService(cluster, fault.service, holder, random);
  const takeoverMs = await takeover;
  await sleep(random.between(LEASE_MS, 3 * LEASE_MS));
  await undo();
  await restore();
  await cluster.settled();
  const gapMs = Math.round(cluster.judge.read().ms);
  return { ...fault, gapMs, boundMs: Math.round(boundOf(fault.service)), takeoverMs };
}

/** Cut off from the arbiters or the holder, it still beats; and then it leads. */
function mayKeepTheLead(fault: LeaderFault): boolean {
  return fault === "cut off from the arbiters" || fault === "cut off from the holder";
}

type Undo = () => Promise<void>;

async function strikeLeader(
  cluster: ArbitersCluster,
  fault: LeaderFault,
  leader: string,
  holder: string,
): Promise<Undo> {
  const others = cluster.arbiters.filter((name) => name !== leader);
  switch (fault) {
    case "killed":
    case "stopped":
      await cluster.end(leader, fault === "killed" ? "SIGKILL" : "SIGTERM");
      return () => Promise.resolve(cluster.run(leader));
    case "frozen":
      cluster.signal(leader, "SIGSTOP");
      return () => Promise.resolve(cluster.signal(leader, "SIGCONT"));
    case "handed over": {
      // Through a standby, as an operator may.
      const refused = await cluster.order(others[0] ?? leader, "/v1/leader");
      if (refused !== null) throw new Error(`the lead was not handed over: ${refused}`);
      return () => Promise.resolve();
    }
    case "cut off from everyone":
      cluster.places.cut(leader);
      break;
    case "cut off from the store":
      cluster.places.cut(leader, ["store"]);
      break;
    case "cut off from the arbiters":
      cluster.places.cut(leader, others);
      break;
    case "cut off from the holder":
      cluster.places.cut(leader, [holder]);
      break;
  }
  return () => Promise.resolve(cluster.places.heal());
}

async function strikeService(
  cluster: ArbitersCluster,
  fault: ServiceFault,
  holder: string,
  random: Random,
): Promise<Undo> {
  switch (fault) {
    case "left alone":
      break;
    case "switched over": {
      // It may be refused, or nobody may lead meanwhile: then nothing moves.
      await cluster.order(random.one(cluster.arbiters), `/v1/services/${MASTER}/switchover`);
      break;
    }
    case "killed":
      await cluster.end(holder, "SIGKILL");
      return () => Promise.resolve(cluster.run(holder));
    case "frozen":
      cluster.signal(holder, "SIGSTOP");
      return () => Promise.resolve(cluster.signal(holder, "SIGCONT"));
  }
  return () => Promise.resolve();
}
