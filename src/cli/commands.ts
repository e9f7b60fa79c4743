/**
 * The list of commands: name, group and one line each. A command's own file is loaded only when
 * it is asked for, so that none of them makes another slower to start.
 */
import type { Command } from "commander";

export interface CommandEntry {
  readonly name: string;
  readonly group: string;
  /** The line that `arbiter --help` prints, and the first one of the command's own help. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

const RUN = "Run:";
const LOOK = "Look:";
const MOVE = "Move and hold:";
const CONFIGURE = "Configure:";

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "start",
    group: RUN,
    summary: "start this machine's arbiter",
    load: async () => (await import("./start.ts")).startCommand(),
  },
  {
    name: "stop",
    group: RUN,
    summary: "stop the arbiter that was started with this configuration, in good order",
    load: async () => (await import("./stop.ts")).stopCommand(),
  },
  {
    name: "reload",
    group: RUN,
    summary: "have the running arbiter read its files again",
    load: async () => (await import("./reload.ts")).reloadCommand(),
  },
  {
    name: "daemon",
    group: RUN,
    summary: "launch a daemon on this machine: a command that runs only while it is active",
    load: async () => (await import("./daemon.ts")).daemonCommand(),
  },
  {
    name: "status",
    group: LOOK,
    summary: "arbiters, services, holders, daemons, and what is wrong",
    load: async () => (await import("./status.ts")).statusCommand(),
  },
  {
    name: "events",
    group: LOOK,
    summary: "the event log",
    load: async () => (await import("./events.ts")).eventsCommand(),
  },
  {
    name: "publish",
    group: LOOK,
    summary: "put an event of your own into the event log",
    load: async () => (await import("./publish.ts")).publishCommand(),
  },
  {
    name: "alert",
    group: LOOK,
    summary: "try the alerts",
    load: async () => (await import("./alert.ts")).alertCommand(),
  },
  {
    name: "leader",
    group: LOOK,
    summary: "which arbiter leads, or hand the lead over",
    load: async () => (await import("./leader.ts")).leaderCommand(),
  },
  {
    name: "resolve",
    group: LOOK,
    summary: "which daemon holds a service, and where it answers",
    load: async () => (await import("./resolve.ts")).resolveCommand(),
  },
  {
    name: "explain",
    group: LOOK,
    summary: "why a service is where it is, and why nothing moves",
    load: async () => (await import("./explain.ts")).explainCommand(),
  },
  {
    name: "replay",
    group: LOOK,
    summary: "play a recording through the core, and compare what it decides",
    load: async () => (await import("./replay.ts")).replayCommand(),
  },
  {
    name: "switchover",
    group: MOVE,
    summary: "move a service in good order, without a failure",
    load: async () => (await import("./switchover.ts")).switchoverCommand(),
  },
  {
    name: "failover",
    group: MOVE,
    summary: "take a service from a daemon that has failed",
    load: async () => (await import("./failover.ts")).failoverCommand(),
  },
  {
    name: "failback",
    group: MOVE,
    summary: "move a service back to its master",
    load: async () => (await import("./failback.ts")).failbackCommand(),
  },
  {
    name: "drill",
    group: MOVE,
    summary: "switch over to a spare and back, and say how long the gaps were",
    load: async () => (await import("./drill.ts")).drillCommand(),
  },
  {
    name: "pause",
    group: MOVE,
    summary: "let nothing move by itself, for a time",
    load: async () => (await import("./pause.ts")).pauseCommand(),
  },
  {
    name: "resume",
    group: MOVE,
    summary: "end a pause",
    load: async () => (await import("./resume.ts")).resumeCommand(),
  },
  {
    name: "maintenance",
    group: MOVE,
    summary: "have a daemon give up what it holds, and not be chosen",
    load: async () => (await import("./maintenance.ts")).maintenanceCommand(),
  },
  {
    name: "config",
    group: CONFIGURE,
    summary: "check the configuration, show it, or see what a reload would do",
    load: async () => (await import("./config.ts")).configCommand(),
  },
  {
    name: "simulate",
    group: CONFIGURE,
    summary: "run this configuration through random faults, in virtual time",
    load: async () => (await import("./simulate.ts")).simulateCommand(),
  },
  {
    name: "init",
    group: CONFIGURE,
    summary: "write a commented sample configuration",
    load: async () => (await import("./init.ts")).initCommand(),
  },
  {
    name: "pki",
    group: CONFIGURE,
    summary: "make certificates for TLS: a small authority for those who have none",
    load: async () => (await import("./pki.ts")).pkiCommand(),
  },
  {
    name: "completion",
    group: CONFIGURE,
    summary: "completion of commands and names for bash, zsh or fish",
    load: async () => (await import("./completion.ts")).completionCommand(),
  },
];
