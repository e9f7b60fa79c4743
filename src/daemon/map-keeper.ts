/**
 * The newest cluster map that an arbiter sent, for clients that reach this daemon and no arbiter.
 * A map of an older or the same version changes nothing (I8). It is passed on as it came, and
 * not kept over a restart: an arbiter sends it again.
 */
import type { KnownHolder } from "../fence/under-lease.ts";

export class MapKeeper {
  newest: { readonly version: number; readonly clusterId: unknown; readonly map: unknown } | null = null;

  /** The version now kept; null: this is no map. */
  offer(value: unknown): number | null {
    if (typeof value !== "object" || value === null || !("version" in value)) return null;
    const { version } = value;
    if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 0) return null;
    const clusterId: unknown = "clusterId" in value ? value.clusterId : null;
    // Another cluster (this daemon was told to forget the first) counts by itself.
    const isOther = this.newest !== null && this.newest.clusterId !== clusterId;
    if (this.newest === null || isOther || version > this.newest.version)
      this.newest = { version, clusterId, map: value };
    return this.newest.version;
  }

  /** Who holds the service, by this map; null: it doesn't say. The empty name: the only one there is. */
  holderOf(named: string): KnownHolder | null {
    const map: unknown = this.newest?.map;
    if (typeof map !== "object" || map === null || !("services" in map)) return null;
    const { services } = map;
    if (typeof services !== "object" || services === null) return null;
    const names = Object.keys(services);
    const service = named === "" && names.length === 1 ? (names[0] ?? "") : named;
    if (!Object.hasOwn(services, service)) return null;
    const entry: unknown = Reflect.get(services, service);
    if (typeof entry !== "object" || entry === null) return null;
    const { holder, url, epoch }: { holder?: unknown; url?: unknown; epoch?: unknown } = entry;
    if (typeof epoch !== "number") return null;
    const [name, at] = [holder, url].map((value) => (typeof value === "string" ? value : null));
    return { holder: name ?? null, url: at ?? null, epoch };
  }
}
