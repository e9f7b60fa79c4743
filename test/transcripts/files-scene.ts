/**
 * A scene whose arbiters have folders of their own, and compare them as their processes do: the real
 * `ConfigSync` on top of each core, once a virtual second. Folders and the way between the arbiters are
 * all that is made here.
 */
import { ConfigSync } from "../../src/arbiter/sync/config-sync.ts";
import type { Drift } from "../../src/arbiter/sync/drift.ts";
import { hashesOf, manifestOf } from "../../src/arbiter/sync/manifest.ts";
import type { Manifest } from "../../src/arbiter/sync/manifest.ts";
import type { ConfigurationVersion } from "../../src/core/arbiter-io.ts";
import type { ArbiterState } from "../../src/core/arbiter-state.ts";
import type { ArbiterHost } from "../../src/simulator/arbiter-host.ts";
import { Scene } from "./scene.ts";

type Files = Readonly<Record<string, string>>;
type Mode = "warn" | "enforce" | "replicate";

const COMPARED_EVERY_MS = 1000;
const SILENT = { info: () => {}, warn: () => {}, error: () => {} };

interface Desk {
  readonly host: ArbiterHost;
  files: Files;
  hash: string;
  drift: readonly Drift[];
  silent: readonly string[];
  sync: ConfigSync | null;
}

const NOTHING_WRONG: Pick<Desk, "drift" | "silent"> = { drift: [], silent: [] };

export class FilesScene extends Scene {
  readonly #mode: Mode;
  readonly #desks = new Map<string, Desk>();
  #edits = 0;

  constructor(mode: Mode, files: Files) {
    super({ arbiters: 3 });
    this.#mode = mode;
    const { simulation } = this;
    simulation.files = files;
    simulation.configure(simulation.whole);
    const { hash } = simulation.configuration;
    for (const host of simulation.arbiters)
      this.#desks.set(host.name, { host, files, hash, drift: [], silent: [], sync: null });
    for (const desk of this.#desks.values()) desk.sync = this.#open(desk);
  }

  /** One arbiter's file is edited, and nobody else's; written back as it was, it is the version of before. */
  edit(name: string, path: string, text: string): void {
    const desk = this.#desk(name);
    const files = { ...desk.files, [path]: text };
    const same = [...this.#desks.values()].find((one) => JSON.stringify(one.files) === JSON.stringify(files));
    this.#edits += 1;
    this.#take(desk, { files, hash: same?.hash ?? `edit-${this.#edits}`, version: 0 });
  }

  /** Time passes, and the arbiters compare. */
  async compare(ms: number): Promise<this> {
    for (let passedMs = 0; passedMs < ms; passedMs += COMPARED_EVERY_MS) {
      this.pass(COMPARED_EVERY_MS);
      for (const { host, sync } of this.#desks.values()) if (host.process !== null) await sync?.compare();
    }
    return this;
  }

  /** What the leader's status says. */
  problems(): this {
    const { leader } = this.simulation;
    const { drift, silent } = leader === null ? NOTHING_WRONG : this.#desk(leader.name);
    return this.status(drift, silent);
  }

  #desk(name: string): Desk {
    const desk = this.#desks.get(name);
    if (desk === undefined) throw new Error(`the scene has no arbiter ${name}`);
    return desk;
  }

  #take(desk: Desk, taken: { readonly files: Files; readonly hash: string; readonly version: number }): void {
    const { hash, files, version } = taken;
    desk.files = files;
    desk.hash = hash;
    const { model } = this.simulation;
    const configuration = { version, hash, atWallMs: 0, by: "an edit", files };
    desk.host.tell({ kind: "configured", model, configuration, plan: [] });
  }

  #manifest({ host, files, hash }: Desk): Manifest {
    return manifestOf(stateOf(host), {
      configSync: this.#mode,
      joined: "",
      own: { hash, errors: 0, files: hashesOf(files) },
      folder: host.name,
    });
  }

  #open(desk: Desk): ConfigSync {
    const { simulation } = this;
    const { host } = desk;
    const nowMs = (): number => host.process?.nowMs() ?? 0;
    const newest = (): ConfigurationVersion[] => {
      const committed = simulation.store.copy().configuration;
      return committed === null ? [] : [committed];
    };
    return new ConfigSync({
      engine: {
        get state() {
          return stateOf(host);
        },
        get drift() {
          return desk.drift;
        },
        set drift(list) {
          desk.drift = list;
        },
        get silent() {
          return desk.silent;
        },
        set silent(names) {
          desk.silent = names;
        },
        get around() {
          return { nowMs: nowMs() };
        },
        push: (event) => host.tell(event),
        command: (_by, command) => new Promise((resolve) => host.command(command, resolve)),
      },
      follower: {
        manifest: () => this.#manifest(desk),
        reload: () => Promise.reject(new Error("no schedule in a scene")),
        keepUp: () => Promise.reject(new Error("nobody joins in a scene")),
        confirm: (version, hash) => this.#take(desk, { files: desk.files, hash, version }),
        replicate: ({ files, hash, version }, leader) => {
          this.act(`${host.name} writes ${leader}'s version ${version} into its folder`, () =>
            this.#take(desk, { files, hash, version }),
          );
          return Promise.resolve();
        },
        copies: { isLeadersFolder: false },
      },
      peers: { ask: (url) => Promise.resolve(this.#asked(url)) },
      store: {
        configurations: () => Promise.resolve(newest()),
        load: () => Promise.reject(new Error("nobody joins in a scene")),
      },
      log: SILENT,
      wallMs: nowMs,
      committed: newest()[0] ?? null,
    });
  }

  #asked(url: string): Manifest | null {
    const desk = [...this.#desks.values()].find(({ host }) => url === `http://${host.name}`);
    return desk === undefined || desk.host.process === null ? null : this.#manifest(desk);
  }
}

function stateOf({ name, state }: ArbiterHost): ArbiterState {
  if (state === null) throw new Error(`${name} doesn't run`);
  return state;
}
