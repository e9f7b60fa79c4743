/**
 * The imperative shell around a daemon's core. Requests, timers, signals, answers and what the
 * workload says become events of one queue; the core decides; this file starts, wires and ends
 * the parts, and `effects.ts` carries out what the core wants.
 *
 * Order of the start: the state folder is locked before anything in it is read, what an earlier
 * boot left behind is cleaned up before anyone is answered, and the watch is awake before the port
 * is open. Order of the end: the last report is delivered (or a second has passed), then the port
 * closes, last of all: who finds it closed may take that as a hint that nothing runs here.
 */
import { hash, randomBytes, randomUUID } from "node:crypto";
import type { DaemonEffect, DaemonEvent, DaemonOptions } from "../core/daemon-io.ts";
import { createDaemon, reportOf, stepDaemon } from "../core/daemon.ts";
import type { DaemonState } from "../core/daemon.ts";
import type { Report } from "../core/messages.ts";
import type { Access } from "../protocol/auth.ts";
import type { TlsSource } from "../protocol/tls.ts";
import { nowMs } from "../shell/clock.ts";
import { openFolderWarning } from "../shell/own-folder.ts";
import { StepQueue } from "../shell/queue.ts";
import { TimerWheel } from "../shell/timer-wheel.ts";
import { openAccess } from "./access.ts";
import type { CallOptions } from "./calls.ts";
import { assignmentInLane, controlServer } from "./control-server.ts";
import type { ControlledDaemon } from "./control-server.ts";
import { cutReason, EffectRunner } from "./effects.ts";
import type { Happening } from "./effects.ts";
import { Joiner } from "./joiner.ts";
import { LeaseTable } from "./lease-table.ts";
import { startLeaseWatch } from "./lease-watch.ts";
import { listen } from "./listening.ts";
import type { Listening } from "./listening.ts";
import { createDaemonMetrics } from "./metrics.ts";
import type { DaemonMetrics } from "./metrics.ts";
import type { RunningDaemon, RuntimeOptions } from "./options.ts";
import { PendingAnswers } from "./pending-answers.ts";
import { PromiseAsker } from "./promise-asker.ts";
import { ReportSender } from "./report-sender.ts";
import { makeStateFolder, openStateFolder } from "./state-folder.ts";
import type { StateFolder } from "./state-folder.ts";
import { lockStateFolder } from "./state-lock.ts";
import type { Workload, WorkloadSink } from "./workload.ts";

/** The last report gets so long; the lease's end and the next check bring the same. */
const LAST_REPORT_MS = 1000;
/** After a sleep of the machine a launched program is its guard's affair, which looks far more often. */
const LAUNCHERS_NAP_MS = 1000;
/** Exit code of a process whose core broke an invariant: its leases run out, which is safe. */
const BROKEN_EXIT_CODE = 71;

/** Resolves when the daemon answers at its port; throws an `ArbiterError` if it can't start. */
export async function runDaemon(options: RuntimeOptions, workload: Workload): Promise<RunningDaemon> {
  const closers: (() => void | Promise<void>)[] = [];
  try {
    return await start(options, workload, closers);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** In the reverse order of their opening. */
async function closeAll(closers: (() => void | Promise<void>)[]): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close();
}

async function start(
  options: RuntimeOptions,
  workload: Workload,
  closers: (() => void | Promise<void>)[],
): Promise<RunningDaemon> {
  const { logger, name } = options;
  const { access, token, tls, close } = openAccess(options, logger);
  closers.push(close);
  const path = makeStateFolder(options.stateDir, name);
  if (options.lock !== "held") {
    const lock = lockStateFolder(path);
    closers.push(() => lock.release());
  }
  const isOpen = openFolderWarning(path);
  if (isOpen !== null) logger.warn(`${name}: ${isOpen}`);
  const folder = openStateFolder(path, options.forgetCluster ?? false);
  const daemon = await wire(options, workload, folder, { token, tls }, closers);
  closers.push(async () => await workload.close());
  await workload.prepare(sinkOf(daemon.push, daemon.leases, options));
  const listening = await openPort(options, controlled(daemon, options, workload), access, tls);
  daemon.push({ kind: "started" });
  const joiner = joinerOf(options, listening, { token, tls });
  joiner?.start();
  logger.info(
    `${name} (${options.type}, ${options.role}) listens at ${listening.url}; its state is in ${path}.`,
  );
  const unhook = hookSignals(options, daemon.push);
  const leave = async (): Promise<void> => {
    await daemon.left;
    await joiner?.close();
    await daemon.sender.flush(LAST_REPORT_MS);
    await daemon.written();
    unhook();
    daemon.stop();
    await closeAll(closers);
    await closePort(listening);
    logger.info(`${name} has left.`);
  };
  const closed = leave();
  return {
    name,
    address: options.host,
    port: listening.port,
    url: listening.url,
    stateFolder: path,
    bootId: daemon.state.options.bootId,
    async stop(reason): Promise<void> {
      daemon.push({ kind: "stopRequested", reason });
      await closed;
    },
    closed,
  };
}

async function openPort(
  options: RuntimeOptions,
  control: ControlledDaemon,
  access: Access,
  tls: TlsSource,
): Promise<Listening> {
  const { name, logger, useSsl = false } = options;
  const rules = {
    access,
    // Whoever asks for certificates wants to know whose they are.
    asksNames: useSsl && tls.files.clientCert === "required",
    log: (text: string): void => logger.warn(`${name}: ${text}`),
  };
  return await listen(
    {
      host: options.host,
      port: options.port,
      name,
      useSsl,
      tls,
      keepAliveMs: options.keepAliveMs ?? 0,
      servesUsers: control.serve !== null,
    },
    {
      onRequest: controlServer(control, rules),
      onCheck: (request) => assignmentInLane(control, rules, request),
    },
  );
}

/** Null: it stands in the arbiters' files. */
function joinerOf({ join, logger }: RuntimeOptions, { port }: Listening, calls: CallOptions): Joiner | null {
  if (join === undefined || join === null) return null;
  return new Joiner({ urls: join.urls, member: { ...join.member, port }, calls, logger });
}

/** The core with all that feeds it and carries out its effects. */
interface WiredDaemon {
  readonly state: DaemonState;
  readonly leases: LeaseTable;
  readonly pending: PendingAnswers;
  readonly sender: ReportSender;
  readonly metrics: DaemonMetrics;
  readonly push: (happening: Happening) => void;
  /** Nothing is held any more, and the last report is on its way. */
  readonly left: Promise<void>;
  readonly written: () => Promise<void>;
  readonly stop: () => void;
}

async function wire(
  options: RuntimeOptions,
  workload: Workload,
  folder: StateFolder,
  calls: CallOptions,
  closers: (() => void | Promise<void>)[],
): Promise<WiredDaemon> {
  const state = createDaemon(coreOptions(options, folder.stateId, workload), folder.memory, nowMs());
  const watch = workload.launched ? null : await startLeaseWatch();
  closers.push(async () => await watch?.close());
  const metrics = createDaemonMetrics(() => reportOf(state, nowMs()));
  const sender = new ReportSender(calls, (wasDelivered) => metrics.countReport(wasDelivered));
  closers.push(async () => await sender.close());
  const asker = new PromiseAsker(calls);
  closers.push(async () => await asker.close());
  const leases = new LeaseTable(nowMs, (all) => watch?.update(all));
  const pending = new PendingAnswers();
  const timers = new TimerWheel({
    ...(workload.launched && { longestNapMs: LAUNCHERS_NAP_MS }),
    onFire: () => {
      // The poll phase comes between: after a stall the renewal may lie in the socket already, and is
      // read before anything is given up. What must not wait is watched over from outside.
      setImmediate(() => push({ kind: "timerFired" }));
    },
  });
  closers.push(() => timers.close());
  const { promise: left, resolve } = Promise.withResolvers<void>();
  const push = (happening: Happening): void => queue.push({ ...happening, nowMs: nowMs() });
  const parts = { options, workload, folder, leases, sender, asker, metrics, pending, timers, push };
  const arbiters = (): readonly string[] => state.arbiters.map(({ url }) => url);
  const runner = new EffectRunner({ ...parts, arbiters, left: resolve });
  const queue = stepQueue(state, runner, options);
  const stop = (): void => {
    queue.stop();
    pending.close();
  };
  return {
    state,
    leases,
    pending,
    sender,
    metrics,
    push,
    left,
    written: async () => await runner.written(),
    stop,
  };
}

function coreOptions(options: RuntimeOptions, stateId: string, workload: Workload): DaemonOptions {
  return {
    name: options.name,
    stateId,
    bootId: randomUUID(),
    type: options.type,
    role: options.role,
    launched: workload.launched,
    onArbiterLoss: options.onArbiterLoss ?? null,
    drainMarginMs: options.drainMarginMs ?? null,
    killGraceMs: options.killGraceMs ?? null,
    drainTimeoutMs: options.drainTimeoutMs ?? null,
    configVersion: options.configVersion ?? "",
    ownConfig: options.ownConfig ?? "",
    dataVersion: options.dataVersion ?? 0,
  };
}

/**
 * A tag that only this boot can make: the key is drawn now and never leaves the process. Two are made at
 * every check, and a plain hash costs a tenth of an HMAC. Of its 512 bits 132 are shown: nobody can go on
 * from there with a longer text, which is what a key in front of the text has to fear.
 */
function bootTag(): (text: string) => string {
  const key = randomBytes(64).toString("base64url");
  return (text) => hash("sha512", `${key}${text}`, "base64url").slice(0, 22);
}

function stepQueue(
  state: DaemonState,
  runner: EffectRunner,
  options: RuntimeOptions,
): StepQueue<DaemonEvent, DaemonEffect> {
  const environment = { tagOf: bootTag() };
  return new StepQueue<DaemonEvent, DaemonEffect>({
    step: (event) => stepDaemon(state, event, environment),
    perform: (effect) => runner.perform(effect),
    onFatal(error): void {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      options.logger.error(`${options.name} is in a state that can't be, and ends: ${stack}`);
      process.exit(BROKEN_EXIT_CODE);
    },
  });
}

function sinkOf(
  push: (happening: Happening) => void,
  leases: LeaseTable,
  { logger }: RuntimeOptions,
): WorkloadSink {
  return {
    exited(service, epoch, reason): void {
      leases.drop(service, epoch);
      push({ kind: "exited", service, epoch, reason: cutReason(reason) });
    },
    restarting: (service, epoch, reason) =>
      push({ kind: "restarting", service, epoch, reason: cutReason(reason) }),
    restarted: (service, epoch) => push({ kind: "activated", service, epoch }),
    health: (healthy, ready, reason) =>
      push({ kind: "healthChanged", healthy, ready, reason: cutReason(reason) }),
    log: (level, text) => logger[level](text),
  };
}

function controlled(daemon: WiredDaemon, options: RuntimeOptions, workload: Workload): ControlledDaemon {
  const { pending, push, leases, metrics } = daemon;
  const report = (): Report => reportOf(daemon.state, nowMs());
  return {
    type: options.type,
    assign: async (assignment) =>
      await pending.assignment(assignment, (requestId) => push({ kind: "assigned", requestId, assignment })),
    promise: async (request) =>
      await pending.promise((requestId) => push({ kind: "promiseAsked", requestId, request })),
    report,
    arbiters: () => [
      ...(options.arbiterNames ?? []),
      ...daemon.state.arbiters.map((arbiter) => arbiter.name),
    ],
    isActive: (service) =>
      report().services.some(
        (held) =>
          held.state === "active" &&
          (service === null || held.service === service) &&
          leases.remainingMs(held.service, held.epoch) > 0,
      ),
    canTakeOne(): boolean {
      const { state: phase, healthy, ready } = report();
      return phase === "waiting" && healthy && ready;
    },
    metrics: async () => await metrics.render(),
    serve: workload.serve ?? null,
  };
}

/** Asked again, it goes on draining: a second SIGTERM is no reason to drop work. */
function hookSignals(options: RuntimeOptions, push: (happening: Happening) => void): () => void {
  if (options.signals === false) return () => {};
  const onSignal = (signal: NodeJS.Signals): void => push({ kind: "stopRequested", reason: signal });
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return (): void => {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  };
}

async function closePort({ server, closeAllConnections }: Listening): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    closeAllConnections();
  });
}
