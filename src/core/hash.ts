/**
 * Highest-random-weight hashing (Thaler & Ravishankar 1998): every pair of names gets a weight, and
 * the highest one wins. It spreads many masters' services evenly over many spares, needs no shared
 * state, and moves only what it must when a name comes or goes.
 */

/** FNV-1a with a final avalanche (the 32-bit finaliser of MurmurHash3), so that near names differ. */
export function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

export function weight(service: string, candidate: string): number {
  return hash32(`${service}\u0000${candidate}`);
}
