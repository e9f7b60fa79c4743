/**
 * `--follow` and `--watch` go on until they are ended: the stream of events is taken up again after
 * the last one printed, when the arbiter that gave it goes away.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { sendJson } from "../../../src/protocol/problem.ts";
import { event, serveStatus, serviceStatus, standIn, status } from "./stand-in.ts";
import type { Asked, Route } from "./stand-in.ts";

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
});

function follow(argv: readonly string[]): { lines: AsyncIterator<string>; child: ChildProcess } {
  const child = spawn(process.execPath, [join(import.meta.dirname, "program.ts"), ...argv], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

async function take(lines: AsyncIterator<string>, count: number): Promise<readonly string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const next = await lines.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}

/** Gives three events a stream and then ends it, as an arbiter does that is restarted. */
function brokenStreams(starts: number[]): Route {
  return ({ path, lastEventId }: Asked, response) => {
    if (path.startsWith("/v1/events?")) {
      const after = Number(new URL(path, "http://x").searchParams.get("after"));
      sendJson(response, 200, { events: after === 0 ? [event(1), event(2)] : [], last: 2 });
      return true;
    }
    if (path !== "/v1/events/stream") return false;
    const after = Number(lastEventId);
    starts.push(after);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 1000\n\n: a comment\n\n");
    for (const seq of [1, 2, 3]) {
      response.write(`id: ${after + seq}\ndata: ${JSON.stringify(event(after + seq))}\n\n`);
    }
    response.end();
    return true;
  };
}

describe("events --follow", () => {
  test("goes on where the stream broke, with nothing lost and nothing twice", async () => {
    const starts: number[] = [];
    await using server = await standIn(brokenStreams(starts));
    const { lines } = follow(["events", "--follow", "--url", server.url]);
    const taken = await take(lines, 9);
    expect(taken.map((line) => Number(line.split(" ")[0]))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(starts.slice(0, 3)).toEqual([2, 5, 8]);
  });

  test("goes on with another arbiter when the one that streams is gone for good", async () => {
    await using other = await standIn(brokenStreams([]));
    const first = await standIn(brokenStreams([]));
    const { lines } = follow(["events", "--follow", "--after", "1", "--url", `${first.url},${other.url}`]);
    expect(await take(lines, 3)).toHaveLength(3);
    await first[Symbol.asyncDispose]();
    const [line] = await take(lines, 1);
    expect(line).toMatch(/^5 /u);
    await expect
      .poll(() => other.asked.some(({ path }) => path === "/v1/events/stream"), { timeout: 10_000 })
      .toBe(true);
  });

  test("--json gives one object a line; --after begins there", async () => {
    await using server = await standIn(brokenStreams([]));
    const { lines } = follow(["events", "--follow", "--json", "--after", "40", "--url", server.url]);
    const taken = await take(lines, 2);
    expect(taken.map((line): unknown => JSON.parse(line))).toEqual([event(41), event(42)]);
  });

  test("ends quietly, with exit code 0, when its reader goes away", async () => {
    await using server = await standIn(brokenStreams([]));
    const { child, lines } = follow(["events", "--follow", "--url", server.url]);
    await take(lines, 1);
    child.stdout?.destroy();
    await once(child, "exit");
    expect(child.exitCode).toBe(0);
  });
});

describe("status --watch", () => {
  test("in a pipe prints a new block only when something has changed", async () => {
    let looks = 0;
    await using server = await standIn((asked, response) => {
      looks += 1;
      const services = [serviceStatus(looks < 3 ? {} : { holder: "scheduler-slave", epoch: 4 })];
      return serveStatus(status({ services, daemons: [], arbiters: [] }))(asked, response);
    });
    const { lines } = follow(["status", "--watch", "--url", server.url]);
    const taken = await take(lines, 5);
    expect(taken[1]).toContain("holder=scheduler-master");
    expect(taken[2]).toBe("");
    expect(taken[4]).toContain("holder=scheduler-slave");
    expect(looks).toBeGreaterThanOrEqual(3);
  });
});
