/**
 * `GET /`: the status as one plain page for a browser. No scripts and nothing from elsewhere: the
 * content security policy allows one style sheet, by its hash, and nothing else. It loads itself
 * again every few seconds.
 */
import { createHash } from "node:crypto";
import type { Request, Response } from "express";
import { statusOf } from "../status.ts";
import type { Status } from "../status.ts";
import type { Api } from "./api.ts";

const REFRESH_SECONDS = 5;

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
.bad { color: #b3261e; font-weight: 600; } .good { color: #1b7f3b; }
.quiet { opacity: .7; }
@media (prefers-color-scheme: dark) { .bad { color: #ff8a80; } .good { color: #7bd88f; } }
`;

const POLICY: string = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export async function page({ engine }: Api, _request: Request, response: Response): Promise<void> {
  const body = html(statusOf(await engine.shown(), engine.around));
  response.writeHead(200, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
  });
  response.end(body);
}

function html(status: Status): string {
  const { problems } = status;
  const title = problems.length === 0 ? "all well" : `${problems.length} to look at`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(status.cluster)}: ${title}</title><style>${STYLE}</style></head><body>
<h1>${escape(status.cluster)}</h1>
<p>${leaderLine(status)}</p>
<h2>Problems</h2>${problemList(status)}
<h2>Services</h2>${serviceTable(status)}
<h2>Daemons</h2>${daemonTable(status)}
<h2>Arbiters</h2>${table(
    ["name", "role", "state", "address"],
    status.arbiters.map(({ name, role, state, url }) => [name, role, state, url].map(escape)),
  )}
<p class="quiet">Map version ${status.version}, configuration version ${status.config.version}
(${escape(status.config.hash.slice(0, 12))}). This page loads itself again every ${REFRESH_SECONDS} seconds.</p>
</body></html>
`;
}

function leaderLine({ leader, term, name }: Status): string {
  if (leader === null) return `<span class="bad">Nobody leads.</span> Answered by ${escape(name)}.`;
  return `${escape(leader)} leads in term ${term}. Answered by ${escape(name)}.`;
}

function problemList({ problems }: Status): string {
  if (problems.length === 0) return '<p class="good">None.</p>';
  const items = problems.map(
    ({ code, text, next }) =>
      `<li><span class="bad">${escape(code)}</span> ${escape(text)} <span class="quiet">${escape(next)}</span></li>`,
  );
  return `<ul>${items.join("")}</ul>`;
}

function serviceTable({ services }: Status): string {
  return table(
    ["service", "phase", "holder", "epoch", "address", "since", "reason"],
    services.map(({ name, phase, holder, epoch, url, since, reason }) => [
      escape(name),
      `<span class="${phase === "held" ? "good" : "bad"}">${escape(phase)}</span>`,
      escape(holder ?? "nobody"),
      String(epoch),
      escape(url ?? ""),
      escape(since),
      escape(reason),
    ]),
  );
}

function daemonTable({ daemons }: Status): string {
  return table(
    ["daemon", "type", "role", "state", "healthy", "holds", "address", "last seen"],
    daemons.map((daemon) => [
      escape(daemon.name),
      escape(daemon.type),
      escape(daemon.role),
      escape(daemon.maintenance === null ? daemon.state : `${daemon.state}, in maintenance`),
      daemon.healthy ? '<span class="good">yes</span>' : '<span class="bad">no</span>',
      escape(daemon.services.join(", ")),
      escape(daemon.url),
      escape(daemon.lastSeen ?? "never"),
    ]),
  );
}

/** Cells are HTML already. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '<p class="quiet">None.</p>';
  return `<table>${cells("th", head)}${rows.map((row) => cells("td", row)).join("")}</table>`;
}

function cells(tag: string, row: readonly string[]): string {
  return `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
}

function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
