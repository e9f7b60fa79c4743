/**
 * What no supervisor on this machine could beat: a killed child's exit reaches its parent, the news
 * goes to another process over HTTP and back, and one row is written durably. Measured as one chain,
 * and each link of it alone, in the same run as the failovers beside it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { WORKLOAD, workloadEnvironment } from "./workload.ts";

export interface Floor {
  readonly exitMs: number[];
  readonly httpMs: number[];
  /** As the other process measured it. */
  readonly commitMs: number[];
  /** Kill to answer, the commit included. */
  readonly chainMs: number[];
}

export async function measureFloor(rounds: number, folder: string): Promise<Floor> {
  const floor: Floor = { exitMs: [], httpMs: [], commitMs: [], chainMs: [] };
  const peer = spawn(
    process.execPath,
    [join(import.meta.dirname, "floor-peer.ts"), join(folder, "floor.db")],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const agent = new Agent({ keepAlive: true });
  try {
    const port = await portOf(peer);
    const call = async (path: string): Promise<string> => await exchange(agent, port, path);
    // Warm: both ends have compiled what they run, and the connection stands.
    for (let i = 0; i < 50; i += 1) await call(i % 2 === 0 ? "/echo" : "/commit");
    for (let i = 0; i < rounds; i += 1) await measureOnce(floor, call, join(folder, "floor.log"));
  } finally {
    agent.destroy();
    peer.kill("SIGKILL");
    await once(peer, "exit");
  }
  return floor;
}

async function measureOnce(
  floor: Floor,
  call: (path: string) => Promise<string>,
  log: string,
): Promise<void> {
  const child = spawn("perl", [WORKLOAD], {
    env: { ...workloadEnvironment(log), ARBITER_EPOCH: "0", ARBITER_NAME: "floor" },
    stdio: "ignore",
  });
  await sleep(100);
  const exited = once(child, "exit");
  const killedMs = performance.now();
  child.kill("SIGKILL");
  await exited;
  const exitMs = performance.now();
  floor.commitMs.push(Number(await call("/commit")));
  floor.chainMs.push(performance.now() - killedMs);
  floor.exitMs.push(exitMs - killedMs);
  await sleep(20);
  const askedMs = performance.now();
  await call("/echo");
  floor.httpMs.push(performance.now() - askedMs);
}

async function portOf(peer: ChildProcess): Promise<number> {
  if (peer.stdout === null) throw new Error("the peer has no output");
  const said: unknown[] = await once(peer.stdout, "data");
  return Number(String(said[0]));
}

async function exchange(agent: Agent, port: number, path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const sent = request({ agent, host: "127.0.0.1", port, path, method: "POST" }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.once("end", () => resolve(text));
    });
    sent.once("error", reject);
    sent.end("x".repeat(600));
  });
}
