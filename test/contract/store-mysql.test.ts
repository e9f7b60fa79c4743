/** MariaDB: the contract against the real server, and what can be wrong with it. */
import { createConnection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import { Attempt } from "../../src/store/engine.ts";
import { migrateMysql, MYSQL_MIGRATIONS } from "../../src/store/mysql-schema.ts";
import { unsuitable } from "../../src/store/mysql-session.ts";
import { openStore } from "../../src/store/open.ts";
import { MYSQL_PASSWORD, isMysqlMissing, newMysql, type MysqlServer } from "./server-mysql.ts";
import { commit, event, leadershipRecord, serviceRow } from "./store-samples.ts";
import { newPrefix, serverContract, troubleOf } from "./store-server-contract.ts";

function open(url: string): Promise<Store> {
  return openStore(url, { stateDir: "/nonexistent" });
}

describe.skipIf(isMysqlMissing())("mysql", () => {
  serverContract({ name: "mysql", newServer: newMysql, insideTransaction: /FOR UPDATE/u });

  describe("what can be wrong with MariaDB", () => {
    let server: MysqlServer;
    beforeAll(async () => {
      server = await newMysql();
    }, 60_000);
    afterAll(() => server.remove());

    test.each([
      ["mysql://anna:wrong-secret@127.0.0.1:PORT/arbiter", /refused anna/u],
      ["mysql://nobody:wrong-secret@127.0.0.1:PORT/arbiter", /refused nobody/u],
      ["mysql://127.0.0.1:PORT/arbiter", /refused \(no user\)/u],
      ["mysql://anna:PASSWORD@127.0.0.1:PORT/missing", /refused anna.*missing/u],
      ["mysql://carl:c@127.0.0.1:PORT/missing", /has no database "missing".*CREATE DATABASE missing/u],
      ["mysql://anna:PASSWORD@no-such-host.invalid:PORT/arbiter", /host name is not known/u],
    ])("%s: one sentence", async (url, sentence) => {
      await server.query("CREATE USER IF NOT EXISTS carl IDENTIFIED BY 'c'; GRANT ALL ON *.* TO carl");
      const at = url
        .replace("PORT", String(server.port))
        .replace("PASSWORD", encodeURIComponent(MYSQL_PASSWORD));
      const trouble = await troubleOf(open(at));
      expect(trouble.message).toMatch(sentence);
      expect(trouble.message).toContain("mysql://");
      expect(trouble.message).not.toContain("secret");
      expect(trouble.message).not.toContain("cret%40");
      expect(trouble.outcome).toBe("refused");
    });

    test("TLS: with the right authority and name it works, otherwise it is refused", async () => {
      const { ca, otherCa } = server.certificates;
      const store = await open(`${server.url(newPrefix())}&tls_ca=${ca}&tls_name=store.example`);
      await store.campaign(null, leadershipRecord());
      expect(await store.leadership()).toEqual(leadershipRecord());
      await store.close();
      const authority = await troubleOf(
        open(`${server.url(newPrefix())}&tls_ca=${otherCa}&tls_name=store.example`),
      );
      expect(authority.message).toMatch(/can't be reached safely.*tls_ca/u);
      const name = await troubleOf(open(`${server.url(newPrefix())}&tls_ca=${ca}&tls_name=another.example`));
      expect(name.message).toMatch(/can't be reached safely.*tls_name/u);
      const address = await troubleOf(open(`${server.url(newPrefix())}&tls_ca=${ca}`));
      expect(address.message).toMatch(/127\.0\.0\.1 is an address.*tls_name=NAME/u);
    });

    test("a server that wants TLS says so to who comes without", async () => {
      await server.query("CREATE USER safe IDENTIFIED BY 's' REQUIRE SSL; GRANT ALL ON arbiter.* TO safe");
      const url = `mysql://safe:s@127.0.0.1:${server.port}/arbiter?prefix=${newPrefix()}`;
      expect((await troubleOf(open(url))).message).toMatch(/refused safe|wants TLS/u);
      const store = await open(`${url}&tls_ca=${server.certificates.ca}&tls_name=store.example`);
      await store.close();
    });

    test("a user who may not make tables is told so; one who finds them made may use them", async () => {
      await server.query("CREATE USER guest IDENTIFIED BY 'guest'; GRANT SELECT ON arbiter.* TO guest");
      const prefix = newPrefix();
      const guest = `mysql://guest:guest@127.0.0.1:${server.port}/arbiter?prefix=${prefix}`;
      expect((await troubleOf(open(guest))).message).toMatch(/does not let guest do what is needed/u);
      await (await open(server.url(prefix))).close();
      await server.query("GRANT SELECT, INSERT, UPDATE, DELETE ON arbiter.* TO guest");
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

    test("an older schema is migrated, once, by whoever comes first; a half-made one is finished", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      await server.query(
        `DROP TABLE ${prefix}_events; UPDATE ${prefix}_state SET schema_version = 2`,
        "arbiter",
      );
      const next = [...MYSQL_MIGRATIONS, (p: string) => `ALTER TABLE ${p}_state ADD COLUMN later INT`];
      const connections = await Promise.all(
        [1, 2, 3].map(() =>
          createConnection({
            host: "127.0.0.1",
            port: server.port,
            user: "anna",
            password: MYSQL_PASSWORD,
            database: "arbiter",
          }),
        ),
      );
      const attempt = new Attempt(new AbortController().signal);
      await Promise.all(connections.map((connection) => migrateMysql(connection, prefix, attempt, next)));
      expect(await server.query(`SELECT schema_version, later FROM ${prefix}_state`, "arbiter")).toEqual([
        { schema_version: MYSQL_MIGRATIONS.length + 1, later: null },
      ]);
      await Promise.all(connections.map((connection) => connection.end()));
      expect(await store.leadership()).toEqual(leadershipRecord());
      expect((await store.commit(commit({ events: [event("x")] }))).events[0]?.seq).toBe(1);
      await store.close();
    });

    test("a server that only reads says so, and nothing was done", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      await server.query("SET GLOBAL read_only = 1");
      const trouble = await troubleOf(store.commit(commit({ events: [event("x")] })));
      expect([trouble.outcome, trouble.message]).toEqual(["refused", expect.stringContaining("only")]);
      expect((await troubleOf(open(server.url(prefix)))).message).toMatch(/is read-only.*primary/u);
      await server.query("SET GLOBAL read_only = 0");
      expect((await store.load()).lastEvent).toBe(0);
      expect((await store.commit(commit({ events: [event("x")] }))).events[0]?.seq).toBe(1);
      await store.close();
    });

    test("a commit too large for the server is refused; the one sent with it is whole", async () => {
      const prefix = newPrefix();
      const store = await open(server.url(prefix));
      await store.campaign(null, leadershipRecord());
      const results = await Promise.allSettled([
        store.commit(commit({ events: [event("x".repeat(20_000_000))] })),
        store.commit(commit({ events: [event("small")] })),
      ]);
      expect(results[0]).toMatchObject({ status: "rejected", reason: { outcome: "refused" } });
      expect(String(results[0]?.status === "rejected" && results[0].reason)).toContain("max_allowed_packet");
      expect(results[1]).toMatchObject({ status: "fulfilled", value: { events: [{ seq: 1 }] } });
      await store.close();
    });

    test("names that differ in blanks, case or accents only are different services", async () => {
      const store = await open(server.url(newPrefix()));
      await store.campaign(null, leadershipRecord());
      const names = ["a", "a ", "A", "ä"];
      for (const service of names) {
        await store.commit(commit({ changes: [{ row: serviceRow({ service }), expectedEpoch: 0 }] }));
      }
      expect((await store.load()).rows.map(({ service }) => service).toSorted()).toEqual(names.toSorted());
      await store.close();
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

describe("a MySQL server that can't keep a store", () => {
  const good = { version: "10.11.19-MariaDB-0+deb12u1", readOnly: 0, flush: 1 };
  test.each([
    [{ version: "10.2.44-MariaDB" }, /runs version 10\.2\.44.*needs MariaDB 10\.3/u],
    [{ version: "5.7.44-log" }, /runs version 5\.7\.44/u],
    [{ readOnly: 1 }, /read-only.*primary's address/u],
    [{ flush: 2 }, /innodb_flush_log_at_trx_commit = 2/u],
  ])("%j is said so", (bad, sentence) => {
    expect(unsuitable(good)).toBeNull();
    expect(unsuitable({ ...good, version: "8.4.3" })).toBeNull();
    expect(unsuitable({ ...good, version: "5.5.5-10.6.1-MariaDB" })).toBeNull();
    expect(unsuitable({ ...good, ...bad })).toMatch(sentence);
  });
});
