/**
 * Where the processes of a run live: all on the loopback, or each on a host of its own, a network
 * namespace behind a bridge, whose links can be cut. The namespaces lie in one that the whole run
 * has to itself, so that nothing of them is left, however it ends.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

export interface Places {
  addressOf(name: string): string;
  /** Words before a command that is to run there. */
  enter(name: string): readonly string[];
  /** How a server of the loopback is reached from every host. */
  reach(port: number): Promise<string>;
  /** Nothing goes between the host and those; without a list, between it and anything. */
  cut(name: string, others?: readonly string[]): void;
  heal(): void;
  readonly canCut: boolean;
  close(): void;
}

export const loopback: Places = {
  addressOf: () => "127.0.0.1",
  enter: () => [],
  reach: (port) => Promise.resolve(`127.0.0.1:${port}`),
  cut: () => {
    throw new Error("the loopback can't be cut");
  },
  heal: () => {},
  canCut: false,
  close: () => {},
};

const INSIDE = "ARBITERS_IN_NAMESPACE";

/** Starts this very program again in a namespace of its own; null: it runs in it already. */
export function againInNamespace(): number | null {
  if (process.env[INSIDE] !== undefined) return null;
  const words = ["--net", "--mount", "--propagation", "private", "--", process.execPath];
  const { status } = spawnSync("unshare", [...words, ...process.argv.slice(1)], {
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: "1" },
  });
  return status ?? 1;
}

const SELF = "10.78.0.254";

export function makeHosts(names: readonly string[]): Places {
  const sh = (line: string): void => void execFileSync("sh", ["-ec", line], { stdio: "pipe" });
  sh(`mkdir -p /run/netns; mount -t tmpfs none /run/netns; ip link set lo up
    ip link add bridge type bridge; ip link set bridge up; ip address add ${SELF}/24 dev bridge`);
  const addresses = new Map(names.map((name, at) => [name, `10.78.0.${at + 1}`]));
  for (const [name, address] of addresses) {
    const link = `to-${addresses.size}-${address.split(".").at(-1)}`;
    sh(`ip netns add ${name}; ip link add ${link} type veth peer name eth0 netns ${name}
      ip link set ${link} master bridge up; ip -n ${name} link set lo up
      ip -n ${name} address add ${address}/24 dev eth0; ip -n ${name} link set eth0 up
      ip netns exec ${name} nft 'add table inet cut
        add chain inet cut in { type filter hook input priority 0; }
        add chain inet cut out { type filter hook output priority 0; }'`);
  }
  const doors: Server[] = [];
  const rules = (name: string, text: string): void => sh(`ip netns exec ${name} nft '${text}'`);
  return {
    addressOf: (name) => addresses.get(name) ?? SELF,
    enter: (name) => (addresses.has(name) ? ["ip", "netns", "exec", name] : []),
    reach: async (port) => {
      const door = await doorTo(port);
      doors.push(door.server);
      return `${SELF}:${door.port}`;
    },
    cut: (name, others) => {
      if (others === undefined) {
        rules(name, "add rule inet cut in iifname eth0 drop; add rule inet cut out oifname eth0 drop");
        return;
      }
      for (const other of others) {
        const address = addresses.get(other) ?? SELF;
        rules(
          name,
          `add rule inet cut in ip saddr ${address} drop; add rule inet cut out ip daddr ${address} drop`,
        );
      }
    },
    heal: () => {
      for (const name of names) rules(name, "flush table inet cut");
    },
    canCut: true,
    close: () => {
      for (const door of doors) door.close();
    },
  };
}

/** The stores' servers listen on the loopback alone: this lets the hosts in. */
async function doorTo(port: number): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((inner) => {
    const outer = connect(port, "127.0.0.1");
    const both: readonly [Socket, Socket][] = [
      [inner, outer],
      [outer, inner],
    ];
    for (const [one, other] of both) {
      one.on("error", () => other.destroy());
      one.pipe(other);
    }
  });
  server.listen(0, SELF);
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the door has no port");
  return { server, port: address.port };
}
