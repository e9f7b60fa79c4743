/**
 * What every engine on a server must stand: a server that dies, freezes or is out of reach, at any
 * point of a call; and that each answer says truly whether the call was carried out.
 */
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { StoreFenced, StoreUnavailable, type Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import { startProcess, storeContract, type Running } from "./store-contract.ts";
import { StoreProxy } from "./store-proxy.ts";
import { commit, event, leadershipRecord, serviceRow } from "./store-samples.ts";
import type { StoreServer } from "./store-server.ts";

export interface ServerSuite {
  readonly name: string;
  newServer(): Promise<StoreServer>;
  /** What a client sends inside a transaction that holds locks; null: the engine has no such thing. */
  readonly insideTransaction: RegExp | null;
}

const SHORT = { stateDir: "/nonexistent", busyTimeoutMs: 500, callTimeoutMs: 1_000 };

let prefixes = 0;
/** A store of its own on the shared server. */
export function newPrefix(): string {
  prefixes++;
  return `t${prefixes}`;
}

export async function troubleOf(promise: Promise<unknown>): Promise<StoreUnavailable> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof StoreUnavailable) return error;
  throw new Error(`Expected StoreUnavailable, got ${String(error)}`, { cause: error });
}

/** The server may be on its way back: tried until it answers. */
export async function patiently<T>(run: () => Promise<T>): Promise<T> {
  const until = Date.now() + 15_000;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function textsOf(store: Store): Promise<string[]> {
  const events = await store.events(0, 10_000);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  return events.map(({ text }) => text);
}

/** Done: there, once. Refused: not there. Unknown: at most once. Anything else is a lie. */
function liesOf(outcomes: ReadonlyMap<string, string>, kept: readonly string[]): string[] {
  return [...outcomes].flatMap(([text, outcome]) => {
    const times = kept.filter((other) => other === text).length;
    const isTrue =
      (outcome === "done" && times === 1) ||
      (outcome === "refused" && times === 0) ||
      (outcome === "unknown" && times <= 1);
    return isTrue ? [] : [`${text}: ${outcome}, and ${times} times there`];
  });
}

export function serverContract(suite: ServerSuite): void {
  let server: StoreServer;
  const opened: Store[] = [];
  const proxies: StoreProxy[] = [];
  const processes: Running[] = [];

  beforeAll(async () => {
    server = await suite.newServer();
  }, 60_000);
  afterAll(() => server.remove(), 60_000);
  afterEach(async () => {
    for (const running of processes.splice(0)) {
      running.process.kill("SIGKILL");
      await running.ended;
    }
    for (const store of opened.splice(0)) await store.close();
    for (const proxy of proxies.splice(0)) await proxy.close();
  });

  const open = async (url: string, options: Parameters<typeof openStore>[1] = SHORT): Promise<Store> => {
    const store = await openStore(url, options);
    opened.push(store);
    return store;
  };
  /** A store that is led, with one service. */
  const led = async (url: string): Promise<Store> => {
    const store = await open(url);
    await store.campaign(null, leadershipRecord());
    await store.commit(commit({ changes: [{ row: serviceRow(), expectedEpoch: 0 }] }));
    return store;
  };
  const newProxy = async (): Promise<StoreProxy> => {
    const proxy = new StoreProxy(server.port);
    await proxy.start();
    proxies.push(proxy);
    return proxy;
  };

  storeContract(suite.name, () => {
    const url = server.url(newPrefix());
    return Promise.resolve({ url, stateDir: "/nonexistent", remove: () => Promise.resolve() });
  });

  describe(`a server in trouble: ${suite.name}`, () => {
    test("kill -9 in the middle of commits: each answer is true, and the store goes on by itself", async () => {
      const prefix = newPrefix();
      const store = await led(server.url(prefix));
      const outcomes = new Map<string, string>();
      for (let round = 1; round <= 2; round++) {
        const over = new AbortController();
        const writing = Array.from({ length: 4 }, async (_, writer) => {
          for (let i = 0; !over.signal.aborted; i++) {
            const text = `${round} ${writer} ${i}`;
            await store.commit(commit({ events: [event(text)] })).then(
              () => outcomes.set(text, "done"),
              (error: unknown) => {
                over.abort();
                outcomes.set(text, error instanceof StoreUnavailable ? error.outcome : String(error));
              },
            );
          }
        });
        await new Promise((resolve) => setTimeout(resolve, 150));
        await server.kill();
        await Promise.all(writing);
        await server.start();
        await patiently(() => store.leadership());
        // Whatever may still be on its way is fenced by a new term, as a leader does it.
        await patiently(async () => {
          const current = await store.leadership();
          await store.campaign(current, leadershipRecord({ beat: (current?.beat ?? 0) + 1 }));
        });
      }
      expect([...outcomes.values()].filter((outcome) => outcome === "done").length).toBeGreaterThan(10);
      expect(liesOf(outcomes, await textsOf(store))).toEqual([]);
    });

    test("a frozen server: no answer is waited for longer than the time-out; refused stays refused", async () => {
      const prefix = newPrefix();
      const store = await led(server.url(prefix));
      server.freeze();
      const began = performance.now();
      const [read, first, second] = await Promise.all([
        troubleOf(store.leadership()),
        troubleOf(store.commit(commit({ events: [event("first")] }))),
        // Comes while the first is on its way, and so never leaves this process in time.
        Promise.resolve().then(() =>
          new Promise((resolve) => setTimeout(resolve, 100)).then(() =>
            troubleOf(store.commit(commit({ events: [event("second")] }))),
          ),
        ),
      ]);
      expect(performance.now() - began).toBeLessThan(SHORT.callTimeoutMs + 1_500);
      expect([read.outcome, read.message]).toEqual([
        "refused",
        expect.stringContaining("did not answer within"),
      ]);
      server.thaw();
      await patiently(() => store.load());
      // A new term: nothing of the old one can be written any more, however late it arrives.
      await patiently(async () => {
        const current = await store.leadership();
        await store.campaign(current, leadershipRecord({ term: (current?.term ?? 0) + 1 }));
      });
      const before = await textsOf(store);
      await store.commit(commit({ term: (await store.leadership())?.term ?? 0, events: [event("after")] }));
      const after = await textsOf(store);
      expect(after).toEqual([...before, "after"]);
      const outcomes = new Map([
        ["first", first.outcome],
        ["second", second.outcome],
      ]);
      expect(liesOf(outcomes, after)).toEqual([]);
    });

    test("a connection cut at every point of a commit: refused isn't there, done is, unknown may be", async () => {
      const proxy = await newProxy();
      const prefix = newPrefix();
      const direct = await led(server.url(prefix));
      const seen = new Map<string, string>();
      for (const lost of ["request", "answer"] as const) {
        for (let piece = 1; ; piece++) {
          const store = await openStore(server.url(prefix, proxy.port), SHORT);
          await store.leadership();
          const text = `${lost} ${piece}`;
          proxy.cutAt({ piece, lost });
          const outcome = await store.commit(commit({ events: [event(text)] })).then(
            () => "done",
            (error: unknown) => (error instanceof StoreUnavailable ? error.outcome : String(error)),
          );
          const wasCut = proxy.pieces >= piece;
          proxy.cutAt(null);
          await store.close();
          seen.set(text, outcome);
          if (!wasCut) break;
        }
      }
      // A late write is fenced, as a leader does it before it trusts what it reads.
      const current = await direct.leadership();
      await direct.campaign(current, leadershipRecord({ term: 2 }));
      const kept = await textsOf(direct);
      const count = (wanted: string): number => [...seen.values()].filter((one) => one === wanted).length;
      expect(liesOf(seen, kept)).toEqual([]);
      // Each loop ends with one that was not cut; a lost answer to the decisive request can't be known.
      expect(count("done")).toBeGreaterThanOrEqual(2);
      expect(count("unknown")).toBeGreaterThanOrEqual(1);
    });

    test("a connection that broke while it was idle is replaced, and nobody notices", async () => {
      const proxy = await newProxy();
      const store = await led(server.url(newPrefix(), proxy.port));
      for (let round = 1; round <= 3; round++) {
        // The next thing said is lost, together with the connection; after that all is well again.
        proxy.cutAt({ piece: 1, lost: "request" });
        await troubleOf(store.leadership());
        proxy.cutAt(null);
        expect(await store.leadership()).toMatchObject({ term: 1 });
        expect((await store.commit(commit({ events: [event(`round ${round}`)] }))).events[0]?.seq).toBe(
          round,
        );
      }
    });

    test.runIf(suite.insideTransaction !== null)(
      "a process frozen inside a transaction does not keep the others out",
      async () => {
        const proxy = await newProxy();
        const prefix = newPrefix();
        await led(server.url(prefix));
        // It has to outwait the frozen one.
        const store = await open(server.url(prefix), { ...SHORT, callTimeoutMs: 10_000 });
        const place = {
          url: server.url(prefix, proxy.port),
          stateDir: "/nonexistent",
          remove: () => Promise.resolve(),
        };
        const running = startProcess(place, "move", "frozen", 1_000_000);
        processes.push(running);
        while (running.lines.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
        await new Promise<void>((resolve) => {
          proxy.onPiece((piece) => {
            if (suite.insideTransaction?.test(piece.toString("latin1")) !== true) return;
            running.process.kill("SIGSTOP");
            proxy.onPiece(null);
            resolve();
          });
        });
        await store.commit(commit({ events: [event("not kept out")] }));
        const { rows } = await store.load();
        const epoch = rows[0]?.epoch ?? 0;
        const row = serviceRow({ holder: "other", epoch: epoch + 1 });
        await store.commit(commit({ changes: [{ row, expectedEpoch: epoch }] }));
        const acknowledged = running.lines.length;
        running.process.kill("SIGCONT");
        // What it had begun is refused or fenced; then it reads again and goes on from there.
        while (running.lines.length < acknowledged + 3)
          await new Promise((resolve) => setTimeout(resolve, 5));
        running.process.kill("SIGKILL");
        await running.ended;
        const told = running.lines.map((line) => Number(line["epoch"]));
        expect(new Set(told).size).toBe(told.length);
        expect(told).not.toContain(epoch + 1);
      },
    );

    test("a late write of an old term is refused, whoever sends it", async () => {
      const prefix = newPrefix();
      const old = await led(server.url(prefix));
      const other = await open(server.url(prefix));
      await other.campaign(
        await other.leadership(),
        leadershipRecord({ term: 2, leader: "arbiter-2", instance: "two" }),
      );
      await expect(old.commit(commit({ events: [event("late")] }))).rejects.toThrow(StoreFenced);
      expect(await textsOf(other)).toEqual([]);
    });

    test("what another process commits is told to who watches, also after the server was away", async () => {
      const prefix = newPrefix();
      const store = await led(server.url(prefix));
      const other = await open(server.url(prefix));
      const told: number[] = [];
      const end = store.watch(() => told.push(performance.now()));
      let term = 1;
      const hear = async (): Promise<void> => {
        const before = told.length;
        const until = Date.now() + 10_000;
        while (told.length === before) {
          if (Date.now() > until) throw new Error("The watcher was not told.");
          term++;
          await patiently(async () => other.campaign(await other.leadership(), leadershipRecord({ term })));
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      };
      await hear();
      await server.kill();
      await server.start();
      await hear();
      end();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = told.length;
      await patiently(async () =>
        other.campaign(await other.leadership(), leadershipRecord({ term: term + 1 })),
      );
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(told).toHaveLength(before);
    });

    test("a server that isn't there: one sentence that says where and what to do, at once and later", async () => {
      const prefix = newPrefix();
      const store = await led(server.url(prefix));
      await server.kill();
      const missing = await troubleOf(open(server.url(prefix)));
      expect(missing.message).toMatch(/can't be reached: nothing listens there\. Start the server/u);
      expect(missing.message).toContain(String(server.port));
      expect(missing.message).not.toContain("secret");
      expect(missing.outcome).toBe("refused");
      const later = await troubleOf(store.commit(commit({ events: [event("x")] })));
      expect(later.outcome).toBe("refused");
      await server.start();
      expect((await patiently(() => store.commit(commit({ events: [event("y")] })))).events[0]?.seq).toBe(1);
    });

    test("a large commit, and a large configuration, are taken whole", async () => {
      const store = await open(server.url(newPrefix()), { stateDir: "/nonexistent" });
      await store.campaign(null, leadershipRecord());
      const rows = Array.from({ length: 1_000 }, (_, index) => serviceRow({ service: `service-${index}` }));
      // No compression makes it small.
      const files = Object.fromEntries(
        Array.from({ length: 400 }, (_, index) => [
          `daemons/${index}.cfg`,
          `${randomBytes(12_000).toString("base64")}\n`,
        ]),
      );
      const large = { version: 1, hash: "h", atWallMs: 1, by: "anna", files };
      await store.commit(
        commit({
          changes: rows.map((row) => ({ row, expectedEpoch: 0 })),
          configuration: large,
          events: Array.from({ length: 300 }, (_, index) => event(`event ${index}`)),
        }),
      );
      const contents = await store.load();
      expect(contents.rows).toHaveLength(1_000);
      expect(new Set(contents.rows.map(({ service }) => service)).size).toBe(1_000);
      expect(contents.configuration).toEqual(large);
      expect(contents.lastEvent).toBe(300);
      expect((await store.events(250, 100)).map(({ text }) => text)).toEqual(
        Array.from({ length: 50 }, (_, index) => `event ${index + 250}`),
      );
    });
  });
}
