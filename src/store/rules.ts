/**
 * What each engine must decide in the same way: whether a campaign or a commit is let through, and
 * under which numbers. Pure, so that an engine only has to make reading, deciding and writing one
 * atomic step.
 */
import type { Commit, ConfigurationVersion } from "../core/arbiter-io.ts";
import type { LeadershipRecord } from "../core/model.ts";

/** Compare-and-set on the leadership record: term, instance and beat must be those expected. */
export function mayCampaign(current: LeadershipRecord | null, expected: LeadershipRecord | null): boolean {
  if (current === null || expected === null) return current === expected;
  return (
    current.term === expected.term && current.instance === expected.instance && current.beat === expected.beat
  );
}

/**
 * Why a commit is fenced; null: it isn't. A service without a row has epoch 0, which no holder
 * ever has. `epochOf` is asked for the changed services only.
 */
export function whyFenced(
  commit: Commit,
  record: LeadershipRecord | null,
  epochOf: (service: string) => number | null,
): string | null {
  if (record === null) return `term ${commit.term} does not lead: the store has no leader yet`;
  if (record.term !== commit.term) {
    return `term ${commit.term} does not lead: ${record.leader} leads with term ${record.term}`;
  }
  if (record.released) return `term ${commit.term} has ended: ${record.leader} has released the lead`;
  for (const { row, expectedEpoch } of commit.changes) {
    const epoch = epochOf(row.service) ?? 0;
    if (epoch !== expectedEpoch) {
      return `service ${row.service} is at epoch ${epoch} by now, not ${expectedEpoch}`;
    }
    if (row.epoch < epoch) {
      return `service ${row.service} would go back from epoch ${epoch} to ${row.epoch}, and epochs only rise (I2)`;
    }
  }
  return null;
}

/** Only what a follower of the cluster has to read again makes a new revision; events alone don't. */
export function raisesRevision(commit: Commit): boolean {
  return commit.changes.length > 0 || commit.settings !== null || commit.configuration !== null;
}

/** Above what the store knows, and above what the leader knows of a past that the store has lost (I8). */
export function nextRevision(current: number, { revisionAbove = 0 }: Commit): number {
  return Math.max(current, revisionAbove) + 1;
}

/**
 * The configuration version as it is to be kept; null: it is the newest one already. A number that
 * is taken is never written over (I5): a leader that didn't know of it gets the next one.
 */
export function asNextVersion(
  wanted: ConfigurationVersion,
  newest: { readonly version: number; readonly hash: string } | null,
): ConfigurationVersion | null {
  if (newest === null || wanted.version > newest.version) return wanted;
  if (wanted.version === newest.version && wanted.hash === newest.hash) return null;
  return { ...wanted, version: newest.version + 1 };
}
