/** `arbiter alert test`: a test to every target of `[alerts]`, from the arbiter that would alert. */
import { Command } from "commander";
import { connect } from "./connection.ts";
import { SaidNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { printable, printJson, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { requester } from "./requester.ts";
import { isObject, notAnArbiter } from "./wire.ts";

type TestOptions = ConnectionOptions & PrintOptions;

export function alertCommand(): Command {
  return withExamples(new Command("alert").addCommand(alertTestCommand()), ["arbiter alert test"]);
}

function alertTestCommand(): Command {
  const command = new Command("test")
    .summary("send a test to every target of [alerts]")
    .description(
      "Sends a test to every target of [alerts], marked as one. Exit code 1 if one of them failed.",
    )
    .action(async (options: TestOptions) => {
      const connection = await connect(await findPlaces(options));
      const body = await connection.demand("POST", "/v1/alerts/test", { by: requester() });
      const results: unknown = isObject(body) ? body["results"] : null;
      if (!isObject(body) || !Array.isArray(results)) throw notAnArbiter("answer");
      if (options.json === true) printJson(body);
      else for (const result of results) standardOutput.write(lineOf(result));
      if (body["ok"] !== true) throw new SaidNo();
    });
  return withExamples(withConnection(withJson(command)), ["arbiter alert test"]);
}

function lineOf(result: unknown): string {
  if (!isObject(result)) return "";
  const { target, ok, problem, tookMs } = result;
  const after = `after ${String(tookMs)} ms`;
  if (ok === true) return `${String(target)}: taken ${after}\n`;
  return `${String(target)}: ${standardOutput.paint("red", "failed")} ${after}: ${printable(String(problem))}\n`;
}
