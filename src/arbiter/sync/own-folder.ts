/** This arbiter's configuration folder: what lies in it, and putting a version of the configuration there. */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import type { Loaded } from "../../config/index.ts";
import type { ConfigurationVersion } from "../../core/arbiter-io.ts";
import { messageOf } from "../../protocol/errors.ts";
import { readConfiguration } from "../configuration.ts";
import type { ProcessLog } from "../log.ts";
import type { OwnFiles } from "./manifest.ts";
import { ownFilesOf } from "./manifest.ts";
import { replaceFiles } from "./replace-files.ts";

/** Empty: not known. A machine and a directory on it, without telling either. */
function identityOf(directory: string): string {
  const { dev, ino } = statSync(directory, { throwIfNoEntry: false }) ?? { dev: 0, ino: 0 };
  if (ino === 0) return "";
  return createHash("sha256").update(`${hostname()} ${dev} ${ino}`).digest("hex");
}

export class OwnFolder {
  readonly #path: string;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #log: ProcessLog;
  /** Whoever says the same has the same folder. */
  readonly identity: string;
  /** As they were last read or written, in force or not. */
  own: OwnFiles;

  constructor(
    path: string,
    env: Readonly<Record<string, string | undefined>>,
    log: ProcessLog,
    loaded: Loaded,
  ) {
    this.#path = path;
    this.#env = env;
    this.#log = log;
    this.own = ownFilesOf(loaded);
    this.identity = identityOf(loaded.directory);
  }

  async read(): Promise<Loaded> {
    const loaded = await readConfiguration(this.#path, this.#env);
    this.own = ownFilesOf(loaded);
    return loaded;
  }

  /** Resolves to where the files before it are kept; null: it could not be done, and that was said. */
  async write({ files }: ConfigurationVersion, loaded: Loaded): Promise<string | null> {
    try {
      const kind = await stat(this.#path);
      if (!kind.isDirectory()) {
        this.#log.warn(
          `${this.#path} is one file, not a folder: files from elsewhere are not written there.`,
        );
        return null;
      }
      const { files: present } = await readConfiguration(this.#path, this.#env);
      const kept = await replaceFiles({ folder: loaded.directory, files, present, atWallMs: Date.now() });
      this.own = ownFilesOf(loaded);
      return kept;
    } catch (error) {
      this.#log.error(messageOf(error));
      return null;
    }
  }
}
