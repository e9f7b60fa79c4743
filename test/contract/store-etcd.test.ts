/** etcd: the contract against a real server, a cluster that loses members, and what can be wrong. */
import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import { EtcdServer, unsuitable } from "../../src/store/etcd.ts";
import { KeyValueEngine } from "../../src/store/key-value.ts";
import { readLocation } from "../../src/store/location.ts";
import { openStore } from "../../src/store/open.ts";
import { openRemoteStore } from "../../src/store/remote.ts";
import { isEtcdMissing, newEtcd, newEtcdMembers, newSecureEtcd, type EtcdMember } from "./server-etcd.ts";
import { commit, configuration, event, leadershipRecord, serviceRow } from "./store-samples.ts";
import { newPrefix, serverContract, troubleOf } from "./store-server-contract.ts";
import type { Certificates } from "./store-server.ts";

function open(url: string): Promise<Store> {
  return openStore(url, { stateDir: "/nonexistent" });
}

async function ask(base: string, path: string, body: unknown, token = ""): Promise<Record<string, unknown>> {
  const headers = token === "" ? {} : { authorization: token };
  const answer = await fetch(base + path, { method: "POST", body: JSON.stringify(body), headers });
  const json: unknown = await answer.json();
  return typeof json === "object" && json !== null ? { ...json } : {};
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe.skipIf(isEtcdMissing())("etcd", () => {
  serverContract({ name: "etcd", newServer: newEtcd, insideTransaction: null });

  describe("compaction", () => {
    let server: EtcdMember;
    beforeAll(async () => {
      server = await newEtcd();
    }, 60_000);
    afterAll(() => server.remove());

    const form = { defaultPort: 2379, severalHosts: true, example: "" };
    /** The revisions that etcd still has, of those at which the leadership was written. */
    const kept = async (prefix: string, revisions: readonly string[]): Promise<number> => {
      let count = 0;
      for (const revision of revisions) {
        const key = base64(`${prefix}/leadership`);
        const answer = await ask(server.base, "/v3/kv/range", { key, revision });
        if (answer["error"] === undefined) count += 1;
      }
      return count;
    };
    const beat = async (prefix: string, times: number): Promise<string[]> => {
      const url = server.url(prefix);
      const engine = new KeyValueEngine(new EtcdServer(readLocation(url, form, "/"), 5_000, 10));
      const store = await openRemoteStore(engine, { description: url, callTimeoutMs: 5_000 });
      const revisions: string[] = [];
      let record = await store.leadership();
      for (let beats = 0; beats < times; beats++) {
        ({ record } = await store.campaign(record, leadershipRecord({ beat: (record?.beat ?? 0) + 1 })));
        const { header } = await ask(server.base, "/v3/kv/range", { key: base64("none") });
        if (typeof header === "object" && header !== null && "revision" in header)
          revisions.push(String(header.revision));
      }
      await store.close();
      return revisions;
    };

    test("where nothing else stands in etcd, what is long past goes and what is recent stays", async () => {
      const revisions = await beat("alone", 60);
      await expect.poll(() => kept("alone", revisions)).toBeLessThanOrEqual(25);
      expect(await kept("alone", revisions.slice(-10))).toBe(10);
      const store = await open(server.url("alone"));
      expect(await store.leadership()).toMatchObject({ beat: 60 });
      await store.close();
    });

    test("where somebody else's keys stand, too, nothing is forgotten", async () => {
      await ask(server.base, "/v3/kv/put", { key: base64("customers/1"), value: base64("theirs") });
      const revisions = await beat("shared", 60);
      expect(await kept("shared", revisions)).toBe(60);
    });
  });

  describe("three members", () => {
    let members: EtcdMember[];
    let store: Store;
    beforeAll(async () => {
      members = await newEtcdMembers(3);
    }, 60_000);
    afterAll(async () => {
      for (const member of members) await member.remove();
    }, 60_000);
    afterEach(() => store.close());

    const openAll = async (): Promise<void> => {
      const hosts = members.map(({ port }) => `127.0.0.1:${port}`).join(",");
      store = await open(`etcd://${hosts}?prefix=${newPrefix()}`);
      await store.campaign(null, leadershipRecord());
    };
    const leader = async (): Promise<EtcdMember> => {
      for (const member of members) {
        const status = await ask(member.base, "/v3/maintenance/status", {});
        const header: unknown = status["header"];
        const id =
          typeof header === "object" && header !== null && "member_id" in header ? header.member_id : "";
        if (status["leader"] === id) return member;
      }
      throw new Error("No leader.");
    };
    /** Commits one after the other while `disturb` runs; none may fail. What the log says, and what it should. */
    const goesOn = async (
      disturb: () => Promise<void> | void,
    ): Promise<{ readonly found: readonly string[]; readonly sent: readonly string[] }> => {
      const over = new AbortController();
      const writing = (async (): Promise<string[]> => {
        const sent: string[] = [];
        while (!over.signal.aborted) {
          const text = `event ${sent.length + 1}`;
          sent.push(text);
          await store.commit(commit({ events: [event(text)] }));
        }
        return sent;
      })();
      await new Promise((resolve) => setTimeout(resolve, 200));
      await disturb();
      const { lastEvent } = await store.load();
      while ((await store.load()).lastEvent < lastEvent + 5)
        await new Promise((resolve) => setTimeout(resolve, 20));
      over.abort();
      const sent = await writing;
      return { sent, found: (await store.events(0, 10_000)).map(({ text }) => text) };
    };

    test("one member killed, whichever it is: each commit is carried out, once", async () => {
      for (const member of members) {
        await openAll();
        const { found, sent } = await goesOn(() => member.kill());
        expect(found).toEqual(sent);
        await store.close();
        await member.start();
      }
    });

    test("the leader killed in the middle of commits: a new one carries them out, once each", async () => {
      await openAll();
      const lost = await leader();
      const { found, sent } = await goesOn(() => lost.kill());
      expect(found).toEqual(sent);
      await lost.start();
    });

    test("a member frozen: the others are asked", async () => {
      await openAll();
      const [first] = members;
      const { found, sent } = await goesOn(() => first?.freeze());
      expect(found).toEqual(sent);
      first?.thaw();
    });

    test("two of three lost: nothing is acknowledged; it goes on once one is back", async () => {
      await openAll();
      await store.commit(commit({ events: [event("before")] }));
      const [first, second] = members;
      await first?.kill();
      await second?.kill();
      const trouble = await troubleOf(store.commit(commit({ events: [event("lost")] })));
      expect(["refused", "unknown"]).toContain(trouble.outcome);
      await first?.start();
      const current = await store.leadership();
      await store.campaign(current, leadershipRecord({ term: 2 }));
      const { events } = await store.commit(commit({ term: 2, events: [event("after")] }));
      const texts = (await store.events(0, 10)).map(({ text }) => text);
      expect(texts.filter((text) => text !== "lost")).toEqual(["before", "after"]);
      expect(events[0]?.seq).toBe(texts.length);
      await second?.start();
    });
  });

  describe("what can be wrong with etcd", () => {
    let server: EtcdMember;
    let secure: EtcdMember & { readonly certificates: Certificates };
    beforeAll(async () => {
      server = await newEtcd();
      secure = await newSecureEtcd();
    }, 60_000);
    afterAll(async () => {
      await server.remove();
      await secure.remove();
    });

    test("users: the right one works under its prefix alone, the others are told what is wrong", async () => {
      expect((await troubleOf(open(`etcd://anna:p@127.0.0.1:${server.port}`))).message).toMatch(
        /has no users/u,
      );
      const { base } = server;
      for (const [path, body] of [
        ["user/add", { name: "root", password: "r" }],
        ["role/add", { name: "root" }],
        ["user/grant", { user: "root", role: "root" }],
        ["user/add", { name: "anna", password: "it's a sécret" }],
        ["role/add", { name: "arbiter" }],
        [
          "role/grant",
          {
            name: "arbiter",
            perm: { permType: "READWRITE", key: base64("mine/"), range_end: base64("mine0") },
          },
        ],
        ["user/grant", { user: "anna", role: "arbiter" }],
        ["auth/enable", {}],
      ] as const) {
        await ask(base, path.startsWith("auth") ? `/v3/${path}` : `/v3/auth/${path}`, body);
      }
      const at = (who: string, prefix: string): string =>
        `etcd://${who}127.0.0.1:${server.port}?prefix=${prefix}`;
      const anna = `anna:${encodeURIComponent("it's a sécret")}@`;
      const store = await open(at(anna, "mine"));
      await store.campaign(null, leadershipRecord());
      expect(await store.leadership()).toEqual(leadershipRecord());
      const { token } = await ask(base, "/v3/auth/authenticate", { name: "root", password: "r" });
      // A restart forgets every token; another one is fetched.
      await server.kill();
      await server.start();
      expect((await store.commit(commit({ events: [event("x")] }))).events[0]?.seq).toBe(1);
      await store.close();
      expect((await troubleOf(open(at(anna, "other")))).message).toMatch(
        /does not let anna read and write under "other\/"/u,
      );
      expect((await troubleOf(open(at("anna:wrong-secret@", "mine")))).message).toMatch(
        /refused the user or password of anna/u,
      );
      expect((await troubleOf(open(at("", "mine")))).message).toMatch(/wants a user and a password/u);
      expect(token).toBeTypeOf("string");
    });

    test("TLS with a certificate on both sides: with the right ones it works, otherwise it is refused", async () => {
      const { ca, otherCa, cert, key } = secure.certificates;
      const base = `${secure.url(newPrefix())}&tls_ca=${ca}`;
      const store = await open(`${base}&tls_cert=${cert}&tls_key=${key}`);
      await store.campaign(null, leadershipRecord());
      expect(await store.leadership()).toEqual(leadershipRecord());
      await store.close();
      const keys = `&tls_cert=${cert}&tls_key=${key}`;
      const other = await troubleOf(open(`${secure.url(newPrefix())}&tls_ca=${otherCa}${keys}`));
      expect(other.message).toMatch(/can't be reached safely.*tls_ca/u);
      const name = await troubleOf(open(`${base}${keys}&tls_name=another.example`));
      expect(name.message).toMatch(/can't be reached safely.*tls_name/u);
      const without = await troubleOf(open(base));
      expect(without.message).toMatch(/can't be reached safely|broke the connection/u);
      const plain = await troubleOf(open(secure.url(newPrefix())));
      expect(plain.message).toMatch(/speaks TLS.*tls_ca|broke the connection/u);
    });

    test("an older etcd, and a server that is no etcd at all", async () => {
      expect(unsuitable("3.3.27")).toMatch(/runs etcd 3\.3\.27.*needs 3\.4/u);
      expect([unsuitable("3.4.0"), unsuitable("3.10.1"), unsuitable("4.0.0")]).toEqual([null, null, null]);
      const web = createServer((request, response) => {
        if (request.url === "/version" && old) response.end('{"etcdserver":"3.3.27"}');
        else response.writeHead(404).end("<html>not here</html>");
      });
      let old = false;
      web.listen(0, "127.0.0.1");
      await once(web, "listening");
      const address = web.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      expect((await troubleOf(open(`etcd://127.0.0.1:${port}`))).message).toMatch(
        /is no etcd 3\.4 or later.*not here/u,
      );
      old = true;
      expect((await troubleOf(open(`etcd://127.0.0.1:${port}`))).message).toMatch(/needs 3\.4/u);
      web.closeAllConnections();
      web.close();
    });

    test("a path in the url is refused", async () => {
      const error = await open("etcd://anna:secret@h1/path").catch((thrown: unknown) => thrown);
      expect(String(error)).toMatch(/names a path/u);
      expect(String(error)).not.toContain("secret");
    });
  });

  describe("what stands in etcd", () => {
    let server: EtcdMember;
    beforeAll(async () => {
      server = await newEtcd();
    }, 60_000);
    afterAll(() => server.remove());
    const put = (key: string, value: string): Promise<unknown> =>
      ask(server.base, "/v3/kv/put", { key: base64(key), value: base64(value) });

    test("another program's keys and a newer version's are left as they are", async () => {
      const other = newPrefix();
      await put(`${other}/customers`, "1");
      expect((await troubleOf(open(server.url(other)))).message).toMatch(/did not make.*"prefix"/u);
      const prefix = newPrefix();
      await (await open(server.url(prefix))).close();
      await put(`${prefix}/schema`, '{"application":"arbiter","schema":99}');
      expect((await troubleOf(open(server.url(prefix)))).message).toMatch(/newer version.*schema 99/u);
    });

    test("keys that vanish are not begun anew", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      await ask(server.base, "/v3/kv/deleterange", {
        key: base64(`${prefix}/`),
        range_end: base64(`${prefix}0`),
      });
      const lost = await troubleOf(store.commit(commit({ events: [event("x")] })));
      expect([lost.outcome, lost.message]).toEqual(["refused", expect.stringContaining("lost its contents")]);
      expect((await troubleOf(store.leadership())).message).toContain("lost its contents");
      await store.close();
    });

    test("damaged contents are named", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      await store.commit(commit({ events: [event("x")], configuration: configuration(1) }));
      await put(`${prefix}/events/0000000000000001`, '{"type":');
      expect((await troubleOf(store.events(0, 1))).message).toMatch(/damaged contents.*event 1/u);
      await put(`${prefix}/configurations/0000000000000001`, "{}");
      expect((await troubleOf(store.load())).message).toMatch(/damaged contents.*configuration version 1/u);
      await put(`${prefix}/leadership`, "[]");
      const trouble = await troubleOf(store.commit(commit({ events: [event("y")] })));
      expect([trouble.outcome, trouble.message]).toEqual([
        "refused",
        expect.stringContaining("the leadership record"),
      ]);
      await store.close();
    });

    test("events of one commit are trimmed within it, and many commits in pieces", async () => {
      const store = await open(server.url(newPrefix()));
      await store.campaign(null, leadershipRecord());
      for (let i = 0; i < 130; i++) await store.commit(commit({ events: [event("a"), event("b")] }));
      expect(await store.trim(2_000)).toBe(259);
      expect((await store.events(0, 10)).map(({ seq }) => seq)).toEqual([260]);
      await store.close();
    });

    test("ten thousand services in one commit", async () => {
      const store = await open(server.url(newPrefix()));
      await store.campaign(null, leadershipRecord());
      const rows = Array.from({ length: 10_000 }, (_, index) => serviceRow({ service: `service-${index}` }));
      await store.commit(commit({ changes: rows.map((row) => ({ row, expectedEpoch: 0 })) }));
      expect((await store.load()).rows).toHaveLength(10_000);
      await store.close();
    });
  });
});
