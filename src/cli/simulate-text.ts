/** What a simulation found, for people: how available, the worst gap and its story, what one machine's loss takes. */
import type { ToldMove } from "../core/explain-moves.ts";
import type { RunResult, ServiceResult, WorstGap } from "../simulator/own-run.ts";
import type { SingleFailure } from "../simulator/single-failures.ts";
import type { Terminal } from "./output.ts";
import { counted, durationText } from "./output.ts";

export interface Simulated {
  readonly seed: number;
  readonly hours: number;
  readonly isStandIn: boolean;
  readonly result: RunResult;
  readonly singleFailures: readonly SingleFailure[];
  readonly whatIf: readonly {
    readonly change: string;
    readonly result: RunResult;
    readonly singleFailures: readonly SingleFailure[];
  }[];
}

/** Why the answer is no; empty: everything was kept. */
export function notKeptBecause({ result, singleFailures }: Simulated): string[] {
  const list: string[] = [];
  if (result.violation !== null) list.push(`an invariant was broken: ${result.violation}`);
  for (const { place, loses } of singleFailures)
    if (loses.length > 0) list.push(`losing ${place} loses ${loses.join(", ")}`);
  for (const { name, notKept } of result.services)
    for (const { ms, faults } of notKept.slice(0, 1))
      list.push(`${name} had no holder for ${durationText(ms)}, with ${faults[0] ?? "nothing"} alone`);
  return list;
}

export function simulationText(simulated: Simulated, terminal: Terminal): string {
  const { seed, hours, isStandIn, result, singleFailures, whatIf } = simulated;
  const sections = [
    `${hours} hours of virtual time, ${counted(result.faults, "fault")} (seed ${seed}): one each ten minutes on average, far more than in life.\nA program's own start and stop are taken as 100 ms each.\n`,
    serviceTable(result, terminal),
    ...result.services.map((service) => worstText(service, terminal)),
    invariantText(result, terminal),
    placesText(singleFailures, isStandIn, terminal),
  ];
  if (whatIf.length > 0) sections.push(whatIfTable(simulated, terminal));
  const because = notKeptBecause(simulated);
  sections.push(
    because.length === 0
      ? `${terminal.paint("green", "Every service was kept.")}\n`
      : because.map((one) => `${terminal.paint("red", "Not kept:")} ${one}\n`).join(""),
  );
  return sections.join("\n");
}

function serviceTable({ services }: RunResult, terminal: Terminal): string {
  const rows = services.map(({ name, availability, downMs, gaps, worstGap, failovers, planned }) => [
    name,
    percent(availability),
    durationText(downMs),
    String(gaps),
    worstGap === null ? "-" : durationText(worstGap.ms),
    String(failovers),
    String(planned),
  ]);
  return columns(terminal, ["SERVICE", "AVAILABLE", "DOWN", "GAPS", "WORST", "FAILOVERS", "PLANNED"], rows);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0.999 ? 4 : 2)} %`;
}

function worstText({ name, worstGap }: ServiceResult, terminal: Terminal): string {
  if (worstGap === null) return `${name}: somebody worked on it all the time.\n`;
  const { ms, atMs, faults, moves } = worstGap;
  const broken = faults.length === 0 ? "" : ` What was broken: ${faults.join("; ")}.`;
  const told = moves.length === 0 ? "" : " What the arbiters' log tells, with gaps as they could see them:";
  const lines = [
    `${terminal.paint("bold", `The worst gap of ${name}: ${durationText(ms)}, seen where the work is done, after ${durationText(atMs)}.`)}${broken}${told}`,
    ...storyLines(worstGap),
  ];
  return `${lines.join("\n")}\n`;
}

function storyLines({ moves }: WorstGap): string[] {
  if (moves.length === 0) return ["  No arbiter told of it: none led, or the store was away."];
  return moves.flatMap((move: ToldMove) => {
    const zeroMs = move.beganWallMs;
    return [
      `  ${move.text}`,
      ...move.steps.map(({ atWallMs, text }) => {
        const sinceMs = atWallMs - zeroMs;
        const when = `${sinceMs < 0 ? "-" : "+"}${durationText(Math.abs(sinceMs))}`;
        return `  ${when.padStart(10)}  ${text}`;
      }),
    ];
  });
}

function invariantText({ violation }: RunResult, terminal: Terminal): string {
  return violation === null
    ? "Invariants: I1 one holder, I2 epochs rise, I3 nothing old is obeyed, I4 failsafe, I5 nothing is lost, I6 a bad edit changes\nnothing, I7 it recovers, I8 reads never go back: none was broken.\n"
    : `${terminal.paint("red", "An invariant was broken")}: ${violation}\nThat is a defect of Arbiter: please report it with this output.\n`;
}

function placesText(failures: readonly SingleFailure[], isStandIn: boolean, terminal: Terminal): string {
  const lines = failures.map(({ place, daemons, arbiters, loses, leavesWithoutFailover }) => {
    const has = [...daemons, ...arbiters].filter((name) => name !== place);
    const who = has.length === 0 ? place : `${place} (${has.join(", ")})`;
    if (loses.length > 0) return `  ${terminal.paint("red", `losing ${who} loses ${loses.join(", ")}`)}`;
    if (leavesWithoutFailover.length > 0)
      return `  ${terminal.paint("yellow", `losing ${who} loses nothing, but leaves nobody to fail over ${leavesWithoutFailover.join(", ")}`)}`;
    return `  losing ${who} loses nothing`;
  });
  const note = isStandIn
    ? "All addresses are of this machine: each daemon and arbiter is taken for a machine of its own.\n"
    : "";
  return `One machine after the other is switched off:\n${note}${lines.join("\n")}\n`;
}

function whatIfTable({ result, singleFailures, whatIf }: Simulated, terminal: Terminal): string {
  const all = [{ change: "as it is", result, singleFailures }, ...whatIf];
  const rows = all.flatMap((one) =>
    one.result.services.map(({ name, availability, worstGap, failovers }) => [
      one.change,
      name,
      percent(availability),
      worstGap === null ? "-" : durationText(worstGap.ms),
      String(failovers),
      one.singleFailures
        .filter(({ loses }) => loses.includes(name))
        .map(({ place }) => place)
        .join(", ") || "-",
    ]),
  );
  const table = columns(
    terminal,
    ["WHAT IF", "SERVICE", "AVAILABLE", "WORST", "FAILOVERS", "LOST WITH"],
    rows,
  );
  return `${table}The same faults for each, as far as the machines are the same.\n`;
}

/** Each column as wide as its widest word; the first ones are words, and begin at the left. */
function columns(terminal: Terminal, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return [terminal.paint("dim", line(head)), ...rows.map((row) => line(row)), ""].join("\n");
}
