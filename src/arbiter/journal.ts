/**
 * What the arbiter keeps of its decisions, in its state folder: the journal (`journal.jsonl`, one line
 * a transition) and beside it the recording (`recording.jsonl`, what was decided from what), which
 * `arbiter replay` plays again. Both are bounded, and neither is a reason to stop.
 */
import { isSecretName } from "../config/secrets.ts";
import type { JournalEntry } from "../core/arbiter-io.ts";
import { journalLine } from "../shell/journal-line.ts";
import { Recorder } from "../shell/recorder.ts";
import { RotatingFile } from "./rotating-file.ts";

/** Some 50,000 transitions. */
const ROTATE_AT_BYTES = 16 * 1024 * 1024;
/** The recording of some fifty incidents of a small cluster: it shares its disk with the store. */
const ROTATE_RECORDING_AT_BYTES = 4 * 1024 * 1024;
const KEPT_FILES = 4;

export class Journal {
  readonly recorder: Recorder;
  readonly #lines: RotatingFile;
  readonly #recording: RotatingFile;

  constructor(folder: string, onProblem: (text: string) => void, rotateAtBytes: number = ROTATE_AT_BYTES) {
    const common = { folder, kept: KEPT_FILES, onProblem };
    this.#lines = new RotatingFile({ ...common, stem: "journal", title: "The journal", rotateAtBytes });
    const recording = new RotatingFile({
      ...common,
      stem: "recording",
      title: "The recording",
      rotateAtBytes: Math.min(rotateAtBytes, ROTATE_RECORDING_AT_BYTES),
    });
    this.#recording = recording;
    this.recorder = new Recorder({
      isSecret: isSecretName,
      sink: {
        write: (line) => recording.write(line),
        isFull: () => recording.isFull,
        rotate: () => recording.rotate(),
      },
    });
  }

  write(entry: JournalEntry): void {
    if (this.#lines.isFull) this.#lines.rotate();
    this.#lines.write(`${JSON.stringify(journalLine(entry))}\n`);
  }

  close(): void {
    this.#lines.close();
    this.#recording.close();
  }
}
