/** For `node --import`: a program's `import "arbiter-ha"` (and its client) gets the sources, so that a test needs no build. */
import { registerHooks } from "node:module";

const SOURCES: Readonly<Record<string, string>> = {
  "arbiter-ha": new URL("../../src/index.ts", import.meta.url).href,
  "arbiter-ha/client": new URL("../../src/client.ts", import.meta.url).href,
};
registerHooks({
  resolve: (specifier, context, next) => {
    const url = SOURCES[specifier];
    return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
  },
});
