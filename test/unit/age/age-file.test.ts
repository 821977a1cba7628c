// Age files, written and read by us, one byte or bit of which was changed, cut off or added: nothing of such a file is taken.
import { describe, expect, it } from "vitest";
import { AgeEncryptor, encryptAge } from "../../../device/age/encryptor.js";
import { decodeHeader } from "../../../device/age/header.js";
import { generateIdentity } from "../../../device/age/keys.js";
import { CHUNK_BYTES, PAYLOAD_NONCE_BYTES, SEALED_CHUNK_BYTES } from "../../../device/age/payload.js";
import { AgeReader, decryptAge } from "../../../device/age/reader.js";

const holder = generateIdentity();
const other = generateIdentity();

function content(bytes: number): Buffer {
  const plain = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) plain[i] = (i * 7 + (i >> 9)) & 255;
  return plain;
}

describe("an age file", () => {
  it("is opened by each of its recipients, and by nobody else", () => {
    const file = encryptAge(content(1000), [holder.recipient, other.recipient]);
    expect(decryptAge(file, [holder])).toEqual(content(1000));
    expect(decryptAge(file, [generateIdentity(), other])).toEqual(content(1000));
    expect(() => decryptAge(file, [generateIdentity()])).toThrow("none of the identities");
    expect(() => decryptAge(file, [])).toThrow("none of the identities");
  });

  it("shows nothing of its content, its key or its recipients, and never is the same twice", () => {
    const text = Buffer.from("what was admitted".repeat(100));
    const [one, two] = [0, 1].map(() => encryptAge(text, [holder.recipient]));
    expect(one!.includes("what was")).toBe(false);
    expect(one!.includes(holder.recipient.bytes)).toBe(false);
    expect(one!.includes(holder.recipient.bytes.toString("base64").slice(0, 40))).toBe(false);
    expect(one!.length).toBe(two!.length);
    expect(one!.equals(two!)).toBe(false);
    // Neither header nor payload repeats: 16 bytes in a row that are the same are the fixed words only.
    expect(one!.subarray(-64)).not.toEqual(two!.subarray(-64));
  });

  it("without recipients is not made", () => {
    expect(() => encryptAge(content(1), [])).toThrow(RangeError);
  });

  it("does not open when any bit of it was changed", () => {
    const file = encryptAge(content(50), [holder.recipient, other.recipient]);
    for (let at = 0; at < file.length; at++) {
      const changed = Buffer.from(file);
      changed[at]! ^= 1 << (at & 7);
      expect(() => decryptAge(changed, [holder, other]), `byte ${at}`).toThrow(/it is no age file|none of|was changed/);
    }
  });

  it("does not open when it was cut anywhere, or goes on", () => {
    const file = encryptAge(content(CHUNK_BYTES + 40), [holder.recipient]);
    const headerBytes = decodeHeader(file)!.bytes;
    const firstChunkEnd = headerBytes + PAYLOAD_NONCE_BYTES + SEALED_CHUNK_BYTES;
    const cuts = [
      ...Array(headerBytes + 40).keys(),
      firstChunkEnd - 1,
      firstChunkEnd,
      firstChunkEnd + 1,
      file.length - 1,
    ];
    for (const end of cuts) expect(() => decryptAge(file.subarray(0, end), [holder]), `cut at ${end}`).toThrow();
    expect(() => decryptAge(Buffer.concat([file, Buffer.alloc(1)]), [holder])).toThrow("was changed");
    expect(() => decryptAge(Buffer.concat([file, file.subarray(firstChunkEnd)]), [holder])).toThrow("was changed");
  });

  it("does not open when chunks were moved or left out", () => {
    const file = encryptAge(content(3 * CHUNK_BYTES), [holder.recipient]);
    const payloadAt = decodeHeader(file)!.bytes + PAYLOAD_NONCE_BYTES;
    const chunk = (i: number): Buffer =>
      file.subarray(payloadAt + i * SEALED_CHUNK_BYTES, payloadAt + (i + 1) * SEALED_CHUNK_BYTES);
    const head = file.subarray(0, payloadAt);
    const orders = [[1, 0, 2], [0, 2], [0, 1], [2], [0, 1, 1, 2]];
    for (const order of orders)
      expect(() => decryptAge(Buffer.concat([head, ...order.map(chunk)]), [holder]), String(order)).toThrow(
        "was changed",
      );
  });

  it("is read at any place", () => {
    const plain = content(2 * CHUNK_BYTES + 777);
    const file = encryptAge(plain, [holder.recipient]);
    const reader = new AgeReader(
      { size: file.length, read: (target, at, length, from) => file.copy(target, at, from, from + length) },
      [holder],
    );
    expect(reader.size).toBe(plain.length);
    for (const [from, length] of [
      [0, 44],
      [CHUNK_BYTES - 1, 2],
      [CHUNK_BYTES, CHUNK_BYTES],
      [5, plain.length],
      [plain.length - 1, 10],
      [plain.length, 10],
      [plain.length + 5, 10],
    ] as const) {
      const target = Buffer.alloc(length);
      const read = reader.read(target, 0, length, from);
      expect(target.subarray(0, read).equals(plain.subarray(from, from + length)), `from ${from}`).toBe(true);
    }
  });

  it("is not made of less memory than a chunk, and forgets the chunk", () => {
    const pieces: Buffer[] = [];
    const encryptor = new AgeEncryptor([holder.recipient], (bytes) => pieces.push(Buffer.from(bytes)));
    const plain = content(3 * CHUNK_BYTES + 5);
    for (let at = 0; at < plain.length; at += 4099) encryptor.append(plain.subarray(at, at + 4099));
    expect(Buffer.concat(pieces).length).toBeLessThan(plain.length + 1000);
    encryptor.finish();
    expect(decryptAge(Buffer.concat(pieces), [holder]).equals(plain)).toBe(true);
  });
});

describe("a header", () => {
  const file = encryptAge(content(10), [holder.recipient]).toString("latin1");
  const asBytes = (text: string): Buffer => Buffer.from(text, "latin1");

  it("may have stanzas of other kinds, which are passed by", () => {
    const mixed = file.replace("-> X25519", "-> example.com/other a b\n\n-> X25519");
    // The MAC does not hold any more, but the header can be read.
    expect(decodeHeader(asBytes(mixed))!.stanzas.map(({ args }) => args[0])).toEqual(["example.com/other", "X25519"]);
    expect(() => decryptAge(asBytes(mixed), [holder])).toThrow("none of the identities");
  });

  it.each([
    ["another version", file.replace("/v1", "/v2")],
    ["no stanza", file.replace(/-> X25519[\s\S]*?(?=---)/, "")],
    ["padding", file.replace(/(\n--- .{43})/, "$1=")],
    ["an empty argument", file.replace("-> X25519 ", "-> X25519  ")],
    ["CRLF", file.replace("v1\n", "v1\r\n")],
    ["a body that is no base64", file.replace(/\n(.{43})\n---/, "\n$1*\n---")],
    ["nothing", ""],
  ])("with %s is none", (_, text) => {
    expect(decodeHeader(asBytes(text))).toBeUndefined();
  });
});
