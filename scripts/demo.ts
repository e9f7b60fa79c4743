/**
 * `npm run demo`: an arbiter, a master and a spare on this machine, to play with. It shows what
 * happens as it happens, says what to try, and leaves nothing behind.
 *
 * --once        play a fixed piece instead: kill the master, watch the spare, start the master again
 * --folder DIR  where its files are (default: var/demo)
 * --free-ports  ports that are free, instead of the usual ones
 */
import { resolve } from "node:path";
import { parseArgs, styleText } from "node:util";
import { DemoCluster, MASTER, shortPath, SPARE } from "./demo-cluster.ts";

const { values } = parseArgs({
  options: {
    once: { type: "boolean", default: false },
    folder: { type: "string", default: "var/demo" },
    "free-ports": { type: "boolean", default: false },
  },
});

/** Longest that any step of the piece may take on a busy machine. */
const PATIENCE_MS = 60_000;
const startedMs = performance.now();
const programs = new Map<string, number>();
const waiting = new Set<(text: string) => void>();

/** What stands behind time and kind of event. */
const LINE_LENGTH = 85;

function show(text: string): void {
  process.stdout.write(`${text}\n`);
}

function showAt(text: string): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(3).padStart(7);
  show(`${styleText("dim", seconds)}  ${text}`);
  for (const listener of waiting) listener(text);
}

function showCommand(command: string, pid?: number): void {
  const [before, program] = command.split(" -- ");
  const broken = program === undefined ? command : `${before} \\\n             -- ${program}`;
  show(`\n         ${styleText("bold", `$ ${broken}`)}${pid === undefined ? "" : `   (pid ${pid})`}`);
}

/** `6 2026-01-01T00:00:00.000Z service.held …`, as an arbiter writes events where nobody watches. */
const EVENT = /^\d+ \S+Z ([a-z]+\.[a-z-]+) (.*)$/u;
/** The log says more than a demonstration needs: that all three answer is plain at its beginning. */
const shownEvents = { pattern: /^service\./u };
const PROGRAM_LINE = /^(\S+) \| (pid (\d+): .*)$/u;

function said(name: string, line: string): void {
  const event = EVENT.exec(line);
  if (event !== null) {
    const [, type = "", text = ""] = event;
    if (shownEvents.pattern.test(type)) showEvent(type, text);
    return;
  }
  const program = PROGRAM_LINE.exec(line);
  if (program === null) return;
  programs.set(name, Number(program[3]));
  showAt(styleText("green", `${name} | ${program[2]}`));
}

function ended(name: string, how: string): void {
  showAt(styleText("yellow", `${name} has ended: ${how}`));
  if (values.once) return;
  const errors = cluster.errorsOf(name).trim().split("\n").at(-1) ?? "";
  if (how !== "SIGKILL" && errors !== "") show(`           ${errors}`);
  if (commands.has(name))
    show(`         start it again, in another terminal:\n         npx ${commands.get(name)}`);
}

/** What happened; and below it, where the line would be too long, why. */
function showEvent(type: string, text: string): void {
  const short = text.replace("service scheduler-master is ", "").replace("service scheduler-master ", "");
  const colon = short.indexOf(": ");
  const isLong = colon > 0 && short.length > LINE_LENGTH;
  showAt(`${styleText("cyan", type.padEnd(20))} ${isLong ? short.slice(0, colon) : short}`);
  if (!isLong) return;
  // What a move is made for is said when it begins.
  const why = short.slice(colon + 2);
  const reason = type === "service.handing-over" ? why : why.replace(/ \(.*\)\.$/u, ".");
  show(styleText("dim", `${" ".repeat(30)}${reason}`));
}

const commands = new Map<string, string>();
const cluster = new DemoCluster(resolve(values.folder), { said, ended });

function start(name: string): void {
  const command = cluster.startDaemon(name);
  commands.set(name, command);
  showCommand(command, cluster.pidOf(name));
}

/** Resolves when a line is shown that matches. */
async function shown(pattern: RegExp): Promise<void> {
  await new Promise<void>((done, fail) => {
    const timer = setTimeout(() => {
      waiting.delete(listener);
      fail(new Error(`nothing like ${String(pattern)} was seen within ${PATIENCE_MS / 1000} s`));
    }, PATIENCE_MS);
    const listener = (text: string): void => {
      if (!pattern.test(text)) return;
      clearTimeout(timer);
      waiting.delete(listener);
      done();
    };
    waiting.add(listener);
  });
}

async function begin(): Promise<void> {
  await cluster.prepare(values["free-ports"]);
  showCommand(cluster.startArbiter(), cluster.pidOf("arbiter-master"));
  start(MASTER);
  start(SPARE);
  await Promise.all([shown(/service\.held/u), shown(/I go on after/u), cluster.isComplete()]);
  shownEvents.pattern = /^(service|daemon)\./u;
}

function kill(pid: number, what: string): void {
  showCommand(`kill -9 ${pid}   # ${what}`);
  process.kill(pid, "SIGKILL");
}

async function playOnce(): Promise<void> {
  await begin();
  await pause();
  const takenOver = [shown(/service\.held .*scheduler-slave/u), shown(/scheduler-slave \| /u)];
  kill(cluster.pidOf(MASTER), "the master's host is gone, so to speak");
  await Promise.all(takenOver);
  await pause();
  const handedBack = [shown(/service\.held .*scheduler-master/u), shown(/scheduler-master \| /u)];
  start(MASTER);
  await Promise.all(handedBack);
  await pause();
  const goneOn = [shown(/service\.held .*scheduler-slave/u), shown(/scheduler-slave \| /u)];
  kill(programs.get(MASTER) ?? 0, "the program alone: its launcher sees it exit");
  await Promise.all(goneOn);
  await pause();
}

/** So that the lines of one step don't mix with those of the next. */
async function pause(): Promise<void> {
  await new Promise((done) => setTimeout(done, 700));
}

async function play(): Promise<void> {
  await begin();
  const config = `--config ${shortPath(cluster.config)}`;
  const tries = [
    [`kill -9 ${programs.get(MASTER)}`, "the program: the spare goes on within milliseconds"],
    [`kill -9 ${cluster.pidOf(MASTER)}`, "the master's launcher, as if its host were gone: two seconds"],
    [`tail -f ${shortPath(cluster.steps)}`, "the job's steps: no gap, no repetition"],
    [`npx arbiter status --watch ${config}`, ""],
    [`npx arbiter switchover scheduler-master ${config}`, ""],
  ] as const;
  show("\n  Try, in another terminal:\n");
  for (const [command, what] of tries)
    show(`    ${what === "" ? command : `${command.padEnd(34)}  ${what}`}`);
  show("\n  Ctrl-C ends everything.\n");
  await stopped.promise;
}

const stopped = Promise.withResolvers<null>();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopped.resolve(null));

try {
  await Promise.race([values.once ? playOnce() : play(), stopped.promise]);
} catch (error) {
  process.exitCode = 1;
  show(`\n  The demonstration failed: ${error instanceof Error ? error.message : String(error)}`);
  for (const name of ["arbiter-master", MASTER, SPARE]) show(cluster.errorsOf(name));
} finally {
  await cluster.end();
}
process.exit();
