/** For `node --import`: a program's `import "arbiter-ha"` gets the sources, so that a test needs no build. */
import { registerHooks } from "node:module";

const source = new URL("../../src/index.ts", import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "arbiter-ha" ? { url: source, shortCircuit: true } : next(specifier, context),
});
