/**
 * `arbiter pki`: a small certificate authority for those who have none. Making certificates is
 * loaded only when one is made.
 */
import { resolve } from "node:path";
import { Command } from "commander";
import { WrongUsage } from "./failure.ts";
import type { PrintOptions } from "./options.ts";
import { withExamples, withJson } from "./options.ts";
import { printJson, standardOutput } from "./output.ts";
import type { Issued } from "./pki-authority.ts";

/** Ten years: the authority's end takes every certificate with it. */
const AUTHORITY_DAYS = "3650";
/** The longest that common clients accept. */
const CERTIFICATE_DAYS = "825";
const MOST_DAYS = 36_500;

interface InitOptions extends PrintOptions {
  readonly title: string;
  readonly days: string;
}
interface IssueOptions extends PrintOptions {
  readonly dir: string;
  readonly address?: string;
  readonly days: string;
  readonly replace?: boolean;
}

export function pkiCommand(): Command {
  return withExamples(new Command("pki").addCommand(initCommand()).addCommand(issueCommand()), [
    "arbiter pki init pki",
    "arbiter pki issue scheduler-master --address 10.0.0.2,db1.example.org",
  ]);
}

function initCommand(): Command {
  const command = new Command("init")
    .description("make a certificate authority")
    .argument("[dir]", "folder to make it in", "pki")
    .option("--title <text>", "what the authority is called", "Arbiter authority")
    .option("--days <n>", "how long it is valid", AUTHORITY_DAYS)
    .action(async (folder: string, options: InitOptions) => {
      const { makeAuthority } = await import("./pki-authority.ts");
      const made = await makeAuthority(resolve(folder), options.title, daysOf(options.days));
      if (options.json === true) {
        printJson(made);
        return;
      }
      told(made);
      standardOutput.write(
        `\n${made.key} signs whatever it is given: keep it on one machine, off the others.\n` +
          `Next: one certificate for each arbiter and daemon, in its own name\n` +
          `  arbiter pki issue NAME --address ADDRESS --dir ${folder}\n`,
      );
    });
  return withExamples(withJson(command), ["arbiter pki init pki"]);
}

function issueCommand(): Command {
  const command = new Command("issue")
    .description("issue a certificate to an arbiter, a daemon or a person")
    .argument("<name>", "the name of the arbiter or daemon in the configuration, or of whoever asks")
    .option("--address <a,b>", "where it answers: IP addresses and host names (default: none, it only calls)")
    .option("--dir <dir>", "folder of the authority", "pki")
    .option("--days <n>", "how long it is valid", CERTIFICATE_DAYS)
    .option("--replace", "put it in the place of an earlier one, with a new key")
    .action(async (name: string, options: IssueOptions) => {
      const { issueCertificate } = await import("./pki-authority.ts");
      const addresses = (options.address ?? "").split(",").map((address) => address.trim());
      const made = await issueCertificate(resolve(options.dir), {
        name,
        addresses: addresses.filter((address) => address !== ""),
        days: daysOf(options.days),
        replace: options.replace === true,
      });
      if (options.json === true) {
        printJson(made);
        return;
      }
      told(made);
      standardOutput.write(
        `\nNext: copy both, and ca.crt, to the machine of ${name}, and name them in [security]:\n` +
          `  tls_cert = ${name}.crt\n  tls_key  = ${name}.key\n  tls_ca   = ca.crt\n` +
          `with \`use_ssl = 1\` in its own file. A running process takes new files at once.\n`,
      );
    });
  return withExamples(withJson(command), [
    "arbiter pki issue scheduler-master --address 10.0.0.2,db1.example.org",
    "arbiter pki issue alice                             # for a person: it only calls",
    "arbiter pki issue scheduler-master --address 10.0.0.2 --replace",
  ]);
}

function told({ certificate, key, addresses, endsAt, fingerprint }: Issued): void {
  const where = addresses.length === 0 ? "" : ` for ${addresses.join(", ")}`;
  standardOutput.write(
    `wrote ${certificate}${where}, valid until ${endsAt.slice(0, 10)}\n` +
      `wrote ${key}, readable by its owner alone\nSHA-256 ${fingerprint}\n`,
  );
}

function daysOf(text: string): number {
  const days = /^\d{1,5}$/u.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= MOST_DAYS) return days;
  throw new WrongUsage(
    `--days: \`${text}\` is no number of days from 1 to ${MOST_DAYS}.`,
    "For example: --days 365",
  );
}
