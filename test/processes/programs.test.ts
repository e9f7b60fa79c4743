/**
 * Programs that nobody here wrote, made highly available without changing them: whatever is killed or
 * frozen, the program is back, once, and nothing of the old one is left.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rootsOf } from "../../src/launcher/background.ts";
import { runs } from "./launcher-workshop.ts";
import { PLACES, Rig, until, type Place, type Program } from "./programs-rig.ts";

/** Appends a line each 20 ms, with its epoch: what two at once would do is seen in the order of the lines. */
const WRITER = `
import os, sys, time
while True:
    with open(sys.argv[1], "a") as ledger: ledger.write(os.environ["ARBITER_EPOCH"] + "\\n")
    open("beat", "w").close()
    time.sleep(0.02)
`;

const PROGRAMS: readonly (Program & { readonly needs: string })[] = [
  {
    name: "prometheus",
    needs: "prometheus",
    setUp({ folder, address, port }) {
      writeFileSync(join(folder, "prometheus.yml"), "global:\n  scrape_interval: 1m\n");
      return (
        `command = prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=${address}:${port}\n` +
        `health_url = http://${address}:${port}/-/healthy\nhealth_text = Healthy\n`
      );
    },
  },
  {
    name: "redis",
    needs: "redis-server",
    setUp: ({ address, port }) =>
      `command = redis-server --bind ${address} --port ${port} --save "" --appendonly no\n` +
      // A frozen one still takes connections: the kernel does that. So it is asked for an answer, too.
      `health_tcp = ${address}:${port}\nhealth_command = timeout 1 redis-cli -h ${address} -p ${port} ping\n`,
  },
  {
    name: "nginx",
    needs: "/usr/sbin/nginx",
    setUp({ folder, address, port }) {
      // As it comes: it puts itself into the background.
      writeFileSync(
        join(folder, "nginx.conf"),
        `worker_processes 2;\npid ${folder}/nginx.pid;\nerror_log ${folder}/error.log;\nevents {}\nhttp {\n` +
          `  access_log off;\n  client_body_temp_path ${folder}/b;\n  proxy_temp_path ${folder}/p;\n` +
          `  fastcgi_temp_path ${folder}/f;\n  uwsgi_temp_path ${folder}/u;\n  scgi_temp_path ${folder}/s;\n` +
          `  server { listen ${address}:${port}; location / { return 200 "from ${address}"; } }\n}\n`,
      );
      return `command = /usr/sbin/nginx -c ${folder}/nginx.conf -e ${folder}/error.log\nhealth_url = http://${address}:${port}/\n`;
    },
  },
  {
    name: "writer",
    needs: "python3",
    setUp({ folder }) {
      writeFileSync(join(folder, "writer.py"), WRITER);
      writeFileSync(join(folder, "fresh.sh"), 'test -n "$(find beat -newermt "-1 second")"\n');
      return "command = python3 writer.py ../ledger\nhealth_command = sh fresh.sh\n";
    },
  },
];

function isThere(program: string): boolean {
  const found = spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
  if (!found && process.env["CI"] !== undefined) throw new Error(`${program} isn't installed`);
  if (!found) console.log(`skipped, ${program} under a launcher: it isn't installed`);
  return found;
}

const there = PROGRAMS.filter(({ needs }) => isThere(needs));
const rig = new Rig();

beforeAll(async () => await rig.start(there), 60_000);

/** The process that an operator would call the program. */
function mainOf(name: string, place: Place): number {
  const [main] = rootsOf(rig.processes(name, place));
  if (main === undefined) throw new Error(`${name} doesn't run as ${place}`);
  return main.pid;
}

/** Does it, waits for the other side, and looks at what is left of the old one. */
async function movedBy(name: string, from: Place, fault: () => void): Promise<void> {
  const to: Place = from === "master" ? "spare" : "master";
  const before = await rig.held(name, from);
  const old = rig.processes(name, from);
  fault();
  const epoch = await rig.held(name, to);
  expect(epoch).toBeGreaterThan(before);
  expect(old.filter((pid) => runs(pid))).toEqual([]);
  await until(`${name} runs as ${to}`, () => rig.processes(name, to).length > 0);
}

describe("is back, once, and its old one is gone", () => {
  test.concurrent.each(there.map(({ name }) => name))(
    "%s: its process is killed, its launcher is killed, it is frozen, its launcher is frozen",
    async (name) => {
      await rig.waits(name, "spare");
      await movedBy(name, "master", () => process.kill(mainOf(name, "master"), "SIGKILL"));
      await rig.waits(name, "master");
      await movedBy(name, "spare", () => rig.launcher(name, "spare").kill("SIGKILL"));
      rig.launch(name, "spare");
      await rig.waits(name, "spare");
      await movedBy(name, "master", () => {
        for (const pid of rig.processes(name, "master")) process.kill(pid, "SIGSTOP");
      });
      await rig.waits(name, "master");
      const frozen = rig.launcher(name, "spare");
      await movedBy(name, "spare", () => frozen.kill("SIGSTOP"));
      frozen.kill("SIGCONT");
      await rig.waits(name, "spare");
      if (name === "writer" || name === "redis") return;
      const answer = await fetch(`http://${PLACES.master}:${rig.portOf(name)}/`);
      expect(answer.ok).toBe(true);
    },
    150_000,
  );
});

test("no two of a kind were ever seen at once, and each epoch wrote before the next", () => {
  expect(rig.overlaps).toEqual([]);
  const epochs = rig.text("ledger").trim().split("\n").map(Number);
  expect(epochs.length).toBeGreaterThan(50);
  expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
});

test("the events tell each death", async () => {
  const events = await rig.events();
  const untold = there.filter(({ name }) => !events.includes(`service ${name} is vacant`));
  expect(untold).toEqual([]);
  const says = (text: RegExp): boolean => text.test(events);
  expect(says(/the program ended: it was killed by SIGKILL/u)).toBe(true);
  expect(says(/the program ended: its main process \d+, in the background, has ended/u)).toBe(true);
});

let left: number[] = [0];
test("in the end nothing is left", async () => {
  left = await rig.end();
  expect(left).toEqual([]);
}, 60_000);

afterAll(async () => {
  if (left[0] === 0) await rig.end();
}, 60_000);
