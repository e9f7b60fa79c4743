/**
 * One process of several that use a store at once, started by the contract suite. Prints one line
 * of JSON for each thing that the store has acknowledged, in the moment that it has.
 *
 * Arguments: url, state folder, what to do, name, how often.
 */
import { writeSync } from "node:fs";
import type { Commit } from "../../src/core/arbiter-io.ts";
import { StoreFenced, StoreUnavailable, type Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import { serviceRow, leadershipRecord, published } from "./store-samples.ts";

const [url = "", stateDir = "", task = "", name = "", times = "0"] = process.argv.slice(2);

function say(line: unknown): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/** Takes the lead `count` times, each time with a higher term. */
async function campaign(store: Store, count: number): Promise<void> {
  for (let won = 0; won < count;) {
    const current = await store.leadership();
    const next = leadershipRecord({ term: (current?.term ?? 0) + 1, leader: name, instance: name });
    const result = await store.campaign(current, next);
    if (!result.won) continue;
    won++;
    say({ term: next.term });
  }
}

/** Appends `count` events under the term that leads. */
async function record(store: Store, count: number): Promise<void> {
  const term = (await store.leadership())?.term ?? 0;
  for (let i = 0; i < count; i++) {
    const text = `${name} ${i}`;
    const { events } = await store.commit(commitOf(term, { events: [{ type: "test", atWallMs: i, text }] }));
    say({ seq: events[0]?.seq, text });
  }
}

/** Publishes the same `count` events as every other process that does. */
async function publish(store: Store, count: number): Promise<void> {
  const term = (await store.leadership())?.term ?? 0;
  for (let i = 0; i < count; i++) {
    const { events, repeats } = await store.commit(commitOf(term, { events: [published(`once-${i}`)] }));
    say({ once: i, seq: events[0]?.seq ?? repeats[0]?.seq, isNew: events.length === 1 });
  }
}

/** Moves the service to itself `count` times, each time from the epoch that it has read. */
async function move(store: Store, count: number): Promise<void> {
  const term = (await store.leadership())?.term ?? 0;
  for (let moved = 0; moved < count;) {
    const { rows } = await store.load();
    const epoch = rows[0]?.epoch ?? 0;
    const row = serviceRow({ holder: name, epoch: epoch + 1 });
    try {
      await store.commit(
        commitOf(term, {
          changes: [{ row, expectedEpoch: epoch }],
          events: [{ type: "moved", atWallMs: 0, epoch: epoch + 1, text: name }],
        }),
      );
      moved++;
      say({ epoch: epoch + 1 });
    } catch (error) {
      if (!(error instanceof StoreFenced)) throw error;
    }
  }
}

function commitOf(term: number, rest: Partial<Commit>): Commit {
  return { commitId: 1, term, changes: [], settings: null, configuration: null, events: [], ...rest };
}

const store = await openStore(url, { stateDir, busyTimeoutMs: 20_000, callTimeoutMs: 20_000 });
try {
  const count = Number(times);
  if (task === "campaign") await campaign(store, count);
  else if (task === "record") await record(store, count);
  else if (task === "publish") await publish(store, count);
  else if (task === "move") await move(store, count);
  else throw new Error(`No such task: ${task}`);
} catch (error) {
  say({ failed: String(error), outcome: error instanceof StoreUnavailable ? error.outcome : null });
  process.exitCode = 1;
} finally {
  await store.close();
}
