// What a file that is no capture is called, and that it is refused whatever its first bytes are.
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parse, pcapFile, someRecords } from "./capture-builder.js";

const erfRecord = Buffer.alloc(80);
erfRecord.writeUInt32LE(1_200_000_000, 4);
erfRecord[8] = 2;
erfRecord.writeUInt16BE(80, 10);
erfRecord.writeUInt16BE(62, 14);

describe("a file that is not a capture", () => {
  it.each([
    ["gzip data); unpack it first", gzipSync(pcapFile(someRecords(3)))],
    ["zstd data); unpack it first", Buffer.from("28b52ffd0458", "hex")],
    ["xz data); unpack it first", Buffer.from("fd377a585a000004", "hex")],
    ["bzip2 data); unpack it first", Buffer.from("BZh91AY&SY")],
    ["a zip archive); unpack it first", Buffer.from("504b030414000000", "hex")],
    ["a snoop capture); convert", Buffer.from("snoop\0\0\0\0\0\0\x02")],
    ["a Network Monitor capture); convert", Buffer.from("GMBU\0\x02")],
    ["what looks like an Endace ERF record); convert", erfRecord],
    ["a RIFF (WAV) file)", Buffer.from("RIFF\x24\0\0\0WAVEfmt ")],
    ["text)", Buffer.from("INVITE sip:21@example.org SIP/2.0\r\n")],
    ["text)", Buffer.from("a")],
    ["text)", Buffer.from("\ufeffcapture", "utf16le")],
    ["zero bytes)", Buffer.alloc(500)],
    ["the bytes deadbeef01020304)", Buffer.from("deadbeef0102030405060708", "hex")],
  ])("starts with %s", (expected, bytes) => {
    const whole = parse(bytes);
    expect(whole.frames).toEqual([]);
    expect(whole.fault).toMatchObject({ code: "capture-format", offset: 0 });
    expect(whole.fault?.message).toContain(`not a capture file (starts with ${expected}`);
    expect(parse(...Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(whole);
  });

  it("is told from an empty one", () => {
    expect(parse().fault?.code).toBe("capture-empty");
    expect(parse(Buffer.alloc(0)).fault?.code).toBe("capture-empty");
  });

  it("may be junk in front of a capture", () => {
    const { frames, fault } = parse(Buffer.from([0x80]), pcapFile(someRecords(3)));
    expect(frames).toEqual([]);
    expect(fault?.code).toBe("capture-format");
  });
});
