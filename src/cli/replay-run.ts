/**
 * `arbiter replay FILE`: plays a recording through the core as it is in this program, and compares
 * what it decides with what was decided then. Of a journal, the recordings beside it are played, and
 * each transition that they lead to must stand in the journal as it does there.
 */
import { Replay, type Difference } from "../core/replay.ts";
import { journalLine, type JournalLine } from "../shell/journal-line.ts";
import { messageOf } from "../protocol/errors.ts";
import { ClearNo } from "./failure.ts";
import type { PrintOptions } from "./options.ts";
import { counted, printable, printJson, standardOutput } from "./output.ts";
import { isJournalLine, isRecordingLine, linesOf, nameOf, recordingsBeside } from "./recording-files.ts";

/** What one difference shows of each side: an assignment or a transition fits. */
const SHOWN = 600;

interface Found extends Difference {
  readonly file: string;
}

interface Outcome {
  readonly files: readonly string[];
  readonly snapshots: number;
  readonly inputs: number;
  readonly transitions: number;
  /** Inputs that can't be played, since lines before them are missing. */
  readonly unplayable: number;
  /** Of a journal: lines that no recording covers. */
  readonly uncovered: number | null;
  readonly difference: Found | null;
}

export async function replay(file: string, options: PrintOptions): Promise<void> {
  const outcome = (await isJournal(file)) ? await playJournal(file) : await playAll([file]);
  if (options.json === true) printJson(outcome);
  else standardOutput.write(outcomeText(outcome));
  if (outcome.difference === null) return;
  const { file: where, line } = outcome.difference;
  throw new ClearNo(
    `${nameOf(where)}, line ${line}: the core decides differently now.`,
    "Recorded by another version? Then play it with that one. Else it is a defect: please report it with the file.",
  );
}

async function isJournal(file: string): Promise<boolean> {
  for await (const { value } of linesOf(file)) {
    if (value === null) continue;
    if (isJournalLine(value)) return true;
    if (isRecordingLine(value)) return false;
    break;
  }
  throw new ClearNo(
    `${file} is neither a recording nor a journal.`,
    "Its first line should be a snapshot (`recording.jsonl`) or a transition (`journal.jsonl`).",
  );
}

type Played = Outcome & { readonly made: readonly JournalLine[] };

async function playAll(files: readonly string[]): Promise<Outcome> {
  const { made: _made, ...outcome } = await play(files);
  return outcome;
}

async function play(files: readonly string[]): Promise<Played> {
  const sums = { snapshots: 0, inputs: 0, unplayable: 0 };
  const made: JournalLine[] = [];
  let difference: Found | null = null;
  for (const file of files) {
    const one = new Replay();
    difference = await playFile(file, one);
    sums.snapshots += one.snapshots;
    sums.inputs += one.inputs;
    sums.unplayable += one.skipped;
    made.push(...one.transitions.map((entry) => journalLine(entry)));
    if (difference !== null) break;
  }
  return { files, ...sums, transitions: made.length, uncovered: null, difference, made };
}

async function playFile(file: string, player: Replay): Promise<Found | null> {
  for await (const { number, value } of linesOf(file)) {
    if (value === null) {
      player.lost();
      continue;
    }
    if (!isRecordingLine(value))
      throw new ClearNo(
        `${file}, line ${number} is neither a snapshot nor an input.`,
        "`arbiter help replay` says which files it plays.",
      );
    try {
      const difference = player.take(value);
      if (difference !== null) return { ...difference, line: number, file };
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new ClearNo(
        `${file}, line ${number} can't be played: ${messageOf(error)}`,
        "`arbiter --version` here and there: the file may be of another version.",
        { cause: error },
      );
    }
  }
  return null;
}

async function playJournal(file: string): Promise<Outcome> {
  const recordings = recordingsBeside(file);
  if (recordings.length === 0)
    throw new ClearNo(
      `there is no recording beside ${file}: a journal alone says what was decided, not from what.`,
      "`recording.jsonl` lies in the same state folder; copy both.",
    );
  const { made, ...played } = await play(recordings);
  if (played.difference !== null) return played;
  const madeAt = new Map(made.map((line) => [keyOf(line), line]));
  let uncovered = 0;
  for await (const { number, value } of linesOf(file)) {
    if (value === null) continue;
    if (!isJournalLine(value))
      throw new ClearNo(
        `${file}, line ${number} is no transition.`,
        "`arbiter help replay` says which files it plays.",
      );
    const now = madeAt.get(keyOf(value));
    if (now === undefined) {
      uncovered += 1;
      continue;
    }
    if (JSON.stringify(now) === JSON.stringify(value)) continue;
    const difference = { file, line: number, recorded: JSON.stringify(value), now: JSON.stringify(now) };
    return { ...played, uncovered, difference };
  }
  return { ...played, uncovered };
}

/** Two transitions of one service in one step have different rows, or lead from one to the next. */
function keyOf({ atMs, service, row, from, term }: JournalLine): string {
  return `${term} ${atMs} ${service} ${row} ${from}`;
}

function outcomeText(outcome: Outcome): string {
  const { files, snapshots, inputs, transitions, unplayable, uncovered, difference } = outcome;
  const what = `${counted(files.length, "recording")}, ${counted(snapshots, "snapshot")}, ${counted(inputs, "input")}, ${counted(transitions, "transition")}`;
  const rests = [
    ...(unplayable === 0 ? [] : [`${counted(unplayable, "input")} after missing lines not played`]),
    ...(uncovered === null || uncovered === 0
      ? []
      : [`${counted(uncovered, "line")} of the journal in no recording`]),
  ];
  const rest = rests.length === 0 ? "" : ` (${rests.join(", ")})`;
  if (difference === null) return `${what}: all decided as recorded${rest}\n`;
  const { file, line, recorded, now } = difference;
  return `${what}, then a difference:\n${nameOf(file)}, line ${line}\n  recorded: ${shown(recorded)}\n  now:      ${shown(now)}\n`;
}

function shown(text: string): string {
  return printable(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
}
