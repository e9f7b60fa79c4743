/** Versions of the configuration that the store keeps, read as if they lay in this arbiter's folder. */
import { loadConfiguration } from "../../config/index.ts";
import type { Loaded } from "../../config/index.ts";
import type { ConfigurationVersion } from "../../core/arbiter-io.ts";
import type { Store } from "../../store/contract.ts";
import type { ValidConfiguration } from "../configuration.ts";
import { errorsOf, isIn, isValid } from "../configuration.ts";
import type { ProcessLog } from "../log.ts";

/** Versions that are looked through for the one that this arbiter's files are. */
export const HISTORY = 200;

type Environment = Readonly<Record<string, string | undefined>>;

export function readVersion(
  { files }: ConfigurationVersion,
  directory: string,
  env: Environment,
): Promise<Loaded> {
  return loadConfiguration(directory, { env, contents: files });
}

/** The committed version, where this arbiter's files are merely older; null: they count. */
export async function committedInstead(parts: {
  readonly version: ConfigurationVersion;
  readonly inForce: ValidConfiguration;
  readonly name: string;
  readonly env: Environment;
  readonly store: Pick<Store, "configurations">;
  readonly log: ProcessLog;
}): Promise<ValidConfiguration | null> {
  const { version, inForce, name, env, store, log } = parts;
  const { hash, model, settings } = inForce;
  if (version.hash === hash || settings.configSync === "warn" || model.arbiters.length < 2) return null;
  // Files that were in force once are older, not edited. Edited ones are in force as what they say.
  const versions = await store.configurations(HISTORY);
  if (!versions.some((one) => one.hash === hash)) return null;
  const loaded = await readVersion(version, inForce.directory, env);
  const which = `version ${version.version} of the configuration, which is in force`;
  if (!isValid(loaded) || !isIn(loaded.model, name)) {
    log.error(`This arbiter can't use ${which}: ${errorsOf(loaded)[0] ?? "it is not in it"}`);
    return null;
  }
  log.warn(`This arbiter's files are older than ${which}: it leads with that version, not with its files.`);
  return loaded;
}
