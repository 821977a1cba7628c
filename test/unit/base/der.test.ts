// DER: what is written is read again, and nothing that is not DER is taken for it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contextTag, DerFault, DerReader, derInteger, derOf, derOid, TAG } from "../../../device/base/der.js";

const hex = (text: string): DerReader => new DerReader(Buffer.from(text.replaceAll(" ", ""), "hex"));

describe("DER", () => {
  it("reads what it has written, of every length", () => {
    for (const length of [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000]) {
      const content = Buffer.alloc(length, 7);
      const bytes = derOf(TAG.octetString, content);
      const reader = new DerReader(bytes);
      const read = reader.read(TAG.octetString);
      expect([read.content.equals(content), read.bytes.equals(bytes)]).toEqual([true, true]);
      reader.end();
    }
    for (const oid of ["1.2.840.113549.1.9.16.1.4", "2.16.840.1.101.3.4.2.1", "2.999.1", "0.9.0", "1.39.127.128.16383"])
      expect(new DerReader(derOid(oid)).readOid()).toBe(oid);
    for (const [bytes, written] of [
      ["00", "020100"],
      ["7f", "02017f"],
      ["80", "02020080"],
      ["0000ff", "020200ff"],
      ["", "020100"],
    ] as const)
      expect(derInteger(Buffer.from(bytes, "hex")).toString("hex")).toBe(written);
    expect([contextTag(0), contextTag(1, true)]).toEqual([0xa0, 0x81]);
  });

  it("enters what is nested and goes past what is optional", () => {
    const reader = hex("30 0b 02 01 05 a0 03 04 01 aa 01 01 ff").enter();
    expect(() => hex("30 0a 02 01 05 a0 03 04 01 aa 01 01 ff").end()).toThrow(DerFault);
    expect(reader.readIf(TAG.boolean)).toBeUndefined();
    expect(reader.readSmallInteger()).toBe(5);
    expect(reader.enterIf(contextTag(1))).toBeUndefined();
    expect(reader.enterIf(contextTag(0))?.read().content).toEqual(Buffer.from([0xaa]));
    expect(reader.isEnd).toBe(false);
    expect(() => reader.end()).toThrow("3 bytes too many");
    expect(reader.readIf(TAG.boolean)?.content).toEqual(Buffer.from([0xff]));
    expect(reader.readIf(TAG.boolean)).toBeUndefined();
  });

  it.each([
    ["nothing", ""],
    ["a tag alone", "04"],
    ["a length beyond the end", "04 02 aa"],
    ["an indefinite length", "30 80 00 00"],
    ["a long length of a short content", "04 81 01 aa"],
    ["a length with a zero before it", `04 82 00 80 ${"aa".repeat(128)}`],
    ["a length of five octets", "04 85 00 00 00 00 01 aa"],
    ["a length whose octets are cut off", "04 82 01"],
    ["a tag of several octets", "1f 81 01 00"],
    ["the end of an indefinite length", "00 00"],
    ["another tag", "05 00"],
  ])("refuses %s", (_, bytes) => {
    expect(() => hex(bytes).read(TAG.octetString)).toThrow(DerFault);
  });

  it("refuses integers and object identifiers that could be written otherwise, or have no end", () => {
    for (const bytes of ["02 00", "02 02 00 01", "02 02 ff 80"])
      expect(() => hex(bytes).readInteger(), bytes).toThrow(DerFault);
    for (const bytes of ["02 01 80", "02 02 00 80", "02 01 ff"])
      expect(() => hex(bytes).readSmallInteger(), bytes).toThrow(DerFault);
    for (const bytes of ["06 00", "06 01 80", "06 02 80 01", "06 02 2a 86", `06 0a 2a ${"ff".repeat(8)} 7f`])
      expect(() => hex(bytes).readOid(), bytes).toThrow(DerFault);
  });

  it("ends with an element or a fault whatever the bytes, never beyond them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = new DerReader(Buffer.from(bytes));
        let seen = 0;
        try {
          while (!reader.isEnd) seen += reader.read().bytes.length;
          expect(seen).toBe(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(DerFault);
        }
      }),
    );
  });
});
