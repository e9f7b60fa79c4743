/**
 * The other end of the floor: answers a POST, after one durable commit where `/commit` is asked for
 * (SQLite as the store uses it: WAL, synchronous = FULL).
 */
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync(process.argv[2] ?? ":memory:");
database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
database.exec("CREATE TABLE IF NOT EXISTS service (name TEXT PRIMARY KEY, epoch INTEGER) STRICT");
const write = database.prepare(
  "INSERT INTO service VALUES ('s', 1) ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1",
);

const server = createServer((request, response) => {
  request.resume();
  request.once("end", () => {
    const beganMs = performance.now();
    if (request.url === "/commit") write.run();
    response.end(String(performance.now() - beganMs));
  });
});
server.listen(0, "127.0.0.1", () => {
  const bound = server.address();
  process.stdout.write(String(typeof bound === "object" && bound !== null ? bound.port : 0));
});
