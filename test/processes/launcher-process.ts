/**
 * A launcher in a process of its own, so that a test may kill or stop it: takes orders on standard
 * input (`activate EPOCH LEASE_MS`, `renew EPOCH LEASE_MS`, `demote EPOCH`), and says on standard output
 * what happens, one JSON object a line. The program's own output is on the same descriptor.
 */
import { createInterface } from "node:readline";
import { openLauncher } from "../../src/launcher/launcher.ts";
import { nowMs } from "../../src/shell/clock.ts";
import { launcherOptions, parseObject } from "./launcher-workshop.ts";

const [folder = "", optionsText = "{}", ...command] = process.argv.slice(2);

function say(what: string, more: object = {}): void {
  process.stdout.write(`@${JSON.stringify({ what, ...more })}\n`);
}

const launcher = await openLauncher({
  ...launcherOptions(folder, command, parseObject(optionsText)),
  log: (level, text) => say(level, { text }),
});
await launcher.prepare({
  exited: (_service, epoch, reason) => say("exited", { epoch, reason, fenced: reason }),
  restarting: (_service, epoch, reason) => say("restarting", { epoch, reason }),
  restarted: (_service, epoch) => say("restarted", { epoch }),
  health: (healthy, _ready, reason) => say("health", { healthy, reason }),
  log: (level, text) => say(level, { text }),
});
say("ready");

const renew = (epoch: number, leaseMs: number): number => {
  const leaseEndMs = nowMs() + leaseMs;
  launcher.leaseSet("s", epoch, leaseEndMs, leaseEndMs);
  return leaseEndMs;
};

for await (const line of createInterface({ input: process.stdin })) {
  const [order, epoch, leaseMs] = line.split(" ");
  if (order === "renew") renew(Number(epoch), Number(leaseMs));
  if (order === "activate") {
    const beganAt = performance.now();
    const leaseEndMs = renew(Number(epoch), Number(leaseMs));
    try {
      await launcher.activate({ service: "s", epoch: Number(epoch), config: {}, leaseEndMs, arbiters: [] });
      say("active", { group: launcher.groupOf("s"), tookMs: performance.now() - beganAt });
    } catch (error) {
      say("failed", { reason: String(error) });
    }
  }
  if (order === "demote") {
    await launcher.demote("s", Number(epoch), "test", nowMs() + 60_000);
    say("demoted");
  }
}
await launcher.close();
say("closed", { rss: process.memoryUsage.rss() });
