/**
 * The express application: who may ask, how fresh the answer must be, which route it is; and
 * problem+json for everything that isn't answered otherwise.
 */
import express from "express";
import type { ErrorRequestHandler, Express, NextFunction, Request, RequestHandler, Response } from "express";
import { CHALLENGE, isLoopback, pageOf, refuseForeignPage } from "../../protocol/auth.ts";
import { problem, sendProblem } from "../../protocol/problem.ts";
import type { Problem } from "../../protocol/problem.ts";
import { StoreUnavailable } from "../../store/contract.ts";
import type { ProcessLog } from "../log.ts";
import type { Api, Route } from "./api.ts";
import { isFreshEnough } from "./freshness.ts";
import { ROUTES } from "./routes.ts";

export function createApp(api: Api, log: ProcessLog): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("etag", false);
  app.set("query parser", "simple");
  app.enable("strict routing");
  app.enable("case sensitive routing");
  for (const route of ROUTES) app[route.method](routerPath(route.path), serving(api, route));
  for (const [path, methods] of methodsByPath()) app.all(path, methodNotAllowed(methods));
  app.use((request: Request, response: Response) => {
    sendProblem(
      response,
      problem(404, "Not Found", `There is no ${request.path}. /openapi.json lists what there is.`, {
        code: "ERR_ARB_NOT_FOUND",
      }),
      withoutBody(request),
    );
  });
  app.use(failures(log));
  return app;
}

/** `/v1/services/{service}` as the router writes it: `/v1/services/:service`. */
function routerPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/gu, ":$1");
}

function serving(api: Api, route: Route): RequestHandler {
  return async (request, response) => {
    const denied = refusal(api, route, request);
    if (denied !== null) {
      api.audit.turnedAway.note(request, denied);
      const challenge = denied.status === 401 ? CHALLENGE : {};
      sendProblem(response, denied, { ...challenge, ...withoutBody(request) });
      return;
    }
    if (route.method === "get") {
      if (route.isLeaders && (await api.forwarder.read(request, response))) return;
      if (!(await isFreshEnough(api.engine, request, response))) return;
      response.setHeader("arbiter-version", String(api.engine.board.version));
    } else if (route.isLeaders && (await api.forwarder.change(request, response))) {
      return;
    }
    await route.serve(api, request, response);
  };
}

function refusal(api: Api, route: Route, request: Request): Problem | null {
  const { authorization } = request.headers;
  if (route.access === "open") return null;
  if (route.access === "read") return api.access.refuseRead(authorization);
  return (
    api.access.refuseChange(authorization) ??
    foreignName(api, request) ??
    refuseForeignPage({ host: request.headers.host, ...pageOf(request.headers) })
  );
}

/**
 * Where no token protects it, a page whose own name resolves to this address (DNS rebinding) must
 * not pass for a local program: only addresses, `localhost` and the configured names are ours.
 */
function foreignName(api: Api, request: Request): Problem | null {
  if (!api.access.isOpen) return null;
  const host = request.headers.host ?? "";
  const name = host.replace(/:\d+$/u, "").toLowerCase();
  const isAddress = /^[\d.]+$/u.test(name) || name.startsWith("[");
  if (isAddress || isLoopback(name) || api.hostNames.includes(name)) return null;
  return problem(403, "Forbidden", `${host} is not this arbiter's name. Ask for it by its address.`, {
    code: "ERR_ARB_FORBIDDEN",
  });
}

function methodsByPath(): Map<string, readonly string[]> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of ROUTES) {
    const list = methods.get(routerPath(path)) ?? [];
    list.push(method.toUpperCase());
    if (method === "get") list.push("HEAD");
    methods.set(routerPath(path), list);
  }
  return methods;
}

function methodNotAllowed(methods: readonly string[]): RequestHandler {
  const allow = methods.join(", ");
  return (request, response) => {
    sendProblem(
      response,
      problem(405, "Method Not Allowed", `${request.path} takes ${allow}, not ${request.method}.`, {
        code: "ERR_ARB_METHOD",
      }),
      { allow, ...withoutBody(request) },
    );
  };
}

/** An answer given before the body was read ends the connection: the rest can't be told from a request. */
function withoutBody(request: Request): Readonly<Record<string, string>> {
  const { headers } = request;
  const hasBody = headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
  return hasBody ? { connection: "close" } : {};
}

function failures(log: ProcessLog): ErrorRequestHandler {
  // Express tells an error handler by its four parameters.
  return (error: unknown, request: Request, response: Response, _next: NextFunction) => {
    if (error instanceof StoreUnavailable) {
      sendProblem(
        response,
        problem(503, "Service Unavailable", error.message, { code: "ERR_ARB_STORE_UNAVAILABLE" }),
        { "retry-after": "1" },
      );
      return;
    }
    if (isMalformedUrl(error)) {
      sendProblem(
        response,
        problem(400, "Bad Request", "The path is not valid.", { code: "ERR_ARB_MESSAGE" }),
      );
      return;
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log.error(`${request.method} ${request.path} failed: ${text}`);
    sendProblem(
      response,
      problem(500, "Internal Server Error", "The arbiter failed to answer; its log says why.", {
        code: "ERR_ARB_INTERNAL",
      }),
    );
  };
}

/** A path that can't be decoded (`/%ff`). */
function isMalformedUrl(error: unknown): boolean {
  return error instanceof Error && "status" in error && error.status === 400;
}
