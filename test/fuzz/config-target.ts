/**
 * Configuration files of all dialects, bent out of shape: by itself each text must be read without
 * a crash, and as a folder each edit is taken whole or refused whole, with problems that have a
 * place. What is accepted must be good enough for the core to start with.
 */
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publicText } from "../../src/arbiter/configuration.ts";
import { readSource } from "../../src/config/dialect.ts";
import { loadConfiguration, planChange, renderProblem, showConfiguration } from "../../src/config/index.ts";
import { Problems } from "../../src/config/problem.ts";
import { createArbiter } from "../../src/core/arbiter.ts";
import type { Random } from "../../src/simulator/random.ts";
import { mutateText } from "./mutate.ts";
import { check, shown, type Target, type World } from "./target.ts";

const INI = `[cluster]
name = demo
arbiter_lease = 2s
failover_budget = 3 per 10m
[store]
url = sqlite:arbiter.db
[security]
token_file = cluster.token
client_cert = none
[alerts]
webhook = https://alerts.example.org/hook
[arbiter]
name = arbiter-master
address = 10.0.0.1
[scheduler]
name = scheduler-master
address = 10.0.0.2
port = 7768
lease = 2s
failback_window = 0 2 * * * for 1h
command = /usr/bin/agenda --port 9000
env_LANG = C
_db_password = hunter2
[scheduler scheduler-slave]
address = 10.0.0.3
spare = 1
[service scheduler-master]
failback = manual
`;

const ALIGNAK = `[DEFAULT]
polling_interval=60
use_ssl=0
[daemon.scheduler-master]
type=scheduler
name=scheduler-master
address=127.0.0.1
port=7768
;realm=All
alignak_launched=1
[daemon.scheduler-spare]
type=scheduler
name=scheduler-spare
address=%(host)s
host=127.0.0.2
port=7768
spare=1
`;

const OBJECTS = `define realm {
    realm_name   All
    default      1
    realm_members Europe
}
define realm{
    realm_name   Europe
}
define scheduler {
    register     0
    name         generic
    timeout      3
    data_timeout 120
}
define scheduler {
    use              generic
    scheduler_name   scheduler-master
    address          node1.example.org   ; a host
    port             7768
    spare            0
    realm            All
    weight           1
    satellitemap     a=b:7768,c=d:7768
}
# a comment
define scheduler {
    use              generic
    scheduler_name   scheduler-slave
    address          2001:db8::3
    spare            1
    manage_sub_realms 1
}
define host { host_name x }
`;

const BARE = `scheduler_name      scheduler-master
address             127.0.0.1
port                7768
spare               0
check_interval      500ms
max_check_attempts  3
`;

/** A mutation keeps no more of a text. */
const LONGEST_SAMPLE = 20_000;

/** With `ARBITER_CORPUS=FOLDER` real files are bent as well, those of other projects for example. */
function corpusTexts(): readonly string[] {
  const corpus = process.env["ARBITER_CORPUS"] ?? "";
  if (corpus === "") return [];
  return readdirSync(corpus, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(?:cfg|ini)$/u.test(file))
    .map((file) => readFileSync(join(corpus, file), "utf8"))
    .filter((content) => content.length < LONGEST_SAMPLE);
}
export const SAMPLES: readonly string[] = [INI, ALIGNAK, OBJECTS, BARE, ...corpusTexts()];

const WORDS = [
  "define ",
  "scheduler",
  "arbiter",
  "realm",
  "[DEFAULT]\n",
  "[daemon.x]\n",
  "[service x]\n",
  "[cluster]\n",
  "name = a\n",
  "use generic\n",
  "use = scheduler-master\n",
  "spare 1\n",
  "spare = 0\n",
  "priority = 5\n",
  "capacity = 0\n",
  "lease 1\n",
  "lease = 1000d\n",
  "check_interval = 0\n",
  "max_check_attempts = 99999\n",
  "spare_for = a,b,,\n",
  "realm All\n",
  "realm_members All\n",
  "port 99999\n",
  "port 7768\n",
  "address [::1]\n",
  "address :::\n",
  "failback_window = 61 * * * * for 1h\n",
  "clock_drift = 200%\n",
  "command = 'a b\n",
  "cfg_dir=x\n",
  "_x = %(_y)s\n_y = %(_x)s\n",
  "%(name)s",
  "${HOME}",
  "service = scheduler-master\n",
  "token_file = /nowhere\n",
  "bind = 0.0.0.0\n",
];

function text(random: Random): string {
  const base = random.pick(SAMPLES);
  const mixed = random.chance(0.1) ? `${base}${random.pick(SAMPLES)}` : base;
  return mutateText(random, mixed, WORDS);
}

function linesOf(content: string): readonly string[] {
  return content.split(/\r\n|\r|\n/u);
}

export const configTexts: Target = {
  name: "config-texts",
  share: 30,
  block: 1_000,
  open: () => ({ run: readText }),
};

function readText(random: Random): void {
  const content = text(random);
  const problems = new Problems();
  const lines = linesOf(content);
  const reading = readSource({ path: "a.cfg", lines, content }, problems);
  for (const { entries } of reading.objects) {
    for (const { line } of entries) {
      check(line >= 1 && line <= lines.length, () => `an entry at line ${line}: ${shown(content)}`);
    }
  }
  for (const problem of problems.sorted()) {
    const isPlaced = problem.line >= 1 && problem.line <= Math.max(1, lines.length) && problem.column >= 1;
    check(isPlaced, () => `a problem at ${problem.line}:${problem.column}: ${shown(content)}`);
    check(renderProblem(problem).length > 0, () => "a problem that says nothing");
  }
}

export const configFolders: Target = {
  name: "config-folders",
  share: 3,
  block: 200,
  async open(): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), "arbiter-fuzz-config-"));
    await mkdir(join(folder, "daemons"));
    return {
      run: async (random) => await loadFolder(folder, random),
      close: async () => await rm(folder, { recursive: true, force: true }),
    };
  },
};

async function loadFolder(folder: string, random: Random): Promise<void> {
  const content = text(random);
  await writeFile(join(folder, "arbiter.cfg"), content);
  await writeFile(
    join(folder, "daemons", "other.cfg"),
    random.chance(0.5) ? text(random) : random.pick(SAMPLES),
  );
  const loaded = await loadConfiguration(folder, { env: { HOME: "/home/x", X: "y" } });
  const errors = loaded.problems.filter(({ severity }) => severity === "error");
  check(loaded.ok === (errors.length === 0), () => `ok with ${errors.length} errors: ${shown(content)}`);
  check((loaded.model !== null) === loaded.ok, () => `a model with errors: ${shown(content)}`);
  for (const problem of loaded.problems) publicText(problem);
  if (loaded.model === null) return;
  showConfiguration(loaded);
  const { model } = loaded;
  const moves = planChange(model, model).filter(({ action }) => action !== "keep");
  check(moves.length === 0, () => `a plan from itself to itself: ${shown(moves)} ${shown(content)}`);
  const [self] = model.arbiters;
  createArbiter({
    name: self?.name ?? "",
    url: self?.url ?? "",
    instance: "i",
    stateId: "s",
    freshClusterId: "c",
    model,
    configuration: { version: 0, hash: loaded.hash, atWallMs: 0, by: "fuzz", files: {} },
    primary: null,
  });
  for (const daemon of model.daemons) {
    check(URL.canParse(daemon.url), () => `${daemon.name} has the url ${daemon.url}: ${shown(content)}`);
    const isTimed = [daemon.leaseMs, daemon.checkIntervalMs, daemon.timeoutMs].every(
      (ms) => Number.isFinite(ms) && ms > 0,
    );
    check(isTimed, () => `${daemon.name} has no usable timing: ${shown(content)}`);
  }
}
