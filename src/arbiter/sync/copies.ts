/**
 * `config_sync = replicate`: a standby's files are copies of the leader's. Whose they are, what the
 * newest version is, and how it comes back into the folder after an edit where it doesn't belong.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ConfigurationVersion } from "../../core/arbiter-io.ts";
import { nowMs } from "../../shell/clock.ts";
import type { Store } from "../../store/contract.ts";
import { leaderOf } from "../cluster-map.ts";
import type { ValidConfiguration } from "../configuration.ts";
import { isValid } from "../configuration.ts";
import type { Engine } from "../engine.ts";
import type { ProcessLog } from "../log.ts";
import { readVersion } from "./committed.ts";
import type { OwnFolder } from "./own-folder.ts";

/** What a version lacks here (a variable, a token file) may be put right meanwhile. */
const DECLINED_MS = 15_000;
/** The leader takes an edit once it has been quiet for 300 ms, and commits it. */
const COPIED_MS = 2_500;
const LOOK_EVERY_MS = 250;

export interface Leader {
  readonly name: string;
  readonly url: string;
}

export interface CopiesOptions {
  readonly engine: Engine;
  readonly store: Pick<Store, "configurations">;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: ProcessLog;
  readonly folder: OwnFolder;
}

export class Copies {
  readonly #options: CopiesOptions;
  /** The leader reads the same folder: nothing is copied there, nothing is put back. */
  isLeadersFolder = false;
  #declined: { readonly hash: string; readonly untilMs: number } | null = null;

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /** The leader of whose files this arbiter's are copies; null: they are its own. */
  leader({ settings }: ValidConfiguration): Leader | null {
    const { state } = this.#options.engine;
    const { mode, record } = state.leadership;
    if (settings.configSync !== "replicate" || mode !== "standing-by" || this.isLeadersFolder) return null;
    const leader = leaderOf(state);
    return leader === null || record === null ? null : { name: leader, url: record.url };
  }

  /** Files may be copied to all arbiters at once: the leader gets a while to take its own. */
  async newestOnceItIs(hash: string): Promise<ConfigurationVersion | null> {
    for (let left = COPIED_MS; ; left -= LOOK_EVERY_MS) {
      const newest = await this.#newest();
      if (newest?.hash === hash || left <= 0) return newest;
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** Puts the committed version back into the folder; null: it can't be had now, or not be written. */
  async restore(leader: string, directory: string): Promise<string | null> {
    const { env, folder, log } = this.#options;
    const newest = await this.#newest();
    if (newest === null || this.isLeadersFolder) return null;
    const loaded = await readVersion(newest, directory, env);
    if (!isValid(loaded)) return null;
    log.info(`The files of ${leader} are put back into the folder.`);
    return await folder.write(newest, loaded);
  }

  decline({ hash }: ConfigurationVersion): void {
    this.#declined = { hash, untilMs: nowMs() + DECLINED_MS };
  }

  isDeclined({ hash }: ConfigurationVersion): boolean {
    return this.#declined?.hash === hash && this.#declined.untilMs > nowMs();
  }

  async #newest(): Promise<ConfigurationVersion | null> {
    const [newest] = await this.#options.store.configurations(1).catch(() => []);
    return newest ?? null;
  }
}
