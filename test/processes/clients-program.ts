/**
 * A library daemon that serves its users over HTTP: who answers, at which epoch; a counter; an
 * answer that takes as long as asked. What it served it writes to standard output, a line a request.
 */
import { writeSync } from "node:fs";
import express from "express";
import { defineDaemon } from "../../src/index.ts";

const name = process.argv[process.argv.indexOf("--name") + 1] ?? "";
let epochNow = 0;
let count = 0;
const app = express();
app.disable("x-powered-by");
app.get("/who", (request, response) => {
  const answer = (): void => {
    response.json({ name, pid: process.pid, epoch: epochNow });
  };
  const takesMs = Number(request.query["takesMs"] ?? "0");
  if (takesMs > 0) setTimeout(answer, takesMs);
  else answer();
});
app.post("/count", (request, response) => {
  count += 1;
  writeSync(
    1,
    `${JSON.stringify({ counted: String(request.headers["x-request"] ?? ""), epoch: epochNow })}\n`,
  );
  response.status(201).json({ name, count, epoch: epochNow });
});

await defineDaemon({
  type: "scheduler",
  http: app,
  activate({ epoch }) {
    epochNow = epoch;
  },
  demote() {
    epochNow = 0;
  },
}).run();
