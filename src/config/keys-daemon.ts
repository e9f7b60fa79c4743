/** The keys of a daemon, in the order of the documentation. See keys.ts. */
import { LAUNCH_KEYS } from "./keys-launch.ts";
import type { KeySpec, Where } from "./keys.ts";

/** A default of all daemons may stand in [cluster], and one of a service in its section. */
const ANY: readonly Where[] = ["daemon", "cluster"];
const SERVICE: readonly Where[] = ["daemon", "service", "cluster"];
const BOTH: readonly Where[] = ["daemon", "arbiter", "cluster"];

const WHO: readonly KeySpec[] = [
  {
    name: "name",
    kind: "name",
    fallback: null,
    where: ["daemon", "arbiter"],
    meaning: "Unique in the cluster. `TYPE_name` says the same: `scheduler_name`, `arbiter_name`.",
  },
  {
    name: "address",
    kind: "address",
    fallback: "127.0.0.1",
    where: BOTH,
    meaning: "Where it answers: IPv4, IPv6 or a host name, looked up again at each new connection.",
  },
  {
    name: "port",
    kind: "port",
    fallback: null,
    computed: "by type",
    where: BOTH,
    meaning:
      "arbiter 7770, scheduler 7768, reactionner 7769, poller 7771, broker 7772, receiver 7773; any other type names its port.",
  },
  {
    name: "spare",
    kind: "boolean",
    fallback: "0",
    where: ["daemon", "arbiter"],
    meaning: "`1`: a spare; `0`: a master.",
  },
  {
    name: "realm",
    kind: "name",
    fallback: null,
    computed: "the realm with `default 1`, else `All`",
    where: BOTH,
    meaning: "The group that backs each other up. `All` exists without being defined.",
  },
  {
    name: "manage_sub_realms",
    kind: "boolean",
    fallback: "0",
    where: BOTH,
    meaning: "A spare with `1` backs up the realms below its own too.",
  },
  {
    name: "service",
    kind: "name",
    fallback: null,
    computed: "the master's name",
    where: ["daemon"],
    meaning: "The service that this master brings. Masters that name the same one share it.",
  },
  {
    name: "spare_for",
    kind: "list",
    fallback: null,
    computed: "every service of its type and realm",
    where: ["daemon"],
    meaning: "A spare for these services alone, with commas between them.",
  },
  {
    name: "priority",
    kind: "integer",
    fallback: "0",
    where: ANY,
    meaning: "Higher goes first among equals.",
  },
  {
    name: "capacity",
    kind: "integer",
    fallback: "1",
    min: 1,
    where: ANY,
    meaning: "How many services it may hold at once.",
  },
];

const CHECKING: readonly KeySpec[] = [
  {
    name: "check_interval",
    kind: "duration",
    fallback: "500ms",
    min: 10,
    where: SERVICE,
    meaning:
      "How often it is checked. A holder is checked every sixth of its lease if that is sooner. In Alignak 2's `[daemon.NAME]`, `polling_interval` says the same.",
  },
  {
    name: "timeout",
    kind: "duration",
    fallback: "300ms",
    min: 5,
    where: SERVICE,
    aliases: ["short_timeout"],
    meaning: "How long a check may take. `short_timeout` says the same.",
  },
  {
    name: "max_check_attempts",
    kind: "integer",
    fallback: "3",
    min: 1,
    max: 1000,
    where: SERVICE,
    meaning: "After so many failed checks in a row it counts as dead.",
  },
  {
    name: "lease",
    kind: "duration",
    fallback: null,
    computed: "`2s`; longer where the check needs it",
    min: 100,
    where: SERVICE,
    meaning:
      "The holder's right to be active, renewed with every check. Where it isn't written and `check_interval` is above `500ms`, it is five intervals (2 s at least), or as many as `max_check_attempts` and `timeout` need.",
  },
  {
    name: "profile",
    kind: "text",
    fallback: "normal",
    oneOf: ["normal", "fast"],
    where: SERVICE,
    meaning:
      "`fast` stands for check_interval `50ms`, timeout `40ms`, max_check_attempts `3`, lease `300ms`, kill_grace `40ms`, each unless written.",
  },
];

const MOVING: readonly KeySpec[] = [
  {
    name: "failback",
    kind: "text",
    fallback: "auto",
    oneOf: ["auto", "manual", "never"],
    where: SERVICE,
    meaning: "Whether a returned master gets its service back: by itself, on command, or never.",
  },
  {
    name: "failback_delay",
    kind: "duration",
    fallback: "5s",
    where: SERVICE,
    meaning: "How long a returned master must be healthy first.",
  },
  {
    name: "failback_delay_max",
    kind: "duration",
    fallback: "10m",
    where: SERVICE,
    meaning: "The delay doubles with every unplanned loss of a master that flaps, up to this.",
  },
  {
    name: "failback_window",
    kind: "window",
    fallback: null,
    where: SERVICE,
    meaning:
      "Failback happens only then: a cron expression with a length, `0 2 * * * for 1h`, in the arbiter's own time zone (`TZ`). `arbiter failback` asks no window.",
  },
  {
    name: "failure_timeout",
    kind: "duration",
    fallback: "10m",
    where: SERVICE,
    meaning: "How long a failure counts against a daemon.",
  },
  {
    name: "on_arbiter_loss",
    kind: "text",
    fallback: "failsafe",
    oneOf: ["failsafe", "demote", "hold"],
    where: SERVICE,
    meaning:
      "What a holder does that no arbiter reaches. `failsafe`: it goes on while every other candidate promises not to start; `demote`: it stops at its lease's end; `hold`: it goes on whatever happens, which is **unsafe**: two may run.",
  },
  {
    name: "activation_timeout",
    kind: "duration",
    fallback: "30s",
    min: 1,
    where: SERVICE,
    meaning: "How long an activation may take.",
  },
  {
    name: "drain_timeout",
    kind: "duration",
    fallback: "10s",
    where: SERVICE,
    meaning: "How long a planned stop may take.",
  },
  {
    name: "drain_margin",
    kind: "duration",
    fallback: null,
    computed: "a quarter of the lease",
    where: SERVICE,
    meaning: "So long before its lease's end a holder begins to stop, once failsafe has failed.",
  },
  {
    name: "kill_grace",
    kind: "duration",
    fallback: null,
    computed: "`250ms`, half of `drain_margin` at most",
    where: SERVICE,
    meaning: "So long before the lease's end what still runs is killed.",
  },
  {
    name: "proof_by_refusal",
    kind: "boolean",
    fallback: "0",
    where: ANY,
    meaning:
      "Library daemons only: a refused connection proves that the process is gone. Only where nothing in between refuses on its behalf.",
  },
  {
    name: "drill",
    kind: "cron",
    fallback: null,
    where: SERVICE,
    meaning: "When to switch over to a spare and back, and measure both gaps: a cron expression.",
  },
  {
    name: "drill_hold",
    kind: "duration",
    fallback: "10s",
    where: SERVICE,
    meaning: "How long a drill leaves the service on the spare, watching it.",
  },
  {
    name: "drill_max_age",
    kind: "duration",
    fallback: "35d",
    where: SERVICE,
    meaning: "An alarm when the last good drill is older.",
  },
];

const TRANSPORT: readonly KeySpec[] = [
  {
    name: "use_ssl",
    kind: "boolean",
    fallback: "0",
    where: BOTH,
    meaning: "HTTPS to it. It works or is refused: never plain HTTP in silence.",
  },
  {
    name: "hard_ssl_name_check",
    kind: "boolean",
    fallback: "1",
    where: BOTH,
    meaning: "The certificate must be for its address.",
  },
  {
    name: "cpu_priority",
    kind: "text",
    fallback: "auto",
    oneOf: ["auto", "realtime", "normal"],
    where: BOTH,
    meaning:
      "`auto`: an arbiter, a launcher and its guard go before other work on a busy machine, where the kernel allows it; the program doesn't. `realtime`: a library daemon too, and a refusal is a warning. `normal`: none does.",
  },
  { name: "electable", kind: "boolean", fallback: "1", where: ["arbiter"], meaning: "Arbiters: may lead." },
  {
    name: "token_file",
    kind: "path",
    fallback: null,
    where: ["daemon", "arbiter"],
    meaning: "The file with the cluster's token, where it isn't in `[security]` of the same folder.",
  },
  {
    name: "secret_file",
    kind: "path",
    fallback: null,
    where: ANY,
    meaning:
      "A file with a secret of the daemon's own. Its path is passed to the daemon; the arbiter never reads it.",
  },
];

export const DAEMON_KEYS: readonly KeySpec[] = [...WHO, ...CHECKING, ...MOVING, ...TRANSPORT, ...LAUNCH_KEYS];
