/**
 * Several arbiters on each store, as `npm run chaos:arbiters` plays them for longer: the store is
 * killed and comes back, the leader is killed, frozen, stopped, asked to hand over, and cut off where
 * there are links to cut, while the service moves. Nobody acts under an old epoch, and no gap is
 * longer than the bound.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isEngineMissing, type EngineName } from "../arbiters/engines.ts";
import { whyNoHosts } from "./hosts-rig.ts";

const PROGRAM = join(import.meta.dirname, "..", "arbiters", "main.ts");

async function play(
  ...words: readonly string[]
): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text: Buffer) => {
      said += text.toString();
    });
  await once(child, "close");
  return { code: child.exitCode, said };
}

const whyNone = whyNoHosts();
if (whyNone !== null) process.stderr.write(`Skipped, three arbiters on hosts: ${whyNone}\n`);

test.skipIf(whyNone !== null || isEngineMissing("etcd"))(
  "three arbiters on etcd, each on a host of its own",
  async () => {
    const { code, said } = await play("--engine", "etcd", "--arbiters", "3", "--rounds", "3", "--hosts");
    expect([code, said]).toEqual([0, expect.stringContaining('"violations":[],"late":0')]);
  },
  120_000,
);

const engines: readonly EngineName[] = ["sqlite", "postgres", "mysql", "zookeeper"];
for (const engine of engines) {
  test.skipIf(isEngineMissing(engine))(
    `two arbiters on ${engine}`,
    async () => {
      const { code, said } = await play("--engine", engine, "--rounds", "1");
      expect([code, said]).toEqual([0, expect.stringContaining('"violations":[],"late":0')]);
    },
    120_000,
  );
}
