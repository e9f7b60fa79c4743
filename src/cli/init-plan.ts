/**
 * What `arbiter init` is to write: who is there, at which addresses, on which store. From flags, or from
 * answers to questions; both give the same plan, and a plan gives the same files.
 */
import { isIP } from "node:net";
import { defaultPortOf } from "../config/keys.ts";
import { WrongUsage } from "./failure.ts";

export const SHAPES = ["pair", "many", "arbiters"] as const;
export type Shape = (typeof SHAPES)[number];

export interface InitFlags {
  readonly shape?: Shape;
  readonly type?: string;
  readonly master?: string;
  readonly spare?: string;
  readonly arbiter?: string;
  readonly port?: number;
  readonly store?: string;
  readonly command?: string;
}

export interface Planned {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface InitPlan {
  readonly shape: Shape;
  readonly type: string;
  readonly masters: readonly Planned[];
  readonly spares: readonly Planned[];
  readonly arbiters: readonly Planned[];
  /** null: SQLite in the state folder. */
  readonly store: string | null;
  readonly command: string | null;
}

const ARBITER_PORT = 7770;
/** For a type that has no port of its own. */
const FIRST_PORT = 7801;

export function planOf(flags: InitFlags): InitPlan {
  const shape = flags.shape ?? "pair";
  const type = typeOf(flags.type ?? "scheduler");
  const masters = addressesOf("--master", flags.master ?? "127.0.0.1");
  const spares = addressesOf("--spare", flags.spare ?? "127.0.0.1");
  const arbiters = addressesOf("--arbiter", flags.arbiter ?? "127.0.0.1");
  if (shape === "pair" && masters.length + spares.length > 2)
    throw new WrongUsage(
      "--shape pair is one master and one spare.",
      "`arbiter init --shape many --master A,B --spare C` is for several.",
    );
  if (shape === "arbiters" && arbiters.length < 2)
    throw new WrongUsage(
      "--shape arbiters is for two arbiters or more.",
      "For example: --arbiter 10.0.0.1,10.0.0.2 --store etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379",
    );
  if (flags.store === undefined && new Set(arbiters).size > 1)
    throw new WrongUsage(
      "several arbiters on several machines need a store that all of them reach.",
      "For example: --store postgres://arbiter:PASSWORD@10.0.0.9/arbiter; docs/stores.md has them all.",
    );
  const taken = new Set<string>();
  const place = (address: string, wanted: number): number => {
    let port = wanted;
    while (taken.has(`${address} ${port}`)) port += 1;
    taken.add(`${address} ${port}`);
    return port;
  };
  const base = flags.port ?? defaultPortOf(type) ?? FIRST_PORT;
  const named = (addresses: readonly string[], what: string, port: number): Planned[] =>
    addresses.map((address, at) => ({
      name: addresses.length === 1 ? what : `${what}-${at + 1}`,
      address,
      port: place(address, port),
    }));
  return {
    shape,
    type,
    arbiters: named(arbiters, "arbiter", ARBITER_PORT),
    masters: named(masters, masters.length === 1 ? `${type}-master` : type, base),
    spares: named(spares, `${type}-spare`, base),
    store: flags.store ?? null,
    command: flags.command ?? null,
  };
}

function typeOf(text: string): string {
  if (/^[a-z][a-z0-9_-]{0,62}$/u.test(text) && text !== "arbiter") return text;
  throw new WrongUsage(
    `--type: \`${text}\` can't be the type of a daemon.`,
    "Letters, digits, `-` and `_`, beginning with a letter: web, billing, scheduler.",
  );
}

function addressesOf(flag: string, text: string): readonly string[] {
  const addresses = text.split(",").map((one) => one.trim());
  for (const address of addresses) {
    const isName = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/iu.test(address);
    if (isIP(address) > 0 || isName) continue;
    throw new WrongUsage(
      `${flag}: \`${address}\` is neither an IP address nor a host name.`,
      `For example: ${flag} 10.0.0.1,10.0.0.2`,
    );
  }
  return addresses;
}
