/**
 * Every error code of the project, in one place, each with one line that says what it means.
 *
 * A code is public: it stands in logs, in problem+json bodies and in `docs/errors.md`, and a test
 * compares this list with that document both ways. A message says what happened, where, and what
 * to do about it; the code says which kind it is, so that a program need not read the message.
 */

export const ERRORS = {
  ERR_ARB_USAGE: "A command or a call was given arguments that it does not understand.",
  ERR_ARB_CONFIG: "The configuration can't be used; each error is listed with file, line and key.",
  ERR_ARB_CONFIG_FOLDER: "The configuration folder or file does not exist, is empty or can't be read.",
  ERR_ARB_WHICH_ARBITER: "Several arbiters are configured and it isn't clear which one this is.",
  ERR_ARB_WHICH_DAEMON: "Several daemons are configured, or none, and it isn't clear which one this is.",
  ERR_ARB_ROLE: "The role that was asked for contradicts the daemon's file.",
  ERR_ARB_LEASE_LOST: "The lease on the service was not renewed, or has been given up: don't act for it.",
  ERR_ARB_UNKNOWN_ARBITER: "The name given is no arbiter of the configuration.",
  ERR_ARB_PORT_IN_USE: "Another process listens at the address and port.",
  ERR_ARB_BIND: "The address can't be listened at: it isn't this machine's, or the port is privileged.",
  ERR_ARB_OPEN_BIND: "An address that isn't loopback was refused, because no token is set.",
  ERR_ARB_TOKEN_FILE: "A token file can't be read or holds no usable token.",
  ERR_ARB_TLS: "TLS is asked for, but its certificate or key is missing or can't be used.",
  ERR_ARB_STATE_DIR: "The state folder can't be made, read or written.",
  ERR_ARB_ALREADY_RUNNING: "The same arbiter or daemon already runs with this state folder.",
  ERR_ARB_NOT_RUNNING: "No arbiter runs that was started with this configuration.",
  ERR_ARB_STORE_URL: "The store's type or url is unknown or malformed.",
  ERR_ARB_STORE_ENGINE: "The store's engine is not part of this version.",
  ERR_ARB_STORE_FENCED: "The store refused a write: another arbiter leads, or the row has moved on.",
  ERR_ARB_STORE_UNAVAILABLE: "The store can't be used now: locked, read-only, corrupt, full or out of reach.",
  ERR_ARB_MESSAGE: "A message is not what the protocol says; the member and what was expected are named.",
  ERR_ARB_BODY: "A request's body is too large, not JSON, or of another media type.",
  ERR_ARB_UNAUTHORIZED: "The request carries no valid bearer token.",
  ERR_ARB_FORBIDDEN:
    "The request comes from another site's page, under a foreign host name, or with another's certificate.",
  ERR_ARB_NOT_FOUND: "There is no such service, daemon or path.",
  ERR_ARB_METHOD: "The path exists, but not with this method.",
  ERR_ARB_CONFLICT: "The operation can't be done in the present state; the answer says why.",
  ERR_ARB_IDEMPOTENCY_KEY: "The idempotency key stands for another event already.",
  ERR_ARB_STALE_MAP: "The version of the cluster map that was asked for has not been reached yet.",
  ERR_ARB_VACANT: "The service has no holder at the moment.",
  ERR_ARB_NOT_HOLDER:
    "The request reached a daemon that holds no valid lease on the service; the answer says who does.",
  ERR_ARB_OLD_EPOCH:
    "The request carries an older epoch than one already seen, or none where one is required.",
  ERR_ARB_MOVED: "The holder that a request was sent to is over: a newer epoch has been seen.",
  ERR_ARB_DEADLINE: "A request to the service's holder could not be answered within its deadline.",
  ERR_ARB_NOT_LEADER: "This arbiter stands by and can't carry out the operation.",
  ERR_ARB_UNREACHABLE: "None of the arbiters that the client knows gives an answer of use.",
  ERR_ARB_TOO_MANY_REQUESTS: "The sender is over its rate; it may try again after a moment.",
  ERR_ARB_LAUNCHER:
    "The launcher can't guard a program: a tool that it needs is missing, or a setting can't work.",
  ERR_ARB_PROGRAM:
    "A launched program or one of its hooks could not be started, or ended before it was ready.",
  ERR_ARB_LATER_STEP: "The operation belongs to a feature that this version does not have.",
  ERR_ARB_INTERNAL: "An error of the program itself; its log has the details.",
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** An operating error: something outside the program is not as it has to be. */
export class ArbiterError extends Error {
  override readonly name: string = "ArbiterError";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The `code` of a system or library error (`EADDRINUSE`), or the empty string. */
export function codeOf(thrown: unknown): string {
  const code: unknown = thrown instanceof Error && "code" in thrown ? thrown.code : null;
  return typeof code === "string" ? code : "";
}
