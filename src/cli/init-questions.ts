/** The questions of `arbiter init` on a terminal. Enter takes what stands in brackets. */
import { createInterface } from "node:readline/promises";
import type { InitFlags, Shape } from "./init-plan.ts";

const SHAPE_OF: Readonly<Record<string, Shape>> = { "1": "pair", "2": "many", "3": "arbiters" };

export async function askForPlan(): Promise<InitFlags> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ask = async (question: string, usual: string): Promise<string> => {
    const answer = await terminal.question(`${question}${usual === "" ? "" : ` [${usual}]`}: `);
    return answer.trim() === "" ? usual : answer.trim();
  };
  try {
    process.stderr.write(
      "What shall it be?\n" +
        "  1  one service: a master and a spare, and an arbiter\n" +
        "  2  many services, and spares for all of them\n" +
        "  3  one service, and two arbiters on a store that both reach\n",
    );
    const shape = SHAPE_OF[await ask("1, 2 or 3", "1")] ?? "pair";
    const type = await ask("What kind of daemon is it? (web, billing, scheduler)", "scheduler");
    const isMany = shape === "many";
    const master = await ask(
      isMany ? "Addresses of the masters, with commas" : "Address of the master",
      "127.0.0.1",
    );
    const spare = await ask(
      isMany ? "Addresses of the spares, with commas" : "Address of the spare",
      "127.0.0.1",
    );
    const several = shape === "arbiters";
    const arbiter = await ask(
      several ? "Addresses of the arbiters, with commas" : "Address of the arbiter",
      "127.0.0.1",
    );
    const store = several
      ? await ask("The store's URL (etcd://, postgres://, mysql://, zookeeper://)", "")
      : "";
    const command = await ask("The program to run while active (empty: it is built on the library)", "");
    return {
      shape,
      type,
      master,
      spare,
      arbiter,
      ...(store === "" ? {} : { store }),
      ...(command === "" ? {} : { command }),
    };
  } finally {
    terminal.close();
  }
}
