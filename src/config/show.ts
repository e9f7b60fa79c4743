/**
 * What is in force, defaults included, under the names of the configuration's own keys: the JSON of
 * `arbiter config show`. Secrets are never in it.
 */
import { joinedNameOf } from "./joined.ts";
import { type KeySpec, keysOf } from "./keys.ts";
import type { Loaded } from "./load.ts";
import type { Member } from "./member.ts";
import { type Problem, renderProblem } from "./problem.ts";
import { isSecretName, withoutCredentials } from "./secrets.ts";
import type { Budget } from "./values.ts";
import { formatDuration } from "./values.ts";

export type Shown = Readonly<Record<string, unknown>>;

export interface ShownConfiguration {
  readonly cluster: Shown;
  readonly arbiters: readonly Shown[];
  readonly daemons: readonly Shown[];
  readonly services: readonly Shown[];
  readonly realms: readonly Shown[];
  readonly warnings: readonly ShownProblem[];
}
export interface ShownProblem extends Omit<Problem, "length" | "sourceLine"> {
  /** As a terminal would show it. */
  readonly rendered: string;
}

const HIDDEN = "(hidden)";

/** Of a configuration without errors. */
export function showConfiguration(loaded: Loaded): ShownConfiguration {
  const { model } = loaded;
  if (model === null) throw new Error("a configuration with errors has nothing in force");
  const members = new Map(loaded.members.map((member) => [member.spec.name, member]));
  const shown = (name: string): Shown => {
    const member = members.get(name);
    return member === undefined ? {} : showMember(member, loaded);
  };
  return {
    cluster: { name: model.name, ...showCluster(loaded) },
    arbiters: model.arbiters.map((arbiter) => ({
      ...pick(arbiter),
      ...(arbiter.origin === null ? { spare: false, electable: true, implied: true } : shown(arbiter.name)),
    })),
    daemons: model.daemons.map((daemon) => ({ ...pick(daemon), ...shown(daemon.name) })),
    services: model.services.map((service) => ({
      name: service.name,
      type: service.type,
      realm: service.realm,
      masters: service.masters,
      candidates: service.candidates,
      lease: formatDuration(service.leaseMs),
      check_interval: formatDuration(service.checkIntervalMs),
      max_check_attempts: service.maxCheckAttempts,
      failback: service.failback,
      failback_delay: formatDuration(service.failbackDelayMs),
      failback_delay_max: formatDuration(service.failbackDelayMaxMs),
      failure_timeout: formatDuration(service.failureTimeoutMs),
      activation_timeout: formatDuration(service.activationTimeoutMs),
      drain_timeout: formatDuration(service.drainTimeoutMs),
      config: hideSecrets(service.config),
    })),
    realms: model.realms.map((realm) => ({
      name: realm.name,
      realm_members: realm.members,
      default: realm.isDefault,
      file: realm.origin?.file ?? null,
      line: realm.origin?.line ?? null,
    })),
    warnings: showProblems(loaded.problems.filter((problem) => problem.severity !== "error")),
  };
}

export function showProblems(problems: readonly Problem[]): ShownProblem[] {
  return problems.map((problem) => {
    const { severity, file, line, column, key, found, expected, text } = problem;
    return { severity, file, line, column, key, found, expected, text, rendered: renderProblem(problem) };
  });
}

function pick(spec: Member["spec"]): Shown {
  const { name, type, role, address, port, realm, origin } = spec;
  const hasJoined = origin !== null && joinedNameOf(origin.file) !== null;
  const file = hasJoined ? null : (origin?.file ?? null);
  const line = hasJoined ? null : (origin?.line ?? null);
  return { name, type, role, address, port, realm, origin: originWord(spec), file, line };
}

/** Where it comes from: the files, the running cluster, or nobody wrote it. */
export function originWord({ origin }: Pick<Member["spec"], "origin">): "file" | "joined" | "implied" {
  if (origin === null) return "implied";
  return joinedNameOf(origin.file) === null ? "file" : "joined";
}

function showMember(member: Member, loaded: Loaded): Shown {
  const shown: Record<string, unknown> = {};
  for (const spec of new Set(keysOf(member.is).values())) {
    if (spec.name === "env_NAME" || spec.name === "name") continue;
    const computed = member.computed[spec.name];
    const value: unknown = computed === undefined ? member.reader.read(spec.name, spec.kind) : computed;
    shown[spec.name] = spec.isSecret === true ? HIDDEN : showValue(spec, value);
  }
  // The address stays as it was written.
  shown["address"] = member.spec.address;
  if (shown["token_file"] === null) shown["token_file"] = loaded.settings.security.tokenFile;
  const env = member.is === "daemon" ? (member.spec.launch?.env ?? {}) : {};
  for (const [name, value] of Object.entries(env)) {
    shown[`env_${name}`] = isSecretName(name) ? HIDDEN : withoutCredentials(value);
  }
  return { ...hideSecrets(member.spec.passed), ...shown };
}

function hideSecrets(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      isSecretName(key) ? HIDDEN : withoutCredentials(value),
    ]),
  );
}

function showValue(spec: KeySpec, value: unknown): unknown {
  if (spec.kind === "duration" && typeof value === "number") return formatDuration(value);
  if (spec.kind === "ratio" && typeof value === "number") return `${Number((value * 100).toFixed(6))}%`;
  if (spec.kind === "url" && typeof value === "string") return withoutCredentials(value);
  return value;
}

function showBudget(budget: Budget | null): string {
  return budget === null ? "none" : `${budget.moves} per ${formatDuration(budget.perMs)}`;
}

/** [cluster] with the sections that belong to it. */
function showCluster(loaded: Loaded): Shown {
  const { model, settings } = loaded;
  const { security, alerts, store } = settings;

  return {
    arbiter_lease: formatDuration(model?.arbiterLeaseMs ?? 0),
    clock_drift: `${Number(((model?.clockDrift ?? 0) * 100).toFixed(6))}%`,
    failover_budget: showBudget(settings.failoverBudget),
    state_dir: settings.stateDir,
    reload_rollback: settings.reloadRollback,
    config_sync: settings.configSync,
    config_sync_schedule: settings.configSyncSchedule,
    event_retention: formatDuration(settings.eventRetentionMs),
    member_timeout: formatDuration(settings.memberTimeoutMs),
    store: { type: store.type, url: withoutCredentials(store.url) },
    security: {
      token_file: security.tokenFile,
      read_token_file: security.readTokenFile,
      tls_cert: security.tlsCert,
      tls_key: security.tlsKey,
      tls_ca: security.tlsCa,
      client_cert: security.clientCert,
      bind: security.bind,
      insecure: security.insecure,
    },
    alerts: {
      webhook: hidden(alerts.webhook),
      webhook_secret_file: hidden(alerts.webhookSecret),
      webhook_events: alerts.webhookEvents,
      command: alerts.command,
      command_events: alerts.commandEvents,
      smtp: hidden(alerts.smtp),
      mail_to: alerts.mailTo,
      mail_from: alerts.mailFrom,
      mail_events: alerts.mailEvents,
      recovery: alerts.recovery,
      rate_limit: showBudget(alerts.rateLimit),
    },
    hash: loaded.hash,
  };
}

function hidden(value: string | null): string | null {
  return value === null ? null : HIDDEN;
}
