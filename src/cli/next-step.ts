/**
 * The next command to try, for each kind of error: what stands below an error that doesn't know
 * better itself. A command that knows more (a name, a folder) says that instead.
 */
import type { ErrorCode } from "../protocol/errors.ts";

const CHECK = "`arbiter config check` shows every error with its line.";
const STATUS = "`arbiter status` says what is wrong and what to do.";
const CERTIFICATES =
  "`arbiter pki --help` tells how certificates are made; `arbiter config show` which are used.";

const NEXT_STEPS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_ARB_USAGE: "`arbiter --help` lists the commands.",
  ERR_ARB_CONFIG: CHECK,
  ERR_ARB_CONFIG_FOLDER: "`arbiter init DIR` writes a sample; --config DIR names another folder.",
  ERR_ARB_WHICH_ARBITER: "`arbiter start --name NAME` says which one this is.",
  ERR_ARB_WHICH_DAEMON: "`arbiter daemon --name NAME …` says which one this is.",
  ERR_ARB_ROLE: "`arbiter config show` prints each daemon's role; leave --role out, or change `spare`.",
  ERR_ARB_LEASE_LOST: STATUS,
  ERR_ARB_UNKNOWN_ARBITER: "`arbiter config show` prints the arbiters that there are.",
  ERR_ARB_PORT_IN_USE: "`ss -ltnp` shows who listens there; `arbiter status` whether it is an arbiter.",
  ERR_ARB_BIND:
    "`ip address` shows this machine's addresses; `arbiter config show` those of the configuration.",
  ERR_ARB_OPEN_BIND: "`arbiter help start`; a token is a file with a random line, named by `token_file`.",
  ERR_ARB_TOKEN_FILE: "`head -c 32 /dev/urandom | base64 > FILE` makes one; `chmod 600 FILE`.",
  ERR_ARB_TLS: CERTIFICATES,
  ERR_ARB_STATE_DIR:
    "`arbiter config show` prints `state_dir`; it must be a folder that this user may write to.",
  ERR_ARB_ALREADY_RUNNING:
    "`arbiter status` shows what runs; `arbiter stop` or `arbiter daemon stop NAME` ends it.",
  ERR_ARB_NOT_RUNNING: "`arbiter start` starts an arbiter, `arbiter daemon` a daemon.",
  ERR_ARB_STORE_URL: CHECK,
  ERR_ARB_STORE_ENGINE: "`arbiter config show` prints the store; docs/stores.md has those that there are.",
  ERR_ARB_STORE_FENCED: "`arbiter leader` says who leads now.",
  ERR_ARB_STORE_UNAVAILABLE: STATUS,
  ERR_ARB_MESSAGE: "`arbiter --version` here and there: the two may be of different versions.",
  ERR_ARB_BODY: "`arbiter --version` here and there: the two may be of different versions.",
  ERR_ARB_UNAUTHORIZED:
    "It wants the cluster's token: --token-file FILE, $ARBITER_TOKEN_FILE, or --config DIR with a `token_file`.",
  ERR_ARB_FORBIDDEN: CERTIFICATES,
  ERR_ARB_NOT_FOUND: "`arbiter status` lists services, daemons and arbiters.",
  ERR_ARB_METHOD: "`arbiter --version` here and there: the two may be of different versions.",
  ERR_ARB_CONFLICT: STATUS,
  ERR_ARB_STALE_MAP: "Ask again; `arbiter leader` says who leads.",
  ERR_ARB_VACANT: STATUS,
  ERR_ARB_NOT_LEADER: "`arbiter status` says who leads, and what is in the way.",
  ERR_ARB_UNREACHABLE: "`arbiter status --url URL` asks another arbiter; `arbiter start` starts one.",
  ERR_ARB_TOO_MANY_REQUESTS: "Try again in a moment.",
  ERR_ARB_LAUNCHER: "`arbiter daemon --help` lists what can be set; docs/launcher.md what it needs.",
  ERR_ARB_PROGRAM: "Run the command by hand, as its user and in its folder; `arbiter config show` prints it.",
  ERR_ARB_IDEMPOTENCY_KEY:
    "`arbiter events --last 20` shows what has been published; another event needs another key.",
  ERR_ARB_MOVED: "`arbiter resolve SERVICE` prints who holds it now.",
  ERR_ARB_NOT_HOLDER: STATUS,
  ERR_ARB_OLD_EPOCH: "`arbiter resolve SERVICE` prints the holder and the epoch that counts.",
  ERR_ARB_DEADLINE: STATUS,
  ERR_ARB_LATER_STEP: "`arbiter --help` lists what this version does.",
  ERR_ARB_INTERNAL:
    "Its log has the details: `arbiter.log` or `daemon.log` in its state folder, or its output.",
};

/** null: no code of ours. */
export function nextStepOf(code: unknown): string | null {
  if (typeof code !== "string" || !Object.hasOwn(NEXT_STEPS, code)) return null;
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- it is a key of the table, see above
  return NEXT_STEPS[code as ErrorCode] ?? null;
}
