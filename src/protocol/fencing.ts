/** The headers by which clients and receivers fence requests; lower case, as node:http gives them. */

/** The epoch of the holder that the sender means, or is; in an answer, that of the holder that gives it. */
export const EPOCH_HEADER = "arbiter-epoch";
/** The service that the epoch is of. */
export const SERVICE_HEADER = "arbiter-service";

/** An epoch as a header has it; null: there is none; undefined: it is something else. */
export function epochIn(header: string | readonly string[] | undefined): number | null | undefined {
  if (header === undefined) return null;
  return typeof header === "string" && /^\d{1,15}$/u.test(header) ? Number(header) : undefined;
}
