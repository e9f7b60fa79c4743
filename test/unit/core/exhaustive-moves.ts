/** What may happen to the small world: each is one move, tried from every state that is reached. */
import type { OperatorCommand } from "../../../src/core/arbiter-io.ts";
import { SERVICE, type DaemonName, type Link } from "./exhaustive-state.ts";
import type { SmallWorld } from "./exhaustive-world.ts";

export type Move = (world: SmallWorld) => void;

/** A little more than the interval of a holder's checks, and than a lease with its bound. */
const INTERVAL_MS = 340;
const LEASE_MS = 2100;

const toggle =
  (link: Link): Move =>
  ({ at }) => {
    if (!at.cut.delete(link)) at.cut.add(link);
  };

/** Whoever holds it, or the master. */
const holder = (world: SmallWorld): DaemonName => world.holder ?? "m";

const order =
  (verb: "switchover" | "failover", force = false): Move =>
  (world) => {
    // An operator who says that a living holder is dead is believed: that isn't what is tried here.
    if (force && world.beliefs.length > 0) return;
    const command: OperatorCommand = { verb, service: SERVICE, to: null, force, evenIfAlive: force };
    world.arbiter({ kind: "commanded", id: verb, by: "operator", command });
  };

export const MOVES: Readonly<Record<string, Move>> = {
  "a while": (world) => world.advance(INTERVAL_MS),
  "a lease": (world) => world.advance(LEASE_MS),
  "arbiter–master": toggle("am"),
  "arbiter–spare": toggle("as"),
  "master–spare": toggle("ms"),
  "master restarts": (world) => world.restart("m"),
  "spare restarts": (world) => world.restart("s"),
  "arbiter restarts": (world) => world.restartArbiter(),
  "program ends": (world) => {
    const name = holder(world);
    const held = world.at.daemons[name].state?.held.get(SERVICE);
    world.at.daemons[name].pending = null;
    if (held !== undefined)
      world.daemon(name, { kind: "exited", service: SERVICE, epoch: held.epoch, reason: "it crashed" });
  },
  "SIGTERM to the holder": (world) =>
    world.daemon(holder(world), { kind: "stopRequested", reason: "SIGTERM" }),
  "freeze or thaw the holder": (world) => {
    const frozen = (["m", "s"] as const).find((name) => world.at.daemons[name].isFrozen);
    if (frozen === undefined) world.at.daemons[holder(world)].isFrozen = true;
    else world.thaw(frozen);
  },
  "holder ill or well": (world) => {
    const name = holder(world);
    const healthy = world.at.daemons[name].state?.health.healthy !== true;
    world.daemon(name, { kind: "healthChanged", healthy, ready: true, reason: "" });
  },
  "hooks slow or quick": ({ at }) => {
    at.hooksAreSlow = !at.hooksAreSlow;
  },
  "hooks finish": (world) => {
    for (const name of ["m", "s"] as const) world.finish(name, true);
  },
  "hooks fail": (world) => {
    for (const name of ["m", "s"] as const) world.finish(name, false);
  },
  "restart in place": (world) => {
    const name = holder(world);
    const held = world.at.daemons[name].state?.held.get(SERVICE);
    if (held?.phase !== "active") return;
    world.daemon(name, { kind: "restarting", service: SERVICE, epoch: held.epoch, reason: "code 1" });
    world.at.daemons[name].pending = { kind: "activate", epoch: held.epoch };
  },
  "store down or up": ({ at }) => {
    at.isStoreDown = !at.isStoreDown;
  },
  "next commit unknown": ({ at }) => {
    at.isNextUnknown = true;
  },
  switchover: order("switchover"),
  failover: order("failover"),
  "declared dead": order("failover", true),
  "an assignment lingers, or comes": (world) => {
    const { at } = world;
    const { lingering } = at;
    if (lingering !== null) {
      at.lingering = null;
      world.deliver(lingering.to, lingering.assignment, lingering.sentAtMs);
      return;
    }
    const to = holder(world);
    const sent = at.sent.get(to);
    if (sent !== undefined) at.lingering = { to, ...sent };
  },
  "a report lingers, or comes": (world) => {
    const { at } = world;
    const report = at.lingeringReport;
    at.lingeringReport = report === null ? (at.reports.get(holder(world)) ?? null) : null;
    if (report !== null) world.arbiter({ kind: "reported", report, via: "unasked", sentAtMs: null });
  },
};
