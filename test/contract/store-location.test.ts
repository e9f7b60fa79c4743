/** Store urls that can't be understood: each is one sentence, says what is meant, and shows no password. */
import { describe, expect, test } from "vitest";
import { readLocation, type LocationForm } from "../../src/store/location.ts";
import { openStore } from "../../src/store/open.ts";

const FORM: LocationForm = { defaultPort: 2379, severalHosts: true, example: "etcd://HOST" };

describe("a store's url", () => {
  test("names hosts, IPv6 addresses, sockets, credentials, a path and a prefix", () => {
    const url = "etcd://an%40na:p%2Fw@h1,[::1]:99,%2Frun%2Fsock/a%20b?prefix=x_1";
    expect(readLocation(url, FORM, "/")).toEqual({
      description: "etcd://an%40na:***@h1,[::1]:99,%2Frun%2Fsock/a%20b",
      endpoints: [
        { host: "h1", port: 2379 },
        { host: "::1", port: 99 },
        { host: "/run/sock", port: 2379 },
      ],
      user: "an@na",
      password: "p/w",
      path: "a b",
      prefix: "x_1",
      tls: null,
    });
  });

  test.each([
    ["postgres://anna:secret@h1,h2/a", /several hosts.*primary/u],
    ["postgres://anna:secret@h1", /names no database/u],
    ["postgres://anna:secret@/a", /names no host/u],
    ["postgres:anna:secret", /can't be understood/u],
    ["postgres://anna:se@cret@h1/a", /can't be understood/u],
    ["postgres://anna:secret@h1:99999/a", /where a host belongs/u],
    ["postgres://anna:secret@::1/a", /where a host belongs/u],
    ["postgres://anna:%zz@h1/a", /write a plain % as %25/u],
    ["postgres://anna:secret@h1/a?sslmode=require", /parameter "sslmode".*tls_ca/u],
    ["postgres://anna:secret@h1/a?prefix=A-b", /prefix "A-b"/u],
    ["postgres://anna:secret@h1/a?prefix=a&prefix=b", /"prefix" twice/u],
    ["postgres://anna:secret@h1/a?tls=yes", /write 1 or 0/u],
    ["postgres://anna:secret@h1/a?tls=0&tls_ca=x", /"tls=0" and yet "tls_ca"/u],
    ["postgres://anna:secret@h1/a?tls_cert=x", /"tls_cert" and "tls_key" together/u],
    ["postgres://anna:secret@h1/a?tls_ca=/nonexistent/ca.pem", /can't be read/u],
  ])("%s is refused", async (url, sentence) => {
    const error = await openStore(url, { stateDir: "/nonexistent" }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "ERR_ARB_STORE_URL" });
    expect(String(error)).toMatch(sentence);
    expect(String(error)).toContain("postgres://USER:PASSWORD@HOST");
    expect(String(error)).not.toMatch(/:secret|se@cret/u);
  });
});
