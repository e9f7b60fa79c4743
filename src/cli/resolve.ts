/** `arbiter resolve`: the URL of the daemon that holds a service, for scripts; exit code 1 while nobody does. */
import { Command } from "commander";
import type { Holder } from "../client/answers.ts";
import { messageOf } from "../protocol/errors.ts";
import { connect, refusal } from "./connection.ts";
import { ClearNo } from "./failure.ts";
import type { ConnectionOptions, PrintOptions } from "./options.ts";
import { withConnection, withExamples, withJson } from "./options.ts";
import { plainLine, printJson, standardError, standardOutput } from "./output.ts";
import { findPlaces } from "./places.ts";
import type { ArbiterPlaces } from "./places.ts";
import { isObject, notAnArbiter, readStatus, serviceIn } from "./wire.ts";

type ResolveOptions = ConnectionOptions & PrintOptions;

export function resolveCommand(): Command {
  const command = new Command("resolve")
    .argument("<service>", "the service")
    .action(async (service: string, options: ResolveOptions) => {
      const places = await findPlaces(options);
      const connection = await connect(places);
      const path = `/v1/services/${encodeURIComponent(service)}`;
      const answer = await orNull(connection.ask("GET", path), places.daemons.length > 0);
      if (answer === null) {
        print(await fromDaemons(places, service), options);
        return;
      }
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

/** null: no arbiter answers, and there are others who may know. */
async function orNull<T>(asked: Promise<T>, hasOthers: boolean): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (hasOthers && error instanceof ClearNo) return null;
    throw error;
  }
}

/** Without an arbiter nothing moves: what the daemons' maps say stays true. */
async function fromDaemons(places: ArbiterPlaces, service: string): Promise<Holder> {
  const { connect: connectClient } = await import("../client/cluster.ts");
  const { ca, cert, key } = places.tls;
  const cluster = connectClient(places.urls, {
    daemons: places.daemons,
    ...(places.tokenFile === null ? {} : { tokenFile: places.tokenFile }),
    ...(ca === null ? {} : { caFile: ca }),
    ...(cert === null ? {} : { certFile: cert }),
    ...(key === null ? {} : { keyFile: key }),
  });
  try {
    const holder = await cluster.resolve(service);
    standardError.write("arbiter: no arbiter answers; this is from the daemons' cluster map.\n");
    return holder;
  } catch (error) {
    throw new ClearNo(messageOf(error), "`arbiter start` starts an arbiter.", { cause: error });
  } finally {
    cluster.close();
  }
}

function print(body: unknown, options: ResolveOptions): void {
  if (!isObject(body) || typeof body["holder"] !== "string") throw notAnArbiter("answer");
  if (options.json === true) {
    printJson(body);
    return;
  }
  const { holder, url, epoch, phase } = body;
  standardOutput.write(
    plainLine([holder], {
      url: String(url),
      epoch: Number(epoch),
      ...(typeof phase === "string" ? { phase } : {}),
    }),
  );
}
