/**
 * Spares that several services share: what is left of them. A problem before the last one is taken, since
 * after that it is too late to start another.
 *
 * A pool is what the same spares back up. One service with one spare is no pool: a spare that is taken or
 * missing there shows as `degraded`.
 */
import type { ArbiterState, ServiceView } from "../core/arbiter-state.ts";
import { freeCapacity } from "../core/placement.ts";
import type { WhyNot } from "./hindrance.ts";
import type { StatusProblem } from "./status-problems.ts";

interface Pool {
  readonly spares: readonly string[];
  readonly services: string[];
}

export function spareProblems(state: ArbiterState, whyNot: WhyNot): readonly StatusProblem[] {
  return poolsOf(state).flatMap(({ spares, services }) => {
    const views = spares.flatMap((name) => state.daemons.get(name) ?? []);
    const capacity = views.reduce((sum, { spec }) => sum + spec.capacity, 0);
    const free = views
      .filter(({ spec }) => whyNot(spec.name) === null)
      .reduce((sum, view) => sum + Math.max(0, freeCapacity(state, view, "")), 0);
    const isLast = free === 1 && capacity > 1;
    if (free > 0 && !isLast) return [];
    const states = spares.map((name) => `${name} (${whyNot(name)?.text ?? heldBy(state, name)})`);
    return [
      {
        code: "pool-exhausted",
        subject: spares.join(", "),
        text:
          `${isLast ? "One place is left" : "No place is left"} on the spares of ${services.join(", ")}: ${states.join(", ")}. ` +
          (isLast ? "The next failure takes it." : "The next failure leaves a service without a holder."),
        next: "Bring a failed master back, start another spare, or raise `capacity` of one that can bear it.",
      },
    ];
  });
}

function heldBy(state: ArbiterState, daemon: string): string {
  const held = [...(state.holdings.get(daemon) ?? [])];
  return held.length === 0 ? "free" : `holds ${held.join(", ")}`;
}

function poolsOf(state: ArbiterState): Pool[] {
  const pools = new Map<string, Pool>();
  for (const view of state.services.values()) {
    if (view.removed) continue;
    const spares = sparesOf(view);
    if (spares.length === 0) continue;
    const key = spares.join("\n");
    const pool = pools.get(key) ?? { spares, services: [] };
    pool.services.push(view.row.service);
    pools.set(key, pool);
  }
  return [...pools.values()].filter(({ services }) => services.length > 1);
}

function sparesOf({ spec }: ServiceView): string[] {
  return spec.candidates.filter((name) => !spec.masters.includes(name)).toSorted();
}
