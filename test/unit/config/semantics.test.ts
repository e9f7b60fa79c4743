/** Whether daemons fit together: each check, with the place that it names. */
import { describe, expect, test } from "vitest";
import { computedLease } from "../../../src/config/build-daemon.ts";
import { timeToNotice } from "../../../src/core/lease.ts";
import { loadFiles, said } from "./folder.ts";

const bare = (name: string, host: number, rest = ""): string =>
  `scheduler_name  ${name}\naddress  127.0.0.${host}\n${rest}`;
const PAIR = { "m.cfg": bare("m", 2), "s.cfg": bare("s", 3, "spare  1\n") };

async function loadWith(text: string): ReturnType<typeof loadFiles> {
  return loadFiles({ ...PAIR, "arbiter.cfg": text });
}

describe("names and addresses", () => {
  test("two daemons of one name", async () => {
    const loaded = await loadFiles({ ...PAIR, "x.cfg": bare("m", 4) });
    expect(said(loaded, "error")).toEqual([
      "error x.cfg:1:17 two daemons are called `m`; the other stands in m.cfg:1",
    ]);
  });
  test("two daemons at one address and port; localhost is 127.0.0.1", async () => {
    const loaded = await loadFiles({
      "m.cfg": "scheduler_name  m\naddress  localhost\n",
      "s.cfg": "scheduler_name  s\naddress  127.0.0.1\nspare  1\nport  7768\n",
    });
    expect(said(loaded, "error")).toEqual([
      "error s.cfg:4:7 `s` and `m` (m.cfg:1) are both at 127.0.0.1, port 7768",
    ]);
  });
  test.each(["192.168.0.300", "0.0.0.0", "::", "10.0.0.1:7768", "a b", "http://x", "-x", "1.2.3"])(
    "%s is no address",
    async (address) => {
      const loaded = await loadFiles({ ...PAIR, "m.cfg": `scheduler_name  m\naddress  ${address}\n` });
      expect(said(loaded, "error")).toEqual([expect.stringContaining("error m.cfg:2:10 `address` can't be")]);
    },
  );
  test.each([
    ["::1", "http://[::1]:7768"],
    ["[2001:db8::1]", "http://[2001:db8::1]:7768"],
    ["db-1.example.org", "http://db-1.example.org:7768"],
  ])("%s is one", async (address, url) => {
    const loaded = await loadFiles({ ...PAIR, "m.cfg": `scheduler_name  m\naddress  ${address}\n` });
    expect(loaded.model?.daemons[0]?.url).toBe(url);
  });
  test.each(["0", "65536", "x", "-1", "7768.5"])("%s is no port", async (port) => {
    expect(said(await loadFiles({ ...PAIR, "m.cfg": bare("m", 2, `port  ${port}\n`) }), "error")).toEqual([
      expect.stringContaining("error m.cfg:3:7 `port` can't be"),
    ]);
  });
});

describe("masters and spares", () => {
  test("a spare with no master to back up; it is told where the masters are", async () => {
    const loaded = await loadFiles({
      "s.cfg": bare("s", 3, "spare  1\n"),
      "b.cfg": "broker_name  b\naddress  127.0.0.4\n",
    });
    expect(said(loaded, "error")).toEqual(["error s.cfg:3:8 `s` is a spare without a master to back up"]);
    const elsewhere = await loadFiles({
      "m.cfg": bare("m", 2, "realm  North\n"),
      "s.cfg": bare("s", 3, "spare  1\n"),
    });
    expect(said(elsewhere, "error")).toEqual([
      "error s.cfg:3:8 `s` is a spare without a master to back up; those of type `scheduler` are in realm `North`",
    ]);
  });
  test("a master with no spare is a warning", async () => {
    const folder = await loadFiles({ "m.cfg": bare("m", 2), "n.cfg": bare("n", 4) });
    expect(said(folder)).toEqual([
      "warning m.cfg:1:1 `m` has no spare: if it fails, nobody continues `m`",
      "warning n.cfg:1:1 `n` has no spare: if it fails, nobody continues `n`",
    ]);
  });
  test("masters may share a service, in the order of priority; they back each other up", async () => {
    const loaded = await loadFiles({
      "a.cfg": bare("a", 2, "service  job\n"),
      "b.cfg": bare("b", 3, "service  job\npriority  5\nlease  4\n"),
    });
    expect(said(loaded)).toEqual([]);
    expect(loaded.model?.services).toMatchObject([
      { name: "job", masters: ["b", "a"], candidates: ["b", "a"], leaseMs: 4000 },
    ]);
    const types = await loadFiles({
      "a.cfg": bare("a", 2, "service  job\n"),
      "b.cfg": "broker_name  b\naddress  127.0.0.3\nservice  job\n",
    });
    expect(said(types, "error")).toEqual([
      "error b.cfg:3:10 service `job` has masters of two types: `a` is a scheduler, `b` a broker",
    ]);
  });
  test("spare_for narrows, and must name services that exist", async () => {
    const loaded = await loadFiles({
      ...PAIR,
      "n.cfg": bare("n", 4),
      "s.cfg": bare("s", 3, "spare  1\nspare_for  m\n"),
      "t.cfg": bare("t", 5, "spare  1\npriority  1\n"),
    });
    expect(loaded.model?.services).toMatchObject([
      { name: "m", candidates: ["m", "t", "s"] },
      { name: "n", candidates: ["n", "t"] },
    ]);
    const wrong = await loadFiles({
      "main.cfg": bare("scheduler-master", 2),
      "s.cfg": bare("s", 3, "spare  1\nspare_for  scheduler-mastr\n"),
    });
    expect(said(wrong, "error")).toEqual([
      "error s.cfg:4:12 no service is called `scheduler-mastr`: did you mean `scheduler-master`?",
    ]);
  });
  test("keys of the other role are errors", async () => {
    expect(
      said(await loadFiles({ ...PAIR, "s.cfg": bare("s", 3, "spare  1\nservice  m\n") }), "error"),
    ).toEqual([expect.stringContaining("error s.cfg:4:10 `s` is a spare: `service` is for masters")]);
    expect(said(await loadFiles({ ...PAIR, "m.cfg": bare("m", 2, "spare_for  m\n") }), "error")).toEqual([
      expect.stringContaining("error m.cfg:3:12 `m` is a master"),
    ]);
  });
});

describe("realms", () => {
  const REALMS =
    "define realm {\n realm_name  All\n realm_members  Europe\n default  1\n}\ndefine realm {\n realm_name  Europe\n realm_members  France\n}\ndefine realm {\n realm_name  France\n}\n";
  const set = (spare: string): Record<string, string> => ({
    "r.cfg": REALMS,
    "m.cfg": bare("m", 2, "realm  France\n"),
    "s.cfg": bare("s", 3, `spare  1\n${spare}`),
  });

  test("a spare backs up its own realm, and those below it if it says so", async () => {
    expect((await loadFiles(set("realm  France\n"))).model?.services[0]?.candidates).toEqual(["m", "s"]);
    expect((await loadFiles(set("manage_sub_realms  1\n"))).model?.services[0]?.candidates).toEqual([
      "m",
      "s",
    ]);
    expect(said(await loadFiles(set("realm  Europe\n")), "error")).toEqual([
      expect.stringContaining("spare without a master"),
    ]);
  });
  test("All exists without being defined, above the others", async () => {
    const loaded = await loadFiles({
      "r.cfg": "[realm Europe]\n",
      "m.cfg": bare("m", 2, "realm  Europe\n"),
      "s.cfg": bare("s", 3, "spare  1\nmanage_sub_realms  1\n"),
    });
    expect(said(loaded, "error")).toEqual([]);
    expect(loaded.model).toMatchObject({
      realms: [{ name: "Europe" }],
      services: [{ realm: "Europe", candidates: ["m", "s"] }],
    });
  });
  test("a realm that doesn't exist: an error, or a warning where the folder defines none", async () => {
    expect(said(await loadFiles({ ...set("realm  Frence\n") }), "error")).toEqual(
      expect.arrayContaining(["error s.cfg:4:8 no realm is called `Frence`: did you mean `France`?"]),
    );
    const none = await loadFiles({
      "m.cfg": bare("m", 2, "realm  North\n"),
      "s.cfg": bare("s", 3, "spare  1\nrealm  North\n"),
    });
    expect(none.ok).toBe(true);
    expect(said(none, "warning")).toEqual([
      expect.stringContaining("realm `North` isn't defined anywhere"),
      expect.stringContaining("realm `North` isn't defined anywhere"),
    ]);
  });
  test.each([
    [
      "a circle",
      "[realm A]\nmembers = B\n[realm B]\nmembers = C\n[realm C]\nmembers = A\n",
      "realms in a circle",
    ],
    ["itself", "[realm A]\nmembers = A\n", "realms in a circle: A → A"],
    [
      "two parents",
      "[realm A]\nmembers = C\n[realm B]\nmembers = C\n[realm C]\n",
      "realm `C` would lie in two others, `A` and `B`",
    ],
    ["a member that doesn't exist", "[realm A]\nmembers = B\n", "no realm is called `B`"],
    ["two of one name", "[realm A]\n[realm A]\n", "a second realm called `A`"],
    ["two defaults", "[realm A]\ndefault = 1\n[realm B]\ndefault = 1\n", "two realms are the default"],
    ["no name", "[realm]\ndefault = 1\n", "this realm has no name"],
  ])("%s is an error", async (_, realms, error) => {
    expect(said(await loadFiles({ ...PAIR, "r.cfg": realms }), "error")).toEqual(
      expect.arrayContaining([expect.stringContaining(error)]),
    );
  });
});

describe("the lease", () => {
  test("gives way to the check where nobody writes it", () => {
    expect(computedLease(500, 300, 3)).toBe(2000);
    expect(computedLease(60_000, 3000, 3)).toBe(300_000);
    expect(computedLease(1000, 300, 3)).toBe(5000);
    for (const interval of [10, 50, 499, 500, 501, 1000, 60_000]) {
      for (const timeout of [5, 300, 3000, 90_000]) {
        for (const attempts of [1, 3, 10, 1000]) {
          const lease = computedLease(interval, timeout, attempts);
          expect(timeToNotice(lease, interval, timeout, attempts)).toBeLessThanOrEqual(lease);
        }
      }
    }
  });
  test("what a written check_interval costs is told", async () => {
    const loaded = await loadFiles({ ...PAIR, "m.cfg": bare("m", 2, "check_interval  60\n") });
    expect(loaded.model?.services[0]?.leaseMs).toBe(300_000);
    expect(said(loaded)).toEqual([
      "information m.cfg:3:17 with `check_interval 60` the lease is 300 s: a silent host is replaced after 300 s at most; without this line, after 2 s",
    ]);
  });
  test("a written one that leaves no time is an error", async () => {
    const short = await loadFiles({ ...PAIR, "m.cfg": bare("m", 2, "check_interval  60\nlease  10s\n") });
    expect(said(short, "error")).toEqual([
      "error m.cfg:4:8 a lease of 10s leaves no time for 4 checks, 1m apart, and a time-out of 300ms",
    ]);
    const attempts = await loadFiles({
      ...PAIR,
      "m.cfg": bare("m", 2, "lease  2s\nmax_check_attempts  10\n"),
    });
    expect(said(attempts, "error")).toEqual([
      expect.stringContaining("error m.cfg:3:8 a lease of 2s leaves no time for 11 checks"),
    ]);
    expect(
      said(
        await loadFiles({
          ...PAIR,
          "m.cfg": bare("m", 2, "lease  2s\ncheck_interval  500ms\ntimeout  300ms\nmax_check_attempts  3\n"),
        }),
      ),
    ).toEqual([]);
  });
  test("profile = fast", async () => {
    const loaded = await loadFiles({
      ...PAIR,
      "arbiter.cfg": "[cluster]\nprofile = fast\n",
      "m.cfg": bare("m", 2, "lease  600ms\n"),
    });
    expect(said(loaded)).toEqual([]);
    expect(loaded.model?.daemons).toMatchObject([
      {
        name: "m",
        checkIntervalMs: 50,
        timeoutMs: 40,
        maxCheckAttempts: 3,
        leaseMs: 600,
        drainMarginMs: 150,
        killGraceMs: 40,
      },
      { name: "s", leaseMs: 300, drainMarginMs: 75 },
    ]);
  });
  test("a time-out above the interval is a warning; margins must fit", async () => {
    expect(
      said(await loadFiles({ ...PAIR, "s.cfg": bare("s", 3, "spare  1\ntimeout  3\n") }), "warning"),
    ).toEqual(["warning s.cfg:4:10 a check may take 3s, longer than the interval of 500ms between two"]);
    expect(said(await loadFiles({ ...PAIR, "m.cfg": bare("m", 2, "drain_margin  2s\n") }), "error")).toEqual([
      expect.stringContaining("error m.cfg:3:15 `drain_margin` must be shorter than the lease"),
    ]);
    expect(said(await loadFiles({ ...PAIR, "m.cfg": bare("m", 2, "kill_grace  500ms\n") }), "error")).toEqual(
      [expect.stringContaining("error m.cfg:3:13 `kill_grace` leaves no time to stop")],
    );
  });
});

describe("arbiters", () => {
  test("the only one on the host of a candidate is a warning", async () => {
    const loaded = await loadFiles({ ...PAIR, "a.cfg": "arbiter_name  a\naddress  127.0.0.2\n" });
    expect(said(loaded)).toEqual([
      "warning a.cfg:2:10 the only arbiter, `a`, is on the host of `m`: that host's loss takes both, and nobody is left to activate a spare",
    ]);
    expect(said(await loadFiles({ ...PAIR, "a.cfg": "arbiter_name  a\naddress  127.0.0.1\n" }))).toEqual([]);
  });
  test("at two addresses they can't share sqlite", async () => {
    const two = {
      ...PAIR,
      "a.cfg": "arbiter_name  a\naddress  127.0.0.1\n",
      "b.cfg": "arbiter_name  b\naddress  127.0.0.4\nspare  1\n",
    };
    expect(said(await loadFiles(two), "error")).toEqual([
      expect.stringContaining("error b.cfg:2:10 arbiters at two addresses can't share an `sqlite` file"),
    ]);
    expect(said(await loadFiles({ ...two, "arbiter.cfg": "[store]\nurl = etcd://h1:2379\n" }))).toEqual([]);
    expect(
      said(await loadFiles({ ...two, "b.cfg": "arbiter_name  b\naddress  127.0.0.4\nelectable  0\n" })),
    ).toEqual([]);
  });
  test("beyond loopback without a token is a warning", async () => {
    const open = { "m.cfg": "scheduler_name  m\naddress  192.0.2.1\n", "s.cfg": bare("s", 3, "spare  1\n") };
    expect(said(await loadFiles(open))).toEqual([
      expect.stringContaining("warning m.cfg:2:10 no `token_file` in [security]"),
    ]);
    expect(said(await loadFiles({ ...open, "arbiter.cfg": "[security]\ntoken_file = token\n" }))).toEqual([]);
    expect(said(await loadFiles({ ...open, "arbiter.cfg": "[security]\ninsecure = 1\n" }))).toEqual([]);
  });
  test("Alignak's keys for them are kept", async () => {
    const loaded = await loadFiles({
      ...PAIR,
      "a.cfg":
        "define arbiter {\n arbiter_name  a\n check_interval  5\n max_check_attempts  3\n host_name  x\n}\n",
    });
    expect(said(loaded)).toEqual([]);
    expect(loaded.model?.arbiters).toMatchObject([
      { name: "a", passed: { check_interval: "5", host_name: "x" } },
    ]);
  });
});

describe("the cluster's sections", () => {
  test("defaults of all daemons, and one service's", async () => {
    const loaded = await loadWith(
      "[cluster]\nname = prod\nfailback_delay = 1m\nport = 9000\n[service m]\nfailback = manual\nlease = 4s\n_team = x\ndrill = 0 3 * * 0\n",
    );
    expect(said(loaded)).toEqual([]);
    expect(loaded.model).toMatchObject({
      name: "prod",
      services: [
        {
          name: "m",
          failback: "manual",
          failbackDelayMs: 60_000,
          leaseMs: 4000,
          config: { _team: "x", on_arbiter_loss: "failsafe" },
        },
      ],
    });
    expect(loaded.model?.daemons.map((daemon) => daemon.port)).toEqual([9000, 9000]);
    expect(loaded.model?.arbiters[0]?.port).toBe(7770);
    expect(loaded.settings.drills).toEqual({
      m: { schedule: "0 3 * * 0", maxAgeMs: 35 * 86_400_000, holdMs: 10_000 },
    });
  });
  test("a failback_window and a failover_budget reach the model", async () => {
    const loaded = await loadWith(
      "[cluster]\nfailover_budget = 3 per 10m\n[service m]\nfailback_window = 0 2 * * * for 1h\n",
    );
    expect(loaded.model?.failoverBudget).toEqual({ causes: 3, perMs: 600_000 });
    expect(loaded.model?.services[0]).toMatchObject({
      failback: "auto",
      failbackWindow: "0 2 * * * for 1h",
    });
    expect(said(loaded)).toEqual([]);
  });
  test("settings of every kind", async () => {
    const loaded = await loadWith(
      "[cluster]\nfailover_budget = 3 per 10m\nclock_drift = 0.5%\n[store]\nurl = postgres://u:p@h/db\n[security]\ntls_cert = c.pem\ntls_key = k.pem\n[alerts]\nwebhook = https://example.org/x\nevents = a, b\n",
    );
    expect(said(loaded)).toEqual([]);
    expect(loaded.model?.clockDrift).toBe(0.005);
    expect(loaded.settings).toMatchObject({
      failoverBudget: { moves: 3, perMs: 600_000 },
      store: { type: "postgres", url: "postgres://u:p@h/db" },
      alerts: { webhook: "https://example.org/x", webhookEvents: ["a", "b"] },
    });
    expect(loaded.settings.security.tlsCert).toMatch(/\/c\.pem$/u);
  });
  test.each([
    [
      "a key that nobody knows",
      "[security]\ntoken_fil = x\n",
      "arbiter.cfg:2:1 nobody knows the key `token_fil`: did you mean `token_file`?",
    ],
    [
      "a key of a daemon in [security]",
      "[security]\naddress = 127.0.0.1\n",
      "arbiter.cfg:2:1 `address` has no meaning here",
    ],
    ["a section with a name", "[security x]\n", "arbiter.cfg:1:1 `[security x]`: this section takes no name"],
    [
      "two sections with one key",
      "[cluster]\nname = a\n[cluster]\nname = b\n",
      "arbiter.cfg:4:1 `name` is written twice with two values",
    ],
    [
      "a service that nobody brings",
      "[service mm]\nlease = 3s\n",
      "arbiter.cfg:1:1 no service is called `mm`",
    ],
    [
      "a service without a name",
      "[service]\nlease = 3s\n",
      "arbiter.cfg:1:1 a `[service]` section needs the service's name",
    ],
    ["quorum", "[store]\ntype = quorum\n", "arbiter.cfg:2:8 the `quorum` store does not exist yet"],
    ["a store of no kind", "[store]\nurl = redis://h\n", "arbiter.cfg:2:7 this is no store's URL"],
    [
      "a store of two kinds",
      "[store]\ntype = etcd\nurl = mysql://h/x\n",
      "arbiter.cfg:3:7 the store's `type` is `etcd`",
    ],
    [
      "a store without its url",
      "[store]\ntype = etcd\n",
      "arbiter.cfg:1:1 a store of type `etcd` needs its `url`",
    ],
    [
      "a certificate without its key",
      "[security]\ntls_cert = x\n",
      "arbiter.cfg:2:12 `tls_cert` needs `tls_key` beside it",
    ],
    [
      "mail without a server",
      "[alerts]\nmail_to = x@y\n",
      "arbiter.cfg:2:11 `mail_to` needs `smtp` beside it",
    ],
    ["a secret's file that isn't there", "[alerts]\nwebhook_file = nowhere\n", "arbiter.cfg:2:16 can't read"],
    [
      "a word that is none of the few",
      "[cluster]\nconfig_sync = maybe\n",
      "arbiter.cfg:2:15 `config_sync` can't be `maybe`",
    ],
    [
      "a cron expression that is none",
      "[cluster]\nconfig_sync_schedule = 61 * * * *\n",
      "arbiter.cfg:2:24 `config_sync_schedule` can't be `61 * * * *`",
    ],
  ])("%s is an error", async (_, text, error) => {
    expect(said(await loadWith(text), "error")).toEqual(
      expect.arrayContaining([expect.stringContaining(`error ${error}`)]),
    );
  });
  test("many mistakes are told at once", async () => {
    const loaded = await loadFiles({
      "a.cfg": "[scheduler a]\nspar = 1\nport = x\nlease = 1ms\n",
      "b.cfg": "[scheduler a]\naddress = 127.0.0.300\n",
      "c.cfg": "define scheduler {\n scheduler_name  c\n address  127.0.0.4\n",
    });
    expect(said(loaded, "error").map((text) => text.split(" ")[1])).toEqual([
      "a.cfg:2:1",
      "a.cfg:3:8",
      "a.cfg:4:9",
      "b.cfg:1:1",
      "b.cfg:2:11",
      "c.cfg:1:1",
    ]);
    expect(loaded.model).toBeNull();
    expect(loaded.hash).toBe("");
  });
});
