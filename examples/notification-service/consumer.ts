/**
 * Follows what is published in the namespace `jobs`, and does something with each event: it appends a
 * line. The line holds the event's number, so that work and position are one write; killed at any
 * moment and started again, it goes on behind its last line.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { connect } from "arbiter-ha/client";
import { wholeLines } from "./lines.ts";

const [file = "consumer.done"] = process.argv.slice(2);
const cluster = connect(
  process.env["ARBITER_URL"] ?? "http://127.0.0.1:7770,http://127.0.0.2:7770,http://127.0.0.3:7770",
);

const after = Number(wholeLines(file).at(-1)?.split(" ")[0] ?? "0");
for await (const event of cluster.events({ after, filter: { namespace: "jobs" } })) {
  const { seq, publication } = event;
  if (publication === undefined) continue;
  appendFileSync(file, `${seq} ${publication.key} ${JSON.stringify(publication.value)}\n`);
  console.log(`event ${seq}: ${publication.key} ${JSON.stringify(publication.value)}`);
}
