/** `GET /openapi.json`: the contract, made from the same table that the server is made from. */
import type { BodyMember, BodyShape, Route } from "./api.ts";

type Json = Readonly<Record<string, unknown>>;

export function openapi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const operations = (paths[route.path] ??= {});
    operations[route.method] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Arbiter",
      version,
      description: "One and only one copy of each service. Errors are RFC 9457 problem+json.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Problem: PROBLEM },
    },
  };
}

const PROBLEM: Json = {
  type: "object",
  required: ["type", "title", "status", "detail"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "What happened and what to do." },
    code: { type: "string", description: "One of the project's error codes, ERR_ARB_…" },
  },
};

function operation(route: Route): Json {
  return {
    summary: route.summary,
    operationId: `${route.method}${route.path.replaceAll(/[/{}.-]+(\w?)/gu, (_, letter: string) => letter.toUpperCase())}`,
    ...(route.access === "open" ? {} : { security: security(route.access) }),
    parameters: parameters(route),
    ...(route.body === undefined ? {} : { requestBody: requestBody(route.body) }),
    responses: responses(route),
  };
}

/** Reads are open until a read token is set. */
function security(access: "read" | "change"): readonly Json[] {
  return access === "read" ? [{}, { token: [] }] : [{ token: [] }];
}

function parameters(route: Route): readonly Json[] {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/gu)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(route.query ?? {}).map(([name, description]) => ({
    name,
    in: "query",
    description: typeof description === "string" ? description : description.description,
    schema: typeof description === "string" ? { type: "integer", minimum: 0 } : { type: description.type },
  }));
  const inHeader = Object.entries(route.headers ?? {}).map(([name, description]) => ({
    name,
    in: "header",
    description,
    schema: { type: "string" },
  }));
  const headers = route.method === "get" ? [MIN_VERSION] : [];
  return [...inPath, ...inQuery, ...inHeader, ...headers];
}

const MIN_VERSION: Json = {
  name: "Arbiter-Min-Version",
  in: "header",
  description: "Version of the cluster map that the caller has seen: nothing older is answered.",
  schema: { type: "integer", minimum: 0 },
};

function requestBody(shape: BodyShape): Json {
  const required = Object.keys(shape).filter((name) => shape[name]?.required === true);
  const properties: Record<string, Json> = {};
  for (const [name, member] of Object.entries(shape)) properties[name] = schemaOf(member);
  return {
    required: required.length > 0,
    content: {
      "application/json": {
        schema: {
          type: "object",
          additionalProperties: false,
          ...(required.length > 0 ? { required } : {}),
          properties,
        },
      },
    },
  };
}

function schemaOf({ type, description, maxLength, minimum, maximum }: BodyMember): Json {
  return {
    ...(type === "json" ? {} : { type }),
    description,
    ...(maxLength === undefined ? {} : { minLength: 1, maxLength }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
  };
}

function responses(route: Route): Json {
  const all: Record<string, Json> = {};
  for (const [status, description] of Object.entries(route.answers)) {
    const isGood = Number(status) < 400;
    const media = isGood ? (route.produces ?? "application/json") : "application/problem+json";
    const hasBody = status !== "204" && status !== "304";
    const schema = isGood ? {} : { schema: { $ref: "#/components/schemas/Problem" } };
    all[status] = { description, ...(hasBody ? { content: { [media]: schema } } : {}) };
  }
  all["default"] = {
    description: "Anything else: a problem that says what to do.",
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
  return all;
}
