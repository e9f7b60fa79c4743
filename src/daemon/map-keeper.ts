/**
 * The newest cluster map that an arbiter sent, for clients that reach this daemon and no arbiter.
 * A map of an older or the same version changes nothing (I8). It is not read, only passed on, and
 * not kept over a restart: an arbiter sends it again.
 */
export class MapKeeper {
  newest: { readonly version: number; readonly map: unknown } | null = null;

  /** The version now kept; null: this is no map. */
  offer(value: unknown): number | null {
    if (typeof value !== "object" || value === null || !("version" in value)) return null;
    const { version } = value;
    if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 0) return null;
    if (this.newest === null || version > this.newest.version) this.newest = { version, map: value };
    return this.newest.version;
  }
}
