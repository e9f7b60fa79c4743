/**
 * A check that is sent from within the news of the one before.
 *
 * Seen in a benchmark: `kill -9` of a daemon, and the arbiter ended with undici's
 * `assert(client[kSize] === 0)`. The core answers a failed check with the next one when something
 * was put off until it was over (a spare to be told of a move); that next one reached the client
 * while it was still clearing what had failed to connect. Asserted: whatever a failure is answered
 * with, at once and on the same connection, is a check like any other.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { Checker } from "../../../src/arbiter/checker.ts";
import { assignment } from "./checker-support.ts";

test("a check that can't connect may be answered with the next one at once", async () => {
  const url = `http://127.0.0.1:${await closedPort()}`;
  const causes: string[] = [];
  const over = Promise.withResolvers<null>();
  const checker: Checker = new Checker({
    token: () => null,
    tls: null,
    push: (event) => {
      if (event.kind !== "checkFailed") return;
      causes.push(event.cause);
      if (causes.length === 5) over.resolve(null);
      else ask();
    },
  });
  const ask = (): void =>
    checker.assign({
      kind: "assign",
      daemon: "scheduler-1",
      url,
      assignment: assignment({ to: "scheduler-1" }),
      timeoutMs: 5_000,
      fresh: false,
    });
  try {
    ask();
    await over.promise;
    expect(causes).toEqual(Array.from({ length: 5 }, () => "refused"));
  } finally {
    await checker.close();
  }
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  server.close();
  await once(server, "close");
  return typeof bound === "object" && bound !== null ? bound.port : 0;
}
