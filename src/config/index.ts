/** Configuration: files → model, and everything that may be asked of it. */
export { defaultLaunch, environmentOf } from "./build-launch.ts";
export type { ConfigFile } from "./files.ts";
export { IMPLIED_ARBITER, loadConfiguration, type Loaded, type LoadOptions } from "./load.ts";
export { resolveConfigPath, stateDirOf, tokenFileOf, whichArbiter } from "./locate.ts";
export { isEmptyPlan, planChange, type PlanLine } from "./plan.ts";
export { type Problem, renderProblem, type Severity } from "./problem.ts";
export type { NodeSettings, StoreType } from "./settings.ts";
export { showConfiguration, showProblems, type ShownConfiguration } from "./show.ts";
export { formatDuration, parseDuration } from "./values.ts";
export { watchConfiguration, type Watch, type WatchOptions } from "./watch.ts";
