/** Daemons that joined the running cluster, put beside those of the files. */
import type { Joined } from "../arbiter/sync/joined.ts";
import type { Loaded } from "../config/index.ts";
import { stateDirOf } from "../config/index.ts";
import type { ClusterModel, JoinedDaemon } from "../core/model.ts";
import { ClearNo } from "./failure.ts";
import type { ConnectionOptions } from "./options.ts";
import { printable, standardError } from "./output.ts";
import { runningArbiters } from "./running.ts";
import { isObject, notAnArbiter } from "./wire.ts";

/** Asks an arbiter of this folder that runs on this machine, or `--url`; without either, nobody. */
export async function withMembers(
  loaded: Loaded & { readonly model: ClusterModel },
  options: ConnectionOptions,
): Promise<Loaded> {
  const url = options.url ?? (await urlsHere(loaded));
  if (url === "") return loaded;
  const { connect } = await import("./connection.ts");
  const { findPlaces } = await import("./places.ts");
  const { withJoined } = await import("../arbiter/sync/joined.ts");
  try {
    const connection = await connect(await findPlaces({ ...options, config: loaded.path, url }));
    const joined = joinedIn(await connection.demand("GET", "/v1/daemons"));
    const { loaded: merged, leftOut } = await withJoined(loaded, joined, process.env);
    for (const { name, why } of leftOut)
      standardError.write(`arbiter: ${printable(name)}, which has joined, is left out: ${printable(why)}\n`);
    return merged;
  } catch (error) {
    if (!(error instanceof ClearNo) || options.url !== undefined) throw error;
    standardError.write(`arbiter: only the files are shown, not who has joined: ${error.message}\n`);
    return loaded;
  }
}

async function urlsHere(loaded: Loaded): Promise<string> {
  try {
    return (await runningArbiters(stateDirOf(loaded))).map((arbiter) => arbiter.url).join(",");
  } catch {
    // Whoever may not look into the state folder sees the files.
    return "";
  }
}

function joinedIn(answer: unknown): Joined {
  if (!isObject(answer) || !Array.isArray(answer["daemons"])) throw notAnArbiter("list of daemons");
  const found: Record<string, JoinedDaemon> = {};
  for (const daemon of answer["daemons"]) {
    if (!isObject(daemon) || !isObject(daemon["joined"])) continue;
    const { keys, by, at } = daemon["joined"];
    if (!isObject(keys)) continue;
    const texts = Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, String(value)]));
    found[String(daemon["name"])] = { keys: texts, by: String(by), atWallMs: Date.parse(String(at)) };
  }
  return found;
}
