// Keys as they are typed: the specification's own, mistyped ones, keys of other kinds, and files that hold them. No refusal
// shows a secret.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeBech32, encodeBech32 } from "../../../device/age/bech32.js";
import {
  fingerprintOf,
  generateIdentity,
  identityText,
  parseIdentity,
  parseRecipient,
  readIdentities,
} from "../../../device/age/keys.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

/** Those of the specification's chapter on X25519. */
const SECRET = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

describe("bech32", () => {
  it("reads what it writes, of any length, in either case", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.stringMatching(/^[a-z][a-z1-]{0,15}$/), (bytes, word) => {
        const text = encodeBech32(word, bytes);
        expect(decodeBech32(text)).toEqual({ word, bytes: Buffer.from(bytes) });
        expect(decodeBech32(text.toUpperCase())).toEqual({ word, bytes: Buffer.from(bytes) });
      }),
    );
  });

  it("finds every single mistyped character", () => {
    for (let at = 0; at < RECIPIENT.length; at++) {
      for (const letter of ["q", "p", "7", "b", "1"]) {
        if (RECIPIENT[at] === letter) continue;
        const mistyped = RECIPIENT.slice(0, at) + letter + RECIPIENT.slice(at + 1);
        expect(typeof parseRecipient(mistyped), mistyped).toBe("string");
      }
    }
  });
});

describe("keys", () => {
  it("are those of the specification", () => {
    expect(parseRecipient(RECIPIENT)).toMatchObject({ text: RECIPIENT });
    const identity = parseIdentity(SECRET)!;
    expect(identity.recipient.text).toBe(RECIPIENT);
    expect(identityText(identity)).toBe(SECRET);
  });

  it("that are made can be read again", () => {
    const identity = generateIdentity();
    expect(parseIdentity(identityText(identity))!.recipient.text).toBe(identity.recipient.text);
    expect(parseRecipient(identity.recipient.text)).toMatchObject({ text: identity.recipient.text });
    expect(fingerprintOf(identity.recipient)).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each([
    ["", "no recipient"],
    ["age1", "no recipient"],
    [`${RECIPIENT} `, "no recipient"],
    [RECIPIENT.toUpperCase(), "no recipient"],
    [RECIPIENT.slice(0, -1), "no recipient"],
    [encodeBech32("age", Buffer.alloc(31, 7)), "no recipient"],
    [encodeBech32("agf", Buffer.alloc(32, 7)), "no recipient"],
    [SECRET, "is a secret key"],
    [SECRET.toLowerCase(), "is a secret key"],
    ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ", "X25519"],
    ["age1pq1x34nzsvr0rxjsgdn8", "X25519"],
    ["age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "X25519"],
    [encodeBech32("age", Buffer.alloc(32)), "small order"],
    [encodeBech32("age", Buffer.from([1, ...Buffer.alloc(31)])), "small order"],
  ])("refuses %j as a recipient, and says why", (text, why) => {
    const refusal = parseRecipient(text);
    expect(refusal).toContain(why);
    expect(refusal).not.toContain("GFPYYSJ");
  });

  it.each(["", "AGE-SECRET-KEY-1", SECRET.toLowerCase(), RECIPIENT, SECRET.slice(0, -1)])(
    "refuses %j as an identity",
    (text) => {
      expect(parseIdentity(text)).toBeUndefined();
    },
  );
});

describe("an identity file", () => {
  let folder = "";
  beforeAll(() => {
    folder = makeFolder();
  });
  afterAll(() => removeFolder(folder));

  function write(text: string): string {
    const path = join(folder, "key.txt");
    writeFileSync(path, text);
    return path;
  }

  it("holds several, with comments", () => {
    const other = identityText(generateIdentity());
    const read = readIdentities(write(`# created: 2026\r\n\n${SECRET}\r\n# other\n  ${other}\n`));
    expect(read.map(identityText)).toEqual([SECRET, other]);
  });

  it.each([
    ["", "0 identities"],
    ["# none\n", "0 identities"],
    [`${SECRET}\nnonsense\n`, "line (2)"],
    [`${SECRET}\n`.repeat(257), "257 identities"],
    ["age-encryption.org/v1\n-> scrypt x 18\n", "age -d first"],
    ["-----BEGIN AGE ENCRYPTED FILE-----\n", "age -d first"],
  ])("that holds something else is refused in one line", (text, why) => {
    const path = write(text);
    expect(() => readIdentities(path)).toThrow(why);
    try {
      readIdentities(path);
    } catch (error) {
      expect(String(error)).not.toMatch(/GFPYYSJ|\n/);
    }
  });

  it("that is not there is refused in one line", () => {
    expect(() => readIdentities(join(folder, "missing"))).toThrow(/^--identity: ".*missing" cannot be read/);
  });
});
