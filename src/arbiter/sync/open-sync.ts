/** Everything that keeps configurations the same, put together: comparing, schedule, rolling back. */
import type { ConfigurationVersion } from "../../core/arbiter-io.ts";
import { messageOf } from "../../protocol/errors.ts";
import { nowMs, wallMs } from "../../shell/clock.ts";
import type { Store } from "../../store/contract.ts";
import type { ConfigurationFollower } from "../configuration-follower.ts";
import type { Engine } from "../engine.ts";
import type { ConfigurationApi } from "../http/api.ts";
import type { ProcessLog } from "../log.ts";
import { AutoRollback } from "./auto-rollback.ts";
import { ConfigSync } from "./config-sync.ts";
import { configurationApi } from "./configuration-api.ts";
import { Membership } from "./membership.ts";
import type { PeerManifests } from "./peer-manifests.ts";
import { CronSchedule } from "./schedule.ts";

export interface Sync {
  readonly api: ConfigurationApi;
  readonly membership: Membership;
  /** A version is in force on the leader; `held`: the services that had a holder before it. */
  applied(version: number, held: readonly string[]): void;
  start(): void;
  close(): Promise<void>;
}

export function openSync(parts: {
  readonly path: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly engine: Engine;
  readonly store: Store;
  readonly follower: ConfigurationFollower;
  readonly peers: PeerManifests;
  readonly log: ProcessLog;
  readonly committed: ConfigurationVersion | null;
}): Sync {
  const { engine, follower, log } = parts;
  const api = configurationApi(parts);
  const compare: ConfigSync = new ConfigSync({ ...parts, wallMs, onCompared: () => schedule() });
  const audits = new CronSchedule("config-sync", () => compare.audit(), log);
  const schedule = (): void => audits.set(follower.inForce.settings.configSyncSchedule);
  const membership = new Membership(engine, follower, { nowMs, wallMs });
  const note = (type: string, text: string, evidence: Readonly<Record<string, unknown>>): void => {
    log.warn(text);
    engine.push({
      kind: "noted",
      event: { type, atWallMs: wallMs(), term: engine.state.term, text, evidence },
    });
  };
  const rollback = new AutoRollback({
    state: () => engine.state,
    nowMs,
    isOn: () =>
      follower.inForce.settings.reloadRollback === "auto" &&
      !engine.state.configuration.by.startsWith("rollback to version "),
    rollBack: (service, version) => {
      const why = `version ${version} left ${service} without a holder`;
      note("config.rollback", `The configuration is rolled back by itself: ${why}.`, { service, version });
      api
        .rollBack(null, `itself: ${why}`)
        .then((outcome) => {
          if (outcome?.kind === "applied") return;
          const reason =
            outcome?.kind === "refused" ? outcome.errors.join(" ") : "there is no version to go back to";
          note("config.rollback-failed", `The configuration could not be rolled back: ${reason}`, {
            version,
          });
        })
        .catch((error: unknown) =>
          log.error(`The configuration could not be rolled back: ${messageOf(error)}`),
        );
    },
  });
  return {
    api,
    membership,
    applied: (version, held) => rollback.applied(version, held),
    start: () => {
      compare.start();
      membership.start();
    },
    close: async () => {
      audits.close();
      membership.close();
      rollback.close();
      await compare.close();
    },
  };
}
