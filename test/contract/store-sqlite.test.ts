import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storeContract } from "./store-contract.ts";

storeContract("sqlite", async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "arbiter-store-"));
  return {
    url: "sqlite:var/arbiter.db",
    stateDir,
    remove: () => rm(stateDir, { recursive: true, force: true }),
  };
});
