/**
 * `GET /` and its files: the dashboard. The files are our own, and preact's and htm's as they were
 * published; nothing is built, nothing is fetched from elsewhere, and the content security policy
 * allows nothing else: no inline script or style, no frame, no form.
 *
 * The files hold nothing of the cluster, so they are everybody's; what they show is asked for with the
 * token. The other arbiters may be asked whether they run: the page goes on there if this one dies.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Request, Response } from "express";
import { problem, sendProblem } from "../../protocol/problem.ts";
import type { Api } from "./api.ts";
import { parameter } from "./api.ts";

const SCRIPT = "text/javascript; charset=utf-8";
const OWN = new URL("../../dashboard/", import.meta.url);
const OWN_FILES: Readonly<Record<string, string>> = {
  "style.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
  "main.js": SCRIPT,
  "cluster.js": SCRIPT,
  "dialogs.js": SCRIPT,
  "events.js": SCRIPT,
  "html.js": SCRIPT,
  "tables.js": SCRIPT,
  "timeline.js": SCRIPT,
};
/** As published, for browsers. */
const PACKAGES: Readonly<Record<string, () => string>> = {
  "preact.js": () => import.meta.resolve("preact"),
  "hooks.js": () => import.meta.resolve("preact/hooks"),
  "htm.js": () => import.meta.resolve("htm"),
};

interface File {
  readonly type: string;
  readonly content: Buffer;
  readonly etag: string;
}

const files = new Map<string, Promise<File>>();

/** Read once; a file that can't be read is an error of the installation. */
function fileOf(name: string): Promise<File> {
  const known = files.get(name);
  if (known !== undefined) return known;
  const reading = read(name);
  files.set(name, reading);
  return reading;
}

async function read(name: string): Promise<File> {
  const from = PACKAGES[name];
  const type = name === "index.html" ? "text/html; charset=utf-8" : (OWN_FILES[name] ?? SCRIPT);
  const content = from === undefined ? await readFile(new URL(name, OWN)) : await moduleOf(from());
  return { type, content, etag: `"${createHash("sha256").update(content).digest("base64url")}"` };
}

/** A browser knows no packages: what hooks take from preact stands beside them. */
async function moduleOf(url: string): Promise<Buffer> {
  const text = await readFile(new URL(url), "utf8");
  return Buffer.from(text.replaceAll(/from\s*"preact"/gu, 'from"./preact.js"'));
}

/** Sources of maps are elsewhere: no browser is to look for them. */
function policyFor({ engine }: Api): string {
  const { model, options } = engine.state;
  const others = model.arbiters.flatMap(({ name, url }) =>
    name === options.name ? [] : [new URL(url).origin],
  );
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src ${["'self'", ...others].join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
}

export async function page(api: Api, request: Request, response: Response): Promise<void> {
  await send(api, await fileOf("index.html"), request, response);
}

export async function pageFile(api: Api, request: Request, response: Response): Promise<void> {
  const name = parameter(request, "file");
  if (!Object.hasOwn(OWN_FILES, name) && !Object.hasOwn(PACKAGES, name)) {
    const detail = `The dashboard has no file ${name}.`;
    sendProblem(response, problem(404, "Not Found", detail, { code: "ERR_ARB_NOT_FOUND" }));
    return;
  }
  await send(api, await fileOf(name), request, response);
}

async function send(
  api: Api,
  { type, content, etag }: File,
  request: Request,
  response: Response,
): Promise<void> {
  const headers = {
    etag,
    "content-security-policy": policyFor(api),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    // Asked for each time, answered in a few bytes: after an upgrade nobody sees half of it.
    "cache-control": "no-cache",
  };
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, { ...headers, "content-type": type, "content-length": content.length });
  response.end(content);
}
