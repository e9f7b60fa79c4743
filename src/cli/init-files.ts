/**
 * The files of a plan: the commented sample's own words, with what the plan says filled in, so that a
 * key is explained in the same way everywhere.
 */
import { randomBytes } from "node:crypto";
import type { InitPlan, Planned } from "./init-plan.ts";

export interface PlannedFile {
  /** Relative to the folder. */
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

const PLAIN = 0o644;
/** For its owner's eyes alone. */
const SECRET = 0o600;

/** `sample`: the text of the sample's `arbiter.cfg`, `arbiter-master.cfg` and a daemon's file. */
export interface Sample {
  readonly cluster: string;
  readonly arbiter: string;
  readonly master: string;
  readonly spare: string;
}

export function filesOf(plan: InitPlan, sample: Sample): readonly PlannedFile[] {
  const needsToken = [...plan.arbiters, ...plan.masters, ...plan.spares].some(
    ({ address }) => !isLoopback(address),
  );
  const hasSecret = plan.store !== null && /:\/\/[^/]*:[^/]*@/u.test(plan.store);
  let cluster = sample.cluster;
  if (plan.store !== null)
    cluster = hasSecret ? set(cluster, "url_file", "store-url") : set(cluster, "url", plan.store);
  if (needsToken) cluster = set(cluster, "token_file", "token");
  return [
    { path: "arbiter.cfg", content: cluster, mode: PLAIN },
    ...plan.arbiters.map((arbiter, at) => memberFile(arbiter, arbiterText(sample.arbiter, arbiter, at > 0))),
    ...plan.masters.map((daemon) => memberFile(daemon, daemonText(sample.master, plan, daemon, "master"))),
    ...plan.spares.map((daemon) => memberFile(daemon, daemonText(sample.spare, plan, daemon, "spare"))),
    ...(needsToken
      ? [{ path: "token", content: `${randomBytes(32).toString("base64url")}\n`, mode: SECRET }]
      : []),
    ...(hasSecret && plan.store !== null
      ? [{ path: "store-url", content: `${plan.store}\n`, mode: SECRET }]
      : []),
  ];
}

function memberFile({ name }: Planned, content: string): PlannedFile {
  return { path: `daemons/${name}.cfg`, content, mode: PLAIN };
}

function arbiterText(text: string, { name, address, port }: Planned, isSpare: boolean): string {
  let out = set(text, "arbiter_name", name);
  out = set(out, "address", address);
  out = set(out, "port", String(port));
  return set(out, "spare", isSpare ? "1" : "0");
}

function daemonText(
  text: string,
  { type, command, spares, masters }: InitPlan,
  { name, address, port }: Planned,
  role: "master" | "spare",
): string {
  let out = text.replace("[scheduler]", `[${type}]`).replace(/^scheduler_name\b/mu, `${type}_name`);
  out = set(out, `${type}_name`, name);
  out = set(out, "address", address);
  out = set(out, "port", String(port));
  if (command !== null) out = set(out, "command", command);
  out = out.replaceAll(/^;(?<key>service|spare_for) = .*$/gmu, ";$<key> = " + (masters[0]?.name ?? name));
  // With fewer spares than masters one of them may have to hold several.
  if (role === "spare" && masters.length > spares.length)
    out = put(out, "capacity", String(Math.ceil(masters.length / spares.length)));
  return out;
}

/** The key's own line, in force or behind a `;`; where there is none, one at the end. */
function set(text: string, key: string, value: string): string {
  const line = new RegExp(`^;?${key} = .*$`, "mu");
  return line.test(text) ? text.replace(line, () => `${key} = ${value}`) : put(text, key, value);
}

function put(text: string, key: string, value: string): string {
  const line = new RegExp(`^;?${key} = .*$`, "mu");
  if (line.test(text)) return text.replace(line, () => `${key} = ${value}`);
  return `${text.trimEnd()}\n${key} = ${value}\n`;
}

function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || address.startsWith("127.");
}
