/**
 * Asks the launched program whether it is well: `health_url`, `health_tcp`, `health_command`, or
 * nothing at all (then it is well while it runs).
 *
 * One answer at a time, the next question only after it, each with a limit. A probe only says what
 * it saw: how many bad answers move the service is the arbiter's decision.
 */
import { spawn } from "node:child_process";
import { get as getHttp, type IncomingMessage } from "node:http";
import { get as getHttps } from "node:https";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { LaunchSpec } from "../core/model.ts";
import { messageOf } from "../protocol/errors.ts";
import { signalGroup } from "./process-group.ts";

export interface ProbeOptions {
  readonly spec: LaunchSpec;
  readonly checkIntervalMs: number;
  readonly timeoutMs: number;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Goes before the command's words: has it killed should the launcher die. */
  readonly wrap: readonly string[];
}

/** Null: well. Else why not, for people. */
export type Verdict = string | null;

export interface Probe {
  readonly intervalMs: number;
  ask(signal: AbortSignal): Promise<Verdict>;
}

/** A busy program may take longer than an idle port; less than this is no sign of illness. */
const LEAST_PATIENCE_MS = 1000;
/** A new process each time: not every 50 ms. */
const COMMAND_INTERVAL_MS = 1000;
/** Until it is well for the first time it is asked this often: each one is waited for. */
const START_INTERVAL_MS = 25;

/** Null where the configuration names no probe. */
export function probeOf(options: ProbeOptions): Probe | null {
  const { healthUrl, healthText, healthTcp, healthCommand } = options.spec;
  const patienceMs = Math.max(options.timeoutMs, LEAST_PATIENCE_MS);
  const intervalMs = options.checkIntervalMs;
  const asks: ((signal: AbortSignal) => Promise<Verdict>)[] = [];
  if (healthUrl !== null) {
    const wanted = { url: healthUrl, text: healthText };
    asks.push(async (signal) => await askUrl(wanted, patienceMs, signal));
  }
  if (healthTcp !== null) asks.push(portAsker(healthTcp, patienceMs));
  if (healthCommand !== null) {
    asks.push(
      async (signal) => await askCommand(healthCommand, { ...options, title: "`health_command`" }, signal),
    );
  }
  if (asks.length === 0) return null;
  return {
    intervalMs: healthCommand === null ? intervalMs : Math.max(intervalMs, COMMAND_INTERVAL_MS),
    async ask(signal): Promise<Verdict> {
      for (const ask of asks) {
        const verdict = await ask(signal);
        if (verdict !== null) return verdict;
      }
      return null;
    },
  };
}

/** Resolves at the first good answer; rejects with the last bad one after `limitMs`, or when aborted. */
export async function untilWell(probe: Probe, limitMs: number, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + limitMs;
  for (;;) {
    const verdict = await probe.ask(signal);
    signal.throwIfAborted();
    if (verdict === null) return;
    if (performance.now() >= untilMs) {
      throw new Error(`it wasn't healthy within ${limitMs} ms (\`start_timeout\`): ${verdict}`);
    }
    await sleep(START_INTERVAL_MS, undefined, { signal });
  }
}

/** Asks until aborted, and tells each answer. Plain timers: this goes on for as long as the program runs. */
export function watchHealth(probe: Probe, signal: AbortSignal, onAnswer: (verdict: Verdict) => void): void {
  let timer: NodeJS.Timeout | undefined;
  const askLater = (): void => {
    timer = setTimeout(() => void ask(), probe.intervalMs);
  };
  const ask = async (): Promise<void> => {
    const verdict = await probe.ask(signal);
    if (signal.aborted) return;
    onAnswer(verdict);
    // What was said may have ended it.
    if (!signal.aborted) askLater();
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  if (!signal.aborted) askLater();
}

interface WantedAnswer {
  readonly url: string;
  /** Null: its status is enough. */
  readonly text: string | null;
}

/** A health page is short; more than this isn't read to find the text in it. */
const MOST_TEXT = 65_536;

async function askUrl(wanted: WantedAnswer, patienceMs: number, signal: AbortSignal): Promise<Verdict> {
  const { url, text } = wanted;
  return await new Promise<Verdict>((resolve) => {
    const get = url.startsWith("https:") ? getHttps : getHttp;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    const fail = (error: Error): void => {
      resolve(limit.aborted ? `${url} doesn't answer within ${patienceMs} ms` : `${url}: ${error.message}`);
    };
    try {
      const request = get(url, { agent: false, signal: limit }, (response) => {
        const status = response.statusCode ?? 0;
        if (status < 200 || status > 299) resolve(`${url} answers ${status}`);
        else if (text === null) resolve(null);
        else
          void findText(response, text).then(
            (found) => resolve(found ? null : `${url} doesn't say \`${text}\``),
            fail,
          );
        // Also where nobody wants it: else the connection stays.
        response.resume();
      });
      request.on("error", fail);
    } catch (error) {
      resolve(`${url}: ${messageOf(error)}`);
    }
  });
}

async function findText(response: IncomingMessage, wanted: string): Promise<boolean> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    text += String(chunk);
    if (text.includes(wanted)) return true;
    if (text.length > MOST_TEXT) return false;
  }
  return false;
}

/** Where `host:port` is; without a host, this machine. */
export function placeOf(target: string): { readonly host: string; readonly port: number } {
  const at = target.lastIndexOf(":");
  const host = target.slice(0, Math.max(at, 0)).replace(/^\[(.*)\]$/u, "$1");
  return { host: host === "" ? "127.0.0.1" : host, port: Number(target.slice(at + 1)) };
}

/** One listener for each signal, however often it is asked under it. */
function portAsker(target: string, patienceMs: number): (signal: AbortSignal) => Promise<Verdict> {
  const place = placeOf(target);
  let known: AbortSignal | null = null;
  let stop: (() => void) | null = null;
  return async (signal) => {
    if (signal.aborted) return "stopped";
    if (signal !== known) {
      known = signal;
      signal.addEventListener("abort", () => stop?.(), { once: true });
    }
    return await new Promise<Verdict>((resolve) => {
      const socket = connect(place);
      let isSettled = false;
      const settle = (verdict: Verdict): void => {
        isSettled = true;
        socket.destroy();
        resolve(verdict);
      };
      stop = () => settle("stopped");
      socket.once("connect", () => settle(null));
      socket.once("error", (error) => settle(`${target}: ${error.message}`));
      // A program of this machine has answered by then, and a timer that was set wakes the loop even if
      // it is cleared.
      setImmediate(() => {
        if (isSettled) return;
        socket.setTimeout(patienceMs, () => settle(`${target} doesn't answer within ${patienceMs} ms`));
      });
    });
  };
}

export interface AskedCommand {
  readonly spec: Pick<LaunchSpec, "hookTimeoutMs" | "cwd">;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly wrap: readonly string[];
  /** For people: what it is. */
  readonly title: string;
}

/** Runs a command that says by its exit code how things stand. */
export async function askCommand(
  words: readonly string[],
  options: AskedCommand,
  signal: AbortSignal,
): Promise<Verdict> {
  const limitMs = options.spec.hookTimeoutMs;
  const line = [...options.wrap, ...words];
  return await new Promise<Verdict>((resolve) => {
    const asked = spawn(line[0] ?? "", line.slice(1), {
      detached: true,
      env: options.env,
      cwd: options.spec.cwd ?? undefined,
      stdio: "ignore",
    });
    let late: Verdict = null;
    const kill = (): void => {
      if (asked.pid !== undefined) signalGroup(asked.pid, "SIGKILL");
    };
    const timer = setTimeout(() => {
      late = `${options.title} took longer than ${limitMs} ms`;
      kill();
    }, limitMs);
    signal.addEventListener("abort", kill, { once: true });
    const settle = (verdict: Verdict): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", kill);
      resolve(late ?? verdict);
    };
    asked.once("error", (error) => settle(`${options.title} can't be run: ${error.message}`));
    asked.once("exit", (code, killedBy) => {
      kill();
      settle(code === 0 ? null : `${options.title} ended with ${killedBy ?? `code ${code ?? "?"}`}`);
    });
  });
}
