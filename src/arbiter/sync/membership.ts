/**
 * Daemons come and go while the cluster runs, without an edit of a file. The leader alone decides;
 * who has joined stands in the store, so that a new leader starts with the same daemons.
 *
 * Whoever says that it leaves is dropped once it is gone, and whoever is gone for `member_timeout`,
 * too. But never while it holds a service, and never where a service would end that another daemon
 * holds: a master that is away comes back to its service. Only an operator's word ends that.
 */
import type { ArbiterState } from "../../core/arbiter-state.ts";
import { holderOf } from "../cluster-map.ts";
import type { ConfigurationFollower } from "../configuration-follower.ts";
import type { Engine } from "../engine.ts";
import { unreadable } from "../../config/joined.ts";
import type { Joined, MembersOutcome } from "./joined.ts";

const LOOK_EVERY_MS = 500;
/** Ten thousand daemons are what one arbiter is made for. */
const MOST = 10_000;

export interface Joining {
  readonly name: string;
  readonly type: string;
  readonly keys: Readonly<Record<string, string>>;
}

interface Now {
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

export interface Asker {
  readonly by: string;
  readonly origin: Readonly<Record<string, string>>;
}

export class Membership {
  readonly #engine: Engine;
  readonly #follower: ConfigurationFollower;
  readonly #now: Now;
  /** Since when this leader has seen it gone. */
  readonly #goneSinceMs = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #isDropping = false;

  constructor(engine: Engine, follower: ConfigurationFollower, now: Now) {
    this.#engine = engine;
    this.#follower = follower;
    this.#now = now;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** Asked again with the same, nothing changes. */
  async join({ name, type, keys }: Joining, { by, origin }: Asker): Promise<MembersOutcome> {
    const wrong = unreadable(type, name, keys);
    if (wrong !== null) return { kind: "refused", status: 400, text: `${wrong}.`, errors: [] };
    const said = { type, ...keys };
    return await this.#follower.changeMembers(by, origin, (joined, model) => {
      const before = Object.hasOwn(joined, name) ? joined[name] : undefined;
      if (before !== undefined && isSame(before.keys, said)) {
        const text = `${name} has joined already.`;
        return { kind: "unchanged", text };
      }
      const written = model.daemons.find((daemon) => daemon.name === name);
      if (before === undefined && written !== undefined) return writtenAlready(written, said);
      if (Object.keys(joined).length >= MOST)
        return { kind: "refused", status: 409, text: `${MOST} daemons have joined already.`, errors: [] };
      const next: Joined = { ...joined, [name]: { keys: said, by, atWallMs: this.#now.wallMs() } };
      const where = `${keys["address"] ?? ""}:${keys["port"] ?? "its default port"}`;
      return before === undefined
        ? {
            kind: "change",
            daemon: name,
            joined: next,
            type: "member.joined",
            text: `${name} (${type}) joins, at ${where}`,
          }
        : {
            kind: "change",
            daemon: name,
            joined: next,
            type: "member.changed",
            text: `${name} (${type}) joins anew, at ${where}`,
          };
    });
  }

  async leave(name: string, hasForce: boolean, { by, origin }: Asker): Promise<MembersOutcome> {
    return await this.#drop(name, by, origin, {
      type: "member.removed",
      text: `${name} is removed`,
      hasForce,
    });
  }

  async #drop(
    name: string,
    by: string,
    origin: Readonly<Record<string, string>>,
    how: {
      readonly type: string;
      readonly text: string;
      readonly hasForce: boolean;
    },
  ): Promise<MembersOutcome> {
    const { state } = this.#engine;
    return await this.#follower.changeMembers(by, origin, (joined, model) => {
      if (!Object.hasOwn(joined, name)) {
        const written = model.daemons.find((daemon) => daemon.name === name);
        return written === undefined
          ? { kind: "refused", status: 404, text: `There is no daemon ${name}.`, errors: [] }
          : {
              kind: "refused",
              status: 409,
              text: `${name} has not joined, it stands in ${written.origin?.file ?? "the files"}: remove it there.`,
              errors: [],
            };
      }
      const ended = how.hasForce ? [] : endedServices(state, name);
      if (ended.length > 0)
        return {
          kind: "refused",
          status: 409,
          text: `${ended.join(", ")} would end with ${name}, its only master, and is held by another daemon. With \`force\` it is removed all the same.`,
          errors: [],
        };
      const { [name]: _left, ...rest } = joined;
      return { kind: "change", daemon: name, joined: rest, type: how.type, text: how.text };
    });
  }

  /** Who has left, or has been gone for too long. One at a time: each changes the candidates. */
  look(): void {
    const { state } = this.#engine;
    if (state.leadership.mode !== "leading") {
      this.#goneSinceMs.clear();
      return;
    }
    if (this.#isDropping) return;
    for (const name of Object.keys(state.settings.joined)) {
      const why = this.#whyGone(state, name);
      if (why === null) continue;
      this.#isDropping = true;
      void this.#drop(name, "the arbiter", {}, { ...why, hasForce: false })
        // It is tried again at the next look.
        .catch(() => null)
        .finally(() => {
          this.#isDropping = false;
        });
      return;
    }
  }

  #whyGone(state: ArbiterState, name: string): { readonly type: string; readonly text: string } | null {
    const view = state.daemons.get(name);
    if (view === undefined) return null;
    const isGone = view.failedChecks >= view.spec.maxCheckAttempts;
    const now = this.#now.nowMs();
    const since = isGone ? (this.#goneSinceMs.get(name) ?? now) : null;
    if (since === null) this.#goneSinceMs.delete(name);
    else this.#goneSinceMs.set(name, since);
    const holds = (state.holdings.get(name)?.size ?? 0) > 0;
    if (holds || since === null || endedServices(state, name).length > 0) return null;
    if (view.report?.state === "leaving")
      return { type: "member.left", text: `${name} has left in good order` };
    const { memberTimeoutMs } = this.#follower.inForce.settings;
    if (now - since < memberTimeoutMs) return null;
    const seconds = Math.round(memberTimeoutMs / 1_000);
    return { type: "member.timeout", text: `${name} has been gone for ${seconds} s and is dropped` };
  }
}

/** Services that have no other master than this daemon, and are held by somebody else. */
function endedServices(state: ArbiterState, name: string): readonly string[] {
  return [...state.services.values()]
    .filter(({ spec }) => spec.masters.every((master) => master === name) && spec.masters.length > 0)
    .filter((view) => ![null, name].includes(holderOf(view)))
    .map(({ row }) => row.service);
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => a[key] === b[key]);
}

/** It has a file: that is as good, if the file says the same of where it is. */
function writtenAlready(
  written: {
    readonly name: string;
    readonly type: string;
    readonly address: string;
    readonly port: number;
    readonly origin: { readonly file: string } | null;
  },
  said: Readonly<Record<string, string>>,
): Exclude<MembersOutcome, { kind: "changed" }> {
  const { name, type, address, port, origin } = written;
  const file = origin?.file ?? "the files";
  const isSamePlace =
    said["type"] === type &&
    (said["address"] ?? address) === address &&
    (said["port"] ?? String(port)) === String(port);
  if (isSamePlace) return { kind: "unchanged", text: `${name} stands in ${file} already.` };
  const text = `${name} stands in ${file}, as a ${type} at ${address}:${port}: change it there, or join under another name.`;
  return { kind: "refused", status: 409, text, errors: [] };
}
