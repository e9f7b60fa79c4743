/**
 * `arbiter status --watch` on a terminal: a screen of its own, redrawn in place, which gives way to what was
 * there before. Ctrl-C leaves the last look below the prompt, and its verdict as the exit code.
 *
 * A screen must not lie: while nobody answers, what was seen last stays, below a line that says how old it is.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../arbiter/status.ts";
import { wrap } from "./columns.ts";
import { ClearNo } from "./failure.ts";
import { durationText, printable, standardOutput } from "./output.ts";

export interface WatchOptions {
  look(): Promise<Status>;
  draw(status: Status): string;
  isWell(status: Status): boolean;
  readonly everyMs: number;
}

const ENTER = "\u001B[?1049h\u001B[?25l";
const LEAVE = "\u001B[?25h\u001B[?1049l";

export async function watchScreen(options: WatchOptions): Promise<never> {
  const screen = new Screen(options);
  standardOutput.write(ENTER);
  const leave = (): void => screen.leave();
  process.once("SIGINT", leave).once("SIGTERM", leave).once("SIGHUP", leave);
  process.stdout.on("resize", () => screen.draw());
  // Ctrl-Z gives the shell its own screen back; `fg` takes it again.
  process.on("SIGTSTP", () => {
    standardOutput.write(LEAVE);
    process.kill(process.pid, "SIGSTOP");
  });
  process.on("SIGCONT", () => {
    standardOutput.write(ENTER);
    screen.draw();
  });
  for (;;) {
    await screen.look();
    screen.draw();
    await sleep(options.everyMs);
  }
}

class Screen {
  readonly #options: WatchOptions;
  #last: Status | null = null;
  #lastAtMs = 0;
  /** Why nobody answers now; null: somebody does. */
  #silence: ClearNo | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  async look(): Promise<void> {
    try {
      this.#last = await this.#options.look();
      this.#lastAtMs = performance.now();
      this.#silence = null;
    } catch (error) {
      if (error instanceof ClearNo) {
        this.#silence = error;
        return;
      }
      standardOutput.write(LEAVE);
      throw error;
    }
  }

  draw(): void {
    standardOutput.write(inPlace(this.#text(), standardOutput.height));
  }

  leave(): void {
    standardOutput.write(LEAVE + this.#text());
    const isGood = this.#silence === null && this.#last !== null && this.#options.isWell(this.#last);
    process.exit(isGood ? 0 : 1);
  }

  #text(): string {
    const status = this.#last === null ? "" : this.#options.draw(this.#last);
    if (this.#silence === null) return status;
    const { message, next } = this.#silence;
    const { width } = standardOutput;
    const old =
      this.#last === null ? "" : ` What is shown is ${durationText(performance.now() - this.#lastAtMs)} old.`;
    const words = wrap(`no answer: ${printable(message)}${old}`, width, "  ");
    const step = `  → ${wrap(printable(next), width - 4, "    ")}`;
    return `${words.replace("no answer", standardOutput.paint("red", "no answer"))}\n${step}\n\n${status}`;
  }
}

/** Line over line, each cleared to its end: nothing flickers, nothing scrolls. */
function inPlace(text: string, height: number): string {
  const lines = text.trimEnd().split("\n").slice(0, height);
  return `\u001B[H${lines.map((line) => `${line}\u001B[K`).join("\n")}\u001B[J`;
}
