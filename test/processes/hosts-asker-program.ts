/** Asks for each URL that comes on a line, and writes what was answered as a line of JSON; `null`: nobody answered. */
import { createInterface } from "node:readline";

for await (const url of createInterface({ input: process.stdin })) {
  const body: unknown = await fetch(url, { signal: AbortSignal.timeout(1000) })
    .then(async (answer) => await answer.json())
    .catch(() => null);
  process.stdout.write(`${JSON.stringify(body)}\n`);
}
