// What a command did is entered once, with its name, also when the process that enters it is killed in between.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AuditDisk } from "../../../device/store/audit-chain.js";
import { auditRequestKind } from "../../../device/store/audit-request.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { SpoolDesk } from "../../../device/store/spool-desk.js";
import { SpoolFiles } from "../../../device/store/spool-files.js";
import { SpoolKeeper } from "../../../device/store/spool-keeper.js";
import { readAudit } from "./audit-kit.js";
import { makeFolder, removeFolder } from "./store-kit.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

async function serve(disk?: AuditDisk): Promise<string[]> {
  const faults: string[] = [];
  const store = RecordingStore.open(folder, { audit: { gatherMs: 5, ...(disk && { disk }) } });
  const kinds = { audit: auditRequestKind(store.audit, folder) };
  const keeper = new SpoolKeeper({ dataFolder: folder, kinds, onFault: (message) => faults.push(message), retryMs: 0 });
  await keeper.drain();
  await keeper.drain();
  await keeper.stop();
  store.close();
  return faults;
}

const leave = () =>
  new SpoolDesk(folder).leave({
    kind: "audit",
    actor: "cli alice",
    body: { kind: "token", detail: { done: "revoked", token: "0123456789ab" } },
  });

test("an entry says who, what and when it was done", async () => {
  const id = leave();
  expect(await serve()).toEqual([]);
  const [entry] = readAudit(folder);
  expect(entry).toMatchObject({
    kind: "token",
    actor: "cli alice",
    detail: { done: "revoked", token: "0123456789ab", request: id, doneAt: expect.stringMatching(/^20.*Z$/) },
  });
});

test("a request that was entered by a process that was killed before it could remove it is not entered again", async () => {
  const id = leave();
  const request = new SpoolFiles(folder).readRequest(id, "");
  await serve();
  new SpoolFiles(folder).writeRequest(request as Exclude<typeof request, string | undefined>);
  await serve();
  expect(readAudit(folder)).toHaveLength(1);
});

test("a disk that refuses the chain keeps the request, and enters it once when it takes it again", async () => {
  const id = leave();
  let refusals = 1;
  const { writeSync, fsyncSync } = await import("node:fs");
  const disk: AuditDisk = {
    write: (descriptor, bytes, position) => void writeSync(descriptor, bytes, 0, bytes.length, position),
    async sync(descriptor) {
      if (refusals-- > 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
      fsyncSync(descriptor);
    },
    syncNow: fsyncSync,
  };
  expect(await serve(disk)).toHaveLength(1);
  expect(readAudit(folder).map(({ detail }) => detail["request"])).toEqual([id]);
});
