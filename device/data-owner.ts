// Of root's rights a command that works in the data folder keeps those of the folder's owner: what it makes there is the service's.
import { statSync } from "node:fs";

/** Throws file system errors. */
export function actAsOwnerOf(folder: string): void {
  const { uid, gid } = statSync(folder);
  if (process.getuid?.() !== 0 || uid === 0) return;
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
