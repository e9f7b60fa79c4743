/** The orders that are about drills: begin one, and remember which services are to be drilled. */
import type { ArbiterEvent, OperatorCommand } from "./arbiter-io.ts";
import { accept, refuse, settingsOf } from "./command-answers.ts";
import { beginDrill, DRILL_HOLD_MS, drillSpare, recordOf } from "./drills.ts";
import type { Step } from "./step.ts";

type Commanded = Extract<ArbiterEvent, { kind: "commanded" }>;
type DrillCommand = Extract<OperatorCommand, { verb: "drill" }>;

export function drill(step: Step, event: Commanded, wanted: DrillCommand): void {
  const view = step.state.services.get(wanted.service);
  if (view === undefined) {
    const known = [...step.state.services.keys()].join(", ");
    return refuse(step, event, 404, `There is no service ${wanted.service}. Known: ${known || "none"}.`);
  }
  const spare = drillSpare(step, view, wanted.to);
  if (typeof spare === "string")
    return refuse(step, event, 409, `No drill of ${wanted.service} now. ${spare}`);
  const holdMs = wanted.holdMs ?? DRILL_HOLD_MS;
  beginDrill(step, view, spare, { by: event.by, holdMs });
  accept(
    step,
    event,
    "drill.started",
    `drill of ${wanted.service}: from ${view.row.holder} to ${spare.spec.name}, ${holdMs} ms there, and back`,
    { service: wanted.service, daemon: spare.spec.name },
  );
}

/** A service that has never been drilled is overdue once it has been scheduled for long enough. */
export function rememberDrills(step: Step, event: Commanded, services: readonly string[]): void {
  const settings = settingsOf(step);
  const fresh = services.filter(
    (name) => step.state.services.has(name) && settings.drills?.[name] === undefined,
  );
  step.effects.push({
    kind: "answer",
    id: event.id,
    answer: { status: 202, text: "Remembered.", eventSeq: null },
  });
  if (fresh.length === 0) return;
  const records = fresh.map((name) => [name, recordOf(settings, name, step.wallMs)] as const);
  step.settings = { ...settings, drills: { ...settings.drills, ...Object.fromEntries(records) } };
}
