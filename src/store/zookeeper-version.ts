/**
 * Which ZooKeeper it is. The protocol doesn't tell; the four-letter word `srvr` does, unless it was
 * switched off: then nothing is objected to.
 */
import { connect } from "node:net";
import type { Endpoint } from "./location.ts";

const OLDEST = [3, 6] as const;

/** Why this server can't keep a store; null: it can, or it doesn't tell. */
export function unsuitable(said: string): string | null {
  const version = /^Zookeeper version: (?<major>\d+)\.(?<minor>\d+)[\w.]*/u.exec(said);
  if (version === null) return null;
  const [major, minor] = [Number(version.groups?.["major"]), Number(version.groups?.["minor"])];
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return null;
  return `runs ZooKeeper ${version[0].slice("Zookeeper version: ".length)}, and Arbiter needs 3.6 or later. Upgrade ZooKeeper.`;
}

/** What `srvr` answers; empty: nothing of use. */
export function askServer(endpoint: Endpoint, timeoutMs: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect(endpoint.host.startsWith("/") ? { path: endpoint.host } : { ...endpoint });
    const end = (): void => {
      socket.destroy();
    };
    signal.addEventListener("abort", end, { once: true });
    socket.setTimeout(timeoutMs, end);
    socket.on("connect", () => socket.write("srvr"));
    socket.on("data", (data) => {
      said += data.toString("latin1");
    });
    socket.on("error", end);
    socket.on("close", () => {
      signal.removeEventListener("abort", end);
      resolve(said);
    });
  });
}
