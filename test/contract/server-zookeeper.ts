/** ZooKeeper servers of the tests' own: alone, in an ensemble, and with TLS. */
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import {
  findProgram,
  freePort,
  give,
  isMissing,
  makeCertificates,
  removeFolder,
  serverFolder,
  ServerProcess,
  type Certificates,
  type StoreServer,
} from "./store-server.ts";

const java = findProgram("java");
const jar = findProgram("zookeeper.jar", ["/usr/share/java"]);
export function isZookeeperMissing(): boolean {
  return isMissing({ java, "zookeeper.jar": jar }, "zookeeper");
}

/** Asks a server one of its four-letter words. */
export async function askZookeeper(port: number, word: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let said = "";
  socket.on("data", (data) => {
    said += data.toString();
  });
  socket.on("error", () => {});
  // A server that is just starting may take the question and never answer it.
  socket.setTimeout(500, () => socket.destroy());
  socket.write(word);
  await new Promise((resolve) => {
    socket.on("close", resolve);
  });
  return said;
}

export interface ZookeeperSettings {
  readonly flags?: readonly string[];
  readonly extra?: (folder: string) => readonly string[];
  /** For an ensemble: the lines that name its servers, and this one's number. */
  readonly ensemble?: { readonly lines: readonly string[]; readonly id: number };
}

export async function newZookeeperMember({ extra, ensemble, flags }: ZookeeperSettings = {}): Promise<
  StoreServer & { readonly folder: string }
> {
  const folder = serverFolder("zookeeper");
  const port = await freePort();
  const lines = [
    "tickTime=200",
    "initLimit=20",
    "syncLimit=5",
    `dataDir=${folder}`,
    `clientPort=${port}`,
    "clientPortAddress=127.0.0.1",
    "admin.enableServer=false",
    "maxClientCnxns=0",
    "4lw.commands.whitelist=srvr",
    ...(ensemble?.lines ?? []),
    ...(extra?.(folder) ?? []),
  ];
  const settings = join(folder, "zoo.cfg");
  writeFileSync(settings, `${lines.join("\n")}\n`);
  give(settings);
  if (ensemble !== undefined) {
    writeFileSync(join(folder, "myid"), String(ensemble.id));
    give(join(folder, "myid"));
  }
  const server = new ServerProcess({
    command: java ?? "",
    // What starts fast and small; the rest is as it comes.
    args: [
      "-Xmx96m",
      "-XX:+UseSerialGC",
      "-XX:TieredStopAtLevel=1",
      ...(flags ?? []),
      "-cp",
      // Debian's own class path lacks what a server with TLS needs.
      [jar, "/usr/share/java/netty-codec.jar", "/usr/share/java/netty-resolver.jar"].join(":"),
      "org.apache.zookeeper.server.quorum.QuorumPeerMain",
      settings,
    ],
    cwd: folder,
    ready: async () => {
      if (!/^Mode: /mu.test(await askZookeeper(port, "srvr"))) throw new Error("not ready");
    },
  });
  return {
    folder,
    port,
    url: (prefix, at = port) => `zookeeper://127.0.0.1:${at}?prefix=${prefix}`,
    start: () => server.start(),
    kill: () => server.kill(),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    remove: async () => {
      await server.kill();
      removeFolder(folder);
    },
  };
}

export async function newZookeeper(): Promise<StoreServer> {
  const member = await newZookeeperMember();
  await member.start();
  return member;
}

/** Speaks TLS alone. */
export async function newSecureZookeeper(): Promise<StoreServer & { readonly certificates: Certificates }> {
  const port = await freePort();
  const made: Certificates[] = [];
  const member = await newZookeeperMember({
    flags: ["-Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory"],
    extra: (folder) => {
      const certificates = makeCertificates(folder);
      made.push(certificates);
      const both = join(folder, "both.pem");
      writeFileSync(both, readFileSync(certificates.cert, "utf8") + readFileSync(certificates.key, "utf8"));
      give(both);
      return [
        `secureClientPort=${port}`,
        "secureClientPortAddress=127.0.0.1",
        `ssl.keyStore.location=${both}`,
        "ssl.keyStore.type=PEM",
        `ssl.trustStore.location=${certificates.ca}`,
        "ssl.trustStore.type=PEM",
        "ssl.clientAuth=none",
      ];
    },
  });
  await member.start();
  const [certificates] = made;
  if (certificates === undefined) throw new Error("No certificates.");
  return { ...member, certificates, url: (prefix) => `zookeeper://127.0.0.1:${port}?prefix=${prefix}` };
}
