/**
 * What a reload would do, in words: a difference between two models. Pure. It also says what it
 * would *not* touch, since that is what an operator wants to know first.
 */
import type { ArbiterSpec, ClusterModel, DaemonSpec, ServiceSpec } from "../core/model.ts";
import { comparableJson } from "./hash.ts";
import { isSecretName } from "./secrets.ts";
import { compareText } from "./problem.ts";
import { formatDuration } from "./values.ts";

export interface PlanLine {
  readonly action: "add" | "remove" | "change" | "keep";
  readonly subject: "cluster" | "realm" | "arbiter" | "daemon" | "service";
  readonly name: string;
  readonly text: string;
}

export function planChange(before: ClusterModel, after: ClusterModel): PlanLine[] {
  const lines = [
    ...planCluster(before, after),
    ...planList("realm", before.realms, after.realms),
    ...planList("arbiter", before.arbiters, after.arbiters),
    ...planList("daemon", before.daemons, after.daemons),
  ];
  return [...lines, ...planServices(before, after)];
}

/** True where nothing would change. */
export function isEmptyPlan(plan: readonly PlanLine[]): boolean {
  return plan.every((line) => line.action === "keep");
}

function planCluster(before: ClusterModel, after: ClusterModel): PlanLine[] {
  const changes = differences(clusterOf(before), clusterOf(after));
  return changes.length === 0
    ? []
    : [
        {
          action: "change",
          subject: "cluster",
          name: after.name,
          text: `cluster ${after.name}: ${changes.join(", ")}`,
        },
      ];
}

function clusterOf({ name, arbiterLeaseMs, clockDrift, failoverBudget }: ClusterModel): Named {
  const cluster = { name, arbiterLeaseMs, clockDrift, failoverBudget: failoverBudget ?? null };
  return cluster;
}

type Named = { readonly name: string };

function planList(
  subject: PlanLine["subject"],
  before: readonly Named[],
  after: readonly Named[],
): PlanLine[] {
  const old = new Map(before.map((one) => [one.name, one]));
  const names = new Set(after.map((one) => one.name));
  const lines: PlanLine[] = [];
  for (const one of before.toSorted(byName)) {
    if (!names.has(one.name))
      lines.push({ action: "remove", subject, name: one.name, text: `- ${describe(subject, one)}` });
  }
  for (const one of after.toSorted(byName)) {
    const was = old.get(one.name);
    if (was === undefined)
      lines.push({ action: "add", subject, name: one.name, text: `+ ${describe(subject, one)}` });
    else {
      const changes = differences(was, one);
      if (changes.length > 0)
        lines.push({
          action: "change",
          subject,
          name: one.name,
          text: `~ ${subject} ${one.name}: ${changes.join(", ")}`,
        });
    }
  }
  return lines;
}

function planServices(before: ClusterModel, after: ClusterModel): PlanLine[] {
  const lines: PlanLine[] = [];
  for (const line of planList("service", before.services, after.services)) {
    const { action, subject, name } = line;
    const then = { add: ": activated on the best of its candidates", remove: ": its holder stops it" };
    const text =
      line.text + (action === "add" || action === "remove" ? then[action] : moves(name, before, after));
    lines.push({ action, subject, name, text });
  }
  const touched = new Set(lines.map((line) => line.name));
  const members = new Set<string>();
  for (const daemon of [...before.daemons, ...after.daemons]) {
    const [was, is] = [find(before.daemons, daemon.name), find(after.daemons, daemon.name)];
    if (was === undefined || is === undefined || comparableJson(was) !== comparableJson(is))
      members.add(daemon.name);
  }
  const kept: PlanLine[] = [];
  for (const service of after.services) {
    if (touched.has(service.name)) continue;
    const changed = service.candidates.filter((name) => members.has(name));
    if (changed.length > 0) {
      lines.push({
        action: "change",
        subject: "service",
        name: service.name,
        text: `~ service ${service.name}: its candidate${changed.length === 1 ? "" : "s"} ${changed.join(", ")} changed; its holder goes on${moves(service.name, before, after)}`,
      });
    } else
      kept.push({
        action: "keep",
        subject: "service",
        name: service.name,
        text: `= service ${service.name}: untouched`,
      });
  }
  return [...lines, ...kept];
}

/** What happens to a holder whose candidate left, moved or changed. */
function moves(name: string, before: ClusterModel, after: ClusterModel): string {
  const [was, is] = [find(before.services, name), find(after.services, name)];
  if (was === undefined || is === undefined) return "";
  const left = was.candidates.filter((candidate) => !is.candidates.includes(candidate));
  const moved = is.candidates.filter((candidate) => {
    const [then, now] = [find(before.daemons, candidate), find(after.daemons, candidate)];
    return then !== undefined && now !== undefined && then.url !== now.url;
  });
  const told: string[] = [];
  if (left.length > 0) told.push(`if ${left.join(" or ")} holds it, it moves`);
  if (moved.length > 0) told.push(`${moved.join(", ")} must answer at the new address`);
  return told.length === 0 ? "" : `; ${told.join("; ")}`;
}

function find<T extends Named>(list: readonly T[], name: string): T | undefined {
  return list.find((one) => one.name === name);
}

function byName(a: Named, b: Named): number {
  return compareText(a.name, b.name);
}

function describe(subject: PlanLine["subject"], one: Named): string {
  const facts = one as Partial<DaemonSpec & ArbiterSpec & ServiceSpec>;
  if (subject === "daemon" || subject === "arbiter")
    return `${subject} ${one.name} (${facts.type ?? ""}, ${facts.role ?? ""}, ${facts.address ?? ""}:${facts.port ?? ""})`;
  if (subject === "service") return `service ${one.name} (${(facts.candidates ?? []).join(", ")})`;
  return `${subject} ${one.name}`;
}

/** `check_interval 500ms → 1s`, by the names of the configuration's own keys. */
function differences(before: object, after: object): string[] {
  const old = new Map<string, unknown>(Object.entries(before));
  const now = new Map<string, unknown>(Object.entries(after));
  const out: string[] = [];
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    // The address says what the URL does.
    if (key === "origin" || key === "url" || key === "config") continue;
    const was = old.get(key);
    const is = now.get(key);
    if (comparableJson({ value: was }) === comparableJson({ value: is })) continue;
    if (isPlainObject(was) && isPlainObject(is)) out.push(...differences(was, is));
    else
      out.push(
        `${keyName(key)} ${isSecretName(key) ? "changed" : `${inWords(key, was)} → ${inWords(key, is)}`}`,
      );
  }
  return out;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `checkIntervalMs` is `check_interval` in the files. */
function keyName(key: string): string {
  if (/^[A-Z_]+$/u.test(key)) return key;
  return key
    .replace(/Ms$/u, "")
    .replace(/^is(?=[A-Z])/u, "")
    .replaceAll(/(?<=[a-z])[A-Z]/gu, (letter) => `_${letter}`)
    .toLowerCase();
}

function inWords(key: string, value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "number" && key.endsWith("Ms")) return formatDuration(value);
  if (typeof value === "boolean") return value ? "1" : "0";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(String).join(", ");
  return typeof value === "string" || typeof value === "number" ? String(value) : JSON.stringify(value);
}
