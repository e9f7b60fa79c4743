/**
 * The lonely reboot, in numbers: one arbiter, a master and a spare; the arbiter is gone, and the spare's
 * machine is rebooted in good order. Either the spare leaves a promise without end behind, or it doesn't
 * and the holder gives up (its machine loses power instead of being asked to stop: that is what leaving
 * without a promise comes to). Perhaps the holder's machine dies meanwhile: the second fault, in which
 * the promise costs something. `npm run sim:lonely` prints the table of docs/decisions/0006.
 */
import { Random } from "../../src/simulator/random.ts";
import { Stage } from "./stage.ts";

const MINUTE_MS = 60_000;
/** From SIGTERM to the daemon's next start; the arbiter is back half a minute later. */
const REBOOT_MS = MINUTE_MS;
const ARBITER_MS = REBOOT_MS + MINUTE_MS / 2;
/** From then on an operator who was called looks at it, and says `--force` where that is what is needed. */
const OPERATOR_MS = 15 * MINUTE_MS;
const LONG_MS = 60 * MINUTE_MS;

export interface Lonely {
  /** With the promise without end, or without. */
  readonly isPromised: boolean;
  /** The holder's machine is lost meanwhile, and comes back after so long. `null`: it isn't lost. */
  readonly holderAwayMs: number | null;
}

export interface LonelyEnd {
  /** How long nobody did the work, in the hour from SIGTERM on. */
  readonly vacantMs: number;
  readonly needsOperator: boolean;
}

export function lonelyReboot(seed: number, { isPromised, holderAwayMs }: Lonely): LonelyEnd {
  const random = new Random(seed, 0x10e1e);
  const stage = new Stage(seed).pass(20_000);
  const { simulation } = stage;
  const [arbiter] = simulation.arbiters;
  const [holder, spare] = [simulation.daemon("m1"), simulation.daemon("s1")];
  const { world } = simulation;
  arbiter?.crash("gone");
  stage.pass(random.between(0, MINUTE_MS));
  const beganAtMs = world.nowMs;
  if (isPromised) spare.stop();
  else spare.powerOff();
  world.after(REBOOT_MS, () => {
    spare.powerOn();
    spare.start();
  });
  world.after(ARBITER_MS, () => arbiter?.start());
  if (holderAwayMs !== null) {
    const lostMs = random.between(5000, ARBITER_MS);
    world.after(lostMs, () => holder.powerOff());
    world.after(lostMs + holderAwayMs, () => {
      holder.powerOn();
      holder.start();
    });
  }
  return watch(stage, beganAtMs);
}

function watch(stage: Stage, beganAtMs: number): LonelyEnd {
  const { world } = stage.simulation;
  let vacantMs = 0;
  let needsOperator = false;
  let isCalled = false;
  const stepMs = 50;
  while (world.nowMs < beganAtMs + LONG_MS) {
    const isVacant = stage.worker() === null;
    // Held in peace from here on: nothing more happens.
    if (!isVacant && world.nowMs > beganAtMs + OPERATOR_MS + MINUTE_MS) break;
    if (isVacant) vacantMs += stepMs;
    if (isVacant && !isCalled && world.nowMs > beganAtMs + OPERATOR_MS) {
      isCalled = true;
      const order = { verb: "failover", service: "m1", to: "s1", force: true, evenIfAlive: false } as const;
      stage.simulation.leader?.command(order, ({ status }) => {
        needsOperator = status === 202;
      });
    }
    stage.pass(stepMs);
  }
  return { vacantMs, needsOperator };
}

const SEEDS = 50;

interface Row {
  readonly text: string;
  readonly holderAwayMs: number | null;
}
const ROWS: readonly Row[] = [
  { text: "the holder's machine goes on", holderAwayMs: null },
  { text: "it is lost meanwhile, and back after 2 min", holderAwayMs: 2 * MINUTE_MS },
  { text: "it is lost meanwhile, for good", holderAwayMs: 24 * 60 * MINUTE_MS },
];

function mean(row: Row, isPromised: boolean): { readonly seconds: number; readonly called: number } {
  let vacantMs = 0;
  let called = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const end = lonelyReboot(seed, { isPromised, holderAwayMs: row.holderAwayMs });
    vacantMs += end.vacantMs;
    called += Number(end.needsOperator);
  }
  return { seconds: vacantMs / SEEDS / 1000, called };
}

export function lonelyTable(): string {
  const lines = [
    `| ${SEEDS} seeds each | promise without end: nobody did the work | gives up: nobody did the work |`,
    "| --- | --- | --- |",
  ];
  const losses: (readonly [number, number])[] = [];
  for (const row of ROWS) {
    const [kept, given] = [mean(row, true), mean(row, false)];
    losses.push([kept.seconds, given.seconds]);
    const cell = ({ seconds, called }: typeof kept): string =>
      `${seconds.toFixed(1)} s${called === 0 ? "" : `; an operator had to decide in ${called} of ${SEEDS}`}`;
    lines.push(`| ${row.text} | ${cell(kept)} | ${cell(given)} |`);
  }
  const [alone, , dead] = losses;
  if (alone !== undefined && dead !== undefined) {
    const [gain, price] = [alone[1] - alone[0], dead[0] - dead[1]];
    const share = ((gain + price) / gain).toFixed(1);
    lines.push(
      "",
      `Both cost the same where one such reboot in ${share} loses the holder's machine for good.`,
    );
  }
  return lines.join("\n");
}

if (import.meta.main) console.log(lonelyTable());
