/**
 * The arbiter process: from a configuration to a running arbiter, and from a signal to a clean end.
 *
 * Everything that can be wrong is found out before anything is begun that others could notice: the
 * files, which arbiter this is, tokens and certificates, the state folder, the port, the store, in
 * this order. What fails is one error, and what was opened by then is closed again.
 */
import { randomUUID } from "node:crypto";
import { hostname, networkInterfaces } from "node:os";
import { stateDirOf, tokenFileOf, whichArbiter } from "../config/index.ts";
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import type { ArbiterOptions } from "../core/arbiter-state.ts";
import type { ArbiterSpec, LoggedEvent } from "../core/model.ts";
import { Access, refuseOpenBind, TokenSource } from "../protocol/auth.ts";
import { ArbiterError, messageOf } from "../protocol/errors.ts";
import type { TlsSource } from "../protocol/tls.ts";
import { wallMs } from "../shell/clock.ts";
import { openFolderWarning } from "../shell/own-folder.ts";
import { askForPrecedence } from "../shell/processor.ts";
import type { Store } from "../store/contract.ts";
import { openStore } from "../store/open.ts";
import { Checker } from "./checker.ts";
import { configurationError, isValid, publicText, readConfiguration, versionOf } from "./configuration.ts";
import type { ValidConfiguration } from "./configuration.ts";
import { ConfigurationFollower } from "./configuration-follower.ts";
import { openDrills } from "./drills.ts";
import { Engine } from "./engine.ts";
import { openAlerts } from "./alerts/open.ts";
import { openAudit } from "./http/audit.ts";
import { Forwarder } from "./http/forward.ts";
import { listen } from "./http/server.ts";
import { Journal } from "./journal.ts";
import type { ProcessLog } from "./log.ts";
import { pidFileContent } from "./pid-file.ts";
import { scheduleRetention } from "./retention.ts";
import type { RetentionOptions } from "./retention.ts";
import { Shutdown } from "./shutdown.ts";
import type { MapBoard } from "./map-board.ts";
import { MapPush } from "./map-push.ts";
import { OtherArbiters } from "./other-arbiters.ts";
import { openArbiterFolder, removePidFile, writePidFile } from "./state-folder.ts";
import type { PushedEvent } from "./store-lane.ts";
import { finishReplacement } from "./sync/replace-files.ts";
import type { Sync } from "./sync/open-sync.ts";
import { openSync } from "./sync/open-sync.ts";
import { PeerManifests } from "./sync/peer-manifests.ts";
import { checkerTls, openTls } from "./tls.ts";

export interface RunArbiterOptions {
  readonly configPath: string;
  /** Which arbiter of the configuration; null: found out. */
  readonly name?: string | null | undefined;
  readonly log: ProcessLog;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Off: checks that failed while this process was stalled count (see the engine). (Default: on) */
  readonly doubtsItself?: boolean;
  /** It listens and its core runs. */
  onReady?(url: string, running: RunningInfo): void;
  /** Each event that the log gets from now on, this arbiter's and others'. */
  onEvent?(event: LoggedEvent): void;
}

/** What whoever started it may want to say of it. */
export interface RunningInfo {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly configPath: string;
  readonly stateFolder: string;
  readonly services: number;
  readonly daemons: number;
}

/** Exit code of an error of the program itself (sysexits' EX_SOFTWARE). */
const EXIT_DEFECT = 70;
/** A store that hangs must not keep the process from ending. */
const RELEASE_TIMEOUT_MS = 5_000;
/** For requests that are being answered when it stops. */
const HTTP_GRACE_MS = 500;

/**
 * Runs until SIGTERM or SIGINT, and resolves to the exit code. Rejects with an `ArbiterError` (or
 * the store's error) if it can't start; nothing is left running then.
 */
export async function runArbiter(options: RunArbiterOptions): Promise<number> {
  const shutdown = new Shutdown(options.log);
  const end = Promise.withResolvers<unknown>();
  try {
    const running = await start(options, shutdown, (error) => end.resolve(error));
    const signals = listenToSignals(running, options.log);
    shutdown.add("signals", signals);
    const { cpuPriority: wanted, url } = running.self;
    void askForPrecedence({ pids: [process.pid], wanted, warn: (text) => options.log.warn(text) });
    options.onReady?.(url, running.info);
    const error = await end.promise;
    if (error === null) return 0;
    const text = error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
    options.log.error(`The arbiter ends, its broken state must not decide anything more: ${text}`);
    return EXIT_DEFECT;
  } finally {
    await shutdown.run();
  }
}

interface Running {
  readonly self: ArbiterSpec;
  readonly engine: Engine;
  readonly follower: ConfigurationFollower;
  readonly info: RunningInfo;
  end(error: unknown): void;
}

async function start(
  options: RunArbiterOptions,
  shutdown: Shutdown,
  end: (error: unknown) => void,
): Promise<Running> {
  const { log, env } = options;
  const loaded = await validConfiguration(options);
  const self = chosenArbiter(loaded, options.name ?? null);
  const access = accessOf(loaded, self, log);
  shutdown.add("token files", () => access.close());
  const tls = openTls(loaded, self, log);
  shutdown.add("certificates", () => tls.close());
  const secure = secureOf(self, tls);
  const stateDir = stateDirOf(loaded);
  const folder = openArbiterFolder(stateDir, self.name);
  shutdown.add("the state folder", () => folder.close());
  const isOpen = openFolderWarning(folder.path);
  if (isOpen !== null) log.warn(isOpen);
  const address = loaded.settings.security.bind ?? self.address;
  const { server } = await listen({ address, port: self.port, tls: secure, name: self.name, log });
  shutdown.add("the HTTP server", () => server.close(HTTP_GRACE_MS));
  const journal = new Journal(folder.path, (text) => log.warn(text));
  shutdown.add("the journal", () => journal.close());
  const store = await openStore(loaded.settings.store.url, { stateDir });
  shutdown.add("the store", () => store.close());
  const { lastEvent, configuration: committed } = await store.load();
  const others = new OtherArbiters({ token: () => access.token, tls: checkerTls(tls, () => true) });
  const parts = { loaded, options, self, stateDir, store, others, committed };
  const engine: Engine = new Engine({
    options: coreOptions(loaded, self, folder.stateId, env["ARBITER_PRIMARY"] ?? null),
    store,
    lastEvent,
    journal,
    log,
    doubtsItself: options.doubtsItself ?? true,
    others,
    makeChecker: (push) => checkerFor({ push, access, tls, engine: () => engine }),
    leadWith: (contents) => follower.leadWith(contents),
    makeMapPush: (board, push) => mapPushFor({ board, push, access, tls, engine: () => engine }),
    onEnd: end,
  });
  shutdown.add("the engine", () => engine.close());
  const { follower, sync } = openFollower({ ...parts, engine });
  engine.ownConfigs = () => follower.inForce.settings.ownConfigs;
  shutdown.add("the comparing of configurations", () => sync.close());
  const alerts = openAlerts({ store, log, engine, follower, name: self.name }, shutdown);
  server.open({
    engine,
    alerts,
    access,
    asksNames: secure !== null && tls.files.clientCert === "required",
    audit: openAudit(engine, log, wallMs),
    forwarder: new Forwarder(engine, others),
    hostNames: [self.address, address].map((name) => name.toLowerCase()),
    reload: (by) => follower.reload(by),
    configuration: sync.api,
    membership: sync.membership,
  });
  shutdown.add("the HTTP API", () => server.close(HTTP_GRACE_MS));
  writePidFile(folder.path, pidFileContent(self.name, self.url, wallMs()));
  shutdown.add("the pid file", () => removePidFile(folder.path));
  await follower.watch();
  shutdown.add("watching the files", () => follower.close());
  shutdown.add("the schedules", openSchedules({ store, log, engine, follower }));
  follow(engine, lastEvent, options, shutdown);
  engine.start();
  sync.start();
  log.info(`${self.name} listens at ${self.url}, pid ${process.pid}, state in ${folder.path}.`);
  return { self, engine, follower, info: runningInfo(loaded, self, folder.path), end };
}

function coreOptions(
  loaded: ValidConfiguration,
  { name, url }: ArbiterSpec,
  stateId: string,
  primary: string | null,
): ArbiterOptions {
  return {
    name,
    url,
    instance: randomUUID(),
    stateId,
    freshClusterId: randomUUID(),
    model: loaded.model,
    configuration: versionOf(loaded, `start of ${name}`, wallMs()),
    primary,
  };
}

/** Null: plain HTTP. What it lacks for HTTPS is found out here. */
function secureOf({ url, name }: ArbiterSpec, tls: TlsSource): TlsSource | null {
  if (!url.startsWith("https:")) return null;
  tls.serverOptions(name);
  return tls;
}

interface FollowerParts {
  readonly loaded: ValidConfiguration;
  readonly options: RunArbiterOptions;
  readonly self: ArbiterSpec;
  readonly stateDir: string;
  readonly engine: Engine;
  readonly store: Store;
  readonly others: OtherArbiters;
  readonly committed: ConfigurationVersion | null;
}

/** Follows this arbiter's files, and compares them with the others'. */
function openFollower(parts: FollowerParts): { follower: ConfigurationFollower; sync: Sync } {
  const { loaded, options, self, others, committed } = parts;
  const { configPath: path, env, log } = options;
  const { stateDir, engine, store } = parts;
  const configuring = { path, env, name: self.name, stateDir, engine, store, log };
  const follower = new ConfigurationFollower(
    { ...configuring, onApplied: (version, held) => sync.applied(version, held) },
    loaded,
  );
  const peers = new PeerManifests(others);
  const sync = openSync({ ...configuring, follower, peers, committed });
  return { follower, sync };
}

function runningInfo(
  loaded: ValidConfiguration,
  { name, url }: ArbiterSpec,
  stateFolder: string,
): RunningInfo {
  const { services, daemons } = loaded.model;
  return {
    name,
    url,
    pid: process.pid,
    configPath: loaded.path,
    stateFolder,
    services: services.length,
    daemons: daemons.length,
  };
}

/** Gives `onEvent` what comes from here on. */
function follow(engine: Engine, after: number, options: RunArbiterOptions, shutdown: Shutdown): void {
  if (options.onEvent === undefined) return;
  const unfollow = engine.feed.follow(after, (event) => {
    options.onEvent?.(event);
    return true;
  });
  shutdown.add("the event lines", unfollow);
}

function checkerFor(parts: {
  readonly push: (event: PushedEvent) => void;
  readonly access: Access;
  readonly tls: TlsSource;
  /** The engine makes its checker before it is there itself; it is asked when a check is sent. */
  readonly engine: () => Engine;
}): Checker {
  const { push, access, tls, engine } = parts;
  return new Checker({
    push,
    token: () => access.token,
    tls: checkerTls(tls, (daemon) => engine().state.daemons.get(daemon)?.spec.hardSslNameCheck ?? true),
  });
}

function mapPushFor(parts: {
  readonly board: MapBoard;
  readonly push: (event: PushedEvent) => void;
  readonly access: Access;
  readonly tls: TlsSource;
  readonly engine: () => Engine;
}): MapPush {
  const { board, push, access, tls, engine } = parts;
  return new MapPush({
    state: () => engine().state,
    map: () => board.newest,
    token: () => access.token,
    tls: checkerTls(tls, () => true),
    onSeen: (version) => push({ kind: "mapSeen", version }),
  });
}

/** Returns the function that ends them. */
function openSchedules(parts: Parameters<typeof retentionOf>[0]): () => void {
  const { engine, log, follower } = parts;
  const ends = [
    scheduleRetention(retentionOf(parts)),
    openDrills(engine, log, () => follower.inForce.settings.drills),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function retentionOf(parts: {
  readonly store: Store;
  readonly log: ProcessLog;
  readonly engine: Engine;
  readonly follower: ConfigurationFollower;
}): RetentionOptions {
  const { store, log, engine, follower } = parts;
  return {
    store,
    log,
    wallMs,
    retentionMs: () => follower.inForce.settings.eventRetentionMs,
    isLeading: () => engine.state.leadership.mode === "leading",
  };
}

async function validConfiguration(options: RunArbiterOptions): Promise<ValidConfiguration> {
  await finishInterrupted(options);
  const loaded = await readConfiguration(options.configPath, options.env);
  if (!isValid(loaded)) throw configurationError(loaded);
  for (const problem of loaded.problems) {
    if (problem.severity === "warning") options.log.warn(publicText(problem));
  }
  return loaded;
}

/** The leader's files were being put into the folder when the process or the machine died. */
async function finishInterrupted({ configPath, log }: RunArbiterOptions): Promise<void> {
  if (await finishReplacement(configPath))
    log.warn("The folder's files were being replaced when the arbiter was last stopped; that was finished.");
}

function chosenArbiter(loaded: ValidConfiguration, name: string | null): ArbiterSpec {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const chosen = whichArbiter(loaded.model, {
    name: name ?? undefined,
    localAddresses: [...addresses.map(({ address }) => address), hostname()],
  });
  if (chosen.ok) return chosen.arbiter;
  throw new ArbiterError(
    name === null ? "ERR_ARB_WHICH_ARBITER" : "ERR_ARB_UNKNOWN_ARBITER",
    `${chosen.error[0]?.toUpperCase() ?? ""}${chosen.error.slice(1)}`,
  );
}

function accessOf(loaded: ValidConfiguration, self: ArbiterSpec, log: ProcessLog): Access {
  const { security } = loaded.settings;
  const tokenFile = tokenFileOf(loaded, self.name);
  const refused = refuseOpenBind({
    address: security.bind ?? self.address,
    hasToken: tokenFile !== null,
    insecure: security.insecure,
  });
  if (refused !== null) throw refused;
  const sourceOf = (file: string | null): TokenSource | null =>
    file === null ? null : new TokenSource(file, (text) => log.warn(text));
  const token = sourceOf(tokenFile);
  try {
    return new Access(token, sourceOf(security.readTokenFile));
  } catch (error) {
    token?.close();
    throw error;
  }
}

/** Returns the function that stops listening. */
function listenToSignals(running: Running, log: ProcessLog): () => void {
  const { engine, follower, self } = running;
  let isStopping = false;
  let timer: NodeJS.Timeout | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) {
      log.warn(`${signal} again: it ends at once. The daemons go on as they are.`);
      running.end(null);
      return;
    }
    isStopping = true;
    log.info(`${signal}: ${self.name} stops in good order; the daemons go on as they are.`);
    engine.push({ kind: "commanded", id: "release", by: signal, command: { verb: "release" } });
    timer = setTimeout(() => {
      log.warn("The store did not take the leadership back in time; a standby waits for its end.");
      running.end(null);
    }, RELEASE_TIMEOUT_MS);
  };
  const reload = (): void => void follower.reload("SIGHUP");
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("SIGHUP", reload);
  return () => {
    clearTimeout(timer);
    process.off("SIGTERM", stop);
    process.off("SIGINT", stop);
    process.off("SIGHUP", reload);
  };
}
