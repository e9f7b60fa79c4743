/**
 * I5: what an operator was told is done stays done until somebody orders otherwise, whatever else is
 * written in the same moment. Maintenance is looked at, since nothing but an order changes it.
 */
import type { CommandAnswer, OperatorCommand } from "../../core/arbiter-io.ts";
import type { Settings } from "../../core/model.ts";

export class OrdersKept {
  /** Orders that aren't answered yet, perhaps never, by daemon: until then either is right. */
  readonly #open = new Map<string, Set<string>>();
  /** Given before the store was restored: what is said of them may be of what is lost by then. */
  readonly #lost = new Set<string>();
  /** What was acknowledged last, by daemon. */
  readonly #said = new Map<string, boolean>();

  given(id: string, command: OperatorCommand): void {
    if (command.verb !== "maintenance") return;
    const open = this.#open.get(command.daemon) ?? new Set();
    this.#open.set(command.daemon, open.add(id));
  }

  answered(id: string, command: OperatorCommand | undefined, { status }: CommandAnswer): void {
    if (command?.verb !== "maintenance") return;
    const { daemon, on } = command;
    // "Not in maintenance": refused, so that nothing changes.
    if (status === 503) this.#said.delete(daemon);
    else this.#open.get(daemon)?.delete(id);
    if (status === 202 && !this.#lost.has(id)) this.#said.set(daemon, on);
  }

  /** The store was restored or emptied. */
  forget(): void {
    this.#said.clear();
    for (const ids of this.#open.values()) for (const id of ids) this.#lost.add(id);
  }

  /** What is written now. */
  check({ maintenance }: Settings): string | null {
    for (const [daemon, on] of this.#said) {
      if ((this.#open.get(daemon)?.size ?? 0) > 0 || (maintenance[daemon] !== undefined) === on) continue;
      return `I5: ${daemon} was acknowledged to be ${on ? "in" : "out of"} maintenance, and that is undone`;
    }
    return null;
  }
}
