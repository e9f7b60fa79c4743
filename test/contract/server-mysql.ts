/** A MariaDB server of the tests' own, with a password and TLS. */
import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import {
  findProgram,
  freePort,
  isMissing,
  makeCertificates,
  removeFolder,
  runProgram,
  serverFolder,
  ServerProcess,
  type Certificates,
  type StoreServer,
} from "./store-server.ts";

const mariadbd = findProgram("mariadbd");
const install = findProgram("mariadb-install-db");
export function isMysqlMissing(): boolean {
  return isMissing({ mariadbd, "mariadb-install-db": install }, "mariadb-server");
}

export interface MysqlServer extends StoreServer {
  readonly certificates: Certificates;
  query(sql: string, database?: string): Promise<unknown>;
}

export const MYSQL_PASSWORD = "it's a sécret@/:?";

export async function newMysql(): Promise<MysqlServer> {
  const folder = serverFolder("mariadb");
  const data = join(folder, "data");
  const socket = join(folder, "socket");
  const port = await freePort();
  const certificates = makeCertificates(folder);
  const init = ["--no-defaults", `--datadir=${data}`, "--auth-root-authentication-method=normal"];
  runProgram(install ?? "", [...init, "--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=8M"], {
    cwd: folder,
  });
  const query = async (sql: string, database?: string): Promise<unknown> => {
    const connection = await createConnection({
      socketPath: socket,
      user: "root",
      multipleStatements: true,
      ...(database === undefined ? {} : { database }),
    });
    try {
      const [rows] = await connection.query(sql);
      return rows;
    } finally {
      await connection.end();
    }
  };
  const server = new ServerProcess({
    command: mariadbd ?? "",
    args: [
      "--no-defaults",
      `--datadir=${data}`,
      `--socket=${socket}`,
      `--pid-file=${join(folder, "pid")}`,
      `--port=${port}`,
      "--bind-address=127.0.0.1",
      "--skip-name-resolve",
      "--innodb-buffer-pool-size=16M",
      "--innodb-log-file-size=8M",
      "--max-connections=60",
      `--ssl-cert=${certificates.cert}`,
      `--ssl-key=${certificates.key}`,
      `--ssl-ca=${certificates.ca}`,
    ],
    cwd: folder,
    ready: async () => {
      await query("SELECT 1");
    },
  });
  await server.start();
  await query(
    `CREATE DATABASE arbiter; CREATE USER anna@'127.0.0.1' IDENTIFIED BY "${MYSQL_PASSWORD}"; GRANT ALL ON arbiter.* TO anna@'127.0.0.1'`,
  );
  return {
    port,
    certificates,
    query,
    url: (prefix, at = port) =>
      `mysql://anna:${encodeURIComponent(MYSQL_PASSWORD)}@127.0.0.1:${at}/arbiter?prefix=${prefix}`,
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
