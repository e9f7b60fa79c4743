/**
 * One run's world: its machines, its network, its store, its checkers, and the wires between them.
 */
import type { Candidate, PromiseAnswer, PromiseRequest, Report } from "../core/messages.ts";
import type { ConfigurationVersion, JournalEntry } from "../core/arbiter-io.ts";
import type { ClusterModel, EventDraft } from "../core/model.ts";
import type { Recorder } from "../shell/recorder.ts";
import { ArbiterHost } from "./arbiter-host.ts";
import { OneHolder } from "./checkers/one-holder.ts";
import { OrdersKept } from "./checkers/orders-kept.ts";
import { Reader } from "./checkers/promises-kept.ts";
import { WindowsKept } from "./checkers/windows-kept.ts";
import { FastForward } from "./fast-forward.ts";
import { makeCluster } from "./cluster.ts";
import { DaemonHost } from "./daemon-host.ts";
import type { Mutation } from "./mutations.ts";
import { NO_MUTATION } from "./mutations.ts";
import type { Host } from "./network.ts";
import { Network } from "./network.ts";
import type { SimulationOptions } from "./options.ts";
import { SimulatedStore } from "./store.ts";
import { mustHold } from "./violation.ts";
import { World } from "./world.ts";

const NOBODY: Host = { name: "nobody", isUp: false, process: null };

export class Simulation {
  readonly options: SimulationOptions;
  readonly mutation: Mutation;
  readonly world: World;
  /** Every daemon there is; `model` is what the files say of them now. */
  readonly whole: ClusterModel;
  model: ClusterModel;
  configuration: ConfigurationVersion;
  /** What the next version of it consists of, path to content. */
  files: Readonly<Record<string, string>> = {};
  readonly network: Network;
  readonly store: SimulatedStore;
  readonly oneHolder: OneHolder;
  /** Machines with a daemon; with clones, several of one name, the newest last. */
  readonly daemons: DaemonHost[];
  readonly arbiters: readonly ArbiterHost[];
  /** One that was given a store of its own by mistake; null: there is none. */
  readonly stray: ArbiterHost | null;
  /** Which machine answers where. */
  readonly #addresses = new Map<string, DaemonHost>();
  /** Where the files say that each daemon is. */
  readonly urls: Map<string, string> = new Map();
  /** Somebody who reads the cluster map wherever it is to be had. */
  readonly reader: Reader = new Reader();
  /** When services may go back by themselves. */
  readonly windows: WindowsKept;
  /** Arbiters that were taken out of the files, whatever is edited meanwhile. */
  readonly absent: Set<string> = new Set();
  /** What operators were told. */
  readonly orders: OrdersKept = new OrdersKept();
  /** What the files said before, oldest first. */
  readonly #versions: ClusterModel[] = [];
  /** Null: every check is played. */
  readonly fastForward: FastForward | null = null;
  /** The first thing that went wrong; it ends the run. */
  failure: unknown = null;
  /** Rows of the service table taken, by the phase that they led to. */
  readonly moves: Map<string, number> = new Map();
  promisesAsked = 0;
  /** Hears of each event of the log once it is there, with the arbiter that wrote it. */
  onEvent: ((arbiter: string, event: EventDraft) => void) | null = null;
  /** Hears of each transition, with the arbiter that made it: its journal. */
  onTransition: ((arbiter: string, entry: JournalEntry) => void) | null = null;
  /** Records each start of an arbiter, as its process would. */
  recorderFor: ((arbiter: string) => Recorder) | null = null;
  /** A state folder was lost: then an operator may have to decide. */
  wasWiped = false;
  #ids = 0;
  #edits = 0;

  constructor(
    seed: number,
    options: SimulationOptions,
    mutation: Mutation,
    runs: { readonly fastForward: boolean; readonly model?: ClusterModel } = { fastForward: true },
  ) {
    this.options = options;
    this.mutation = mutation;
    this.world = new World(seed);
    this.whole = runs.model ?? makeCluster(options);
    this.windows = new WindowsKept(options.failbackWindow === undefined ? null : options.clockDrift);
    this.model = this.whole;
    this.configuration = this.#nextConfiguration();
    this.network = new Network(this.world, options.network);
    this.store = new SimulatedStore(this.world, options.store);
    this.store.onSettings = (settings): void => mustHold(this.orders.check(settings));
    this.oneHolder = new OneHolder(options.onArbiterLoss === "hold");
    this.daemons = this.model.daemons.map((spec) => new DaemonHost(this, spec));
    for (const host of this.daemons) this.settle(host, host.url);
    this.arbiters = this.model.arbiters.map((spec) => new ArbiterHost(this, spec, this.store));
    const [first] = this.model.arbiters;
    const mistaken = { ...first, name: "stray", url: "http://stray" };
    this.stray =
      options.hasStray === true && first !== undefined
        ? new ArbiterHost(this, { ...first, ...mistaken }, new SimulatedStore(this.world, options.store))
        : null;
    // What a mutation changes would be skipped, too.
    if (mutation === NO_MUTATION && runs.fastForward) {
      this.fastForward = new FastForward(this);
      this.world.onLull = this.fastForward.skipUntil;
    }
  }

  freshId(stem: string): string {
    this.#ids += 1;
    return `${stem}${this.#ids}`;
  }

  /** The files are edited, on every arbiter's machine at once. */
  configure(model: ClusterModel): void {
    this.#versions.push(this.model);
    const daemons = model.daemons.map((spec) => ({ ...spec, url: this.urls.get(spec.name) ?? spec.url }));
    const arbiters = model.arbiters.filter(({ name }) => !this.absent.has(name));
    this.model = { ...model, daemons, arbiters };
    this.configuration = this.#nextConfiguration();
    const names = model.daemons.map(({ name }) => name).join(",");
    this.world.note("edit", names, "lease", model.services[0]?.leaseMs ?? 0);
    for (const arbiter of this.arbiters) arbiter.configure();
  }

  #nextConfiguration(): ConfigurationVersion {
    this.#edits += 1;
    return { version: 1, hash: `files${this.#edits}`, atWallMs: 0, by: "simulator", files: this.files };
  }

  fail(error: unknown): void {
    this.failure ??= error;
    this.world.isOver = true;
  }

  /** The newest machine of that name. */
  daemon(name: string): DaemonHost {
    const host = this.daemons.findLast((one) => one.name === name);
    if (host === undefined) throw new Error(`simulator: there is no daemon ${name}`);
    return host;
  }

  /** A version of the files from before; null: there is none. */
  olderVersion(): ClusterModel | null {
    return this.#versions.length === 0 ? null : this.world.random.pick(this.#versions);
  }

  /** Whoever may answer with the cluster map is asked for it (I8). */
  readEverywhere(): void {
    for (const { state, process } of this.arbiters)
      if (state !== null && process?.isPaused === false) this.reader.ask(state);
  }

  /** From now on it answers there, and whoever did so before doesn't. */
  settle(host: DaemonHost, url: string): void {
    if (this.#addresses.get(host.url) === host) this.#addresses.delete(host.url);
    host.url = url;
    this.#addresses.set(url, host);
    if (!this.urls.has(host.name)) this.urls.set(host.name, url);
  }

  isAt(host: DaemonHost): boolean {
    return this.#addresses.get(host.url) === host;
  }

  /** Who answers there; a machine that is off where nobody does. */
  at(url: string): Host {
    return this.#addresses.get(url) ?? NOBODY;
  }

  get leader(): ArbiterHost | null {
    return this.arbiters.find(({ isLeading, process }) => isLeading && process?.isPaused === false) ?? null;
  }

  moved(service: string, to: string): void {
    const key = `${service} ${to}`;
    this.moves.set(key, (this.moves.get(key) ?? 0) + 1);
  }

  postReport(from: DaemonHost, report: Report): void {
    for (const { name } of from.state?.arbiters ?? []) {
      const to = name === this.stray?.name ? this.stray : this.arbiters.find((one) => one.name === name);
      if (to !== undefined) this.network.send(from, to, () => to.reported(report));
    }
  }

  askPromise(
    from: DaemonHost,
    candidate: Candidate,
    request: PromiseRequest,
    timeoutMs: number,
    done: (answer: PromiseAnswer | null) => void,
  ): void {
    this.promisesAsked += 1;
    const to = this.at(candidate.url);
    this.network.call<PromiseAnswer>(
      from,
      to,
      timeoutMs,
      (_, respond) => (to instanceof DaemonHost ? to.promiseAsked(request, respond) : undefined),
      (answer) => {
        done(answer);
      },
    );
  }

  /** Arbiters that had a connection to it may notice at once. */
  connectionClosed(daemon: DaemonHost): void {
    if (!daemon.isUp) return;
    const all = this.stray === null ? this.arbiters : [...this.arbiters, this.stray];
    for (const arbiter of all) {
      if (this.network.isCut(daemon.name, arbiter.name)) continue;
      this.world.after(this.options.network.leastDelayMs, () => {
        arbiter.process?.run(() => arbiter.connectionClosed(daemon.name));
      });
    }
  }

  restartLater(host: DaemonHost | ArbiterHost): void {
    const { random } = this.world;
    const delayMs = random.chance(0.3) ? 1 : random.wait(this.options.faults.lastsMs || this.options.leaseMs);
    this.world.after(delayMs, () => host.start());
  }
}
