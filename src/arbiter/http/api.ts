/**
 * What the routes of the HTTP API have in hand, and the shape of a route. The table of routes is
 * the one source of the server's paths, of the methods it allows and of `/openapi.json`.
 */
import type { Request, Response } from "express";
import type { Access } from "../../protocol/auth.ts";
import type { ShownConfiguration } from "../../config/show.ts";
import type { Alerts } from "../alerts/alerts.ts";
import type { Engine } from "../engine.ts";
import type { VersionLine } from "../sync/history.ts";
import type { Membership } from "../sync/membership.ts";
import type { FileHash, Manifest } from "../sync/manifest.ts";
import type { Audit } from "./audit.ts";
import type { Forwarder } from "./forward.ts";

export type ReloadOutcome =
  | { readonly kind: "unchanged"; readonly version: number; readonly hash: string }
  | {
      readonly kind: "applied";
      readonly version: number;
      readonly hash: string;
      readonly plan: readonly string[];
    }
  | { readonly kind: "refused"; readonly errors: readonly string[] }
  /** Valid, but the store has not taken it (yet). */
  | { readonly kind: "unconfirmed"; readonly text: string };

export interface Api {
  readonly engine: Engine;
  readonly access: Access;
  /** Callers show certificates (`client_cert = required`), and whose they are counts. */
  readonly asksNames: boolean;
  readonly audit: Audit;
  /** To the leader, while this arbiter stands by. */
  readonly forwarder: Forwarder;
  readonly alerts: Pick<Alerts, "test">;
  /** Under which it is asked, in small letters: its own address, and what it listens at. */
  readonly hostNames: readonly string[];
  reload(by: string): Promise<ReloadOutcome>;
  readonly configuration: ConfigurationApi;
  readonly membership: Pick<Membership, "join" | "leave">;
}

/** The configuration, its versions, and what lies in this arbiter's folder. */
export interface ConfigurationApi {
  manifest(): Manifest;
  /** What `arbiter config show` says of this arbiter's folder, or the errors in it. */
  keys(): Promise<FolderKeys>;
  history(limit: number): Promise<readonly VersionLine[]>;
  /** To that version, or to the one before; null: there is none. */
  rollBack(version: number | null, by: string): Promise<ReloadOutcome | null>;
}

export interface FolderKeys {
  readonly name: string;
  readonly hash: string;
  readonly files: readonly FileHash[];
  readonly errors: readonly string[];
  /** Null: there are errors. */
  readonly shown: ShownConfiguration | null;
}

export interface BodyMember {
  /** json: any value at all. */
  readonly type: "string" | "boolean" | "integer" | "json";
  readonly description: string;
  readonly required?: boolean;
  /** Of a string. */
  readonly maxLength?: number;
  /** Of an integer. */
  readonly minimum?: number;
  readonly maximum?: number;
}
export type BodyShape = Readonly<Record<string, BodyMember>>;

/** A parameter of the query: what it means, if it is a number; a text else. */
export type QueryParameter = string | { readonly type: "string"; readonly description: string };

export interface Route {
  readonly method: "get" | "post" | "put" | "delete";
  /** As OpenAPI writes it: `/v1/services/{service}`. */
  readonly path: string;
  /** open: no token, whatever is set; read: the read token, if one is set; change: the token. */
  readonly access: "open" | "read" | "change";
  /** The leader's to answer: a standby passes it on. */
  readonly isLeaders: boolean;
  readonly summary: string;
  readonly query?: Readonly<Record<string, QueryParameter>>;
  /** Headers that it understands. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Members of the JSON body; unknown ones are refused, so that a typo can't pass for a wish. */
  readonly body?: BodyShape;
  /** Media type of a good answer. (Default: application/json) */
  readonly produces?: string;
  /** Status of a good answer, and what else it may be. */
  readonly answers: Readonly<Record<number, string>>;
  serve(api: Api, request: Request, response: Response): Promise<void> | void;
}

/** A path parameter; the router has put it there. */
export function parameter(request: Request, name: string): string {
  const value: unknown = request.params[name];
  return typeof value === "string" ? value : "";
}
