/**
 * Which arbiter of the configuration this process is: the one that was named, else the only one
 * whose address is this machine's, else the only one there is. Where that is not clear, an error
 * lists them: guessing would run two arbiters under one name.
 */
import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import type { ArbiterSpec } from "../core/model.ts";
import { isLoopback } from "../protocol/auth.ts";
import { ArbiterError } from "../protocol/errors.ts";

export async function whichArbiter(
  arbiters: readonly ArbiterSpec[],
  name: string | null,
): Promise<ArbiterSpec> {
  if (name !== null) {
    const named = arbiters.find((arbiter) => arbiter.name === name);
    if (named !== undefined) return named;
    throw new ArbiterError(
      "ERR_ARB_UNKNOWN_ARBITER",
      `The configuration has no arbiter called ${name}. It has: ${listed(arbiters)}.`,
    );
  }
  const own = ownAddresses();
  const isHere = await Promise.all(arbiters.map(({ address }) => isThisMachine(address, own)));
  const here = arbiters.filter((_, index) => isHere[index]);
  const [only] = here.length === 1 ? here : arbiters;
  if (only !== undefined && (here.length === 1 || arbiters.length === 1)) return only;
  const why =
    here.length === 0
      ? "none of them has an address of this machine"
      : `${here.length} of them have an address of this machine`;
  throw new ArbiterError(
    "ERR_ARB_WHICH_ARBITER",
    `The configuration has ${arbiters.length} arbiters (${listed(arbiters)}), and ${why}. ` +
      `Say which one this is: --name ${here[0]?.name ?? arbiters[0]?.name ?? "NAME"}.`,
  );
}

function listed(arbiters: readonly ArbiterSpec[]): string {
  return arbiters.map(({ name, address, port }) => `${name} at ${address}:${port}`).join(", ");
}

function ownAddresses(): ReadonlySet<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(addresses.map(({ address }) => address.replace(/%.*$/u, "").toLowerCase()));
}

async function isThisMachine(address: string, own: ReadonlySet<string>): Promise<boolean> {
  const bare = address.replace(/^\[(.*)\]$/u, "$1").toLowerCase();
  if (isLoopback(bare) || own.has(bare)) return true;
  try {
    const found = await lookup(bare, { all: true });
    return found.some((each) => own.has(each.address.toLowerCase()) || isLoopback(each.address));
  } catch {
    // A name that can't be looked up isn't known to be ours.
    return false;
  }
}
