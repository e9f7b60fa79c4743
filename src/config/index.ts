/** Configuration: files → model, and everything that may be asked of it. */
export { defaultLaunch, environmentOf } from "./build-launch.ts";
export { IMPLIED_ARBITER, loadConfiguration, type Loaded } from "./load.ts";
export { resolveConfigPath, stateDirOf, tlsFilesOf, tokenFileOf, whichArbiter } from "./locate.ts";
export { isEmptyPlan, planChange, type PlanLine } from "./plan.ts";
export { type Problem, renderProblem } from "./problem.ts";
export { showConfiguration, showProblems, type ShownConfiguration } from "./show.ts";
export { watchConfiguration, type Watch } from "./watch.ts";
