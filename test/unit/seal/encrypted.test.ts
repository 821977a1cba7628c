// A recording that is sealed to recipients holds, for them, the very bytes that it would hold in clear; for everybody else, and
// on the disk at any moment, nothing of them.
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeBech32 } from "../../../device/age/bech32.js";
import { fingerprintOf, generateIdentity, requireRecipient } from "../../../device/age/keys.js";
import { decryptAge } from "../../../device/age/reader.js";
import { makeWasmMemory } from "../../../device/seal/code-expander.js";
import { EncryptedFile } from "../../../device/seal/encrypted-file.js";
import { buildManifest } from "../../../device/seal/manifest.js";
import { sealAudio } from "../../../device/seal/seal.js";
import { SealMemory } from "../../../device/seal/seal-memory.js";
import { callRecord, merged, packetsOf, sealAndRead, sourceOf } from "./sealing.js";

const [one, two, stranger] = [generateIdentity(), generateIdentity(), generateIdentity()] as const;
const recipients = [one.recipient, two.recipient];
/** Some ten chunks of the payload. */
const packets = merged(packetsOf({ side: 0, count: 2000 }), packetsOf({ side: 1, count: 2000 }));
const record = callRecord(packets);

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-encrypted-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a recording sealed to recipients", () => {
  it("holds the bytes of the recording in clear, for each of them", () => {
    const clear = sealAndRead(packets, record);
    const temporaryPath = join(folder, "call.partial");
    const sealed = sealAudio(sourceOf(packets), record, { temporaryPath, recipients });
    if (sealed.kind !== "audio") throw new Error("no audio");
    const stored = readFileSync(temporaryPath);
    for (const identity of [one, two]) expect(decryptAge(stored, [identity]).equals(clear.bytes)).toBe(true);
    expect(() => decryptAge(stored, [stranger])).toThrow("none of the identities");
    // What the manifest says of the file is true of the file as it is stored, and it says what is in it.
    expect(sealed).toMatchObject({
      bytes: stored.length,
      sha256: createHash("sha256").update(stored).digest("hex"),
      durationMs: clear.outcome.durationMs,
      encryption: {
        format: "age",
        recipients: recipients.map(fingerprintOf),
        plainBytes: clear.bytes.length,
        plainSha256: clear.outcome.sha256,
      },
    });
    const { audio } = buildManifest(record, sealed, { device: "box" });
    expect(audio).toMatchObject({ file: `${record.id}.wav.age`, bytes: stored.length, encryption: sealed.encryption });
  });

  it("without recipients is what it always was", () => {
    const temporaryPath = join(folder, "call.partial");
    const sealed = sealAudio(sourceOf(packets), record, { temporaryPath, recipients: [] });
    if (sealed.kind !== "audio") throw new Error("no audio");
    expect(readFileSync(temporaryPath).equals(sealAndRead(packets, record).bytes)).toBe(true);
    expect(sealed).not.toHaveProperty("encryption");
    expect(JSON.stringify(buildManifest(record, sealed, { device: "box" }))).not.toContain("encryption");
  });

  it("is in the same memory as others, one after the other, whether memory can be had at page addresses or not", () => {
    for (const memory of [new SealMemory(0), new SealMemory(0, () => undefined)]) {
      for (const encrypted of [true, false, true]) {
        const temporaryPath = join(folder, "call.partial");
        sealAudio(sourceOf(packets), record, { temporaryPath, memory, ...(encrypted && { recipients }) });
        const stored = readFileSync(temporaryPath);
        const content = encrypted ? decryptAge(stored, [one]) : stored;
        expect(content.equals(sealAndRead(packets, record).bytes)).toBe(true);
      }
    }
  });
});

describe("an encrypted file", () => {
  it.each([0, 1, 65_535, 65_536, 65_537, 3_000_000])("of %i bytes is whole, in any pieces", (length) => {
    const content = Buffer.alloc(length, "sidetone ");
    for (const stagingBytes of [4096, 1 << 20]) {
      const path = join(folder, "file");
      const staging = new Uint8Array(makeWasmMemory(stagingBytes)!.buffer, 0, stagingBytes);
      const file = new EncryptedFile(path, { recipients, staging });
      for (let at = 0; at < length; at += 700_001) file.append(content.subarray(at, at + 700_001));
      expect(file.bytes).toBe(length);
      const { bytes, sha256, encryption } = file.finish();
      const stored = readFileSync(path);
      expect(stored.includes("sidetone")).toBe(false);
      expect([bytes, sha256]).toEqual([stored.length, createHash("sha256").update(stored).digest("hex")]);
      expect(decryptAge(stored, [two]).equals(content)).toBe(true);
      expect(encryption.plainSha256).toBe(createHash("sha256").update(content).digest("hex"));
    }
  });

  it("that is given up leaves nothing", () => {
    const file = new EncryptedFile(join(folder, "file"), { recipients, staging: new Uint8Array(4096) });
    file.append(Buffer.alloc(100_000, 1));
    file.abandon();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("leaves nothing, and says so, where it turns out that a recipient cannot be used", () => {
    const temporaryPath = join(folder, "call.partial");
    // A point of small order: refused when the configuration is read, so that it never comes here.
    const useless = requireRecipient(encodeBech32("age", Buffer.alloc(32)));
    const attempt = () => sealAudio(sourceOf(packets), record, { temporaryPath, recipients: [useless] });
    expect(attempt).toThrow(expect.objectContaining({ code: "encryption-failed" }));
    expect(readdirSync(folder)).toEqual([]);
  });
});
