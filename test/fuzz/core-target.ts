/**
 * The real cores, in the midst of a running cluster, against messages that the guards let through:
 * nothing throws, what is refused has changed nothing, and what a daemon or a row has reached is
 * never taken back (I2, I3).
 *
 * Some of these messages are forged well enough to be believed; then the cluster may move, and only
 * what must hold whatever anyone says is checked. Sometimes the clock runs and the cluster recovers.
 */
import { isDeepStrictEqual } from "node:util";
import type { OperatorCommand } from "../../src/core/arbiter-io.ts";
import { stepDaemon, type DaemonState } from "../../src/core/daemon.ts";
import type { DaemonEvent } from "../../src/core/daemon-io.ts";
import { clearedIsPast, epochRises } from "../../src/core/invariants.ts";
import type { Assignment } from "../../src/core/messages.ts";
import type { ServiceRow } from "../../src/core/model.ts";
import {
  parseAssignment,
  parsePromiseAnswer,
  parsePromiseRequest,
  parseReport,
} from "../../src/protocol/messages.ts";
import type { Random } from "../../src/simulator/random.ts";
import { ClusterRig } from "../unit/core/arbiter-rig.ts";
import { environment } from "../unit/core/daemon-rig.ts";
import { mutateJson } from "./mutate.ts";
import { ASSIGNMENT, PROMISE_ANSWER, PROMISE_REQUEST, REPORT } from "./samples.ts";
import { check, shown, type Target, type World } from "./target.ts";

const NODES = ["m", "s"] as const;

/** As it comes off the wire. */
function overTheWire(random: Random, value: unknown): unknown {
  return JSON.parse(JSON.stringify(mutateJson(random, value)));
}

function started(): ClusterRig {
  const rig = new ClusterRig().start().advance(1_500);
  check(rig.believers().length === 1, () => "the cluster of the fuzzer doesn't come up");
  return rig;
}

function maybeElapse(rig: ClusterRig, random: Random): void {
  if (random.chance(0.05)) rig.advance(random.magnitude(1, 3_000));
}

export const daemonCore: Target = {
  name: "daemon-core",
  share: 12,
  block: 100,
  open(): World {
    const rig = started();
    return {
      run(random): void {
        const name = random.pick(NODES);
        const dice = random.next();
        if (dice < 0.6) assign(rig, random, name);
        else if (dice < 0.9) askPromise(rig, random, name);
        else answerPromise(rig, random, name);
        maybeElapse(rig, random);
      },
    };
  },
};

/** On a copy first, so that what it changes can be compared. */
function tried(
  rig: ClusterRig,
  name: string,
  event: DaemonEvent,
): {
  readonly before: DaemonState;
  readonly after: DaemonState;
  readonly effects: ReturnType<typeof stepDaemon>;
} {
  const before = rig.node(name).state;
  const after = structuredClone(before);
  const effects = stepDaemon(after, event, environment(before.options.bootId));
  neverBack(before, after, event);
  return { before, after, effects };
}

function neverBack(before: DaemonState, after: DaemonState, cause: unknown): void {
  check(after.term >= before.term, () => `the term fell: ${shown(cause)}`);
  for (const [service, epoch] of Object.entries(before.seenEpochs)) {
    check(
      (after.seenEpochs[service] ?? -1) >= epoch,
      () => `${service}'s epoch was forgotten: ${shown(cause)}`,
    );
  }
  for (const [service, held] of after.held) {
    check((after.seenEpochs[service] ?? -1) >= held.epoch, () => `held, not seen: ${shown(cause)}`);
    check(Number.isFinite(held.leaseEndMs), () => `a lease until ${held.leaseEndMs}: ${shown(cause)}`);
    const was = before.held.get(service);
    const isTaken = was?.epoch !== held.epoch;
    check(
      !isTaken || held.epoch > (before.seenEpochs[service] ?? -1),
      () => `I3: epoch ${held.epoch} of ${service} was taken a second time: ${shown(cause)}`,
    );
  }
}

/** Everything but the number of the next report. Copied, since a copy's objects have a prototype. */
function isUnchanged(before: DaemonState, after: DaemonState): boolean {
  return isDeepStrictEqual({ ...after, reportSeq: 0 }, { ...structuredClone(before), reportSeq: 0 });
}

function assign(rig: ClusterRig, random: Random, name: string): void {
  const last: Assignment =
    rig.assignments.findLast(({ to, services }) => to === name && services !== null) ?? ASSIGNMENT;
  const next = { ...last, seq: last.seq + (random.chance(0.8) ? random.whole(1, 50) : 0) };
  const read = parseAssignment(overTheWire(random, next));
  if (!read.ok) return;
  const event = { kind: "assigned", requestId: "check:0", assignment: read.value } as const;
  const { before, after, effects } = tried(rig, name, { ...event, nowMs: rig.nowMs });
  const answer = effects.find(({ kind }) => kind === "answer");
  check(answer?.kind === "answer", () => `an assignment without an answer: ${shown(read.value)}`);
  if (answer?.kind !== "answer") return;
  const said = parseReport(JSON.parse(JSON.stringify(answer.report)));
  check(said.ok, () => `a report that nobody can read: ${said.ok ? "" : said.error} ${shown(read.value)}`);
  if (answer.problem !== null) {
    check(
      isUnchanged(before, after),
      () => `refused (${answer.problem?.code}), but changed: ${shown(read.value)}`,
    );
  }
  // Believed at times, so that later ones meet another state.
  if (random.chance(0.3)) rig.daemon(name, event);
}

function askPromise(rig: ClusterRig, random: Random, name: string): void {
  const { clusterId, options } = rig.node(name).state;
  const good = { ...PROMISE_REQUEST, clusterId, to: name, toStateId: options.stateId };
  const read = parsePromiseRequest(overTheWire(random, { ...good, service: random.pick(["svc", "other"]) }));
  if (!read.ok) return;
  const event = { kind: "promiseAsked", requestId: name, request: read.value } as const;
  const { before, after, effects } = tried(rig, name, { ...event, nowMs: rig.nowMs });
  const answer = effects.find(({ kind }) => kind === "answerPromise");
  if (answer?.kind !== "answerPromise") return;
  if (!answer.answer.promised) {
    check(isUnchanged(before, after), () => `no promise, but changed: ${shown(read.value)}`);
    return;
  }
  const { service } = read.value;
  check(!before.held.has(service), () => `the holder promised not to hold: ${shown(read.value)}`);
}

function answerPromise(rig: ClusterRig, random: Random, name: string): void {
  const { state } = rig.node(name);
  const round = state.held.get("svc")?.roundNumber ?? 1;
  const read = parsePromiseAnswer(overTheWire(random, { ...PROMISE_ANSWER, round }));
  if (!read.ok) return;
  const candidate = { name: "s", stateId: "state-s", url: "http://s" };
  const { service, epoch } = read.value;
  tried(rig, name, {
    kind: "promiseAnswered",
    nowMs: rig.nowMs,
    service,
    epoch,
    round,
    candidate,
    answer: read.value,
  });
}

export const arbiterCore: Target = {
  name: "arbiter-core",
  share: 10,
  block: 100,
  open(): World {
    const rig = started();
    return {
      run(random): void {
        const rows = new Map(rig.rows);
        if (random.chance(0.8)) report(rig, random);
        else command(rig, random);
        maybeElapse(rig, random);
        rowsHold(rows, rig.rows);
      },
    };
  },
};

function rowsHold(before: ReadonlyMap<string, ServiceRow>, after: ReadonlyMap<string, ServiceRow>): void {
  for (const row of after.values()) {
    const broken = clearedIsPast(row) ?? epochRises(before.get(row.service) ?? null, row);
    check(broken === null, () => broken ?? "");
    check(Number.isSafeInteger(row.epoch), () => `${row.service} reached epoch ${row.epoch}`);
  }
}

/** What is decided of; what only counts (the order of requests, their times) is left out. */
function decided(rig: ClusterRig): unknown {
  const { term, mapVersion, settings, clusterId } = rig.state;
  const services = [...rig.state.services].map(([name, { phase, row }]) => ({ name, phase, row }));
  return structuredClone({ term, mapVersion, settings, clusterId, services });
}

function report(rig: ClusterRig, random: Random): void {
  const name = random.pick(NODES);
  const last = rig.view(name).report ?? REPORT;
  const isOld = random.chance(0.2);
  const read = parseReport(
    overTheWire(random, { ...last, seq: last.seq + (isOld ? 0 : random.whole(1, 5)) }),
  );
  if (!read.ok) return;
  const known = rig.state.daemons.get(read.value.name);
  const isNobody = known === undefined;
  const isForeign = read.value.clusterId !== null && read.value.clusterId !== rig.state.clusterId;
  const before = isNobody || isForeign ? decided(rig) : null;
  const via = random.chance(0.5) ? "check" : "unasked";
  // An answer under another name never reaches the core: the checker has it for a failure.
  const isAnswer = via === "check" && read.value.name === name;
  rig.arbiter({
    kind: "reported",
    report: read.value,
    via: isAnswer ? "check" : "unasked",
    sentAtMs: isAnswer ? rig.nowMs : null,
  });
  if (before !== null && via === "unasked") {
    check(isDeepStrictEqual(decided(rig), before), () => `a stranger's report counted: ${shown(read.value)}`);
  }
}

/** Names and texts come from people; the rest has been checked at the door. */
function commandOf(random: Random): OperatorCommand {
  const name = (usual: string): string =>
    random.chance(0.6)
      ? usual
      : random.pick(["", "s", "m", "svc", "*", "__proto__", "constructor", "x".repeat(255)]);
  const service = name("svc");
  switch (random.whole(0, 4)) {
    case 0:
      return { verb: "switchover", service, to: name("s"), force: false, evenIfAlive: false };
    case 1: {
      const to = random.chance(0.5) ? null : name("s");
      return { verb: "failover", service, to, force: random.chance(0.5), evenIfAlive: random.chance(0.5) };
    }
    case 2:
      return { verb: "failback", service, to: null, force: false, evenIfAlive: false };
    case 3: {
      const forMs = random.pick([null, 1, 1_000, 34_560_000_000]);
      const about = random.chance(0.3) ? null : service;
      if (random.chance(0.5)) return { verb: "resume", service: about };
      return { verb: "pause", service: about, reason: name("fuzz"), forMs };
    }
    default:
      return { verb: "maintenance", daemon: name("m"), on: random.chance(0.5), reason: name("") };
  }
}

function command(rig: ClusterRig, random: Random): void {
  const wanted = commandOf(random);
  const before = decided(rig);
  const id = `fuzz-${rig.answers.size}`;
  rig.arbiter({ kind: "commanded", id, by: "fuzz", command: wanted });
  const answer = rig.answers.get(id);
  check(answer !== undefined, () => `a command without an answer: ${shown(wanted)}`);
  if ((answer?.status ?? 0) >= 300) {
    check(isDeepStrictEqual(decided(rig), before), () => `refused, but changed: ${shown(wanted)}`);
  }
}
