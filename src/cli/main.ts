/**
 * The program `arbiter`: finds the command, runs it, and turns how it ended into an exit code.
 *
 * Standard output carries only what was asked for. Whatever else is to be said (progress, errors,
 * warnings) goes to standard error. The exit code is 0 for yes, 1 for a clear no, 2 for wrong
 * usage, and it is set rather than forced, so that a pipe gets the last line as well.
 */
import { Command, CommanderError } from "commander";
import { COMMANDS } from "./commands.ts";
import { codeOf } from "../protocol/errors.ts";
import { ClearNo, SaidNo, WrongUsage } from "./failure.ts";
import { nextStepOf } from "./next-step.ts";
import { programVersion } from "../protocol/version.ts";

const INTRODUCTION = "Keeps one and only one copy of each service running on a set of ordinary machines.";

const EXAMPLES = `
Examples:
  arbiter init                     write a sample configuration to ./etc/arbiter
  arbiter config check             say what is wrong with it
  arbiter start                    start this machine's arbiter
  arbiter status --watch           see who holds what
  arbiter help switchover          what a command does, with an example

Exit codes: 0 yes, 1 a clear no (the message says what to do), 2 wrong usage.
`;

/** The command that is meant, or undefined: `arbiter help start` means `start`. */
function wantedName(argv: readonly string[]): string | undefined {
  const words = argv.filter((word) => !word.startsWith("-"));
  return words[0] === "help" ? words[1] : words[0];
}

/** Commander would end the process by itself, and with 1: both are ours to decide. */
function takeControl(command: Command): void {
  command.exitOverride();
  for (const sub of command.commands) takeControl(sub);
}

async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command("arbiter")
    .description(INTRODUCTION)
    .usage("COMMAND [options]")
    .version(programVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print a command's help")
    .showHelpAfterError("(arbiter --help lists the commands)")
    .addHelpText("after", EXAMPLES);
  const wanted = wantedName(argv);
  for (const entry of COMMANDS) {
    // The others are only named: for the list, and for "did you mean".
    const command = entry.name === wanted ? await entry.load() : new Command(entry.name);
    if (command.description() === "") command.description(entry.summary);
    command
      .summary(entry.summary)
      .helpGroup(entry.group)
      .showHelpAfterError(`(arbiter ${entry.name} --help shows how it is used)`);
    program.addCommand(command);
  }
  takeControl(program);
  return program;
}

/** Prints how the command ended, where it wasn't with yes. Gives back the exit code. */
export function conclude(error: unknown): number {
  if (error instanceof SaidNo) return error.exitCode;
  if (error instanceof CommanderError) {
    // Help that was asked for is a yes. Commander has printed everything already.
    return error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof ClearNo || error instanceof WrongUsage) {
    process.stderr.write(`arbiter: ${error.message}\n`);
    process.stderr.write(`  ${error.next}\n`);
    return error.exitCode;
  }
  if (isOperatingError(error)) {
    const next = nextStepOf(codeOf(error)) ?? "`arbiter help COMMAND` tells what it needs.";
    process.stderr.write(`arbiter: ${error.message}\n  ${next}\n`);
    return codeOf(error) === "ERR_ARB_USAGE" ? 2 : 1;
  }
  process.stderr.write(
    `arbiter: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.stderr.write("  This is a defect of arbiter itself; the lines above say where.\n");
  return 1;
}

/** An error of the environment: one of the project's own, or of the system (no such file, disk full). */
function isOperatingError(error: unknown): error is Error {
  return error instanceof Error && (codeOf(error).startsWith("ERR_ARB_") || "syscall" in error);
}

/** A reader that goes away (`arbiter events | head`) has what it wanted. */
function endQuietlyWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

export async function main(argv: readonly string[]): Promise<void> {
  endQuietlyWithReader();
  try {
    const program = await buildProgram(argv);
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      process.exitCode = 2;
      return;
    }
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    process.exitCode = conclude(error);
  }
}
