/**
 * Floods an arbiter with reports: `URL COUNT NAME`. Several connections at once, each sending one
 * report after the other as fast as it is answered: good ones, malformed ones, ones of strangers.
 * Prints how often each status came.
 */
import { Agent, request } from "undici";
import { reportOf } from "./security-rig.ts";

const [url = "", count = "0", name = ""] = process.argv.slice(2);
const total = Number(count);
const CONNECTIONS = 16;
const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
const statuses: Record<string, number> = {};
let sent = 0;

async function flood(): Promise<void> {
  while (sent < total) {
    sent += 1;
    const seq = sent;
    const body =
      seq % 10 === 0
        ? "{".repeat(seq % 100)
        : JSON.stringify(
            reportOf(seq % 10 === 1 ? `stranger-${seq}` : name, { seq, reason: "x".repeat(seq % 900) }),
          );
    const answer = await request(`${url}/v1/reports`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      dispatcher: agent,
    });
    await answer.body.dump();
    statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1;
  }
}

await Promise.all(Array.from({ length: CONNECTIONS }, flood));
await agent.close();
process.stdout.write(JSON.stringify(statuses));
