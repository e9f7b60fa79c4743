/** Configuration: files → model, and everything that may be asked of it. */
export { defaultLaunch, environmentOf } from "./build-launch.ts";
export { loadConfiguration, type Loaded } from "./load.ts";
export { resolveConfigPath, stateDirOf, tlsFilesOf, tokenFileOf, whichArbiter } from "./locate.ts";
export { ownConfigOf } from "./own-keys.ts";
export { planChange } from "./plan.ts";
export { type Problem, renderProblem } from "./problem.ts";
export { showConfiguration } from "./show.ts";
export { watchConfiguration, type Watch } from "./watch.ts";
