/** Versions of the configuration that the store keeps, and which one a rollback means. */
import type { ConfigurationVersion } from "../../core/arbiter-io.ts";

/** Of a version, without its files' contents. */
export interface VersionLine {
  readonly version: number;
  readonly hash: string;
  readonly at: string;
  readonly by: string;
  readonly files: number;
  readonly inForce: boolean;
}

export function versionLine(version: ConfigurationVersion, inForce: number): VersionLine {
  return {
    version: version.version,
    hash: version.hash,
    at: new Date(version.atWallMs).toISOString(),
    by: version.by,
    files: Object.keys(version.files).length,
    inForce: version.version === inForce,
  };
}

/** Newest first. The one named; else the newest before the one in force that says something else. */
export function rollbackTarget(
  versions: readonly ConfigurationVersion[],
  inForce: { readonly version: number; readonly hash: string },
  named: number | null,
): ConfigurationVersion | null {
  if (named !== null) return versions.find(({ version }) => version === named) ?? null;
  return versions.find(({ version, hash }) => version < inForce.version && hash !== inForce.hash) ?? null;
}
