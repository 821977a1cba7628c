// Data folders in which everything is as it should be, however it came to be: neither verifier finds anything in them. And what
// `sidetone` says on the command line.
import { createHash, sign } from "node:crypto";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Manifest } from "../../../device/contract/manifest.js";
import { EventQueue } from "../../../device/mqtt/event-queue.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { RecordingDeletion } from "../../../device/store/retention/deletion.js";
import { chooseKey } from "../../../device/store/verify/key-choice.js";
import { verifyDataFolder } from "../../../device/store/verify/verify.js";
import { verifyFolder } from "../../../host/verify/verify-folder.js";
import { filesIn } from "../../fakes/signed-folder.js";
import { callFrom, keep, orderFor } from "./retention/deletion-kit.js";
import { makeFolder, publicKeyOf, removeFolder } from "./store-kit.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const open = (): RecordingStore => RecordingStore.open(folder, { device: "box", gatherMs: 0 });

/** What both verifiers find, of a folder and of its files. */
function found(path = folder): string[] {
  const box = verifyDataFolder({ dataFolder: path, publicKey: chooseKey(path) }).findings;
  const copy = verifyFolder(path, publicKeyOf(path)).findings;
  return [...box.map((one) => ["box", one] as const), ...copy.map((one) => ["copy", one] as const)].map(
    ([who, { kind, file }]) => `${who}: ${kind} ${file}`,
  );
}

async function deleteSome(): Promise<void> {
  const store = open();
  const records = [1, 2, 3, 4, 5].map((number) => callFrom(number));
  for (const record of records) await keep(store, record);
  const deletion = new RecordingDeletion({
    paths: store.paths,
    key: store.key,
    audit: store.audit,
  });
  await deletion.delete([orderFor(records[1]!), orderFor(records[4]!), orderFor(records[2]!, { keepsManifest: true })]);
  await keep(store, callFrom(6));
  store.close();
}

test("recordings that were deleted, with their tombstones", async () => {
  await deleteSome();
  expect(found()).toEqual([]);
  open().close();
  expect(found()).toEqual([]);
  for (const file of filesIn(folder).filter((name) => name.endsWith(".deleted"))) {
    cpSync(join(folder, file), join(folder, "..", "aside.deleted"));
    rmSync(join(folder, file));
    const name = file.split("/").at(-1)!;
    expect(
      found()
        .filter((one) => one.endsWith(name))
        .map((one) => one.split(":")[0]),
    ).toEqual(["box", "copy"]);
    cpSync(join(folder, "..", "aside.deleted"), join(folder, file));
  }
  rmSync(join(folder, "..", "aside.deleted"));
});

test("events that wait for a broker, and nothing else beside them", async () => {
  open().close();
  const quiet = () => {};
  const [queueFolder, topic] = [join(folder, "mqtt-queue"), () => "event/call"];
  const told = { onLoss: quiet, onFault: quiet, onRecovery: quiet };
  const queue = new EventQueue({ folder: queueFolder, limitBytes: 1 << 20, topic, ...told });
  queue.open();
  queue.add("call", { change: "stopped" });
  await queue.close();
  expect(found()).toEqual([]);
  writeFileSync(join(queueFolder, "other.wav"), "");
  expect(found()).toEqual(["box: added mqtt-queue/other.wav", "copy: added mqtt-queue/other.wav"]);
});

test("beside a running service, after it was killed, and after the next start", async () => {
  const copy = makeFolder();
  try {
    const store = open();
    for (const number of [1, 2, 3]) {
      await keep(store, callFrom(number));
      expect(found()).toEqual([]);
    }
    // As a kill leaves it: nothing of the end is written.
    cpSync(folder, copy, { recursive: true });
    store.close();
    expect(found(copy)).toEqual([]);
    // Its lock is that of this process, which would be taken for alive.
    rmSync(join(copy, "lock"));
    RecordingStore.open(copy, { device: "box", gatherMs: 0 }).close();
    expect(found(copy)).toEqual([]);
  } finally {
    removeFolder(copy);
  }
});

test("after the chain's head was lost and found again", async () => {
  let store = open();
  for (const number of [1, 2]) await keep(store, callFrom(number));
  store.close();
  rmSync(join(folder, "chain.json"));
  expect(found()).toEqual(["box: missing chain.json", "copy: missing chain.json"]);
  store = open();
  await keep(store, callFrom(3));
  store.close();
  expect(found()).toEqual([]);
});

test("an audit chain that is gone as a whole", async () => {
  const store = open();
  for (const number of [1, 2]) await keep(store, callFrom(number));
  store.close();
  rmSync(join(folder, "audit"), { recursive: true });
  expect(found()).toContain("box: missing audit/head.json");
  expect(found()).toContain("copy: missing audit/head.json");
});

test("a folder without recordings, and recordings alone", async () => {
  open().close();
  expect(found()).toEqual([]);
  const store = open();
  for (const number of [1, 2, 30]) await keep(store, callFrom(number));
  store.close();
  const { scope, findings, unchecked, figures } = verifyFolder(join(folder, "recordings"), publicKeyOf(folder));
  expect([scope, findings, unchecked.length, figures.recordings]).toEqual(["recordings", [], 3, 3]);
  const [, second] = filesIn(folder).filter((name) => /recordings.*json$/.test(name));
  for (const end of [".json", ".wav"]) rmSync(join(folder, second!.replace(".json", end)));
  expect(verifyFolder(join(folder, "recordings"), publicKeyOf(folder)).findings).toMatchObject([{ kind: "unlinked" }]);
});

test("recordings as they were pulled, under names of somebody's choice", async () => {
  const store = open();
  for (const number of [1, 2]) await keep(store, callFrom(number));
  store.close();
  const pulled = makeFolder();
  for (const file of filesIn(folder).filter((name) => name.startsWith("recordings/"))) {
    const [, id, ending] = /([^/.]+)(\.[a-z]+)$/.exec(file)!;
    cpSync(join(folder, file), join(pulled, "21 and others", `call-${id} (21)${ending}`));
  }
  cpSync(join(folder, "chain.json"), join(pulled, ".sidetone-pull/state.jsonl"));
  const { findings, figures } = verifyFolder(pulled, publicKeyOf(folder));
  expect([findings, figures.recordings, figures.audioBytes > 0]).toEqual([[], 2, true]);
  const audio = filesIn(pulled).find((name) => name.endsWith(".wav"))!;
  writeFileSync(join(pulled, audio), "other audio");
  expect(verifyFolder(pulled, publicKeyOf(folder)).findings).toMatchObject([{ kind: "truncated", file: audio }]);
  removeFolder(pulled);
});

test("sound where no span was open, though the box itself has signed it", async () => {
  const store = open();
  await keep(store, callFrom(1));
  const { privateKey } = store.key;
  store.close();
  const manifestFile = join(folder, filesIn(folder).find((name) => /^recordings.*\.json$/.test(name))!);
  const header = Buffer.from(
    "RIFF....WAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0data\x08\0\0\0",
    "latin1",
  );
  const wav = Buffer.concat([header, Buffer.from([0, 0, 0, 0, 0, 0, 9, 0])]);
  const hash = (name: string): string => createHash(name).update(wav).digest("hex");
  const { signature: _, ...manifest } = JSON.parse(readFileSync(manifestFile, "utf8")) as Manifest;
  const audio = { ...manifest.audio, bytes: wav.length, sha256: hash("sha256"), sha512: hash("sha512") };
  const text = JSON.stringify({ ...manifest, audio });
  const signature = `ed25519:${sign(null, Buffer.from(text), privateKey).toString("base64")}`;
  writeFileSync(manifestFile, `${text.slice(0, -1)},"signature":"${signature}"}\n`);
  writeFileSync(manifestFile.replace(/json$/, "wav"), wav);
  const { findings } = verifyFolder(folder, publicKeyOf(folder));
  expect(findings.filter(({ kind }) => kind === "audible").map(({ what }) => what)).toEqual([
    "1 samples outside the open spans are no silence, the first at 0.000 s, right",
  ]);
});
