/**
 * Drills at their times: one cron task for each service that has a `drill` key. The leading arbiter
 * alone begins them; what comes of them is decided in the core.
 *
 * A reload may change the schedules: they are compared now and then, which costs nothing.
 */
import { schedule } from "node-cron";
import type { ScheduledTask } from "node-cron";
import type { NodeSettings } from "../config/settings.ts";
import type { CommandAnswer, OperatorCommand } from "../core/arbiter-io.ts";
import { messageOf } from "../protocol/errors.ts";
import { wallMs } from "../shell/clock.ts";
import type { Engine } from "./engine.ts";
import type { ProcessLog } from "./log.ts";
import type { PushedEvent } from "./store-lane.ts";

const LOOK_EVERY_MS = 5_000;
const BY = "schedule";

export interface DrillScheduleOptions {
  readonly log: ProcessLog;
  /** They were planned anew. */
  onPlanned(drills: NodeSettings["drills"]): void;
  drills(): NodeSettings["drills"];
  isLeading(): boolean;
  /** Services of which the settings know since when they are to be drilled. */
  isRemembered(service: string): boolean;
  command(by: string, command: OperatorCommand): Promise<CommandAnswer>;
  push(event: PushedEvent): void;
  wallMs(): number;
}

/** Of a running arbiter. Returns the function that ends it. */
export function openDrills(
  engine: Engine,
  log: ProcessLog,
  drills: () => NodeSettings["drills"],
): () => void {
  return scheduleDrills({
    log,
    drills,
    wallMs,
    isLeading: () => engine.state.leadership.mode === "leading",
    isRemembered: (service) => engine.state.settings.drills?.[service] !== undefined,
    command: (by, command) => engine.command(by, command),
    push: (event) => engine.push(event),
    onPlanned: (planned) => {
      const ages = Object.entries(planned).map(([service, { maxAgeMs }]) => [service, maxAgeMs] as const);
      engine.drillMaxAgesMs = Object.fromEntries(ages);
    },
  });
}

/** Returns the function that ends it. */
export function scheduleDrills(options: DrillScheduleOptions): () => void {
  let tasks: ScheduledTask[] = [];
  let planned = "";
  const look = (): void => {
    const drills = options.drills();
    const now = JSON.stringify(drills);
    if (now !== planned) {
      for (const task of tasks) void task.destroy();
      tasks = Object.entries(drills).map(([service, one]) => plan(options, service, one));
      planned = now;
      options.onPlanned(drills);
    }
    void remember(options, Object.keys(drills));
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();
  look();
  return () => {
    clearInterval(timer);
    for (const task of tasks) void task.destroy();
  };
}

async function remember(options: DrillScheduleOptions, services: readonly string[]): Promise<void> {
  if (!options.isLeading() || services.every((name) => options.isRemembered(name))) return;
  await options.command(BY, { verb: "remember-drills", services });
}

function plan(
  options: DrillScheduleOptions,
  service: string,
  { schedule: times, holdMs }: NodeSettings["drills"][string],
): ScheduledTask {
  const { log } = options;
  return schedule(times, () => begin(options, service, holdMs), {
    name: `drill of ${service}`,
    noOverlap: true,
    unref: true,
    suppressMissedWarning: true,
    logger: {
      info: (text) => log.info(text),
      warn: (text) => log.warn(text),
      error: (text) => log.error(messageOf(text)),
      debug: () => {},
    },
  });
}

/** One that can't begin is told of, and is no failed drill: the age of the last good one says the rest. */
async function begin(options: DrillScheduleOptions, service: string, holdMs: number): Promise<void> {
  if (!options.isLeading()) return;
  const answer = await options.command(BY, { verb: "drill", service, to: null, holdMs });
  if (answer.status < 300) return;
  options.push({
    kind: "noted",
    event: { type: "drill.skipped", service, atWallMs: options.wallMs(), text: answer.text },
  });
}
