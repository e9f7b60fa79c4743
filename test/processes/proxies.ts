/**
 * HAProxy and nginx as Debian has them, in front of the two daemons of a cluster. The configurations
 * are the ones of docs/clients.md, with this test's addresses: what can be copied is what is tested.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, until } from "./library-processes.ts";
import type { ClientsRig } from "./clients-rig.ts";

export type ProxyKind = "haproxy" | "nginx";
const GUIDE = fileURLToPath(new URL("../../docs/clients.md", import.meta.url));

/** null: it isn't installed, which is an error where CI runs. */
export function programOf(kind: ProxyKind): string | null {
  const found = [`/usr/sbin/${kind}`, `/usr/bin/${kind}`, `/usr/local/sbin/${kind}`].find((file) =>
    existsSync(file),
  );
  if (found !== undefined) return found;
  if (process.env["CI"] === "true") throw new Error(`${kind} isn't installed: apt-get install ${kind}`);
  process.stdout.write(`skipped: ${kind} isn't installed (apt-get install ${kind})\n`);
  return null;
}

/** Starts it and waits until it serves; gives its URL. */
export async function startProxy(rig: ClientsRig, kind: ProxyKind): Promise<string> {
  const program = programOf(kind);
  if (program === null) throw new Error(`${kind} isn't installed`);
  const port = await freePort();
  const folder = path.join(rig.folder, kind);
  mkdirSync(folder);
  const file = path.join(folder, `${kind}.cfg`);
  const [master, slave] = [...rig.ports.values()];
  const text = fromGuide(kind)
    .replaceAll("10.0.0.1:7768", `127.0.0.1:${master}`)
    .replaceAll("10.0.0.2:7768", `127.0.0.1:${slave}`)
    .replaceAll(/(?:\*:|listen )80\b/gu, (found) => found.replace(/(?:\*:)?80$/u, `127.0.0.1:${port}`));
  writeFileSync(file, kind === "nginx" ? wholeNginx(text, folder) : text);
  if (kind === "haproxy") rig.spawnOther(kind, program, ["-db", "-f", file]);
  else rig.spawnOther(kind, program, ["-p", folder, "-c", file, "-e", "stderr"]);
  const url = `http://127.0.0.1:${port}`;
  await until(
    `${kind} serves: ${rig.output.get(kind) ?? ""}`,
    async () =>
      await fetch(`${url}/who`).then(
        ({ ok }) => ok,
        () => false,
      ),
    20_000,
  );
  return url;
}

/** The fenced block of the guide that begins with this proxy's comment. */
function fromGuide(kind: ProxyKind): string {
  const text = readFileSync(GUIDE, "utf8");
  const found = new RegExp(`\`\`\`[a-z]*\\n(# ${kind}\\b.*?)\`\`\``, "su").exec(text)?.[1];
  if (found === undefined) throw new Error(`docs/clients.md has no configuration for ${kind}`);
  return found;
}

/** The guide's part belongs into the `http` of a configuration that every installation has. */
function wholeNginx(part: string, folder: string): string {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${path.join(folder, name)};`,
  );
  return `daemon off;\npid ${path.join(folder, "pid")};\nevents { worker_connections 512; }\nhttp {\naccess_log off;\n${paths.join("\n")}\n${part}\n}\n`;
}
