/** The keys of the cluster's own sections and of realms. See keys.ts. */
import type { KeySpec } from "./keys.ts";

const CLUSTER: readonly KeySpec[] = [
  {
    name: "name",
    kind: "name",
    fallback: "arbiter",
    where: ["cluster"],
    meaning: "The cluster's name, for people.",
  },
  {
    name: "arbiter_lease",
    kind: "duration",
    fallback: "2s",
    min: 200,
    where: ["cluster"],
    meaning: "How long an arbiter leads without a sign of life.",
  },
  {
    name: "failover_budget",
    kind: "budget",
    fallback: "none",
    where: ["cluster"],
    meaning:
      "`3 per 10m`: past so many causes nothing moves unplanned until an operator resumes or the period is over. Ten services lost with one host are one cause.",
  },
  {
    name: "state_dir",
    kind: "path",
    fallback: null,
    computed: "`/var/lib/arbiter` for `/etc/arbiter`, else `var` beside `etc`, else `var` in the folder",
    where: ["cluster"],
    meaning: "Where state is kept, one sub-folder a daemon or arbiter. Relative to the configuration folder.",
  },
  {
    name: "reload_rollback",
    kind: "text",
    fallback: "manual",
    oneOf: ["manual", "auto"],
    where: ["cluster"],
    meaning: "`auto`: a version that leaves a service vacant which was held before is rolled back by itself.",
  },
  {
    name: "clock_drift",
    kind: "ratio",
    fallback: "1%",
    where: ["cluster"],
    meaning: "By how much two clocks' rates may differ. Safety holds within it.",
  },
  {
    name: "config_sync",
    kind: "text",
    fallback: "warn",
    oneOf: ["warn", "enforce", "replicate"],
    where: ["cluster"],
    meaning:
      "When arbiters' files differ. `warn` says so; with `enforce` the drifted one won't lead while another could; with `replicate` it receives the leader's files.",
  },
  {
    name: "config_sync_schedule",
    kind: "cron",
    fallback: null,
    where: ["cluster"],
    meaning: "When to compare besides every change: a cron expression.",
  },
  {
    name: "member_timeout",
    kind: "duration",
    fallback: "10m",
    min: 1000,
    where: ["cluster"],
    meaning: "A daemon that joined the running cluster is dropped once it has been gone for so long.",
  },
  {
    name: "event_retention",
    kind: "duration",
    fallback: "30d",
    min: 1000,
    where: ["cluster"],
    meaning: "Older events are removed.",
  },
];

const STORE: readonly KeySpec[] = [
  {
    name: "type",
    kind: "text",
    fallback: null,
    computed: "what `url` begins with, else `sqlite`",
    oneOf: ["sqlite", "mysql", "postgres", "etcd", "zookeeper", "quorum"],
    where: ["store"],
    meaning: "Which store the arbiters share. `quorum` is for a later version and refused.",
  },
  {
    name: "url",
    kind: "text",
    fallback: null,
    computed: "`sqlite:arbiter.db`",
    isSecret: true,
    where: ["store"],
    meaning:
      "`sqlite:var/arbiter.db`, `mysql://…`, `postgres://…`, `etcd://h1:2379,h2:2379`, `zookeeper://h1:2181,h2:2181`. A relative path starts at `state_dir`.",
  },
  {
    name: "url_file",
    kind: "path",
    fallback: null,
    where: ["store"],
    meaning: "A file that holds the `url`, where it carries a password.",
  },
];

const SECURITY: readonly KeySpec[] = [
  {
    name: "token_file",
    kind: "path",
    fallback: null,
    where: ["security"],
    meaning:
      "The file with the token that every changing request needs. Relative to the configuration folder, as are the others here.",
  },
  {
    name: "read_token_file",
    kind: "path",
    fallback: null,
    where: ["security"],
    meaning: "The file with the token that reading needs. Without it, reads are open.",
  },
  {
    name: "tls_cert",
    kind: "path",
    fallback: null,
    where: ["security"],
    meaning: "The certificate (PEM); `{name}` in it stands for the daemon's or arbiter's name.",
  },
  {
    name: "tls_key",
    kind: "path",
    fallback: null,
    where: ["security"],
    meaning: "Its private key (PEM); `{name}` as above.",
  },
  {
    name: "tls_ca",
    kind: "path",
    fallback: null,
    computed: "the system's",
    where: ["security"],
    meaning: "Who signs the others' certificates (PEM).",
  },
  {
    name: "client_cert",
    kind: "text",
    fallback: "none",
    oneOf: ["none", "required"],
    where: ["security"],
    meaning:
      "`required`: who calls must show a certificate signed by `tls_ca`, and reports, promises, assignments and what answers them must come under the name that it bears.",
  },
  {
    name: "bind",
    kind: "text",
    fallback: null,
    computed: "the own `address`",
    where: ["security"],
    meaning: "Where to listen. Anything but loopback is refused without a token.",
  },
  {
    name: "insecure",
    kind: "boolean",
    fallback: "0",
    where: ["security"],
    meaning:
      "`1`: listen beyond loopback without a token all the same. Anyone who reaches the port can then move services.",
  },
];

const ALERTS: readonly KeySpec[] = [
  {
    name: "webhook",
    kind: "url",
    fallback: null,
    isSecret: true,
    where: ["alerts"],
    meaning: "Each message is posted there as JSON, again and again until it is taken.",
  },
  {
    name: "webhook_file",
    kind: "path",
    fallback: null,
    where: ["alerts"],
    meaning: "A file that holds the `webhook`, where its URL is a secret.",
  },
  {
    name: "webhook_secret_file",
    kind: "path",
    fallback: null,
    where: ["alerts"],
    meaning:
      "A file with the secret that posts are signed with, so that the receiver can tell them from others' (Standard Webhooks).",
  },
  {
    name: "webhook_events",
    kind: "list",
    fallback: null,
    computed: "all alerts",
    where: ["alerts"],
    meaning: "Which events go to the webhook, by name; `*` stands for any letters.",
  },
  {
    name: "command",
    kind: "command",
    fallback: null,
    where: ["alerts"],
    meaning:
      "Run for each message, which it gets on standard input as JSON; without a shell. Exit code 0: delivered.",
  },
  {
    name: "command_events",
    kind: "list",
    fallback: null,
    computed: "all alerts",
    where: ["alerts"],
    meaning: "Which events go to the command.",
  },
  {
    name: "smtp",
    kind: "text",
    fallback: null,
    isSecret: true,
    where: ["alerts"],
    meaning: "A mail server, `smtp://user:password@host:587`.",
  },
  {
    name: "smtp_file",
    kind: "path",
    fallback: null,
    where: ["alerts"],
    meaning: "A file that holds `smtp`.",
  },
  {
    name: "mail_to",
    kind: "list",
    fallback: null,
    where: ["alerts"],
    meaning: "Who gets mail, with commas between them. Needs `smtp`.",
  },
  {
    name: "mail_from",
    kind: "text",
    fallback: null,
    computed: "`arbiter@` the host",
    where: ["alerts"],
    meaning: "The sender's address.",
  },
  {
    name: "mail_events",
    kind: "list",
    fallback: null,
    computed: "all alerts",
    where: ["alerts"],
    meaning: "Which events are mailed.",
  },
  {
    name: "events",
    kind: "list",
    fallback: null,
    computed: "all alerts",
    where: ["alerts"],
    meaning: "The same for all three, where they have no filter of their own.",
  },
  {
    name: "recovery",
    kind: "boolean",
    fallback: "1",
    where: ["alerts"],
    meaning:
      "Whether the end of a trouble that was told is told, too, also where the filter doesn't name it.",
  },
  {
    name: "rate_limit",
    kind: "budget",
    fallback: "10 per 1m",
    where: ["alerts"],
    meaning: "Messages to each target. What comes faster is gathered into one message, and not dropped.",
  },
];

const REALM: readonly KeySpec[] = [
  {
    name: "name",
    kind: "name",
    fallback: null,
    where: ["realm"],
    meaning: "The realm's name. `realm_name` says the same.",
  },
  {
    name: "realm_members",
    kind: "list",
    fallback: null,
    where: ["realm"],
    aliases: ["members"],
    meaning: "The realms right below it, with commas between them. `members` says the same.",
  },
  {
    name: "default",
    kind: "boolean",
    fallback: "0",
    where: ["realm"],
    meaning: "`1`: the realm of daemons that name none.",
  },
];

export const CLUSTER_KEYS: readonly KeySpec[] = [...CLUSTER, ...STORE, ...SECURITY, ...ALERTS, ...REALM];
