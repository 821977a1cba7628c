// Makes what was renamed or made in a folder durable, where the system can.
import { open } from "node:fs/promises";

/** Windows has no such thing: there a rename is as durable as NTFS's own journal makes it. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
