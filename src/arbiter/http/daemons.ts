/** Daemons that join a running cluster, and leave it. */
import type { Request, Response } from "express";
import { originWord } from "../../config/show.ts";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import type { JoinedKey } from "../../config/joined.ts";
import type { MembersOutcome } from "../sync/joined.ts";
import type { Api, BodyMember, BodyShape } from "./api.ts";
import { parameter } from "./api.ts";
import type { Arguments } from "./arguments.ts";
import { askedBy, BY, readArguments, textOf } from "./arguments.ts";
import { originOf } from "./audit.ts";

const WORD: Omit<BodyMember, "description"> = { type: "string", maxLength: 1_024 };
const YES_OR_NO: Omit<BodyMember, "description"> = { type: "boolean" };

/** Members of the body, and the keys of a file that they stand for. */
const KEYS: Readonly<Record<string, readonly [JoinedKey, BodyMember]>> = {
  address: ["address", { ...WORD, required: true, description: "Where it answers." }],
  port: ["port", { type: "integer", minimum: 1, maximum: 65_535, description: "(Default: by type)" }],
  realm: ["realm", { ...WORD, description: "(Default: the default realm)" }],
  manageSubRealms: ["manage_sub_realms", { ...YES_OR_NO, description: "It backs up the realms below, too." }],
  service: ["service", { ...WORD, description: "Of a master. (Default: its own name)" }],
  spareFor: ["spare_for", { ...WORD, description: "Of a spare: these services alone, with commas." }],
  priority: ["priority", { type: "integer", description: "Higher goes first among equals." }],
  capacity: ["capacity", { type: "integer", minimum: 1, description: "Services it may hold at once." }],
  checkInterval: ["check_interval", { ...WORD, description: "As in a file: `500ms`." }],
  timeout: ["timeout", { ...WORD, description: "As in a file." }],
  maxCheckAttempts: ["max_check_attempts", { type: "integer", minimum: 1, description: "As in a file." }],
  lease: ["lease", { ...WORD, description: "As in a file: `2s`." }],
  profile: ["profile", { ...WORD, description: "`normal` or `fast`." }],
  failback: ["failback", { ...WORD, description: "`auto`, `manual` or `never`." }],
  failbackDelay: ["failback_delay", { ...WORD, description: "As in a file." }],
  failbackDelayMax: ["failback_delay_max", { ...WORD, description: "As in a file." }],
  failureTimeout: ["failure_timeout", { ...WORD, description: "As in a file." }],
  onArbiterLoss: ["on_arbiter_loss", { ...WORD, description: "`failsafe`, `demote` or `hold`." }],
  activationTimeout: ["activation_timeout", { ...WORD, description: "As in a file." }],
  drainTimeout: ["drain_timeout", { ...WORD, description: "As in a file." }],
  drainMargin: ["drain_margin", { ...WORD, description: "As in a file." }],
  killGrace: ["kill_grace", { ...WORD, description: "As in a file." }],
  useSsl: ["use_ssl", { ...YES_OR_NO, description: "HTTPS to it." }],
  hardSslNameCheck: [
    "hard_ssl_name_check",
    { ...YES_OR_NO, description: "Its certificate is for its address." },
  ],
};

export const JOIN_BODY: BodyShape = {
  name: { ...WORD, maxLength: 255, required: true, description: "Unique in the cluster." },
  type: { ...WORD, maxLength: 64, required: true, description: "What kind of daemon it is." },
  role: { ...WORD, description: "`master` or `spare`. (Default: spare)" },
  ...Object.fromEntries(Object.entries(KEYS).map(([name, [, member]]) => [name, member])),
  by: BY,
};
export const LEAVE_BODY: BodyShape = {
  force: { type: "boolean", description: "Although a service that another daemon holds ends with it." },
  by: BY,
};

export async function join(api: Api, request: Request, response: Response): Promise<void> {
  const read = await readArguments(request, JOIN_BODY);
  if (!read.ok) {
    sendProblem(response, read.problem, read.close ? { connection: "close" } : {});
    return;
  }
  const role = textOf(read.value, "role") ?? "spare";
  if (role !== "master" && role !== "spare") {
    const detail = "`role` must be `master` or `spare`.";
    sendProblem(response, problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" }));
    return;
  }
  const name = textOf(read.value, "name") ?? "";
  const type = (textOf(read.value, "type") ?? "").toLowerCase();
  const keys = { ...keysOf(read.value), spare: role === "spare" ? "1" : "0" };
  const asker = { by: askedBy(request, read.value), origin: originOf(request) };
  send(response, await api.membership.join({ name, type, keys }, asker));
}

function keysOf(given: Arguments): Record<string, string> {
  return Object.fromEntries(
    Object.entries(KEYS).flatMap(([name, [key]]) => {
      const value = given[name];
      if (typeof value === "string") return [[key, value]];
      if (typeof value === "number") return [[key, value.toString()]];
      return typeof value === "boolean" ? [[key, value ? "1" : "0"]] : [];
    }),
  );
}

export async function leave(api: Api, request: Request, response: Response): Promise<void> {
  const read = await readArguments(request, LEAVE_BODY);
  if (!read.ok) {
    sendProblem(response, read.problem, read.close ? { connection: "close" } : {});
    return;
  }
  const asker = { by: askedBy(request, read.value), origin: originOf(request) };
  send(
    response,
    await api.membership.leave(parameter(request, "daemon"), read.value["force"] === true, asker),
  );
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  409: "Conflict",
  422: "Unprocessable Content",
};

function send(response: Response, outcome: MembersOutcome): void {
  switch (outcome.kind) {
    case "unchanged":
      sendJson(response, 200, { changed: false, text: outcome.text });
      return;
    case "changed":
      sendJson(response, 202, { changed: true, event: outcome.event, text: outcome.text });
      return;
    case "refused": {
      const { status, text, errors } = outcome;
      const codes = {
        400: "ERR_ARB_MESSAGE",
        404: "ERR_ARB_NOT_FOUND",
        409: "ERR_ARB_CONFLICT",
        422: "ERR_ARB_CONFIG",
        504: "ERR_ARB_STORE_UNAVAILABLE",
      } as const;
      const code =
        Object.entries(codes).find(([known]) => Number(known) === status)?.[1] ?? "ERR_ARB_NOT_LEADER";
      sendProblem(
        response,
        problem(status, TITLES[status] ?? "Service Unavailable", [text, ...errors].join(" "), {
          code,
          errors,
        }),
        status === 503 ? { "retry-after": "1" } : {},
      );
    }
  }
}

/** Each daemon and where it comes from. */
export function daemons(api: Api, _request: Request, response: Response): void {
  const { state } = api.engine;
  sendJson(response, 200, {
    version: state.mapVersion,
    daemons: [...state.daemons.values()].map(({ spec }) => {
      const { name, type, role, address, port, realm, origin } = spec;
      const word = originWord(spec);
      const member = word === "joined" ? state.settings.joined[name] : undefined;
      return {
        name,
        type,
        role,
        address,
        port,
        realm,
        origin: word,
        file: word === "file" ? (origin?.file ?? null) : null,
        joined:
          member === undefined
            ? null
            : { keys: member.keys, by: member.by, at: new Date(member.atWallMs).toISOString() },
      };
    }),
  });
}
