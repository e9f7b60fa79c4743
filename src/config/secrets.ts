/**
 * What must not be shown: recognised by a key's name, or by its place in a URL. Errors show the line
 * that they are about, and go to logs, events and the status page: so lines are masked too.
 */

const SECRET_NAME =
  /(?:^|_)(?:pass|passwd|password|secret|token|api_?key|private_?key|credentials?)(?:_|$)/iu;
/** Their whole value is one: whoever has it may use it. */
const SECRET_URLS = new Set(["webhook", "smtp"]);

/** `password`, `_db_token`, `env_API_KEY`; not `token_file`, which only says where one lies. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !/_file$/iu.test(name);
}

/** `postgres://user:password@host/db` without what stands before the `@`. */
export function withoutCredentials(url: string): string {
  return url
    .replace(/^([a-z]+:\/\/)[^@/]*@/iu, "$1")
    .replaceAll(/([?&](?:password|pass|token|secret)=)[^&]*/giu, "$1…");
}

/** A line of a file with its secrets struck out, each character by one, so that a caret still fits. */
export function maskLine(line: string): string {
  const match = /^(\s*(?:define\s+\w+\s*\{\s*)?)([\w$.-]+)(\s*[=:]\s*|\s+)(.*)$/isu.exec(line);
  const key = match?.[2] ?? "";
  if (match !== null && (isSecretName(key) || SECRET_URLS.has(key.toLowerCase()))) {
    return `${match[1] ?? ""}${key}${match[3] ?? ""}${stars(match[4] ?? "")}`;
  }
  return line
    .replaceAll(/(:\/\/)([^@/\s]+)(?=@)/gu, (_, slashes: string, inner: string) => slashes + stars(inner))
    .replaceAll(
      /([?&](?:password|pass|token|secret)=)([^&\s]+)/giu,
      (_, name: string, inner: string) => name + stars(inner),
    );
}

function stars(text: string): string {
  return text.replaceAll(/\S/gsu, (char) => "*".repeat(char.length));
}
