/** `arbiter resolve`: the URL of the daemon that holds a service, for scripts; exit code 1 while nobody does. */
import { Command } from "commander";
import { connect, refusal } from "./connection.ts";
import { ClearNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { plainLine, printJson, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import { isObject, notAnArbiter, readStatus, serviceIn } from "./wire.ts";

type ResolveOptions = ConnectionOptions & PrintOptions;

export function resolveCommand(): Command {
  const command = new Command("resolve")
    .argument("<service>", "the service")
    .action(async (service: string, options: ResolveOptions) => {
      const places = await findPlaces(options);
      const connection = await connect(places);
      const answer = await connection.ask("GET", `/v1/services/${encodeURIComponent(service)}`);
      // 404: the answer that lists the services there are is a clear no of its own.
      if (answer.status === 404) serviceIn(await readStatus(connection), service);
      if (answer.status === 503) {
        throw new ClearNo(
          `nobody holds ${service} at the moment.`,
          `\`arbiter status\` says why; \`arbiter events --follow --service ${service}\` shows when that changes.`,
        );
      }
      if (answer.status !== 200) throw refusal(answer, places.tokenFile !== null);
      print(answer.body, options);
    });
  return withExamples(withConnection(withJson(command)), [
    "arbiter resolve scheduler-master",
    'curl "$(arbiter resolve scheduler-master --json | jq -r .url)/health"',
  ]);
}

function print(body: unknown, options: ResolveOptions): void {
  if (!isObject(body) || typeof body["holder"] !== "string") throw notAnArbiter("answer");
  if (options.json === true) {
    printJson(body);
    return;
  }
  const { holder, url, epoch } = body;
  standardOutput.write(
    plainLine([holder], { url: String(url), epoch: Number(epoch), phase: String(body["phase"]) }),
  );
}
