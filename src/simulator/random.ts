/**
 * Randomness from a seed: the same seed gives the same run, on every machine.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, public domain): four 32-bit words, fast in plain
 * integer arithmetic.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #count: number;

  /** Generators of one seed and different salts have nothing to do with each other. */
  constructor(seed: number, salt = 0) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = 0x2545f491 ^ salt;
    this.#count = 1;
    for (let round = 0; round < 16; round++) this.next();
  }

  /** In [0, 1). */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Every order of magnitude between the two is equally likely. */
  magnitude(low: number, high: number): number {
    return low * (high / low) ** this.next();
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** Waiting time until the next of events that happen once in `meanMs` on average. */
  wait(meanMs: number): number {
    return -Math.log(1 - this.next()) * meanMs;
  }

  pick<T>(from: readonly T[]): T {
    const chosen = from[Math.floor(this.next() * from.length)];
    if (chosen === undefined) throw new Error("simulator: picked from an empty list");
    return chosen;
  }
}
