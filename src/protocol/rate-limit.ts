/**
 * A token bucket for each name: so many at once, so many a second after that. The caller passes the
 * time, and names that are bounded in number: by nature, or by `most`.
 */
interface Bucket {
  left: number;
  atMs: number;
}

export class RateLimit {
  readonly #perSecond: number;
  readonly #atOnce: number;
  readonly #buckets = new Map<string, Bucket>();

  readonly #most: number;

  /** `most`: names that are counted; past it all are forgotten, so that strangers can't fill the memory. */
  constructor(perSecond: number, atOnce: number, most: number = Number.POSITIVE_INFINITY) {
    this.#perSecond = perSecond;
    this.#atOnce = atOnce;
    this.#most = most;
  }

  allows(name: string, nowMs: number): boolean {
    if (this.#buckets.size >= this.#most && !this.#buckets.has(name)) this.#buckets.clear();
    const bucket = this.#buckets.get(name) ?? { left: this.#atOnce, atMs: nowMs };
    this.#buckets.set(name, bucket);
    this.#refill(bucket, nowMs);
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
  }

  /** Whether the next one would be too many; asking counts nothing. */
  isSpent(name: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return false;
    this.#refill(bucket, nowMs);
    return bucket.left < 1;
  }

  #refill(bucket: Bucket, nowMs: number): void {
    const refilled = bucket.left + ((nowMs - bucket.atMs) / 1_000) * this.#perSecond;
    bucket.left = Math.min(this.#atOnce, refilled);
    bucket.atMs = nowMs;
  }
}
