/**
 * The configuration in force: the files, and the daemons that joined beside them. The files come
 * first: whoever joined and doesn't fit any more after an edit is left out, and that is said.
 */
import { createHash } from "node:crypto";
import { loadConfiguration } from "../../config/index.ts";
import { joinedNameOf } from "../../config/joined.ts";
import type { Settings } from "../../core/model.ts";
import type { ValidConfiguration } from "../configuration.ts";
import { isValid, publicText } from "../configuration.ts";

export type Joined = Settings["joined"];

export interface Merged {
  /** Its hash and files are those of the files alone, which is what arbiters compare. */
  readonly loaded: ValidConfiguration;
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

export async function withJoined(
  files: ValidConfiguration,
  joined: Joined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Merged> {
  const contents = Object.fromEntries(files.files.map(({ path, content }) => [path, content]));
  const read = async (some: Joined): ReturnType<typeof loadConfiguration> =>
    await loadConfiguration(files.directory, { env, contents, joined: some });
  const hasJoined = files.model.daemons.some(({ origin }) => joinedNameOf(origin?.file ?? "") !== null);
  const alone = hasJoined ? await read({}) : files;
  const base = isValid(alone) ? alone : files;
  const written = new Map(base.model.daemons.map(({ name, origin }) => [name, origin]));
  const leftOut: { name: string; why: string }[] = [];
  let rest: Joined = joined;
  const leaveOut = (name: string, why: string): void => {
    leftOut.push({ name, why });
    rest = Object.fromEntries(Object.entries(rest).filter(([other]) => other !== name));
  };
  for (const name of Object.keys(joined)) {
    const origin = written.get(name);
    if (origin !== undefined) leaveOut(name, `it stands in ${origin?.file ?? "the files"} by now`);
  }
  while (Object.keys(rest).length > 0) {
    const merged = await read(rest);
    if (isValid(merged)) {
      const there = new Set(merged.model.daemons.map(({ name }) => name));
      const lost = Object.keys(rest).filter((name) => !there.has(name));
      if (lost.length === 0)
        return { loaded: { ...base, model: merged.model, members: merged.members }, leftOut };
      for (const name of lost) leaveOut(name, "its type is no daemon's");
      continue;
    }
    const errors = merged.problems.filter(({ severity }) => severity === "error");
    const names = errors.flatMap((problem) => {
      const name = joinedNameOf(problem.file);
      return name === null || !Object.hasOwn(rest, name) ? [] : [{ name, why: publicText(problem) }];
    });
    // An error in the files that only they together make: the newest is the one too many.
    const [newest] = Object.entries(rest).toSorted(([, a], [, b]) => b.atWallMs - a.atWallMs);
    const [first] = names;
    const blamed = first ?? { name: newest?.[0] ?? "", why: errors.map((one) => publicText(one))[0] ?? "" };
    leaveOut(blamed.name, blamed.why);
  }
  return { loaded: base, leftOut };
}

export type MembersOutcome =
  | { readonly kind: "unchanged"; readonly text: string }
  | { readonly kind: "changed"; readonly text: string; readonly event: number | null }
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly text: string;
      readonly errors: readonly string[];
    };
export type MembersChange =
  | Exclude<MembersOutcome, { kind: "changed" }>
  | {
      readonly kind: "change";
      readonly daemon: string;
      readonly joined: Joined;
      /** Of the event. */
      readonly type: string;
      readonly text: string;
    };

/** Changes with whoever has joined. */
export function digestOf(joined: Joined): string {
  const entries = Object.entries(joined).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? "" : createHash("sha256").update(JSON.stringify(entries)).digest("hex");
}
