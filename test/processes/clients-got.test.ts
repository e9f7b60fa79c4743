/**
 * A stream of requests through `cluster.got` to a service that moves, with real arbiters and
 * daemons: planned moves lose none, unplanned ones none that may be repeated, nothing that must not
 * be done twice is, and no answer is older than one before it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { ClientsRig, DAEMONS, SERVICE } from "./clients-rig.ts";
import { until } from "./library-processes.ts";

interface Who {
  readonly name: string;
  readonly pid: number;
  readonly epoch: number;
}

/** Requests one after the other, until it is told to end. */
class Stream {
  readonly answers: Who[] = [];
  readonly failures: unknown[] = [];
  longestMs = 0;
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(ask: () => Promise<Who>) {
    this.#done = this.#run(ask);
  }

  async #run(ask: () => Promise<Who>): Promise<void> {
    while (!this.#isOver) {
      const fromMs = performance.now();
      try {
        this.answers.push(await ask());
      } catch (error) {
        this.failures.push(error);
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - fromMs);
      await sleep(2);
    }
  }

  async answeredBy(name: string): Promise<void> {
    await until(`${name} answers`, () => this.answers.at(-1)?.name === name, 30_000);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
}

const risesOnly = (answers: readonly Who[]): boolean =>
  answers.every(({ epoch }, index) => epoch >= (answers[index - 1]?.epoch ?? 0));

test("requests follow the service over planned and unplanned moves", async () => {
  await using rig = await ClientsRig.start();
  const cluster = rig.connect();
  const client = cluster.got(SERVICE, { deadlineMs: 20_000 });
  const streams = [1, 2, 3].map(() => new Stream(async () => await client.get("who").json<Who>()));
  const all = async (name: string): Promise<void> => {
    for (const stream of streams) await stream.answeredBy(name);
  };
  let sent = 0;
  const counting = new Stream(async () => {
    sent += 1;
    return await client.post("count", { headers: { "x-request": String(sent) } }).json<Who>();
  });
  await all(DAEMONS[0]);

  // Planned: also what may not be repeated arrives, since what was refused was not done.
  await rig.order("switchover");
  await all(DAEMONS[1]);
  await rig.settled();
  await rig.order("failback");
  await all(DAEMONS[0]);
  await counting.answeredBy(DAEMONS[0]);
  await counting.end();
  expect(counting.failures).toEqual([]);
  const counted = DAEMONS.flatMap((name) => [
    ...(rig.output.get(name) ?? "").matchAll(/"counted":"(\d+)"/gu),
  ]);
  expect(counted.map(([, number]) => Number(number)).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: sent }, (_, index) => index + 1),
  );

  // Unplanned: killed, and frozen in the middle of answers.
  await rig.settled();
  await rig.kill(DAEMONS[0]);
  await all(DAEMONS[1]);
  rig.startDaemon(DAEMONS[0]);
  await rig.settled();
  const frozen = rig.process(DAEMONS[1]);
  frozen.kill("SIGSTOP");
  await all(DAEMONS[0]);
  frozen.kill("SIGCONT");
  await sleep(300);
  for (const stream of streams) {
    await stream.end();
    expect(stream.failures).toEqual([]);
    expect(risesOnly(stream.answers)).toBe(true);
  }
}, 90_000);

test("a request under way is finished before a planned move", async () => {
  await using rig = await ClientsRig.start();
  const client = rig.connect().got(SERVICE);
  const slow = client.get("who", { searchParams: { takesMs: 700 } }).json<Who>();
  await sleep(200);
  await rig.order("switchover");
  expect((await slow).name).toBe(DAEMONS[0]);
  expect((await client.get("who").json<Who>()).name).toBe(DAEMONS[1]);
  // Whoever asks the wrong one without the library is told whom to ask.
  const told = { code: "ERR_ARB_NOT_HOLDER", holder: DAEMONS[1], url: rig.urlOf(DAEMONS[1]) };
  await until("the old holder knows the new one", async () => {
    const response = await fetch(`${rig.urlOf(DAEMONS[0])}/who`);
    const body: unknown = await response.json();
    return response.status === 503 && isDeepStrictEqual(body, { ...Object(body), ...told });
  });
}, 60_000);

test("holder and leading arbiter die in one moment, and the client goes on with what is left", async () => {
  await using rig = await ClientsRig.start({ arbiters: 2 });
  const client = rig.connect().got(SERVICE, { deadlineMs: 30_000 });
  const stream = new Stream(async () => await client.get("who").json<Who>());
  await stream.answeredBy(DAEMONS[0]);
  await Promise.all([rig.kill(await rig.leader()), rig.kill(DAEMONS[0])]);
  await stream.answeredBy(DAEMONS[1]);
  await stream.end();
  expect(stream.failures).toEqual([]);
  expect(risesOnly(stream.answers)).toBe(true);
}, 60_000);
