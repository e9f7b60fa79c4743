/**
 * How a command says no. Exit codes are part of the contract: 0 yes, 1 a clear no, 2 wrong usage.
 *
 * A command throws one of these; `main` prints it and sets the code. Everything else that is
 * thrown is a defect of the program, and is printed with its stack.
 */

/** A clear no: what is the case, and what to do about it. */
export class ClearNo extends Error {
  override readonly name = "ClearNo";
  readonly exitCode = 1;
  /** The next thing to try, best a command; printed on a line of its own. */
  readonly next: string;

  constructor(message: string, next: string, options?: ErrorOptions) {
    super(message, options);
    this.next = next;
  }
}

/** The command line itself is wrong. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
  readonly exitCode = 2;
  readonly next: string;

  constructor(message: string, next: string) {
    super(message);
    this.next = next;
  }
}

/**
 * No, and what is to be said has been said already on standard output or standard error (a
 * degraded status, the errors of a configuration): only the exit code is left.
 */
export class SaidNo extends Error {
  override readonly name = "SaidNo";
  readonly exitCode: 1 | 2;

  constructor(exitCode: 1 | 2 = 1) {
    super("the command said no");
    this.exitCode = exitCode;
  }
}
