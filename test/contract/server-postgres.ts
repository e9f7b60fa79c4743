/** A PostgreSQL server of the tests' own, with a password and TLS. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import {
  findProgram,
  freePort,
  give,
  isMissing,
  makeCertificates,
  removeFolder,
  runProgram,
  serverFolder,
  ServerProcess,
  type Certificates,
  type StoreServer,
} from "./store-server.ts";

const FOLDERS = versionFolders();
const initdb = findProgram("initdb", FOLDERS);
const postgres = findProgram("postgres", FOLDERS);
export function isPostgresMissing(): boolean {
  return isMissing({ initdb, postgres }, "postgresql");
}

/** Debian keeps each version's programs in a folder of its own. */
function versionFolders(): string[] {
  try {
    return readdirSync("/usr/lib/postgresql").map((version) => `/usr/lib/postgresql/${version}/bin`);
  } catch {
    return [];
  }
}

export interface PostgresServer extends StoreServer {
  readonly certificates: Certificates;
  query(sql: string, database?: string): Promise<void>;
}

export const POSTGRES_PASSWORD = "it's a sécret@/:?";

export async function newPostgres(): Promise<PostgresServer> {
  const folder = serverFolder("postgres");
  const data = join(folder, "data");
  const port = await freePort();
  const certificates = makeCertificates(folder);
  const passwords = join(folder, "password");
  writeFileSync(passwords, POSTGRES_PASSWORD);
  give(passwords, 0o600);
  const init = [
    "-D",
    data,
    "-U",
    "anna",
    "-A",
    "scram-sha-256",
    "--pwfile",
    passwords,
    "-E",
    "UTF8",
    "--no-sync",
  ];
  runProgram(initdb ?? "", [...init, "--locale=C"], { cwd: folder });
  const options = { host: "127.0.0.1", port, user: "anna", password: POSTGRES_PASSWORD };
  const query = async (sql: string, database = "postgres"): Promise<void> => {
    const client = new Client({ ...options, database });
    try {
      await client.connect();
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    shared_buffers: "16MB",
    max_connections: 40,
    ssl: "on",
    ssl_cert_file: certificates.cert,
    ssl_key_file: certificates.key,
  };
  const args = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  const server = new ServerProcess({
    command: postgres ?? "",
    args: ["-D", data, ...args],
    cwd: folder,
    ready: () => query("SELECT 1"),
  });
  await server.start();
  await query("CREATE DATABASE arbiter");
  return {
    port,
    certificates,
    query,
    url: (prefix, at = port) =>
      `postgres://anna:${encodeURIComponent(POSTGRES_PASSWORD)}@127.0.0.1:${at}/arbiter?prefix=${prefix}`,
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
