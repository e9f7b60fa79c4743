/** One thread, one mutant: patches the sources as they are loaded, then hunts. */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { patched, type Mutant, type Patch, type Verdict } from "./mutant.ts";

const SOURCES = new URL("../../../src/", import.meta.url);

function install(patches: readonly Patch[]): void {
  const texts = new Map<string, string>();
  for (const patch of patches) {
    const url = new URL(patch.file, SOURCES).href;
    texts.set(url, patched(texts.get(url) ?? readFileSync(new URL(url), "utf8"), patch));
  }
  registerHooks({
    load(url, context, next) {
      const text = texts.get(url);
      return text === undefined ? next(url, context) : { ...next(url, context), source: text };
    },
  });
}

async function hunt(mutant: Mutant): Promise<Verdict> {
  const beganAt = performance.now();
  let seedsTried = 0;
  const verdict = (found: Verdict["found"], error: string | null): Verdict => ({
    name: mutant.name,
    found,
    seedsTried,
    ms: performance.now() - beganAt,
    error,
  });
  try {
    install(mutant.patches);
    const { runSeed } = await import("../../../src/simulator/run.ts");
    const { ATTACKS } = await import("./attacks.ts");
    for (let seed = 1; seedsTried < mutant.seeds; seed++) {
      for (const one of mutant.hunts) {
        if ("once" in one && one.once && seed > 1) continue;
        seedsTried += 1;
        const violation =
          "attack" in one
            ? ATTACKS[one.attack](seed)
            : runSeed(seed, one.overrides ?? {}, undefined, { fastForward: false }).violation;
        if (violation !== null) return verdict({ hunt: one.name, seedsNeeded: seedsTried, violation }, null);
      }
    }
    return verdict(null, null);
  } catch (error) {
    return verdict(null, String(error));
  }
}

if (parentPort !== null) {
  const port = parentPort;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this thread's only caller gives it one
  const mutant = workerData as Mutant;
  const verdict = await hunt(mutant);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window's
  port.postMessage(verdict);
}
