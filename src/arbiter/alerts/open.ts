/** Puts the alerts together with the rest of the process. */
import type { ConfigurationFollower } from "../configuration-follower.ts";
import type { Engine } from "../engine.ts";
import type { ProcessLog } from "../log.ts";
import type { Shutdown } from "../shutdown.ts";
import type { Store } from "../../store/contract.ts";
import { Alerts } from "./alerts.ts";

export function openAlerts(
  parts: {
    readonly store: Store;
    readonly log: ProcessLog;
    readonly engine: Engine;
    readonly follower: ConfigurationFollower;
    /** The arbiter's. */
    readonly name: string;
  },
  shutdown: Shutdown,
): Alerts {
  const { store, log, engine, follower, name } = parts;
  const alerts = new Alerts({
    store,
    log,
    feed: engine.feed,
    term: () => (engine.state.leadership.mode === "leading" ? engine.state.term : null),
    settings: () => follower.inForce.settings.alerts,
    sender: () => ({
      clusterId: engine.state.leadership.record?.clusterId ?? "",
      cluster: engine.state.model.name,
      arbiter: name,
    }),
    onSent: (target) => engine.metrics.alertSent(target),
    onFailed: (target) => engine.metrics.alertFailed(target),
  });
  engine.undeliveredAlerts = () => alerts.undelivered;
  shutdown.add("the alerts", () => alerts.close());
  return alerts;
}
