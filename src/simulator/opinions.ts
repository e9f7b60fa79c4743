/** An arbiter that doubts itself asks another one whether it reaches the daemons that have fallen silent. */
import type { ArbiterEffect } from "../core/arbiter-io.ts";
import type { Host } from "./network.ts";
import type { Simulation } from "./simulation.ts";

interface Opinion {
  readonly reached: number;
  readonly of: number;
}

/** As the real one tries them. */
const TRY_MS = 600;

type Asked = Extract<ArbiterEffect, { readonly kind: "askOpinion" }>;

export function askOpinion(
  simulation: Simulation,
  from: Host,
  { arbiter, daemons, timeoutMs }: Asked,
  done: (opinion: Opinion | null) => void,
): void {
  const to = simulation.arbiters.find(({ name }) => name === arbiter);
  if (to === undefined) return;
  simulation.network.call<Opinion>(
    from,
    to,
    timeoutMs,
    (_, respond) => tryThem(simulation, to, daemons, respond),
    done,
  );
}

/** From where the other one is. */
function tryThem(
  simulation: Simulation,
  from: Host,
  names: readonly string[],
  respond: (opinion: Opinion) => void,
): void {
  const hosts = simulation.daemons.filter(({ name }) => names.includes(name));
  let waiting = hosts.length;
  let reached = 0;
  if (waiting === 0) respond({ reached, of: 0 });
  for (const host of hosts)
    simulation.network.call<true>(
      from,
      host,
      TRY_MS,
      (_, answer) => host.process?.run(() => answer(true)),
      (answered) => {
        waiting -= 1;
        if (answered === true) reached += 1;
        if (waiting === 0) respond({ reached, of: hosts.length });
      },
    );
}
