/** Certificates from files: what is wrong with them is said, and a change is taken whole or not at all. */
import { X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { issueCertificate, makeAuthority, type Issued } from "../../../src/cli/pki-authority.ts";
import { fingerprint, nameIn } from "../../../src/protocol/caller.ts";
import { TlsSource, type TlsFiles } from "../../../src/protocol/tls.ts";

let folder: string;
let authority: Issued;
const made = new Map<string, Issued>();
const open: TlsSource[] = [];
const told: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "arbiter-tls-"));
  authority = await makeAuthority(folder, "test", 100);
  for (const [name, days] of [
    ["one", 50],
    ["two", 50],
    ["short", 3],
  ] as const) {
    const addresses = ["127.0.0.1", "::1", "one.example.org"];
    made.set(name, await issueCertificate(folder, { name, addresses, days, replace: false }));
  }
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  told.length = 0;
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function issued(name: string): Issued {
  const one = made.get(name);
  if (one === undefined) throw new Error(`no certificate ${name}`);
  return one;
}

/** A place of its own, with what is to be there at first. */
function filesOf(name: string, rest: Partial<TlsFiles> = {}): TlsFiles {
  const place = mkdtempSync(path.join(folder, "files-"));
  const [certFile, keyFile] = [path.join(place, "own.crt"), path.join(place, "own.key")];
  writeFileSync(certFile, readFileSync(issued(name).certificate));
  writeFileSync(keyFile, readFileSync(issued(name).key), { mode: 0o600 });
  return { certFile, keyFile, caFile: authority.certificate, clientCert: "none", ...rest };
}

function source(files: TlsFiles): TlsSource {
  const one = new TlsSource(files, (text) => told.push(text));
  open.push(one);
  return one;
}

function put(file: string | null, content: string | Buffer): void {
  writeFileSync(file ?? "", content);
}

describe("files that can't be used", () => {
  it("are an error that names the key, the file and what to do", () => {
    const good = filesOf("one");
    expect(() => source({ ...good, certFile: "/nowhere/a.crt" })).toThrow(
      /`tls_cert` in \[security\] names \/nowhere\/a\.crt, which can't be read .*arbiter pki/u,
    );
    put(good.caFile === null ? null : path.join(folder, "bad-ca.crt"), "no certificate");
    expect(() => source({ ...good, caFile: path.join(folder, "bad-ca.crt") })).toThrow(
      /`tls_ca` .* holds no certificate in PEM form/u,
    );
    put(good.keyFile, readFileSync(issued("two").key));
    expect(() => source(good)).toThrow(/own\.crt and its key .*own\.key can't be used together/u);
  });

  it("that are needed and not named are one as well", () => {
    const none = source({ certFile: null, keyFile: null, caFile: null, clientCert: "required" });
    expect(() => none.serverOptions("scheduler-1")).toThrow(
      /scheduler-1 has `use_ssl = 1`, but no certificate/u,
    );
    const unasked = source(filesOf("one", { caFile: null, clientCert: "required" }));
    expect(() => unasked.serverOptions("scheduler-1")).toThrow(/but no `tls_ca`/u);
  });
});

describe("a change", () => {
  it("is taken once certificate and key belong together", () => {
    const files = filesOf("one");
    const one = source(files);
    put(files.keyFile, readFileSync(issued("two").key));
    one.look();
    expect([one.version, told]).toEqual([0, []]);
    put(files.certFile, readFileSync(issued("two").certificate));
    one.look();
    expect(one.version).toBe(1);
    expect(one.material.cert).toBe(readFileSync(issued("two").certificate, "utf8"));
    one.look();
    expect([one.version, told]).toEqual([1, []]);
  });

  it("that stays unusable is told once, and what was in force stays", () => {
    const files = filesOf("one");
    const one = source(files);
    const before = one.material;
    put(files.certFile, "half a certi");
    for (let looks = 0; looks < 5; looks += 1) one.look();
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/holds no certificate in PEM form.*read before stay in force/u);
    expect(one.material).toBe(before);
  });

  it("of nothing but the file's date is none", () => {
    const files = filesOf("one");
    const one = source(files);
    put(files.certFile, readFileSync(issued("one").certificate));
    one.look();
    expect(one.version).toBe(0);
  });
});

it("a certificate that ends soon, and a key that everybody may read, are told of once", () => {
  const files = filesOf("short");
  chmodSync(files.keyFile ?? "", 0o644);
  const one = source(files);
  one.look();
  one.look();
  expect(told).toEqual([
    expect.stringMatching(/may read the private key .*chmod 600/u),
    expect.stringMatching(/own\.crt ends on \d{4}-\d\d-\d\d; after that nobody accepts it/u),
  ]);
});

describe("what `arbiter pki` issues", () => {
  it("is vouched for by its authority, bears one name and its addresses, and is no authority", () => {
    const ca = new X509Certificate(readFileSync(authority.certificate));
    const one = new X509Certificate(readFileSync(issued("one").certificate));
    expect([ca.ca, one.ca]).toEqual([true, false]);
    expect(one.checkIssued(ca) && one.verify(ca.publicKey)).toBe(true);
    expect(one.subject).toBe("CN=one");
    expect(one.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(one.checkIP("127.0.0.2")).toBeUndefined();
    expect(one.checkHost("one.example.org")).toBe("one.example.org");
    expect(one.checkHost("two.example.org")).toBeUndefined();
    expect(one.fingerprint256).toBe(issued("one").fingerprint);
    expect(one.validToDate.getTime() - Date.now()).toBeLessThan(50 * 86_400_000);
    expect(one.serialNumber).not.toBe(
      new X509Certificate(readFileSync(issued("two").certificate)).serialNumber,
    );
  });

  it("never outlives its authority, and overwrites nothing unless it is told to", async () => {
    const order = { name: "long", addresses: [], days: 3_000, replace: false };
    const long = await issueCertificate(folder, order);
    expect(long.endsAt).toBe(authority.endsAt);
    await expect(issueCertificate(folder, order)).rejects.toThrow(/exists already; nothing was written/u);
    const renewed = await issueCertificate(folder, { ...order, replace: true });
    expect(renewed.fingerprint).not.toBe(long.fingerprint);
    await expect(makeAuthority(folder, "again", 10)).rejects.toThrow(/exists already/u);
  });

  it.each(["ca", "../up", "", ".hidden", "a b", "a/b", "a\nb", "x".repeat(65)])(
    "is not for `%s`",
    async (name) => {
      const order = { name, addresses: [], days: 1, replace: false };
      await expect(issueCertificate(folder, order)).rejects.toThrow(/can't be the name of a certificate/u);
    },
  );

  it.each(["300.1.1.1", "-x.example", "a b", "*", "http://x"])(
    "is not for the address `%s`",
    async (address) => {
      const order = { name: "fine", addresses: [address], days: 1, replace: false };
      await expect(issueCertificate(folder, order)).rejects.toThrow(/neither an IP address nor a host name/u);
    },
  );
});

describe("a certificate's name", () => {
  it("is its one common name, else the one DNS name; never an address", () => {
    expect(nameIn({ subject: { CN: "alice" }, subjectaltname: "DNS:other" })).toBe("alice");
    expect(nameIn({ subject: { CN: ["alice", "bob"] }, subjectaltname: "DNS:alice" })).toBeNull();
    expect(nameIn({ subject: { CN: undefined }, subjectaltname: "DNS:alice, IP Address:10.0.0.1" })).toBe(
      "alice",
    );
    expect(nameIn({ subject: { CN: undefined }, subjectaltname: "DNS:alice, DNS:bob" })).toBeNull();
    expect(nameIn({ subject: { CN: undefined }, subjectaltname: "IP Address:10.0.0.1" })).toBeNull();
    expect(nameIn({})).toBeNull();
  });
});

it("a fingerprint tells tokens apart and gives none away", () => {
  const all = Array.from({ length: 50 }, (_, at) => fingerprint(`token-number-${at}`));
  expect(new Set(all).size).toBeGreaterThan(45);
  for (const one of all) expect(one).toMatch(/^[0-9a-f]{4}$/u);
});
