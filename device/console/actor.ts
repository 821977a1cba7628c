// Who gives a command on the box, as it stands in the audit chain.
import { userInfo } from "node:os";

/** "cli alice"; "cli root (alice)" when she became root by sudo. */
export function commandActor(environment: NodeJS.ProcessEnv = process.env): string {
  const user = nameOfUser();
  const behind = process.getuid?.() === 0 ? (environment["SUDO_USER"] ?? "") : "";
  return behind === "" || behind === user ? `cli ${user}` : `cli ${user} (${plain(behind)})`;
}

function nameOfUser(): string {
  try {
    return plain(userInfo().username);
  } catch {
    // A user that the system has no name for.
    return `user ${process.getuid?.() ?? ""}`;
  }
}

function plain(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._@\\-]/g, "?").slice(0, 64);
}
