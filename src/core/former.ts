/**
 * What a new leader knows by the store alone: it left the files before this arbiter took the lead.
 *
 * A holder is asked all the same, where it was last: else it would neither be told that it isn't wanted,
 * nor be heard when it says that it has stopped, and its service would wait for it for ever (I7).
 */
import { CHECKS_A_LEASE } from "./lease.ts";
import type { DaemonSpec, ServiceRow, ServiceSpec } from "./model.ts";

const MAX_CHECK_ATTEMPTS = 3;

export function formerService(row: ServiceRow): ServiceSpec {
  return {
    name: row.service,
    type: "",
    realm: "",
    masters: row.masters ?? [],
    candidates: row.candidates.list.map(({ name }) => name),
    leaseMs: row.leaseMaxMs,
    checkIntervalMs: row.leaseMaxMs / CHECKS_A_LEASE,
    maxCheckAttempts: MAX_CHECK_ATTEMPTS,
    failback: "never",
    failbackDelayMs: 0,
    failbackDelayMaxMs: 0,
    failureTimeoutMs: 0,
    activationTimeoutMs: row.leaseMaxMs,
    drainTimeoutMs: row.leaseMaxMs,
    config: {},
  };
}

/** The holder of a row, at the address that its fellows were told; null: they weren't told any. */
export function formerHolder(row: ServiceRow): DaemonSpec | null {
  const found = row.candidates.list.find(({ name }) => name === row.holder);
  if (found === undefined || !URL.canParse(found.url)) return null;
  const { protocol, hostname, port } = new URL(found.url);
  const useSsl = protocol === "https:";
  return {
    name: found.name,
    type: "",
    role: row.masters?.includes(found.name) === true ? "master" : "spare",
    address: hostname.replace(/^\[(.*)\]$/u, "$1"),
    port: Number(port === "" ? (useSsl ? 443 : 80) : port),
    url: found.url,
    realm: "",
    manageSubRealms: false,
    service: null,
    spareFor: [row.service],
    priority: 0,
    capacity: 1,
    checkIntervalMs: row.leaseMaxMs / CHECKS_A_LEASE,
    timeoutMs: row.leaseMaxMs / CHECKS_A_LEASE,
    maxCheckAttempts: MAX_CHECK_ATTEMPTS,
    leaseMs: row.leaseMaxMs,
    failback: "never",
    failbackDelayMs: 0,
    failbackDelayMaxMs: 0,
    failbackWindow: null,
    failureTimeoutMs: 0,
    onArbiterLoss: "failsafe",
    activationTimeoutMs: row.leaseMaxMs,
    drainTimeoutMs: row.leaseMaxMs,
    drainMarginMs: row.leaseMaxMs / 4,
    killGraceMs: 0,
    proofByRefusal: false,
    useSsl,
    hardSslNameCheck: true,
    cpuPriority: "auto",
    launch: null,
    passed: {},
    origin: null,
  };
}
