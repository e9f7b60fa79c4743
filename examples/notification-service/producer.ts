/**
 * Publishes "step 1", "step 2", … and writes down what has been acknowledged. Killed at any moment and
 * started again, it goes on with the first step that isn't written down: the idempotency key says
 * which step it is, so one that had arrived before the crash is not published twice.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "arbiter-ha/client";
import { wholeLines } from "./lines.ts";

const [name = "producer-1", file = `${name}.acknowledged`] = process.argv.slice(2);
const cluster = connect(
  process.env["ARBITER_URL"] ?? "http://127.0.0.1:7770,http://127.0.0.2:7770,http://127.0.0.3:7770",
);
const pauseMs = Number(process.env["PAUSE_MS"] ?? "500");

/** Asked to stop, it waits for the answer to its last step. */
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());

for (let step = wholeLines(file).length + 1; !stop.signal.aborted; step++) {
  const { seq } = await cluster.publish(
    { namespace: "jobs", key: name, value: { step }, idempotencyKey: `${name}-${step}` },
    // Until an arbiter confirms it, however long all of them may be away.
    { timeoutMs: 24 * 3_600_000 },
  );
  appendFileSync(file, `${step} ${seq}\n`);
  console.log(`${name}: step ${step} is event ${seq}.`);
  await sleep(pauseMs);
}
cluster.close();
