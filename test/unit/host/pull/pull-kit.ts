// Runs pulls against a box in this process, and says what has come of them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxClient } from "../../../../host/client.js";
import { linkOf } from "../../../../host/pull/client-link.js";
import { FolderLock } from "../../../../host/pull/folder-lock.js";
import { DEFAULT_TEMPLATE, NameTemplate } from "../../../../host/pull/name-template.js";
import type { PullEvent, PullTotals } from "../../../../host/pull/pull-events.js";
import { Puller, type PullerOptions } from "../../../../host/pull/puller.js";
import { TargetFolder } from "../../../../host/pull/target-folder.js";
import { filesBelow } from "../../../fakes/program.js";
import type { FakeBox } from "../../../fakes/pulled-box.js";

export function makeTarget(): string {
  return mkdtempSync(join(tmpdir(), "sidetone-pull-"));
}

export function removeTarget(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export type RunOptions = Partial<Omit<PullerOptions, "template" | "link" | "folder">> & {
  template?: string;
  signal?: AbortSignal;
};

/** What a run has told; its totals, or what it has thrown. */
export interface Ran {
  events: PullEvent[];
  totals: PullTotals | undefined;
  error: unknown;
}

export async function pull(box: FakeBox, path: string, options: RunOptions = {}): Promise<Ran> {
  const { template = DEFAULT_TEMPLATE, signal = new AbortController().signal, ...rest } = options;
  const events: PullEvent[] = [];
  const client = new BoxClient({ url: box.url, token: "secret", trust: { kind: "plain" } });
  const folder = await TargetFolder.open(path);
  const lock = FolderLock.take(folder.ownFolder);
  try {
    const puller = new Puller({
      ...{ link: linkOf(client), folder, template: new NameTemplate(template), key: box.publicKey },
      ...{ filter: {}, debts: [], recheck: false, parallel: 4, patienceMs: 5000, reason: "test" },
      // Nobody waits in a test.
      wait: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 5))),
      ...rest,
      tell: (event) => {
        events.push(event);
        rest.tell?.(event);
      },
    });
    return { events, totals: await puller.run(signal), error: undefined };
  } catch (error) {
    return { events, totals: undefined, error };
  } finally {
    lock.release();
    client.close();
  }
}

/** Recordings' files without the folder's own. */
export function pulledFiles(path: string): string[] {
  return filesBelow(path).filter((name) => !name.startsWith(".sidetone-pull/"));
}

/** What is left of work: nothing but the journal, after a run that ended well. */
export function leftovers(path: string): string[] {
  return filesBelow(path).filter((name) => name.startsWith(".sidetone-pull/") && !name.endsWith("/state.jsonl"));
}

/** Each of them is there once, whole, and nothing else is. */
export function faultsOf(path: string, box: FakeBox): string[] {
  const faults: string[] = [];
  const files = pulledFiles(path);
  for (const { id, audio, manifest } of box.recordings) {
    for (const [kind, bytes] of [
      [/\.wav(?:\.age)?$/, audio],
      [/\.json$/, manifest],
    ] as const) {
      const found = files.filter((name) => name.includes(id) && kind.test(name));
      if (found.length !== 1) faults.push(`${id}: ${found.length} of ${kind}`);
      else if (!readFileSync(join(path, found[0]!)).equals(bytes)) faults.push(`${found[0]} differs`);
    }
  }
  if (files.length > 2 * box.recordings.length) faults.push(`${files.length} files`);
  return faults;
}

export function eventsOf<Kind extends PullEvent["event"]>(
  { events }: Ran,
  kind: Kind,
): Extract<PullEvent, { event: Kind }>[] {
  return events.filter((event): event is Extract<PullEvent, { event: Kind }> => event.event === kind);
}
