/** Who asks: stands in the event log beside every command of an operator. It grants nothing. */
import { hostname, userInfo } from "node:os";

export function requester(): string {
  // Under sudo, the person rather than root.
  const person = process.env["SUDO_USER"] ?? accountName();
  return `${person}@${hostname()}`.slice(0, 128);
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user without a line in /etc/passwd.
    return `uid-${process.getuid?.() ?? "unknown"}`;
  }
}
