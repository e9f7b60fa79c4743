import type { DaemonSpec } from "../core/model.ts";
import type { TlsFiles } from "./options.ts";
export interface OwnFile {
  readonly spec: DaemonSpec;
  readonly arbiters: readonly string[];
  readonly stateDir: string;
  readonly version: string;
  readonly tokenFile: string | null;
  readonly readTokenFile: string | null;
  readonly tls: TlsFiles | null;
  readonly insecure: boolean;
  readonly warnings: readonly string[];
}
export async function readOwnFile(..._a: unknown[]): Promise<OwnFile> {
  throw new Error("waits for src/config");
}
