import { generateKeyPairSync, verify } from "node:crypto";
import { expect, test } from "vitest";
import { buildManifest } from "../../../device/seal/manifest.js";
import { signManifest, verifyManifest } from "../../../device/store/signature.js";
import { callOf, makeFolder, removeFolder, sealedAt } from "./store-kit.js";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");

function signed() {
  const folder = makeFolder();
  try {
    const record = callOf(1);
    record.parties[1].name = 'Zoë "the caller" \u0000 \ud83d\ude00 __proto__';
    record.evidence = [{ id: "e", atUs: 0, kind: "api", effect: "granted", detail: { 10: "a", 9: "b", x: 1e21 } }];
    const unsigned = buildManifest(record, sealedAt(`${folder}/a.wav`, "audio"), { device: "box" });
    return signManifest(unsigned, "ab".repeat(32), privateKey);
  } finally {
    removeFolder(folder);
  }
}

test("a signed manifest verifies and reads as it was", () => {
  const { manifest, bytes } = signed();
  expect(verifyManifest(bytes, publicKey)).toEqual(manifest);
  expect(Object.keys(manifest).slice(-2)).toEqual(["previous", "signature"]);
});

test("the signature is over the file's line without its last member, so that any tool can check it", () => {
  const { bytes } = signed();
  const match = /^(.*),"signature":"ed25519:([^"]*)"\}\n$/s.exec(bytes.toString("utf8"))!;
  expect(verify(null, Buffer.from(`${match[1]}}`, "utf8"), publicKey, Buffer.from(match[2]!, "base64"))).toBe(true);
});

test("no byte can be flipped, dropped or added unnoticed", () => {
  const { bytes } = signed();
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [1, 2, 4, 0x20, 0x80]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= bit;
      if (verifyManifest(changed, publicKey)) throw new Error(`bit ${bit} of byte ${at} is not protected`);
    }
    const shorter = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    if (verifyManifest(shorter, publicKey)) throw new Error(`byte ${at} can be dropped`);
  }
  for (const more of [Buffer.concat([bytes, Buffer.from("\n")]), Buffer.concat([Buffer.from(" "), bytes])]) {
    expect(verifyManifest(more, publicKey)).toBeUndefined();
  }
});

test("another key's signature, none, or a file that is no manifest does not verify", () => {
  const { bytes } = signed();
  expect(verifyManifest(bytes, generateKeyPairSync("ed25519").publicKey)).toBeUndefined();
  for (const text of ["", "null", "[]", "7", "{}\n", '{"signature":7}\n', '{"signature":"ed25519:"}\n', "{"]) {
    expect(verifyManifest(Buffer.from(text), publicKey), text).toBeUndefined();
  }
});
