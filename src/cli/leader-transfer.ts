/** `arbiter leader transfer`: the leading arbiter hands over, and it is waited for who leads then. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { Status } from "../arbiter/status.ts";
import { connect } from "./connection.ts";
import type { Connection } from "./connection.ts";
import { ClearNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { durationText, plainLine, printJson, standardOutput } from "./output.ts";
import { readAccepted } from "./order.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";
import { readStatus } from "./wire.ts";

type TransferOptions = ConnectionOptions & PrintOptions;

const LOOK_EVERY_MS = 50;
/** A successor that was named, and can't, is waited for by the others for two leases first. */
const LONGEST_MS = 30_000;

export function transferCommand(): Command {
  const command = new Command("transfer")
    .description("hand the lead over to another arbiter")
    .argument("[arbiter]", "the arbiter that is to lead (default: whoever is next in line)")
    .action(async (to: string | undefined, _options: TransferOptions, self: Command) => {
      // The words may stand before or behind `transfer`; commander gives some of them to `leader`.
      const options: TransferOptions = self.optsWithGlobals();
      await transfer(await connect(await findPlaces(options)), to ?? null, options);
    });
  return withExamples(withConnection(withJson(command)), [
    "arbiter leader transfer",
    "arbiter leader transfer arbiter-2",
  ]);
}

async function transfer(connection: Connection, to: string | null, options: PrintOptions): Promise<void> {
  const before = await readStatus(connection);
  const beganAtMs = performance.now();
  const body = { by: requester(), ...(to === null ? {} : { to }) };
  const { event } = readAccepted(await connection.demand("POST", "/v1/leader", body));
  const { leader, term, arbiters } = await nextLeader(connection, before);
  const tookMs = Math.round(performance.now() - beganAtMs);
  const url = arbiters.find(({ name }) => name === leader)?.url ?? null;
  if (options.json === true) printJson({ leader, term, url, event, tookMs });
  else if (standardOutput.isTerminal)
    standardOutput.write(
      `${standardOutput.paint("bold", leader ?? "")} leads, term ${term}, after ${durationText(tookMs)}\n`,
    );
  else standardOutput.write(plainLine([leader ?? ""], { term, url, tookMs }));
  if (to !== null && leader !== to)
    throw new ClearNo(
      `${leader ?? "nobody"} leads instead: ${to} did not take it in time.`,
      "Holders went on meanwhile. `arbiter status` says what is wrong.",
    );
}

/** Who leads with a higher term. */
async function nextLeader(connection: Connection, before: Status): Promise<Status> {
  for (const endMs = performance.now() + LONGEST_MS; performance.now() < endMs;) {
    await sleep(LOOK_EVERY_MS);
    const status = await readStatus(connection);
    if (status.leader !== null && status.term > before.term && isSaidByItself(status)) return status;
  }
  throw new ClearNo(
    `${before.leader ?? "the leader"} has handed over, but nobody leads after ${LONGEST_MS / 1_000} s.`,
    "Holders go on meanwhile. `arbiter status` says what is wrong.",
  );
}

/** A standby's word about another is what the store said a moment ago. */
function isSaidByItself({ name, leader }: Status): boolean {
  return name === leader;
}
