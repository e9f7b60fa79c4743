/** An invariant that doesn't hold: it ends the run, whose seed then goes into the list. */
export class Violation extends Error {
  override readonly name = "Violation";
}

export function mustHold(problem: string | null): void {
  if (problem !== null) throw new Violation(problem);
}
