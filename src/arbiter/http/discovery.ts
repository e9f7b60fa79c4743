/**
 * `GET /v1/sd`: arbiters and daemons as targets of Prometheus' HTTP service discovery, so that a new
 * daemon's file is all that it takes to be scraped.
 *
 * `daemon` and `type` become labels of every series. What else is known comes as `__meta_arbiter_…`,
 * for relabelling; it may change at any time, and a label that changes would begin a new series.
 */
import type { Request, Response } from "express";
import { problem, sendJson, sendProblem } from "../../protocol/problem.ts";
import { holderOf } from "../cluster-map.ts";
import type { Api } from "./api.ts";

interface Target {
  readonly name: string;
  readonly type: string;
  readonly role: string;
  readonly realm: string;
  readonly url: string;
}

interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export function discovery({ engine }: Api, request: Request, response: Response): void {
  const { type } = request.query;
  if (type !== undefined && typeof type !== "string") {
    const detail = "`type` is given once, as in /v1/sd?type=scheduler.";
    sendProblem(response, problem(400, "Bad Request", detail, { code: "ERR_ARB_MESSAGE" }));
    return;
  }
  const { model, daemons, services } = engine.state;
  const held = new Map<string, string[]>();
  for (const view of services.values()) {
    const holder = holderOf(view);
    if (holder !== null) held.set(holder, [...(held.get(holder) ?? []), view.row.service]);
  }
  const all: readonly Target[] = [...model.arbiters, ...[...daemons.values()].map(({ spec }) => spec)];
  const wanted = type === undefined ? all : all.filter((target) => target.type === type);
  const groups = wanted.map((target) => groupOf(target, held.get(target.name) ?? []));
  sendJson(response, 200, groups, { "cache-control": "no-cache" });
}

function groupOf({ name, type, role, realm, url }: Target, services: readonly string[]): TargetGroup {
  const { host, protocol } = new URL(url);
  return {
    targets: [host],
    labels: {
      __scheme__: protocol.slice(0, -1),
      daemon: name,
      type,
      __meta_arbiter_name: name,
      __meta_arbiter_type: type,
      __meta_arbiter_role: role,
      __meta_arbiter_realm: realm,
      // As Prometheus' own lists: with commas around, so that `.*,NAME,.*` finds one.
      __meta_arbiter_services: services.length === 0 ? "" : `,${services.join(",")},`,
    },
  };
}
