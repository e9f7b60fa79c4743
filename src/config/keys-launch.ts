/** The keys of a program that a launcher runs while its daemon is active. See keys.ts. */
import type { KeySpec, Where } from "./keys.ts";

const ANY: readonly Where[] = ["daemon", "cluster"];

export const LAUNCH_KEYS: readonly KeySpec[] = [
  {
    name: "command",
    kind: "command",
    fallback: null,
    where: ANY,
    meaning: "A program to run while active. No shell; quotes keep words together.",
  },
  {
    name: "cwd",
    kind: "path",
    fallback: null,
    computed: "the launcher's",
    where: ANY,
    meaning: "The program's working directory.",
  },
  {
    name: "env_NAME",
    kind: "text",
    fallback: null,
    where: ANY,
    meaning:
      "`env_LANG = C` sets `LANG` for the program. `env_NAME_file` takes the value from a file when the program is started.",
  },
  {
    name: "user",
    kind: "text",
    fallback: null,
    computed: "the launcher's",
    where: ANY,
    meaning: "The user that the program runs as.",
  },
  { name: "stop_signal", kind: "signal", fallback: "TERM", where: ANY, meaning: "How it is asked to stop." },
  {
    name: "stop_timeout",
    kind: "duration",
    fallback: null,
    computed: "`drain_timeout`",
    where: ANY,
    meaning: "After so long its whole process group gets SIGKILL.",
  },
  { name: "health_url", kind: "url", fallback: null, where: ANY, meaning: "Healthy while this answers 2xx." },
  {
    name: "health_command",
    kind: "command",
    fallback: null,
    where: ANY,
    meaning: "Healthy while this exits with 0.",
  },
  {
    name: "health_tcp",
    kind: "hostPort",
    fallback: null,
    where: ANY,
    meaning:
      "Healthy while this `host:port` accepts connections. With none of the three, it is healthy while the process is alive.",
  },
  {
    name: "start_timeout",
    kind: "duration",
    fallback: "30s",
    min: 1,
    where: ANY,
    meaning: "Until then it must have been healthy for the first time.",
  },
  {
    name: "restart_attempts",
    kind: "integer",
    fallback: "0",
    min: 0,
    max: 1000,
    where: ANY,
    meaning:
      "Restarts in place, in the same epoch and lease, before the service moves. The count is reset after `failure_timeout`.",
  },
  {
    name: "restart_delay",
    kind: "duration",
    fallback: "0s",
    where: ANY,
    meaning: "The pause before a restart in place.",
  },
  {
    name: "pre_start",
    kind: "command",
    fallback: null,
    where: ANY,
    meaning: "Run before the program; if it fails, so does the activation.",
  },
  {
    name: "post_start",
    kind: "command",
    fallback: null,
    where: ANY,
    meaning: "Run once the program is healthy.",
  },
  {
    name: "pre_stop",
    kind: "command",
    fallback: null,
    where: ANY,
    meaning: "Run before the program is asked to stop.",
  },
  {
    name: "post_stop",
    kind: "command",
    fallback: null,
    where: ANY,
    meaning: "Run after the program has ended.",
  },
  {
    name: "hook_timeout",
    kind: "duration",
    fallback: "10s",
    min: 1,
    where: ANY,
    meaning: "How long each of these four may take.",
  },
  {
    name: "watchdog",
    kind: "path",
    fallback: null,
    where: ANY,
    meaning:
      "A watchdog device, `/dev/watchdog`: the machine restarts if the launcher stops feeding it while active.",
  },
  {
    name: "log_level",
    kind: "text",
    fallback: "info",
    oneOf: ["debug", "info", "warn", "error"],
    where: ["daemon", "arbiter", "cluster"],
    meaning: "How much it logs.",
  },
];
