// Our age files against Debian's age, both ways: whatever the content's length, and however many recipients, the other side
// gives the same bytes back; and what somebody else's key opens, it does not.
import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AgeEncryptor } from "../../device/age/encryptor.js";
import { parseIdentity, requireRecipient } from "../../device/age/keys.js";
import { CHUNK_BYTES } from "../../device/age/payload.js";
import { decryptAge } from "../../device/age/reader.js";
import { type AgeKey, ageDecrypt, ageEncrypt, ageObstacle, makeAgeKey } from "../fakes/age-program.js";
import { makeFolder, removeFolder } from "../fakes/program.js";

const obstacle = ageObstacle();
if (obstacle) console.log(`skipped: age files by Debian's age: ${obstacle}`);

/** Around every border of a chunk, and none of it at all. */
const LENGTHS = [0, 1, 15, 16, 17, 4096].concat(
  [1, 2].flatMap((chunks) => [-1, 0, 1].map((more) => chunks * CHUNK_BYTES + more)),
);

describe.skipIf(obstacle !== undefined)("Debian's age", { timeout: 60_000 }, () => {
  let folder = "";
  let keys: AgeKey[] = [];
  beforeAll(() => {
    folder = makeFolder();
    keys = ["one", "two", "three"].map((name) => makeAgeKey(folder, name));
  });
  afterAll(() => removeFolder(folder));

  function content(length: number, seed: number): Buffer {
    return Buffer.from(Uint8Array.from({ length }, (_, i) => (Math.imul(i + seed, 0x9e3779b1) >>> 24) & 255));
  }

  function encrypt(plain: Buffer, recipients: readonly string[], pieceBytes: number): Buffer {
    const pieces: Uint8Array[] = [];
    const encryptor = new AgeEncryptor(recipients.map(requireRecipient), (bytes) => pieces.push(bytes));
    for (let at = 0; at < plain.length; at += pieceBytes) encryptor.append(plain.subarray(at, at + pieceBytes));
    encryptor.finish();
    return Buffer.concat(pieces);
  }

  it.each(LENGTHS)("opens %i bytes that we encrypted, and we open its own", (length) => {
    const plain = content(length, length);
    const [key] = keys;
    expect(ageDecrypt(encrypt(plain, [key!.recipient], 1000), key!).equals(plain)).toBe(true);
    const identity = parseIdentity(key!.secret)!;
    expect(decryptAge(ageEncrypt(plain, [key!.recipient]), [identity]).equals(plain)).toBe(true);
  });

  it("opens any content in any pieces to any of the recipients, and no other key does", () => {
    const run = fc.record({
      length: fc.oneof(fc.nat(3 * CHUNK_BYTES), fc.constantFrom(...LENGTHS)),
      pieceBytes: fc.integer({ min: 1, max: 2 * CHUNK_BYTES }),
      seed: fc.nat(),
      chosen: fc.subarray([0, 1, 2], { minLength: 1 }),
    });
    fc.assert(
      fc.property(run, ({ length, pieceBytes, seed, chosen }) => {
        const plain = content(length, seed);
        const recipients = chosen.map((i) => keys[i]!.recipient);
        const [ours, theirs] = [encrypt(plain, recipients, pieceBytes), ageEncrypt(plain, recipients)];
        for (const [i, key] of keys.entries()) {
          const identity = parseIdentity(key.secret)!;
          if (chosen.includes(i)) {
            expect(ageDecrypt(ours, key).equals(plain)).toBe(true);
            expect(decryptAge(theirs, [identity]).equals(plain)).toBe(true);
          } else {
            expect(() => ageDecrypt(ours, key)).toThrow("no identity matched");
            expect(() => decryptAge(theirs, [identity])).toThrow("none of the identities");
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  it("sees no more in our files than in its own", () => {
    const [key] = keys;
    const ours = encrypt(content(100_000, 1), [key!.recipient], 7777);
    expect(ours.length).toBe(ageEncrypt(content(100_000, 1), [key!.recipient]).length);
    const cut = ours.subarray(0, -1);
    expect(spawnSync("age", ["-d", "-i", key!.identityFile], { input: cut }).status).not.toBe(0);
  });
});
