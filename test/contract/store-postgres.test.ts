/** PostgreSQL: the contract against the real server, and what can be wrong with it. */
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import { Attempt } from "../../src/store/engine.ts";
import { openStore } from "../../src/store/open.ts";
import { migratePostgres, POSTGRES_MIGRATIONS } from "../../src/store/postgres-schema.ts";
import { unsuitable } from "../../src/store/postgres-session.ts";
import { POSTGRES_PASSWORD, isPostgresMissing, newPostgres, type PostgresServer } from "./server-postgres.ts";
import { commit, event, leadershipRecord } from "./store-samples.ts";
import { newPrefix, serverContract, troubleOf } from "./store-server-contract.ts";

function open(url: string): Promise<Store> {
  return openStore(url, { stateDir: "/nonexistent" });
}

describe.skipIf(isPostgresMissing())("postgres", () => {
  serverContract({ name: "postgres", newServer: newPostgres, insideTransaction: /FOR UPDATE/u });

  describe("what can be wrong with PostgreSQL", () => {
    let server: PostgresServer;
    beforeAll(async () => {
      server = await newPostgres();
    }, 60_000);
    afterAll(() => server.remove());

    test.each([
      ["postgres://anna:wrong-secret@127.0.0.1:PORT/arbiter", /refused the password of anna/u],
      ["postgres://nobody:wrong-secret@127.0.0.1:PORT/arbiter", /refused the password of nobody/u],
      ["postgres://anna@127.0.0.1:PORT/arbiter", /wants a password/u],
      [`postgres://anna:PASSWORD@127.0.0.1:PORT/missing`, /has no database "missing".*createdb missing/u],
      ["postgres://anna:PASSWORD@no-such-host.invalid:PORT/arbiter", /host name is not known/u],
    ])("%s: one sentence", async (url, sentence) => {
      const at = url
        .replace("PORT", String(server.port))
        .replace("PASSWORD", encodeURIComponent(POSTGRES_PASSWORD));
      const trouble = await troubleOf(open(at));
      expect(trouble.message).toMatch(sentence);
      expect(trouble.message).toContain("postgres://");
      expect(trouble.message).not.toContain("secret");
      expect(trouble.message).not.toContain("cret%40");
      expect(trouble.outcome).toBe("refused");
    });

    test("TLS: with the right authority it works, with another one it is refused", async () => {
      const { ca, otherCa } = server.certificates;
      const store = await open(`${server.url(newPrefix())}&tls_ca=${ca}`);
      await store.campaign(null, leadershipRecord());
      expect(await store.leadership()).toEqual(leadershipRecord());
      await store.close();
      const trouble = await troubleOf(open(`${server.url(newPrefix())}&tls_ca=${otherCa}`));
      expect(trouble.message).toMatch(/can't be reached safely.*tls_ca/u);
      const name = await troubleOf(open(`${server.url(newPrefix())}&tls_ca=${ca}&tls_name=another.example`));
      expect(name.message).toMatch(/can't be reached safely.*tls_name/u);
    });

    test("a user who may not make tables is told so; one who finds them made may use them", async () => {
      await server.query("CREATE USER guest PASSWORD 'guest'");
      const prefix = newPrefix();
      const guest = `postgres://guest:guest@127.0.0.1:${server.port}/arbiter?prefix=${prefix}`;
      expect((await troubleOf(open(guest))).message).toMatch(/does not let guest do what is needed/u);
      await (await open(server.url(prefix))).close();
      for (const table of ["state", "services", "configurations", "events", "published", "notes"]) {
        await server.query(`GRANT ALL ON ${prefix}_${table} TO guest`, "arbiter");
      }
      const store = await open(guest);
      expect((await store.campaign(null, leadershipRecord())).won).toBe(true);
      await store.close();
    });

    test("a newer version's tables, another program's tables and tables that vanish are named", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await server.query(`UPDATE ${prefix}_state SET schema_version = 99`, "arbiter");
      expect((await troubleOf(open(server.url(prefix)))).message).toMatch(/newer version.*schema 99/u);
      await server.query(`DROP TABLE ${prefix}_state, ${prefix}_events`, "arbiter");
      const lost = await troubleOf(store.campaign(null, leadershipRecord()));
      expect([lost.outcome, lost.message]).toEqual([
        "refused",
        expect.stringContaining("has lost its tables"),
      ]);
      await store.close();
      const other = newPrefix();
      await server.query(`CREATE TABLE ${other}_state (customer text)`, "arbiter");
      expect((await troubleOf(open(server.url(other)))).message).toContain("that Arbiter did not make");
    });

    test("an older schema is migrated, once, by whoever comes first", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      const next = [...POSTGRES_MIGRATIONS, (p: string) => `ALTER TABLE ${p}_state ADD COLUMN later integer`];
      const clients = await Promise.all(
        [1, 2, 3].map(async () => {
          const client = new Client(server.url(prefix).replace(/\?.*/u, ""));
          await client.connect();
          return client;
        }),
      );
      const attempt = new Attempt(new AbortController().signal);
      await Promise.all(clients.map((client) => migratePostgres(client, prefix, attempt, next)));
      const { rows } = (await clients[0]?.query(`SELECT schema_version, later FROM ${prefix}_state`)) ?? {
        rows: [],
      };
      expect(rows).toEqual([{ schema_version: POSTGRES_MIGRATIONS.length + 1, later: null }]);
      await Promise.all(clients.map((client) => client.end()));
      expect(await store.leadership()).toEqual(leadershipRecord());
      await store.close();
    });

    test("who waited while another made the tables finds them made", async () => {
      const prefix = newPrefix();
      const clients = await Promise.all(
        [1, 2, 3].map(async () => {
          const client = new Client(server.url(prefix).replace(/\?.*/u, ""));
          await client.connect();
          return client;
        }),
      );
      const [first, ...others] = clients;
      const lock = [0x41726269, prefix];
      await first?.query("SELECT pg_advisory_lock($1, hashtext($2))", lock);
      const attempt = new Attempt(new AbortController().signal);
      const made = Promise.all(others.map((client) => migratePostgres(client, prefix, attempt)));
      // Both have seen by now that there is nothing.
      for (let waiting = 0; waiting < others.length;) {
        const found = await first?.query<{ n: string }>(
          "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
        );
        waiting = Number(found?.rows[0]?.n);
      }
      await first?.query("SELECT pg_advisory_unlock($1, hashtext($2))", lock);
      await made;
      const state = await first?.query(`SELECT schema_version FROM ${prefix}_state`);
      expect(state?.rows).toEqual([{ schema_version: POSTGRES_MIGRATIONS.length }]);
      await Promise.all(clients.map((client) => client.end()));
    });

    test("a server that only reads says so, and nothing was done", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      await store.close();
      await server.query("ALTER USER anna SET default_transaction_read_only = on");
      const reading = await open(server.url(prefix));
      const trouble = await troubleOf(reading.commit(commit({ events: [event("x")] })));
      expect([trouble.outcome, trouble.message]).toEqual(["refused", expect.stringContaining("only reads")]);
      expect((await reading.load()).lastEvent).toBe(0);
      await reading.close();
      await server.query("BEGIN READ WRITE; ALTER USER anna RESET default_transaction_read_only; COMMIT");
    });

    test("damaged contents are named", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      await store.commit(commit({ events: [event("x")] }));
      await server.query(`UPDATE ${prefix}_events SET content = '{"type":'`, "arbiter");
      expect((await troubleOf(store.events(0, 1))).message).toMatch(/damaged contents.*event 1/u);
      await server.query(`UPDATE ${prefix}_state SET leadership = '[]'`, "arbiter");
      const trouble = await troubleOf(store.commit(commit({ events: [event("y")] })));
      expect([trouble.outcome, trouble.message]).toEqual([
        "refused",
        expect.stringContaining("the leadership record"),
      ]);
      await store.close();
    });
  });
});

describe("a PostgreSQL server that can't keep a store", () => {
  const good = { version: 150_000, name: "15", standby: false, encoding: "UTF8", fsync: "on" };
  test.each([
    [{ version: 90_600, name: "9.6.24" }, /runs PostgreSQL 9\.6\.24.*needs version 10/u],
    [{ standby: true }, /standby.*primary's address/u],
    [{ encoding: "LATIN1" }, /encoding LATIN1/u],
    [{ fsync: "off" }, /fsync/u],
  ])("%j is said so", (bad, sentence) => {
    expect(unsuitable(good)).toBeNull();
    expect(unsuitable({ ...good, ...bad })).toMatch(sentence);
  });
});
