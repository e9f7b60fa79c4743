/** examples/virtual-address on three hosts (network namespaces): who answers at the address, and who has it. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HOLDER, whyNoHosts } from "./hosts-rig.ts";
import { makeFolder, textOf, until } from "./launcher-workshop.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/virtual-address");
const CLI = fileURLToPath(new URL("launcher-cli.ts", import.meta.url));
const ADDRESS = "10.77.0.100";

/** Says on which host it is: it is told by the file beside it. */
const SERVER = `
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["ARBITER_NAME"].encode())
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 80), Answer).serve_forever()
`;

function whyNot(): string | null {
  const hosts = whyNoHosts();
  if (hosts !== null) return hosts;
  if (spawnSync("sh", ["-c", "command -v arping"]).status === 0) return null;
  if (process.env["CI"] !== undefined) throw new Error("arping isn't installed");
  return "arping isn't installed";
}

const why = whyNot();
if (why !== null) console.log(`skipped, a virtual address: ${why}`);

type Host = "arbiter" | "master" | "spare";

describe.skipIf(why !== null)("an address that moves with the service", () => {
  const folder = makeFolder();
  const children = new Map<Host, ChildProcess>();
  let holder: ChildProcess | null = null;

  const into = (host: Host): string[] =>
    `--target ${holder?.pid} --net --mount --wd=${folder} -- ip netns exec ${host}`.split(" ");
  const on = (host: Host, ...words: readonly string[]): string => {
    const done = spawnSync("nsenter", [...into(host), ...words], { encoding: "utf8", timeout: 20_000 });
    return done.stdout;
  };
  const start = (host: Host, ...words: readonly string[]): void => {
    const output = openSync(join(folder, `${host}.log`), "a");
    const line = [...into(host), "setpriv", "--pdeathsig=KILL", process.execPath, CLI, ...words];
    children.set(host, spawn("nsenter", line, { cwd: folder, stdio: ["ignore", output, output] }));
  };
  /** Who answers a client at the address. */
  const answers = (): string => {
    const get = `import urllib.request as r; print(r.urlopen("http://${ADDRESS}/", timeout=1).read().decode())`;
    return on("arbiter", "python3", "-c", get).trim();
  };
  const has = (host: Host): boolean =>
    on(host, "ip", "-4", "address", "show", "dev", "eth0").includes(ADDRESS);
  /** Where a client sends to, without asking again. */
  const knownAs = (): string =>
    /lladdr (\S+)/u.exec(on("arbiter", "ip", "neighbour", "show", ADDRESS))?.[1] ?? "none";
  const hardware = (host: Host): string =>
    /ether (\S+)/u.exec(on(host, "ip", "link", "show", "eth0"))?.[1] ?? "";
  const answered = async (name: string): Promise<void> => {
    try {
      await until(`${name} answers at the address`, () => answers() === name, 30_000);
    } catch (error) {
      const logs = (["arbiter", "master", "spare"] as const).map((host) =>
        textOf(join(folder, `${host}.log`)),
      );
      throw new Error(logs.join("\n"), { cause: error });
    }
  };

  beforeAll(async () => {
    cpSync(EXAMPLE, folder, { recursive: true });
    writeFileSync(join(folder, "server.py"), SERVER);
    writeFileSync(join(folder, "token"), `${"t".repeat(40)}\n`, { mode: 0o600 });
    for (const name of ["web-master.cfg", "web-spare.cfg"]) {
      const file = join(folder, name);
      writeFileSync(
        file,
        readFileSync(file, "utf8").replace('/usr/sbin/nginx -g "daemon off;"', "python3 server.py"),
      );
    }
    holder = spawn("unshare", ["--net", "--mount", "--propagation", "private", "sh", "-c", HOLDER], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (holder.stdout === null) throw new Error("no output");
    await once(holder.stdout, "data");
    start("arbiter", "start", "--config", ".");
    start("master", "daemon", "--role", "master", "--config", ".", "--name", "web-master");
    start("spare", "daemon", "--role", "spare", "--config", ".", "--name", "web-spare");
  }, 60_000);

  afterAll(async () => {
    for (const child of children.values()) {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    holder?.stdin?.end();
    if (holder !== null) await once(holder, "exit");
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  test("a planned move takes it along at once; neighbours learn it without asking", async () => {
    await answered("web-master");
    expect([has("master"), has("spare")]).toEqual([true, false]);
    expect(knownAs()).toBe(hardware("master"));
    const words = ["switchover", "web-master", "--to", "web-spare", "--config", "."];
    await until(
      "the spare waits",
      () => on("arbiter", process.execPath, CLI, "status", "--config", ".").includes("waiting"),
      20_000,
    );
    execFileSync("nsenter", [...into("arbiter"), process.execPath, CLI, ...words], {
      stdio: "pipe",
      timeout: 30_000,
    });
    // Said to be over, the old host has no address any more.
    expect(has("master")).toBe(false);
    await until("the neighbour has learnt it", () => knownAs() === hardware("spare"));
    await answered("web-spare");
  }, 90_000);

  test("kill -9 of the launcher: nothing is run on the old host, and the kernel takes the address away", async () => {
    await answered("web-spare");
    children.get("spare")?.kill("SIGKILL");
    await answered("web-master");
    await until("the old host has forgotten the address", () => !has("spare"));
    expect(has("master")).toBe(true);
    expect(knownAs()).toBe(hardware("master"));
  }, 90_000);
});
