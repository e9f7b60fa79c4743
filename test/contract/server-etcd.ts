/** etcd servers of the tests' own: alone, as a cluster, and with TLS on both sides. */
import { join } from "node:path";
import {
  findProgram,
  freePort,
  isMissing,
  makeCertificates,
  removeFolder,
  serverFolder,
  ServerProcess,
  type Certificates,
  type StoreServer,
} from "./store-server.ts";

const etcd = findProgram("etcd");
export function isEtcdMissing(): boolean {
  return isMissing({ etcd }, "etcd-server");
}

export interface EtcdMember extends StoreServer {
  readonly base: string;
}

/** One member for each port; `extra` are further arguments. */
export async function newEtcdMembers(count: number, extra: readonly string[] = []): Promise<EtcdMember[]> {
  const ports: { readonly client: number; readonly peer: number }[] = [];
  for (let i = 0; i < count; i++) ports.push({ client: await freePort(), peer: await freePort() });
  const cluster = ports.map(({ peer }, i) => `m${i}=http://127.0.0.1:${peer}`).join(",");
  const members = ports.map(({ client, peer }, i): EtcdMember => {
    const folder = serverFolder("etcd");
    const base = `http://127.0.0.1:${client}`;
    const server = new ServerProcess({
      command: etcd ?? "",
      args: [
        `--name=m${i}`,
        `--data-dir=${join(folder, "data")}`,
        `--listen-client-urls=${base}`,
        `--advertise-client-urls=${base}`,
        `--listen-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-cluster=${cluster}`,
        "--heartbeat-interval=50",
        "--election-timeout=500",
        ...extra,
      ],
      cwd: folder,
      ready: async () => {
        const answer = await fetch(`${base}/health`);
        if (!answer.ok) throw new Error("not ready");
        await answer.text();
      },
    });
    return {
      base,
      port: client,
      url: (prefix, at = client) => `etcd://127.0.0.1:${at}?prefix=${prefix}`,
      start: () => server.start(),
      kill: () => server.kill(),
      freeze: () => server.freeze(),
      thaw: () => server.thaw(),
      remove: async () => {
        await server.kill();
        removeFolder(folder);
      },
    };
  });
  await Promise.all(members.map((member) => member.start()));
  return members;
}

export async function newEtcd(): Promise<EtcdMember> {
  const [member] = await newEtcdMembers(1);
  if (member === undefined) throw new Error("No member.");
  return member;
}

/** Wants TLS, and a certificate from its clients. */
export async function newSecureEtcd(): Promise<EtcdMember & { readonly certificates: Certificates }> {
  const folder = serverFolder("etcd");
  const certificates = makeCertificates(folder);
  const [client, peer] = [await freePort(), await freePort()];
  const base = `https://127.0.0.1:${client}`;
  const server = new ServerProcess({
    command: etcd ?? "",
    args: [
      `--data-dir=${join(folder, "data")}`,
      `--listen-client-urls=${base}`,
      `--advertise-client-urls=${base}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
      `--cert-file=${certificates.cert}`,
      `--key-file=${certificates.key}`,
      `--trusted-ca-file=${certificates.ca}`,
      "--client-cert-auth",
    ],
    cwd: folder,
    ready: async () => {
      if (!/ready to serve client requests|serving client/u.test(server.said)) throw new Error("not ready");
    },
  });
  await server.start();
  return {
    base,
    certificates,
    port: client,
    url: (prefix) => `etcd://127.0.0.1:${client}?prefix=${prefix}`,
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
