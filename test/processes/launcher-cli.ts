/** The program `arbiter` from its sources: what bin/arbiter.js starts once it is built. */
import { main } from "../../src/cli/main.ts";

await main(process.argv.slice(2));
