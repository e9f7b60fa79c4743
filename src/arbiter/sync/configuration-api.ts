/** What the HTTP API says and does of the configuration, made of the follower and the store. */
import { showConfiguration } from "../../config/index.ts";
import type { Store } from "../../store/contract.ts";
import { errorsOf, isValid, readConfiguration } from "../configuration.ts";
import type { ConfigurationFollower } from "../configuration-follower.ts";
import type { Engine } from "../engine.ts";
import type { ConfigurationApi } from "../http/api.ts";
import { HISTORY } from "./committed.ts";
import { rollbackTarget, versionLine } from "./history.ts";

export function configurationApi(parts: {
  readonly path: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly engine: Engine;
  readonly follower: ConfigurationFollower;
  readonly store: Pick<Store, "configurations">;
}): ConfigurationApi {
  const { path, env, engine, follower, store } = parts;
  return {
    manifest: () => follower.manifest(),
    keys: async () => {
      const loaded = await readConfiguration(path, env);
      return {
        name: engine.state.options.name,
        hash: loaded.hash,
        files: loaded.files.map((file) => ({ path: file.path, sha256: file.sha256 })),
        errors: errorsOf(loaded),
        shown: isValid(loaded) ? showConfiguration(loaded) : null,
      };
    },
    history: async (limit) => {
      const versions = await store.configurations(limit);
      const { version } = engine.state.configuration;
      return versions.map((each) => versionLine(each, version));
    },
    rollBack: async (version, by) => {
      const versions = await store.configurations(HISTORY);
      const target = rollbackTarget(versions, engine.state.configuration, version);
      if (target === null) return null;
      return await follower.rollBack(target, `rollback to version ${target.version} by ${by}`);
    },
  };
}
