/** The program from its sources, as a process of its own: what `bin/arbiter.js` is for the built one. */
import { main } from "../../../src/cli/main.ts";

await main(process.argv.slice(2));
