/**
 * HAProxy and nginx in front of two daemons. After `kill -9`, SIGSTOP and a switchover the traffic
 * flows to the new holder; no request is answered by the old one after the new one's first, also
 * when the old one wakes up; and what must not be done twice isn't.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ClientsRig, DAEMONS } from "./clients-rig.ts";
import type { DaemonName } from "./clients-rig.ts";
import { until } from "./library-processes.ts";
import { programOf, startProxy } from "./proxies.ts";

interface Answer {
  readonly askedAtMs: number;
  readonly gotAtMs: number;
  readonly name: string;
  readonly epoch: number;
}

/** Users of the proxy: each asks again and again, and one posts numbered changes. */
class Traffic {
  readonly answers: Answer[] = [];
  posted = 0;
  #isOver = false;
  readonly #users: Promise<void>[];

  constructor(url: string) {
    this.#users = [...[1, 2, 3].map(async () => await this.#ask(url)), this.#post(url)];
  }

  async #ask(url: string): Promise<void> {
    while (!this.#isOver) {
      const askedAtMs = performance.now();
      const body = await bodyOf(fetch(`${url}/who`, { signal: AbortSignal.timeout(5000) }));
      if (body !== null) this.answers.push({ askedAtMs, gotAtMs: performance.now(), ...body });
      await sleep(5);
    }
  }

  async #post(url: string): Promise<void> {
    while (!this.#isOver) {
      this.posted += 1;
      const headers = { "x-request": String(this.posted) };
      await bodyOf(fetch(`${url}/count`, { method: "POST", headers, signal: AbortSignal.timeout(5000) }));
      await sleep(10);
    }
  }

  async flowsTo(name: DaemonName): Promise<void> {
    const from = this.answers.length;
    await until(
      `traffic flows to ${name}: ${JSON.stringify(this.answers.at(-1))}`,
      () => this.answers.slice(from).filter((answer) => answer.name === name).length >= 20,
      30_000,
    );
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#users);
  }

  /** Answers of an epoch to requests that were sent after a newer epoch's first answer had come. */
  tooLate(): Answer[] {
    const firstOf = new Map<number, number>();
    for (const { epoch, gotAtMs } of this.answers) {
      firstOf.set(epoch, Math.min(firstOf.get(epoch) ?? Number.POSITIVE_INFINITY, gotAtMs));
    }
    return this.answers.filter(({ epoch, askedAtMs }) =>
      [...firstOf].some(([newer, firstMs]) => newer > epoch && askedAtMs > firstMs),
    );
  }
}

/** null: no answer, or one that isn't a success: a proxy's users see some of those in a failover. */
async function bodyOf(asked: Promise<Response>): Promise<{ name: string; epoch: number } | null> {
  try {
    const response = await asked;
    const text = await response.text();
    const value: unknown = response.ok ? JSON.parse(text) : null;
    if (typeof value !== "object" || value === null || !("name" in value) || !("epoch" in value)) return null;
    return { name: String(value.name), epoch: Number(value.epoch) };
  } catch {
    return null;
  }
}

describe.each(["haproxy", "nginx"] as const)("%s", (kind) => {
  test.skipIf(programOf(kind) === null)(
    "in front of two daemons, over every kind of move",
    async () => {
      await using rig = await ClientsRig.start();
      const [first, second] = DAEMONS;
      const traffic = new Traffic(await startProxy(rig, kind));
      await traffic.flowsTo(first);

      await rig.order("switchover");
      await traffic.flowsTo(second);
      await rig.settled();

      await rig.kill(second);
      await traffic.flowsTo(first);
      rig.startDaemon(second);
      await rig.settled();

      const frozen = rig.process(first);
      frozen.kill("SIGSTOP");
      await traffic.flowsTo(second);
      frozen.kill("SIGCONT");
      await sleep(500);
      await traffic.flowsTo(second);
      await traffic.end();

      expect(traffic.tooLate()).toEqual([]);
      expect(new Set(traffic.answers.map(({ epoch }) => epoch)).size).toBeGreaterThanOrEqual(4);
      const log = DAEMONS.map((name) => rig.output.get(name) ?? "").join("\n");
      const counted = [...log.matchAll(/"counted":"(\d+)"/gu)].map(([, number]) => Number(number));
      expect(counted.length).toBe(new Set(counted).size);
      expect(counted.length).toBeGreaterThan(20);
    },
    90_000,
  );
});
