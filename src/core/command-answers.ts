/** What every operator's command has in common: how it is answered, and what it changes. */
import type { ArbiterEvent } from "./arbiter-io.ts";
import type { Settings } from "./model.ts";
import { tell, type Step } from "./step.ts";

type Commanded = Extract<ArbiterEvent, { kind: "commanded" }>;

export function refuse(step: Step, event: Commanded, status: number, text: string): void {
  step.effects.push({ kind: "answer", id: event.id, answer: { status, text, eventSeq: null } });
}

/** As this step leaves them so far. */
export function settingsOf(step: Step): Settings {
  return step.settings ?? step.state.settings;
}

/** Answered once its record is committed. */
export function accept(
  step: Step,
  event: Commanded,
  type: string,
  text: string,
  about: { service?: string; daemon?: string },
): void {
  step.commands.push({ id: event.id, text, eventIndex: step.events.length });
  tell(step, {
    type,
    ...about,
    text: `${text} (by ${event.by})`,
    evidence: { by: event.by, ...event.origin },
  });
}
