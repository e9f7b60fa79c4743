/** ZooKeeper: the contract against a real server, an ensemble that loses members, and what can be wrong. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { StoreUnavailable, type Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import { unsuitable } from "../../src/store/zookeeper-version.ts";
import { loadLibrary } from "../../src/store/zookeeper-connection.ts";
import {
  askZookeeper,
  isZookeeperMissing,
  newSecureZookeeper,
  newZookeeper,
  newZookeeperMember,
} from "./server-zookeeper.ts";
import { commit, event, leadershipRecord, serviceRow } from "./store-samples.ts";
import { newPrefix, patiently, serverContract, troubleOf } from "./store-server-contract.ts";
import { freePort, type Certificates, type StoreServer } from "./store-server.ts";

function open(url: string): Promise<Store> {
  return openStore(url, { stateDir: "/nonexistent" });
}

describe.skipIf(isZookeeperMissing())("zookeeper", () => {
  serverContract({ name: "zookeeper", newServer: newZookeeper, insideTransaction: null });

  describe("an ensemble of three", () => {
    let members: StoreServer[];
    let store: Store;
    beforeAll(async () => {
      const lines: string[] = [];
      for (const id of [1, 2, 3])
        lines.push(`server.${id}=127.0.0.1:${await freePort()}:${await freePort()}`);
      members = await Promise.all([1, 2, 3].map((id) => newZookeeperMember({ ensemble: { lines, id } })));
      await Promise.all(members.map((member) => member.start()));
    }, 60_000);
    afterAll(async () => {
      for (const member of members) await member.remove();
    }, 60_000);
    afterEach(() => store.close());

    const openAll = async (): Promise<void> => {
      const hosts = members.map(({ port }) => `127.0.0.1:${port}`).join(",");
      store = await open(`zookeeper://${hosts}/some/path?prefix=${newPrefix()}`);
      await store.campaign(null, leadershipRecord());
    };

    test("followers and then the leader killed: what was acknowledged is there, once; it goes on by itself", async () => {
      for (const mode of ["follower", "leader"]) {
        await openAll();
        const modes = await Promise.all(members.map(({ port }) => askZookeeper(port, "srvr")));
        const lost = members.find((_, index) => modes[index]?.includes(`Mode: ${mode}`));
        const sent: string[] = [];
        const over = new AbortController();
        /** As a leader does it: a new term before anything else, and then a look at what is there. */
        const newTerm = async (): Promise<{ readonly term: number; readonly last: string }> => {
          const current = await store.leadership();
          const next = leadershipRecord({ term: (current?.term ?? 0) + 1 });
          const { won } = await store.campaign(current, next);
          if (!won) return newTerm();
          return { term: next.term, last: (await store.events(0, 10_000)).at(-1)?.text ?? "" };
        };
        const writing = (async (): Promise<void> => {
          for (let term = 1; !over.signal.aborted;) {
            const text = `event ${sent.length + 1}`;
            try {
              await store.commit(commit({ term, events: [event(text)] }));
              sent.push(text);
            } catch (error) {
              if (!(error instanceof StoreUnavailable)) throw error;
              const found = await patiently(newTerm);
              ({ term } = found);
              if (found.last === text) sent.push(text);
            }
          }
        })();
        await new Promise((resolve) => setTimeout(resolve, 200));
        const before = sent.length;
        await lost?.kill();
        while (sent.length < before + 5) await new Promise((resolve) => setTimeout(resolve, 20));
        over.abort();
        await writing;
        expect((await store.events(0, 10_000)).map(({ text }) => text)).toEqual(sent);
        expect(before).toBeGreaterThan(0);
        await store.close();
        await lost?.start();
      }
    });

    test("a member frozen: another one is asked", async () => {
      for (const member of members) {
        await openAll();
        member.freeze();
        // The others need a moment where it was the one that led them.
        const records = await Promise.all([1, 2].map(() => patiently(() => store.leadership())));
        member.thaw();
        expect(records).toEqual([leadershipRecord(), leadershipRecord()]);
        await store.close();
      }
    });
  });

  describe("what can be wrong with ZooKeeper", () => {
    let server: StoreServer;
    let secure: StoreServer & { readonly certificates: Certificates };
    beforeAll(async () => {
      server = await newZookeeper();
      secure = await newSecureZookeeper();
    }, 60_000);
    afterAll(async () => {
      await server.remove();
      await secure.remove();
    });

    test("users: who made the nodes may use them, nobody else may", async () => {
      const prefix = newPrefix();
      const at = (who: string): string => `zookeeper://${who}127.0.0.1:${server.port}/team?prefix=${prefix}`;
      const anna = at(`anna:${encodeURIComponent("it's a sécret")}@`);
      const store = await open(anna);
      await store.campaign(null, leadershipRecord());
      await store.commit(
        commit({ events: [event("x")], changes: [{ row: serviceRow(), expectedEpoch: 0 }] }),
      );
      await store.close();
      const again = await open(anna);
      expect((await again.load()).lastEvent).toBe(1);
      await again.close();
      for (const who of ["", "anna:wrong-secret@", "ben:b@"]) {
        const trouble = await troubleOf(open(at(who)));
        expect(trouble.message).toMatch(/does not let .* use the node \/team\//u);
        expect([trouble.outcome, trouble.message]).toEqual([
          "refused",
          expect.not.stringContaining("wrong-secret"),
        ]);
      }
    });

    test("TLS: with the right authority it works, otherwise it is refused", async () => {
      const { ca, otherCa } = secure.certificates;
      const store = await open(`${secure.url(newPrefix())}&tls_ca=${ca}`);
      await store.campaign(null, leadershipRecord());
      expect(await store.leadership()).toEqual(leadershipRecord());
      await store.close();
      const other = await troubleOf(open(`${secure.url(newPrefix())}&tls_ca=${otherCa}`));
      expect(other.message).toMatch(/can't be reached safely.*tls_ca/u);
      const name = await troubleOf(open(`${secure.url(newPrefix())}&tls_ca=${ca}&tls_name=another.example`));
      expect(name.message).toMatch(/can't be reached safely.*tls_name/u);
    });

    test("an older ZooKeeper, and a server that is none at all", async () => {
      expect(unsuitable("Zookeeper version: 3.4.13-2d71af4dbe, built")).toMatch(
        /runs ZooKeeper 3\.4\.13.*needs 3\.6/u,
      );
      expect(unsuitable("Zookeeper version: 3.8.0-x, built")).toBeNull();
      expect(unsuitable("srvr is not executed because it is not in the whitelist.")).toBeNull();
      for (const garbage of [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\0\0\0\u0005hello",
        "\0\0\0\u0028".padEnd(44, "x"),
      ]) {
        const other = createServer((socket) => {
          socket.on("error", () => {});
          socket.on("data", () => socket.write(garbage, "latin1"));
        });
        other.listen(0, "127.0.0.1");
        await once(other, "listening");
        const address = other.address();
        const port = typeof address === "object" && address !== null ? address.port : 0;
        const trouble = await troubleOf(
          openStore(`zookeeper://127.0.0.1:${port}`, { stateDir: "/nonexistent", callTimeoutMs: 900 }),
        );
        expect(trouble.message).toMatch(/does not answer|broke the connection/u);
        other.close();
      }
    });
  });

  describe("what stands in ZooKeeper", () => {
    let server: StoreServer;
    beforeAll(async () => {
      server = await newZookeeper();
    }, 60_000);
    afterAll(() => server.remove());

    /** Sets nodes, or removes one with all that is below it. */
    const edit = async (path: string, value: string | null): Promise<void> => {
      const library = await loadLibrary();
      const client = library.createClient(`127.0.0.1:${server.port}`);
      client.connect();
      await once(client, "connected");
      const remove = async (at: string): Promise<void> => {
        const children = await new Promise<string[]>((resolve) => {
          client.getChildren(at, (_, names) => resolve(names));
        });
        for (const child of children) await remove(`${at}/${child}`);
        await new Promise((resolve) => {
          client.remove(at, resolve);
        });
      };
      if (value === null) await remove(path);
      else {
        await new Promise((resolve) => {
          client.mkdirp(path, () => client.setData(path, Buffer.from(value), resolve));
        });
      }
      client.close();
    };

    test("another program's nodes and a newer version's are left as they are", async () => {
      const other = newPrefix();
      await edit(`/${other}/customers`, "1");
      expect((await troubleOf(open(server.url(other)))).message).toMatch(/did not make.*"prefix"/u);
      const prefix = newPrefix();
      await (await open(server.url(prefix))).close();
      await edit(`/${prefix}/schema`, '{"application":"arbiter","schema":99}');
      expect((await troubleOf(open(server.url(prefix)))).message).toMatch(/newer version.*schema 99/u);
    });

    test("nodes that vanish are not begun anew", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      await edit(`/${prefix}`, null);
      const lost = await troubleOf(store.commit(commit({ events: [event("x")] })));
      expect([lost.outcome, lost.message]).toEqual(["refused", expect.stringContaining("lost its contents")]);
      expect((await troubleOf(store.leadership())).message).toContain("lost its contents");
      await store.close();
    });

    test("damaged contents are named", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      await store.commit(commit({ events: [event("x")] }));
      await edit(`/${prefix}/events/0000000000000/0000000000000001`, '{"type":');
      expect((await troubleOf(store.events(0, 1))).message).toMatch(/damaged contents.*event 1/u);
      await edit(`/${prefix}/leadership`, "[]");
      const trouble = await troubleOf(store.commit(commit({ events: [event("y")] })));
      expect([trouble.outcome, trouble.message]).toEqual([
        "refused",
        expect.stringContaining("the leadership record"),
      ]);
      await store.close();
    });

    test("two thousand events: the log is read across its folders, trimmed, and emptied folders go", async () => {
      const store = await open(server.url(newPrefix()));
      await store.campaign(null, leadershipRecord());
      for (let i = 0; i < 8; i++) {
        await Promise.all(
          Array.from({ length: 50 }, () =>
            store.commit(commit({ events: Array.from({ length: 5 }, () => event("e")) })),
          ),
        );
      }
      await store.commit(commit({ events: [event("last")] }));
      const seqs = (await store.events(900, 300)).map(({ seq }) => seq);
      expect(seqs).toEqual(Array.from({ length: 300 }, (_, index) => 901 + index));
      expect(await store.trim(2_000)).toBe(2_000);
      expect((await store.events(0, 10)).map(({ text }) => text)).toEqual(["last"]);
      expect((await store.commit(commit({ events: [event("next")] }))).events[0]?.seq).toBe(2_002);
      await store.close();
    });

    test("a commit too large for the server is refused; the one sent with it is whole", async () => {
      const store = await open(server.url(newPrefix()));
      await store.campaign(null, leadershipRecord());
      // No compression makes this fit.
      const noise = Array.from({ length: 3 }, () => event(randomBytes(450_000).toString("base64")));
      const results = await Promise.allSettled([
        store.commit(commit({ events: noise })),
        store.commit(commit({ events: [event("small")] })),
      ]);
      expect(results[0]).toMatchObject({ status: "rejected", reason: { outcome: "refused" } });
      expect(String(results[0]?.status === "rejected" && results[0].reason)).toContain("jute.maxbuffer");
      expect(results[1]).toMatchObject({ status: "fulfilled", value: { events: [{ seq: 1 }] } });
      await store.close();
    });
  });
});
