/**
 * One run's world: its machines, its network, its store, its checkers, and the wires between them.
 */
import type { Candidate, PromiseAnswer, PromiseRequest, Report } from "../core/messages.ts";
import type { ConfigurationVersion } from "../core/arbiter-io.ts";
import type { ClusterModel } from "../core/model.ts";
import { ArbiterHost } from "./arbiter-host.ts";
import { OneHolder } from "./checkers/one-holder.ts";
import { FastForward } from "./fast-forward.ts";
import { makeCluster } from "./cluster.ts";
import { DaemonHost } from "./daemon-host.ts";
import type { Mutation } from "./mutations.ts";
import { NO_MUTATION } from "./mutations.ts";
import { Network } from "./network.ts";
import type { SimulationOptions } from "./options.ts";
import { SimulatedStore } from "./store.ts";
import { World } from "./world.ts";

export class Simulation {
  readonly options: SimulationOptions;
  readonly mutation: Mutation;
  readonly world: World;
  /** Every daemon there is; `model` is what the files say of them now. */
  readonly whole: ClusterModel;
  model: ClusterModel;
  configuration: ConfigurationVersion;
  readonly network: Network;
  readonly store: SimulatedStore;
  readonly oneHolder: OneHolder = new OneHolder();
  readonly daemons: readonly DaemonHost[];
  readonly arbiters: readonly ArbiterHost[];
  /** Null: every check is played. */
  readonly fastForward: FastForward | null = null;
  /** The first thing that went wrong; it ends the run. */
  failure: unknown = null;
  /** Rows of the service table taken, by the phase that they led to. */
  readonly moves: Map<string, number> = new Map();
  /** Number of the last assignment sent, by term: one arbiter leads it, once. */
  readonly lastSeqs: Map<number, number> = new Map();
  promisesAsked = 0;
  /** A state folder was lost: then an operator may have to decide. */
  wasWiped = false;
  #ids = 0;
  #edits = 0;

  constructor(
    seed: number,
    options: SimulationOptions,
    mutation: Mutation,
    runs: { readonly fastForward: boolean } = { fastForward: true },
  ) {
    this.options = options;
    this.mutation = mutation;
    this.world = new World(seed);
    this.whole = makeCluster(options);
    this.model = this.whole;
    this.configuration = this.#nextConfiguration();
    this.network = new Network(this.world, options.network);
    this.store = new SimulatedStore(this.world, options.store);
    this.daemons = this.model.daemons.map((spec) => new DaemonHost(this, spec));
    this.arbiters = this.model.arbiters.map((spec) => new ArbiterHost(this, spec));
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
    this.model = model;
    this.configuration = this.#nextConfiguration();
    const names = model.daemons.map(({ name }) => name).join(",");
    this.world.note("edit", names, "lease", model.services[0]?.leaseMs ?? 0);
    for (const arbiter of this.arbiters) arbiter.configure();
  }

  #nextConfiguration(): ConfigurationVersion {
    this.#edits += 1;
    return { version: 1, hash: `files${this.#edits}`, atWallMs: 0, by: "simulator", files: {} };
  }

  fail(error: unknown): void {
    this.failure ??= error;
    this.world.isOver = true;
  }

  daemon(name: string): DaemonHost {
    const host = this.daemons.find((one) => one.name === name);
    if (host === undefined) throw new Error(`simulator: there is no daemon ${name}`);
    return host;
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
      const to = this.arbiters.find((arbiter) => arbiter.name === name);
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
    const to = this.daemon(candidate.name);
    this.network.call<PromiseAnswer>(
      from,
      to,
      timeoutMs,
      (_, respond) => to.promiseAsked(request, respond),
      (answer) => {
        done(answer);
      },
    );
  }

  /** Arbiters that had a connection to it may notice at once. */
  connectionClosed(daemon: DaemonHost): void {
    if (!daemon.isUp) return;
    for (const arbiter of this.arbiters) {
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
