/**
 * Three hosts on one machine: network namespaces on a bridge, an arbiter, a master and a spare in
 * one each, and links that can be cut in either direction.
 *
 * All of it lies in one network and mount namespace of our own that a small shell holds open. That
 * shell ends as soon as its input closes, however the test ends: then nothing of it is left, and the
 * machine's own network never hears of it.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../../src/arbiter/status.ts";
import { WORKLOAD, workloadEnvironment } from "../../bench/workload.ts";
import { type Gap, Judge } from "../chaos/judge.ts";

export type Host = "arbiter" | "master" | "spare";
export type Profile = "fast" | "normal";
export const HOSTS: readonly Host[] = ["arbiter", "master", "spare"];
export const SERVICE = "master";
const PORT = 7700;

const COMMAND_LINE = join(import.meta.dirname, "launcher-cli.ts");
const ASKER = join(import.meta.dirname, "hosts-asker-program.ts");

/** How the hosts are joined: by the kernel's bridge, or by a switch of our own that takes its time. */
export type Joined = "bridge" | "switch";

const BEGIN: Readonly<Record<Joined, string>> = {
  bridge: `ip link add bridge type bridge`,
  switch: `setpriv --pdeathsig=KILL perl ${join(import.meta.dirname, "hosts-switch.pl")} bridge to-arbiter to-master to-spare &
until ip link show to-spare >/dev/null 2>&1; do sleep 0.01; done`,
};
const LINK: Readonly<Record<Joined, string>> = {
  bridge: `ip link add to-$host type veth peer name eth0 netns $host
  ip link set to-$host master bridge up`,
  switch: `ip link set to-$host netns $host
  ip -n $host link set to-$host name eth0`,
};

const holderScript = (joined: Joined): string => `set -e
mkdir -p /run/netns
mount -t tmpfs none /run/netns
ip link set lo up
${BEGIN[joined]}
ip link set bridge up
ip address add 10.77.0.254/24 dev bridge
for at in arbiter:1 master:2 spare:3; do
  host=\${at%:*}
  ip netns add $host
  ${LINK[joined]}
  ip -n $host link set lo up
  ip -n $host address add 10.77.0.\${at#*:}/24 dev eth0
  ip -n $host link set eth0 up
  ip netns exec $host nft 'add table inet cut
    add chain inet cut in { type filter hook input priority 0; }
    add chain inet cut out { type filter hook output priority 0; }'
done
echo ready
read -r end || exit 0
`;
export const HOLDER: string = holderScript("bridge");

/** Why hosts can't be made here; null: they can. Where tests must not be left out, it is an error. */
export function whyNoHosts(): string | null {
  try {
    const probe = "ip link add probe type bridge && nft list ruleset";
    execFileSync("unshare", ["--net", "--mount", "--propagation", "private", "sh", "-c", probe], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    return null;
  } catch (error) {
    const why = `network namespaces can't be made here: ${error instanceof Error ? error.message : String(error)}`;
    if (process.env["CI"] !== undefined) throw new Error(why, { cause: error });
    return why;
  }
}

/** Namespaces of the machine itself: a test compares them before and after. */
export function ownNamespaces(): string {
  return readFileSync("/proc/self/mountinfo", "latin1")
    .split("\n")
    .filter((line) => line.includes("netns"))
    .join("\n");
}

export class Hosts implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "arbiter-hosts-"));
  readonly judge: Judge;
  readonly profile: Profile;
  readonly #holder: ChildProcess;
  readonly #processes = new Map<string, ChildProcess>();
  readonly #answers: ((line: string) => void)[] = [];
  readonly #addresses: Record<Host, string> = {
    arbiter: "10.77.0.1",
    master: "10.77.0.2",
    spare: "10.77.0.3",
  };
  #asker: ChildProcess | null = null;

  private constructor(profile: Profile, joined: Joined) {
    const script = holderScript(joined);
    this.#holder = spawn("unshare", ["--net", "--mount", "--propagation", "private", "sh", "-c", script], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...workloadEnvironment(""), SWITCH_LINKS: join(this.folder, "links") },
    });
    this.profile = profile;
    this.judge = new Judge(SERVICE, join(this.folder, "acts"));
  }

  static async start(profile: Profile = "fast", joined: Joined = "bridge"): Promise<Hosts> {
    const hosts = new Hosts(profile, joined);
    const holder = hosts.#holder;
    try {
      const said: unknown = await Promise.race([once(holder.stdout ?? holder, "data"), once(holder, "exit")]);
      if (!String(said).startsWith("ready")) throw new Error(`the hosts can't be made: ${String(said)}`);
      hosts.#startAsker();
      hosts.#writeConfiguration();
      for (const host of HOSTS) hosts.run(host);
      await hosts.settled(SERVICE);
      return hosts;
    } catch (error) {
      await hosts[Symbol.asyncDispose]();
      throw error;
    }
  }

  addressOf(host: Host): string {
    return this.#addresses[host];
  }

  /** Starts what runs on a host. */
  run(host: Host, ...more: readonly string[]): void {
    const config = ["--config", join(this.folder, "etc"), "--name", host];
    const role = ["--role", host === "spare" ? "spare" : "master"];
    const words =
      host === "arbiter"
        ? ["start", ...config]
        : ["daemon", ...role, ...config, ...more, "--", "perl", WORKLOAD];
    const output = openSync(join(this.folder, `${host}.log`), "a");
    const child = this.#spawnIn(
      ["ip", "netns", "exec", host, "setpriv", "--pdeathsig=KILL", process.execPath, COMMAND_LINE, ...words],
      ["ignore", output, output],
      workloadEnvironment(join(this.folder, "acts")),
    );
    this.#processes.set(host, child);
  }

  /** The process that was started on it: each command on the way there became the next one. */
  pidOf(host: Host): number {
    return this.#processes.get(host)?.pid ?? 0;
  }

  async stop(host: Host, signal: NodeJS.Signals): Promise<void> {
    const child = this.#processes.get(host);
    if (child === undefined || hasEnded(child)) return;
    child.kill(signal);
    await once(child, "exit");
  }

  /** A command on a host, as its administrator would give it. */
  command(host: Host, ...words: readonly string[]): void {
    execFileSync("nsenter", [...this.#into(), "ip", "netns", "exec", host, ...words], { stdio: "pipe" });
  }

  /** What `from` sends doesn't arrive at `to`. */
  cutOneWay(from: Host, to: Host): void {
    this.command(to, "nft", "add", "rule", "inet", "cut", "in", "ip", "saddr", this.addressOf(from), "drop");
  }

  cut(one: Host, other: Host): void {
    this.cutOneWay(one, other);
    this.cutOneWay(other, one);
  }

  /** Nothing leaves the host and nothing arrives, from one instant on. */
  isolate(host: Host): void {
    const rules = ["in iifname", "out oifname"].map((chain) => `add rule inet cut ${chain} eth0 drop`);
    this.command(host, "nft", rules.join("; "));
  }

  /** With a switch: every frame takes so long, and by chance up to `jitterMs` more; some come twice. */
  slow(delayMs: number, jitterMs: number, doubledPercent: number): void {
    const file = join(this.folder, "links");
    writeFileSync(`${file}.new`, `${delayMs} ${jitterMs} ${doubledPercent}\n`);
    renameSync(`${file}.new`, file);
  }

  /** So many of a hundred packets of every link are lost, both ways. */
  lose(percent: number): void {
    for (const host of HOSTS) {
      const rule = `add rule inet cut in ip saddr 10.77.0.0/24 numgen random mod 100 < ${percent} drop`;
      this.command(host, "nft", rule);
    }
  }

  heal(): void {
    for (const host of HOSTS) this.command(host, "nft", "flush table inet cut");
  }

  /** The daemon's or the arbiter's own file, with this address. */
  writeMember(host: Host, address: string): void {
    const type = host === "arbiter" ? "arbiter" : "worker";
    const lines = [`${type}_name ${host}`, `address ${address}`, `port ${PORT}`];
    if (host !== "arbiter") lines.push(`spare ${host === "spare" ? 1 : 0}`);
    writeFileSync(join(this.folder, "etc", "daemons", `${host}.cfg`), `${lines.join("\n")}\n`);
  }

  /** The host has this address and no longer its old one, and the configuration says so. */
  moveTo(host: Host, last: number): void {
    const before = this.#addresses[host];
    const now = `10.77.0.${last}`;
    this.command(host, "ip", "address", "delete", `${before}/24`, "dev", "eth0");
    this.command(host, "ip", "address", "add", `${now}/24`, "dev", "eth0");
    this.#addresses[host] = now;
    this.writeMember(host, now);
  }

  async status(): Promise<Status | null> {
    const answer = Promise.withResolvers<string>();
    this.#answers.push(answer.resolve);
    this.#asker?.stdin?.write(`http://${this.addressOf("arbiter")}:${PORT}/v1/status\n`);
    const body: unknown = JSON.parse(await answer.promise);
    return isStatus(body) ? body : null;
  }

  /** Held by this daemon, with nothing wrong; null: by any. */
  async settled(holder: Host | null): Promise<Status> {
    return await this.eventually(
      `the service is held by ${holder ?? "somebody"}, and all is well`,
      ({ services, daemons, problems }) =>
        services[0]?.phase === "held" &&
        (holder === null || services[0].holder === holder) &&
        problems.length === 0 &&
        daemons.every(({ state, healthy }) => healthy && (state === "active" || state === "waiting")),
    );
  }

  /** The status once it is so; the limit is there so that a test that fails ends. */
  async eventually(what: string, isSo: (status: Status) => boolean): Promise<Status> {
    const endMs = performance.now() + 15_000;
    for (;;) {
      const status = await this.status();
      if (status !== null && isSo(status)) return status;
      if (performance.now() > endMs)
        throw new Error(`It never came true that ${what}: ${JSON.stringify(status, null, 1)}`);
      await sleep(30);
    }
  }

  /** What the work wrote since the last look; throws where an old holder acted. */
  look(): Gap {
    const gap = this.judge.read();
    if (this.judge.violations.length > 0) throw new Error(this.judge.violations.join("\n"));
    return gap;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The guards end with their launchers, before the folder goes.
    await Promise.all(HOSTS.map(async (host) => await this.stop(host, "SIGTERM")));
    for (const child of [this.#asker, this.#holder]) {
      if (child === null || hasEnded(child)) continue;
      child.stdin?.end();
      await once(child, "exit");
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  #writeConfiguration(): void {
    const config = join(this.folder, "etc");
    mkdirSync(join(config, "daemons"), { recursive: true });
    writeFileSync(join(this.folder, "token"), `${"t".repeat(40)}\n`, { mode: 0o600 });
    const cluster = ["[cluster]", `profile = ${this.profile}`, "failback = manual", "failure_timeout = 1s"];
    const security = ["[security]", `token_file = ${join(this.folder, "token")}`];
    writeFileSync(join(config, "arbiter.cfg"), `${[...cluster, ...security].join("\n")}\n`);
    for (const host of HOSTS) this.writeMember(host, this.addressOf(host));
  }

  #startAsker(): void {
    const asker = this.#spawnIn(
      ["setpriv", "--pdeathsig=KILL", process.execPath, ASKER],
      ["pipe", "pipe", "inherit"],
      process.env,
    );
    this.#asker = asker;
    if (asker.stdout === null) throw new Error("the asker has no output");
    createInterface({ input: asker.stdout }).on("line", (line) => this.#answers.shift()?.(line));
  }

  #spawnIn(
    words: readonly string[],
    stdio: ("ignore" | "pipe" | "inherit" | number)[],
    env: NodeJS.ProcessEnv,
  ): ChildProcess {
    return spawn("nsenter", [...this.#into(), ...words], { stdio, env });
  }

  #into(): string[] {
    return ["--target", String(this.#holder.pid), "--net", "--mount", "--"];
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function isStatus(body: unknown): body is Status {
  return typeof body === "object" && body !== null && "services" in body && "problems" in body;
}
