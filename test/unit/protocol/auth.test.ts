/** Tokens from a file that changes, who may read and change, and which addresses need a token. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  Access,
  bearerOf,
  isLoopback,
  pageOf,
  refuseForeignPage,
  refusePage,
  refuseOpenBind,
  TokenSource,
} from "../../../src/protocol/auth.ts";

const FIRST = "first-token-0123456789";
const SECOND = "second-token-0123456789";

let folder: string;
let file: string;
const open: TokenSource[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "arbiter-auth-"));
  file = path.join(folder, "token");
});
afterEach(() => {
  for (const source of open.splice(0)) source.close();
  rmSync(folder, { recursive: true, force: true });
});

function sourceOf(content: string, complaints: string[] = []): TokenSource {
  writeFileSync(file, content, { mode: 0o600 });
  const source = new TokenSource(file, (text) => complaints.push(text));
  open.push(source);
  return source;
}

function failureOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return null;
}

describe("a token file", () => {
  it("holds two valid tokens, and the first is the one to send", () => {
    const source = sourceOf(`${FIRST}\r\n\n${SECOND}\n`);
    expect(source.token).toBe(FIRST);
    expect([FIRST, SECOND, "third-token", "", `${FIRST} `].map((token) => source.accepts(token))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it("is followed as it changes: a token that was removed is no longer valid", async () => {
    const source = sourceOf(`${FIRST}\n`);
    await source.look();
    writeFileSync(file, `${SECOND}\n`);
    await source.look();
    expect([source.accepts(FIRST), source.accepts(SECOND)]).toEqual([false, true]);
  });

  it("that becomes unusable leaves the tokens in force, and says so once", async () => {
    const complaints: string[] = [];
    const source = sourceOf(`${FIRST}\n`, complaints);
    writeFileSync(file, "not a token\n");
    await source.look();
    rmSync(file);
    await source.look();
    await source.look();
    expect(source.accepts(FIRST)).toBe(true);
    expect(complaints).toHaveLength(2);
    expect(complaints.join()).not.toContain("not a token\n");
  });

  it.each([
    ["is empty", "\n"],
    ["has three tokens", `${FIRST}\n${SECOND}\nthird-token-0123456789\n`],
    ["has a short token", "secret\n"],
    ["has a token with spaces", "two words that are long\n"],
  ])("is an error at the start if it %s", (_, content) => {
    expect(failureOf(() => sourceOf(content))).toMatchObject({ code: "ERR_ARB_TOKEN_FILE" });
  });

  it("is an error at the start if it isn't there, and the error names it", () => {
    expect(() => new TokenSource(path.join(folder, "none"))).toThrow(/none can't be read.*token_file/u);
  });

  it("never shows what stands in it", () => {
    const secret = "almost a token but with spaces in it";
    expect(String(failureOf(() => sourceOf(`${secret}\n`)))).toMatch(/^(?!.*almost).*line 1/u);
  });
});

const bearer = (token: string): string => `Bearer ${token}`;

describe("who may", () => {
  it("do anything while no token is set", () => {
    const access = new Access(null, null);
    expect([access.refuseChange(undefined), access.refuseRead(undefined)]).toEqual([null, null]);
    expect(access.isOpen).toBe(true);
  });

  it("change only with the token, and read without one unless a read token is set", () => {
    const access = new Access(sourceOf(`${FIRST}\n`), null);
    expect(access.refuseChange(undefined)).toMatchObject({ status: 401, code: "ERR_ARB_UNAUTHORIZED" });
    expect(access.refuseChange(bearer(SECOND))).toMatchObject({ status: 401 });
    expect(access.refuseChange(FIRST)).toMatchObject({ status: 401 });
    expect(access.refuseChange(bearer(FIRST))).toBeNull();
    expect(access.refuseRead(undefined)).toBeNull();
  });

  it("read with either token where a read token is set, and never change with it", () => {
    const change = sourceOf(`${FIRST}\n`);
    const readFile = path.join(folder, "read");
    writeFileSync(readFile, `${SECOND}\n`);
    const read = new TokenSource(readFile);
    open.push(read);
    const access = new Access(change, read);
    expect(access.refuseRead(undefined)).toMatchObject({ status: 401 });
    expect(access.refuseRead(bearer(SECOND))).toBeNull();
    expect(access.refuseRead(bearer(FIRST))).toBeNull();
    expect(access.refuseChange(bearer(SECOND))).toMatchObject({ status: 401 });
  });
});

it("reads a bearer header in any case, and nothing else", () => {
  expect(bearerOf("bearer  abc")).toBe("abc");
  expect([bearerOf(undefined), bearerOf("Basic abc"), bearerOf("Bearer a b"), bearerOf("Bearer")]).toEqual([
    null,
    null,
    null,
    null,
  ]);
});

describe("addresses", () => {
  it.each(["127.0.0.1", "127.9.9.9", "::1", "[::1]", "0:0:0:0:0:0:0:1", "localhost", "::ffff:127.0.0.1"])(
    "%s is loopback and needs no token",
    (address) => {
      expect(isLoopback(address)).toBe(true);
      expect(refuseOpenBind({ address, hasToken: false, insecure: false })).toBeNull();
    },
  );

  it.each(["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.com", "scheduler", "128.0.0.1", "fe80::1"])(
    "%s isn't, and is refused without token, with what to do",
    (address) => {
      expect(isLoopback(address)).toBe(false);
      const refused = refuseOpenBind({ address, hasToken: false, insecure: false });
      expect(refused).toMatchObject({ code: "ERR_ARB_OPEN_BIND" });
      expect(refused?.message).toMatch(/token_file.*insecure = 1/u);
      expect(refuseOpenBind({ address, hasToken: true, insecure: false })).toBeNull();
      expect(refuseOpenBind({ address, hasToken: false, insecure: true })).toBeNull();
    },
  );
});

it("refuses a change that a page of another site sends", () => {
  const host = "127.0.0.1:7770";
  const none = { host, origin: undefined, site: undefined };
  expect(refuseForeignPage(none)).toBeNull();
  expect(refuseForeignPage({ ...none, origin: "http://127.0.0.1:7770", site: "same-origin" })).toBeNull();
  for (const foreign of [
    { ...none, origin: "http://evil.example" },
    { ...none, origin: "null" },
    { ...none, site: "cross-site" },
    { ...none, origin: "http://127.0.0.1:8080", site: "same-site" },
  ]) {
    expect(refuseForeignPage(foreign)).toMatchObject({ status: 403 });
  }
});

it("refuses every page where arbiters and daemons alone call, one of ours and one by another name, too", () => {
  expect(refusePage(pageOf({ host: "127.0.0.1:7770" }))).toBeNull();
  expect(refusePage(pageOf({ "sec-fetch-site": "none" }))).toBeNull();
  for (const page of [
    { origin: "http://127.0.0.1:7770", host: "127.0.0.1:7770", "sec-fetch-site": "same-origin" },
    { origin: "null" },
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "none, cross-site" },
  ]) {
    expect(refusePage(pageOf(page))).toMatchObject({ status: 403 });
  }
});
