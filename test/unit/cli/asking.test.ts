/** Commands that ask an arbiter: what they print, what they send, and how they end. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { problem, sendJson, sendProblem } from "../../../src/protocol/problem.ts";
import { arbiter } from "./run.ts";
import { daemonStatus, event, serveStatus, serviceStatus, standIn, status } from "./stand-in.ts";

describe("status", () => {
  test("in a pipe prints one line a thing, plain words and key=value", async () => {
    await using server = await standIn(serveStatus(status()));
    const { exitCode, stdout, stderr } = await arbiter(["status", "--url", server.url]);
    expect(stdout.split("\n")).toEqual([
      "cluster demo leader=arbiter-master term=2 version=17 config=1",
      "service scheduler-master phase=held holder=scheduler-master role=master epoch=3 since=2026-01-02T03:04:05.000Z url=http://127.0.0.1:7768",
      "daemon scheduler-master type=scheduler role=master state=active healthy=true ready=true holds=scheduler-master url=http://127.0.0.1:7768",
      "daemon scheduler-slave type=scheduler role=spare state=waiting healthy=true ready=true url=http://127.0.0.1:7768",
      "arbiter arbiter-master role=master state=leading url=http://127.0.0.3:7770",
      "",
    ]);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
  });

  test("--json is the arbiter's own body, one value", async () => {
    await using server = await standIn(serveStatus(status()));
    const { exitCode, stdout } = await arbiter(["status", "--json", "--url", server.url]);
    expect(JSON.parse(stdout)).toEqual(status());
    expect(exitCode).toBe(0);
  });

  test.each([
    ["vacant", 1],
    ["degraded", 1],
    ["suspect", 1],
    ["paused", 0],
  ] as const)("a problem %s ends with exit code %i", async (code, exitCode) => {
    const problems = [{ code, subject: "scheduler-master", text: "It is so.", next: "Do this." }];
    await using server = await standIn(serveStatus(status({ problems })));
    const ran = await arbiter(["status", "--url", server.url]);
    expect(ran.stdout).toContain(
      `problem ${code} subject=scheduler-master text="It is so." next="Do this."\n`,
    );
    expect(ran.exitCode).toBe(exitCode);
    const json = await arbiter(["status", "--json", "--url", server.url]);
    expect(json.exitCode).toBe(exitCode);
    expect(JSON.parse(json.stdout)).toHaveProperty("problems", problems);
  });

  test("takes the first arbiter that answers", async () => {
    await using server = await standIn(serveStatus(status()));
    // Port 1 on loopback: nobody listens there.
    const env = { ARBITER_URL: `http://127.0.0.1:1,${server.url}/` };
    const { exitCode, stdout } = await arbiter(["leader"], { env });
    expect(stdout).toBe("arbiter-master term=2 url=http://127.0.0.3:7770\n");
    expect(exitCode).toBe(0);
  });

  test("no arbiter that answers is a clear no, with what to do", async () => {
    const { exitCode, stdout, stderr } = await arbiter(["status", "--url", "http://127.0.0.1:1"]);
    expect(stdout).toBe("");
    expect(stderr).toContain("no arbiter answers (http://127.0.0.1:1: nobody listens there)");
    expect(stderr).toContain("arbiter start");
    expect(exitCode).toBe(1);
  });

  test("something else that listens at the port is a clear no", async () => {
    await using server = await standIn((_asked, response) => {
      sendJson(response, 200, { hello: "world" });
      return true;
    });
    const { exitCode, stderr } = await arbiter(["status", "--url", server.url]);
    expect(stderr).toContain("is no arbiter of this version");
    expect(exitCode).toBe(1);
  });
});

describe("the token", () => {
  test("of --token-file, else of $ARBITER_TOKEN_FILE, is sent; without one, none is", async () => {
    await using server = await standIn(serveStatus(status()));
    const folder = await mkdtemp(join(tmpdir(), "arbiter-cli-"));
    await writeFile(join(folder, "one"), "token-number-one\n");
    await writeFile(join(folder, "two"), "token-number-two\n");
    const env = { ARBITER_TOKEN_FILE: join(folder, "two") };
    await arbiter(["status", "--url", server.url, "--token-file", join(folder, "one")], { env });
    await arbiter(["status", "--url", server.url], { env });
    await arbiter(["status", "--url", server.url]);
    expect(server.asked.map(({ authorization }) => authorization)).toEqual([
      "Bearer token-number-one",
      "Bearer token-number-two",
      undefined,
    ]);
  });

  test("that is missing is asked for", async () => {
    await using server = await standIn((_asked, response) => {
      sendProblem(response, problem(401, "Unauthorized", "Send the cluster's token."));
      return true;
    });
    const { exitCode, stderr } = await arbiter(["pause", "--url", server.url]);
    expect(stderr).toContain("--token-file");
    expect(exitCode).toBe(1);
  });

  test("a file that can't be read is named", async () => {
    const { exitCode, stderr } = await arbiter([
      "status",
      "--url",
      "http://127.0.0.1:1",
      "--token-file",
      "/nowhere",
    ]);
    expect(stderr).toContain("/nowhere");
    expect(exitCode).toBe(1);
  });
});

describe("events", () => {
  const LOG = [event(1), event(2, { service: "other" }), event(3, { text: "escape \u001B[31m is shown" })];
  const serveLog = async (): ReturnType<typeof standIn> =>
    standIn((asked, response) => {
      const { pathname, searchParams } = new URL(asked.path, "http://stand.in");
      if (pathname !== "/v1/events") return serveStatus(status())(asked, response);
      const page = LOG.filter(({ seq }) => seq > Number(searchParams.get("after"))).slice(0, 2);
      const wanted = searchParams.get("service");
      const events = page.filter(({ service }) => wanted === null || service === wanted);
      sendJson(response, 200, { events, last: 3, next: page.at(-1)?.seq ?? 3 });
      return true;
    });

  test("prints number, time, type and text, page after page", async () => {
    await using server = await serveLog();
    const { exitCode, stdout } = await arbiter(["events", "--url", server.url]);
    expect(stdout).toBe(
      "1 2026-01-02T03:04:05.678Z service.held event number 1\n" +
        "2 2026-01-02T03:04:05.678Z service.held event number 2\n" +
        "3 2026-01-02T03:04:05.678Z service.held escape \u{fffd}[31m is shown\n",
    );
    expect(exitCode).toBe(0);
  });

  test.each([
    [
      ["--after", "1"],
      [2, 3],
    ],
    [["--last", "1"], [3]],
    [["--last", "0"], []],
    [
      ["--service", "scheduler-master"],
      [1, 3],
    ],
    [["--service", "other", "--after", "2"], []],
  ] as const)("%j --json is an array of events %j", async (options, expected) => {
    await using server = await serveLog();
    const { exitCode, stdout } = await arbiter(["events", "--json", "--url", server.url, ...options]);
    const events: unknown = JSON.parse(stdout);
    expect(events).toEqual(LOG.filter(({ seq }) => (expected as readonly number[]).includes(seq)));
    expect(exitCode).toBe(0);
  });

  test("a service that never was is a clear no, not an empty log", async () => {
    await using server = await serveLog();
    const { exitCode, stdout, stderr } = await arbiter(["events", "--service", "typo", "--url", server.url]);
    expect(stderr).toContain("no service called typo. There is: scheduler-master.");
    expect(stdout).toBe("");
    expect(exitCode).toBe(1);
  });
});

describe("resolve", () => {
  test("prints the holder, and where it answers", async () => {
    const answer = { service: "s", holder: "d", epoch: 7, phase: "held", url: "http://127.0.0.2:7768" };
    await using server = await standIn(({ path }, response) => {
      if (path !== "/v1/services/s") return false;
      sendJson(response, 200, answer);
      return true;
    });
    const plain = await arbiter(["resolve", "s", "--url", server.url]);
    expect(plain).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: "d url=http://127.0.0.2:7768 epoch=7 phase=held\n",
    });
    const json = await arbiter(["resolve", "s", "--json", "--url", server.url]);
    expect(JSON.parse(json.stdout)).toEqual(answer);
  });

  test("a vacant service and an unknown one are a clear no", async () => {
    await using server = await standIn((asked, response) => {
      if (asked.path === "/v1/services/vacant") {
        sendProblem(response, problem(503, "Service Unavailable", "no holder"));
        return true;
      }
      return serveStatus(status())(asked, response);
    });
    const vacant = await arbiter(["resolve", "vacant", "--url", server.url]);
    expect(vacant.stderr).toContain("nobody holds vacant");
    expect(vacant.exitCode).toBe(1);
    const unknown = await arbiter(["resolve", "unknown", "--url", server.url]);
    expect(unknown.stderr).toContain("no service called unknown. There is: scheduler-master.");
    expect(unknown.exitCode).toBe(1);
  });
});

describe("orders", () => {
  test.each([
    [["pause", "--for", "1h30m", "--reason", "why"], "/v1/pause", { forMs: 5_400_000, reason: "why" }],
    [["pause", "a/b"], "/v1/services/a%2Fb/pause", {}],
    [["resume"], "/v1/resume", {}],
    [["resume", "s"], "/v1/services/s/resume", {}],
    [["maintenance", "d", "on"], "/v1/daemons/d/maintenance", { on: true }],
    [
      ["maintenance", "d", "off", "--reason", "done"],
      "/v1/daemons/d/maintenance",
      { on: false, reason: "done" },
    ],
  ] as const)("%j posts to %s, and says who asks", async (argv, path, body) => {
    await using server = await standIn((_asked, response) => {
      sendJson(response, 202, { event: 9, text: "So it is." });
      return true;
    });
    const { exitCode, stdout } = await arbiter([...argv, "--url", server.url]);
    expect(server.asked).toMatchObject([{ method: "POST", path, body }]);
    expect(JSON.stringify(server.asked[0]?.body)).toMatch(/"by":"[^"]+@[^"]+"/u);
    expect(stdout).toBe("So it is.\n");
    expect(exitCode).toBe(0);
  });

  test("a refusal is printed as the arbiter words it", async () => {
    await using server = await standIn((_asked, response) => {
      sendProblem(response, problem(404, "Not Found", "There is no daemon d. Known: a, b."));
      return true;
    });
    const { exitCode, stdout, stderr } = await arbiter([
      "maintenance",
      "d",
      "on",
      "--json",
      "--url",
      server.url,
    ]);
    expect(stderr).toContain("arbiter: There is no daemon d. Known: a, b.\n  `arbiter status`");
    expect(stdout).toBe("");
    expect(exitCode).toBe(1);
  });

  test("is not sent twice when its answer is lost", async () => {
    await using lossy = await standIn((_asked, response) => {
      response.destroy();
      return true;
    });
    await using other = await standIn(serveStatus(status()));
    const { exitCode, stderr } = await arbiter(["pause", "--url", `${lossy.url},${other.url}`]);
    expect(stderr).toContain("Whether it was done is not known");
    expect(other.asked).toEqual([]);
    expect(exitCode).toBe(1);
  });
});

/** A cluster that moves the service after a few looks at it. */
async function moving(after: Parameters<typeof serviceStatus>[0]): ReturnType<typeof standIn> {
  let ordered = 0;
  return standIn(({ method, path }, response) => {
    if (method === "POST" && path.startsWith("/v1/services/scheduler-master/")) {
      ordered = 1;
      sendJson(response, 202, { event: 20, text: "Accepted." });
      return true;
    }
    if (path !== "/v1/status") return false;
    if (ordered > 0) ordered += 1;
    const service =
      ordered === 0 ? serviceStatus() : serviceStatus(ordered < 4 ? { phase: "handing-over" } : after);
    sendJson(response, 200, status({ services: [service], daemons: [daemonStatus()] }));
    return true;
  });
}

describe("moves", () => {
  test("waits until the service is held at a higher epoch, and says how long nobody held it", async () => {
    await using server = await moving({ holder: "scheduler-slave", role: "spare", epoch: 4, lastGapMs: 9 });
    const argv = ["switchover", "scheduler-master", "--to", "scheduler-slave", "--url", server.url];
    const { exitCode, stdout } = await arbiter(argv);
    expect(stdout).toMatch(
      /^scheduler-master moved from scheduler-master to scheduler-slave at epoch 4, after \d+ ms; nobody held it for 9 ms, and at no instant did both: scheduler-master had said that it had let go before scheduler-slave was told\n$/u,
    );
    expect(exitCode).toBe(0);
    const posted = server.asked.find(({ method }) => method === "POST");
    expect(posted).toMatchObject({
      path: "/v1/services/scheduler-master/switchover",
      body: { to: "scheduler-slave" },
    });
  });

  test("--json says the same in one value", async () => {
    await using server = await moving({ holder: "scheduler-slave", epoch: 4, lastGapMs: 9 });
    const { stdout, exitCode } = await arbiter([
      "failover",
      "scheduler-master",
      "--force",
      "--json",
      "--url",
      server.url,
    ]);
    const moved: unknown = JSON.parse(stdout);
    expect(moved).toMatchObject({
      verb: "failover",
      service: "scheduler-master",
      from: "scheduler-master",
      to: "scheduler-slave",
      epoch: 4,
      gapMs: 9,
      gapIs: "measured",
      overlapMs: 0,
      overlapIs: "proof",
    });
    expect(moved).toHaveProperty("tookMs");
    expect(exitCode).toBe(0);
    expect(server.asked.find(({ method }) => method === "POST")?.body).toMatchObject({ force: true });
  });

  test("a holder that keeps the service after all is a clear no", async () => {
    await using server = await moving({ phase: "held", reason: "the holder answered" });
    const { exitCode, stdout, stderr } = await arbiter(["failover", "scheduler-master", "--url", server.url]);
    expect(stderr).toContain(
      "was not moved: scheduler-master still holds it at epoch 3 (the holder answered)",
    );
    expect(stdout).toBe("");
    expect(exitCode).toBe(1);
  });

  test("--timeout ends the waiting with a clear no, not the move", async () => {
    await using server = await moving({ phase: "handing-over" });
    const argv = ["failback", "scheduler-master", "--timeout", "200ms", "--url", server.url];
    const { exitCode, stderr } = await arbiter(argv);
    expect(stderr).toContain("has not been moved after 200 ms: it is handing-over");
    expect(stderr).toContain("The request stands.");
    expect(exitCode).toBe(1);
  });

  test("--no-wait returns with what the arbiter said", async () => {
    await using server = await moving({});
    const { exitCode, stdout } = await arbiter([
      "switchover",
      "scheduler-master",
      "--no-wait",
      "--url",
      server.url,
    ]);
    expect(stdout).toBe("Accepted.\n");
    expect(exitCode).toBe(0);
  });

  test("an unknown service is refused before anything is asked for", async () => {
    await using server = await moving({});
    const { exitCode, stderr } = await arbiter(["switchover", "typo", "--url", server.url]);
    expect(stderr).toContain("no service called typo. There is: scheduler-master.");
    expect(server.asked.some(({ method }) => method === "POST")).toBe(false);
    expect(exitCode).toBe(1);
  });
});
