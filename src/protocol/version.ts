/** The program's version, from the package's own manifest: the same two folders up in `src` and in `dist`. */
import { readFileSync } from "node:fs";

export function programVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest) {
    return String(manifest.version);
  }
  return "unknown";
}
