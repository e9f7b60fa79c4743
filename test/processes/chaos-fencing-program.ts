/** A library daemon whose author's code never gives the thread back, once SIGUSR2 has come. */
import { readFileSync } from "node:fs";
import { defineDaemon } from "../../src/index.ts";

process.on("SIGUSR2", () => {
  const file = process.env["BLOCKED_FILE"] ?? "";
  // A FIFO that nobody writes.
  if (file !== "") readFileSync(file);
  for (;;);
});

await defineDaemon({
  type: "scheduler",
  activate() {},
  demote() {},
}).run();
