/**
 * Lease arithmetic of both ends: until when a daemon may be active, and from when on an arbiter
 * knows that it no longer is.
 *
 * A daemon measures its lease from when it last *spoke*: every report carries a nonce with the time
 * of issue on the daemon's own clock, an assignment echoes the newest one, and the lease ends
 * `leaseMs` after that issue. The arbiter counts from when it *received* the nonce that it echoed.
 * Received is never before issued, so the arbiter's bound lies behind the lease's end however late,
 * often or out of order the messages arrive; only clock *rates* have to agree (I1).
 *
 * Nothing here may ever make a lease longer or a bound shorter than these formulas say.
 */
import type { DaemonEnvironment } from "./daemon-io.ts";
import { CLOCK_SLACK_MS } from "./model.ts";

/** A holder is checked at least so often in the time of its lease: one lost check costs it nothing. */
export const CHECKS_A_LEASE = 6;
/** Failsafe begins with half of the lease left: renewals keep it above two thirds. */
const FAILSAFE_SHARE = 1 / 2;
/** `drain_margin` where nobody wrote one. */
const DRAIN_SHARE = 1 / 4;
/** No margin may eat what renewals normally leave: more than this share of a lease is clamped. */
const LONGEST_DRAIN_SHARE = 3 / 8;
const LONGEST_KILL_SHARE = 1 / 4;
/** `kill_grace` where nobody wrote one. */
const KILL_GRACE_MS = 250;
/** Between half and a quarter of the lease, two rounds of asking fit. */
const ROUND_SHARE = 1 / 8;
/** With leases of minutes nobody waits half a minute to ask again. */
const LONGEST_ROUND_MS = 2000;

/** How often a holder is checked, with a lease of this length. */
export function holdersIntervalMs(checkIntervalMs: number, leaseMs: number): number {
  return Math.min(checkIntervalMs, leaseMs / CHECKS_A_LEASE);
}

/** What `(max_check_attempts + 1)` checks of a holder and a time-out take; it must fit into the lease. */
export function timeToNotice(
  leaseMs: number,
  checkIntervalMs: number,
  timeoutMs: number,
  attempts: number,
): number {
  return (attempts + 1) * holdersIntervalMs(checkIntervalMs, leaseMs) + timeoutMs;
}

/** On the daemon's clock: the end of a lease that was granted for this nonce. */
export function leaseEndOf(issuedMs: number, leaseMs: number): number {
  return issuedMs + leaseMs;
}

/** On the arbiter's clock: by then every lease granted for a nonce received at `receivedMs` has ended. */
export function boundOf(receivedMs: number, leaseMs: number, clockDrift: number): number {
  return receivedMs + leaseMs * (1 + clockDrift) + CLOCK_SLACK_MS;
}

/**
 * On the holder's clock: how far its lease reaches once everyone has promised for `forMs`. They
 * count from when they were asked, which is not before `askedAtMs`.
 */
export function extensionEndOf(askedAtMs: number, forMs: number, clockDrift: number): number {
  return askedAtMs + forMs / (1 + clockDrift) - CLOCK_SLACK_MS;
}

/** On the candidate's clock: the end of a promise that is given now. */
export function promiseEndOf(nowMs: number, forMs: number): number {
  return nowMs + forMs;
}

/** An assignment rests on proof if the epoch before its own is over for good, else on expiry. */
export function restsOnProof(assignment: { readonly epoch: number; readonly cleared: number }): boolean {
  return assignment.cleared === assignment.epoch - 1;
}

/** A fresh nonce: `boot.issuedMs.tag`. The issue is rounded down, so the lease only gets shorter. */
export function issueNonce(bootId: string, nowMs: number, env: DaemonEnvironment): string {
  const stem = `${bootId}.${Math.floor(nowMs)}`;
  return `${stem}.${env.tagOf(stem)}`;
}

/**
 * When the nonce was issued, on this daemon's clock. Null if it grants nothing: there is none, it is
 * of another boot, its tag isn't ours, or it claims to come from the future.
 */
export function readNonce(
  nonce: string | null,
  bootId: string,
  nowMs: number,
  env: DaemonEnvironment,
): number | null {
  if (nonce === null || !nonce.startsWith(`${bootId}.`)) return null;
  const dot = nonce.indexOf(".", bootId.length + 1);
  if (dot < 0) return null;
  const digits = nonce.slice(bootId.length + 1, dot);
  if (!/^\d+$/.test(digits)) return null;
  const issuedMs = Number(digits);
  if (issuedMs > nowMs) return null;
  return nonce.slice(dot + 1) === env.tagOf(nonce.slice(0, dot)) ? issuedMs : null;
}

export interface Margins {
  /** null: a quarter of the lease. */
  readonly drainMarginMs: number | null;
  /** null: `KILL_GRACE_MS`, or half of the drain margin where that is less. */
  readonly killGraceMs: number | null;
}

function drainOf(leaseMs: number, margins: Margins): number {
  return Math.min(margins.drainMarginMs ?? leaseMs * DRAIN_SHARE, leaseMs * LONGEST_DRAIN_SHARE);
}

/** From then on what still runs is killed: `kill_grace` before the lease's end. */
export function fenceAtOf(leaseEndMs: number, leaseMs: number, margins: Margins): number {
  const killMs = margins.killGraceMs ?? Math.min(KILL_GRACE_MS, drainOf(leaseMs, margins) / 2);
  return leaseEndMs - Math.min(killMs, leaseMs * LONGEST_KILL_SHARE);
}

/** From then on the service is stopped in good order: `drain_margin` before the lease's end. */
export function demoteAtOf(leaseEndMs: number, leaseMs: number, margins: Margins): number {
  const drainMs = drainOf(leaseMs, margins);
  return Math.min(leaseEndMs - drainMs, fenceAtOf(leaseEndMs, leaseMs, margins));
}

/** From then on the other candidates are asked for their promises. */
export function failsafeAtOf(leaseEndMs: number, leaseMs: number): number {
  return leaseEndMs - leaseMs * FAILSAFE_SHARE;
}

/** How long one round of asking may take before the next begins. */
export function roundMsOf(leaseMs: number): number {
  return Math.min(leaseMs * ROUND_SHARE, LONGEST_ROUND_MS);
}
