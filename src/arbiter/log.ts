/**
 * Where the process speaks to its operator. A pino logger is one; so is anything with these three.
 * What is written here never holds a token, a password, or a file's custom keys.
 */
export interface ProcessLog {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}
