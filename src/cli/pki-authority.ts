/**
 * A small certificate authority in a folder, for those who have none: `ca.crt` and `ca.key`, and a
 * pair of files for each name that it has issued.
 *
 * A certificate bears one name (the common name), the daemon's, the arbiter's or a person's, and
 * the addresses where it answers. Elliptic keys on P-256, which every TLS library takes. Private
 * keys are made with mode 0600 and never leave the folder by themselves; nothing is overwritten
 * unless that was asked for, and then the old file or the new one is there, never half of one.
 */
import "reflect-metadata";
import { createHash, randomBytes, webcrypto } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { existsSync, mkdirSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { codeOf, messageOf } from "../protocol/errors.ts";
import { ClearNo, WrongUsage } from "./failure.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** Another machine's clock may be behind. */
const BACKDATED_MS = 3_600_000;
/** X.520: a common name has 64 characters at most. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u;
const HOST =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/u;

export interface Issued {
  readonly name: string;
  readonly certificate: string;
  readonly key: string;
  readonly addresses: readonly string[];
  readonly endsAt: string;
  /** SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` prints it. */
  readonly fingerprint: string;
}

export async function makeAuthority(folder: string, title: string, days: number): Promise<Issued> {
  const [certificate, key] = [join(folder, "ca.crt"), join(folder, "ca.key")];
  refuseExisting([certificate, key], "It would no longer vouch for what it has issued. Name another folder.");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ClearNo(
      `the folder ${folder} can't be made: ${messageOf(error)}`,
      "Name one that can be written to: `arbiter pki init DIR`.",
      { cause: error },
    );
  }
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    ...span(days),
    serialNumber: serialNumber(),
    name: [{ CN: [title] }],
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      // No authority below it: it signs daemons, arbiters and people.
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign + x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  writeWhole(key, await privatePem(keys.privateKey), 0o600);
  writeWhole(certificate, pem(made), 0o644);
  return issued(title, made, { certificate, key, addresses: [] });
}

export interface Order {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly days: number;
  /** Put it in the place of an earlier one. */
  readonly replace: boolean;
}

export async function issueCertificate(folder: string, order: Order): Promise<Issued> {
  const { name, addresses, days, replace } = order;
  if (!NAME.test(name) || name === "ca") {
    throw new WrongUsage(
      `\`${name}\` can't be the name of a certificate.`,
      "A name has 1 to 64 letters, digits, `.`, `_` and `-`, begins with a letter or digit, and isn't `ca`.",
    );
  }
  const alternatives = addresses.map((address) => alternativeName(address));
  const authority = await openAuthority(folder);
  const [certificate, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  if (!replace) refuseExisting([certificate, key], "To renew it, say --replace.");
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const made = await x509.X509CertificateGenerator.create({
    ...span(days, authority.certificate.notAfter),
    serialNumber: serialNumber(),
    subject: [{ CN: [name] }],
    issuer: authority.certificate.subjectName,
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // Daemons and arbiters call each other: each is a server and a client.
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
      ...(alternatives.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives)]),
    ],
  });
  // Whoever follows both files waits until they belong together.
  writeWhole(key, await privatePem(keys.privateKey), 0o600);
  writeWhole(certificate, pem(made), 0o644);
  return issued(name, made, { certificate, key, addresses });
}

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
}

async function openAuthority(folder: string): Promise<Authority> {
  const read = (file: string): string => {
    try {
      return readFileSync(join(folder, file), "utf8");
    } catch (error) {
      const why = codeOf(error) === "ENOENT" ? "isn't there" : `can't be read (${messageOf(error)})`;
      throw new ClearNo(
        `${join(folder, file)} ${why}: without it nothing can be issued.`,
        "Make an authority with `arbiter pki init DIR`, or name its folder with --dir DIR.",
        { cause: error },
      );
    }
  };
  const [certificate, key] = [read("ca.crt"), read("ca.key")];
  try {
    const [der] = x509.PemConverter.decode(key);
    if (der === undefined) throw new Error("ca.key holds no key");
    return {
      certificate: new x509.X509Certificate(certificate),
      key: await webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]),
    };
  } catch (error) {
    throw new ClearNo(
      `the authority in ${folder} can't be used: ${messageOf(error)}`,
      "Restore its two files from a copy, or make another: `arbiter pki init DIR`.",
      { cause: error },
    );
  }
}

function alternativeName(address: string): { readonly type: "ip" | "dns"; readonly value: string } {
  const bare = address.replace(/^\[(.*)\]$/u, "$1");
  if (isIP(bare) !== 0) return { type: "ip", value: bare };
  // A host name's last label is never a number: `300.1.1.1` is a mistyped address.
  if (HOST.test(bare) && !/(?:^|\.)\d+$/u.test(bare)) return { type: "dns", value: bare };
  throw new WrongUsage(
    `--address: \`${address}\` is neither an IP address nor a host name.`,
    "For example: --address 10.0.0.2,db1.example.org",
  );
}

function span(days: number, notBeyond?: Date): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  const endMs = Math.min(now + days * DAY_MS, notBeyond?.getTime() ?? Infinity);
  return { notBefore: new Date(now - BACKDATED_MS), notAfter: new Date(endMs) };
}

/** Positive and of a length that every reader takes (RFC 5280: 20 bytes at most). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem").trim()}\n`;
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", key);
  return `${x509.PemConverter.encode(der, "PRIVATE KEY").trim()}\n`;
}

function issued(
  name: string,
  certificate: x509.X509Certificate,
  files: Pick<Issued, "certificate" | "key" | "addresses">,
): Issued {
  const digest = createHash("sha256").update(Buffer.from(certificate.rawData)).digest("hex").toUpperCase();
  return {
    name,
    ...files,
    endsAt: certificate.notAfter.toISOString(),
    fingerprint: digest.match(/../gu)?.join(":") ?? digest,
  };
}

function refuseExisting(files: readonly string[], next: string): void {
  const there = files.filter((file) => existsSync(file));
  if (there.length > 0)
    throw new ClearNo(`${there.join(" and ")} exists already; nothing was written.`, next);
}

/** The mode is that of the file from its first moment on. */
function writeWhole(file: string, content: string, mode: number): void {
  const temporary = `${file}.new`;
  try {
    rmSync(temporary, { force: true });
    const descriptor = openSync(temporary, "wx", mode);
    try {
      writeSync(descriptor, content);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    throw new ClearNo(
      `${file} can't be written: ${messageOf(error)}`,
      "Name a folder that can be written to: --dir DIR.",
      { cause: error },
    );
  }
}
