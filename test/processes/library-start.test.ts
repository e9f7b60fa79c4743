/** Starts that must not succeed: each gives one clear sentence that says what to do. */
import { createServer } from "node:net";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Bench, freePort } from "./library-processes.ts";
import { get } from "./scripted-arbiter.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

async function refusal(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; text: string }> {
  const daemon = await bench.spawn("master", args, env);
  const { code } = await daemon.ended;
  const lines = daemon.stderr.trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  return { code, text: lines[0] ?? "" };
}

describe("one process", () => {
  test("for one state folder: the second is told who holds it, and the first goes on", async () => {
    const first = await bench.start("master");
    const { code, text } = await refusal([]);
    expect(code).toBe(1);
    expect(text).toContain(path.join(bench.folder, "master"));
    expect(text).toContain(`pid ${first.child.pid}`);
    expect((await get(`${first.url}/health`)).status).toBe(200);
  });

  test("killed, it leaves no lock behind, and its successor is the same daemon in another boot", async () => {
    const first = await bench.start("master");
    const before = (await get(`${first.url}/health`)).body;
    first.child.kill("SIGKILL");
    await first.ended;
    const second = await bench.start("master");
    const after = (await get(`${second.url}/health`)).body;
    expect(after["stateId"]).toBe(before["stateId"]);
    expect(after["bootId"]).not.toBe(before["bootId"]);
  });

  test("for one port", async () => {
    const port = await freePort();
    const squatter = createServer().listen(port, "127.0.0.1");
    const { code, text } = await refusal(["--port", String(port)]);
    squatter.close();
    expect(code).toBe(1);
    expect(text).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}: another process does already`));
  });
});

describe("secure by default", () => {
  test("an address that isn't loopback needs a token", async () => {
    const { code, text } = await refusal(["--host", "0.0.0.0"]);
    expect(code).toBe(1);
    expect(text).toMatch(/isn't loopback and no token is set/);
  });

  test("a token file that can't be used is an error, not an open door", async () => {
    const { text } = await refusal(["--token-file", path.join(bench.folder, "missing")]);
    expect(text).toMatch(/missing can't be read/);
  });
});

describe("what it remembers", () => {
  test("a memory that can't be understood stops the start", async () => {
    const first = await bench.start("master");
    first.child.kill("SIGTERM");
    await first.ended;
    writeFileSync(path.join(bench.folder, "master", "memory.json"), '{"clusterId":"c"');
    const { code, text } = await refusal([]);
    expect(code).toBe(1);
    expect(text).toMatch(/memory\.json can't be understood/);
  });
});

function write(name: string, ...lines: string[]): string {
  const file = path.join(bench.folder, name);
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

describe("the configuration", () => {
  test("one file of bare lines is enough: name, address, port and role come from it", async () => {
    const port = await freePort();
    const file = write(
      "m.cfg",
      "scheduler_name      scheduler-master",
      "address 127.0.0.1",
      `port ${port}`,
      "spare 1",
    );
    const daemon = await bench.start("scheduler-master", ["--port", String(port), "--config", file]);
    expect((await get(`${daemon.url}/health`)).body).toMatchObject({
      name: "scheduler-master",
      type: "scheduler",
      role: "spare",
    });
  });

  test("a role that contradicts the file is an error with file and line", async () => {
    const file = write("m.cfg", "scheduler_name      scheduler-master", "address 127.0.0.1", "spare 0");
    const { code, text } = await refusal(["--name", "scheduler-master", "--config", file, "--role", "spare"]);
    expect(code).toBe(1);
    expect(text).toMatch(/--role spare contradicts m\.cfg:3, where scheduler-master is a master/);
  });

  test("a folder with several, and none of that name: it lists them", async () => {
    write("m.cfg", "scheduler_name scheduler-master", "address 127.0.0.1", "spare 0");
    write("s.cfg", "scheduler_name scheduler-slave", "address 127.0.0.2", "spare 1");
    const unclear = await refusal(["--config", bench.folder, "--name", "scheduler-other"]);
    expect(unclear.text).toMatch(
      /scheduler-master \(scheduler, master\), scheduler-slave \(scheduler, spare\)/,
    );
  });

  test("use_ssl without a certificate is refused, never plain HTTP", async () => {
    const file = write(
      "m.cfg",
      "scheduler_name scheduler-master",
      "address 127.0.0.1",
      "spare 0",
      "use_ssl 1",
    );
    const { code, text } = await refusal(["--name", "scheduler-master", "--config", file]);
    expect(code).toBe(1);
    expect(text).toMatch(/`use_ssl = 1`, but no certificate and key/);
  });

  test("a file that can't be used is shown with the place", async () => {
    const file = write("m.cfg", "scheduler_name scheduler-master", "address 127.0.0.1", "spare maybe");
    const daemon = await bench.spawn("scheduler-master", ["--config", file]);
    expect((await daemon.ended).code).toBe(1);
    expect(daemon.stderr).toMatch(/m\.cfg:3:\d+: error/);
  });
});

describe("the command line", () => {
  test.each([
    [["--role", "boss"], /--role is master or spare; found "boss"/],
    [["--port", "70000"], /--port is a number from 0 to 65535/],
    [["--arbiter", "10.0.0.1:7770"], /--arbiter takes URLs/],
    [["--colour"], /--colour/],
  ])("%j", async (args, what) => {
    const { code, text } = await refusal(args);
    expect(code).toBe(2);
    expect(text).toMatch(what);
  });
});
