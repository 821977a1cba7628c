// The packets of FIELD.md's table, byte for byte, and the decoder with them cut anywhere, in junk, damaged, in endless noise.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc16 } from "../../../device/panel/crc.js";
import { PacketDecoder } from "../../../device/panel/decoder.js";
import {
  COMMAND,
  command,
  encodePacket,
  isAnswerTo,
  MAX_PACKET_BYTES,
  type Packet,
  textCommand,
} from "../../../device/panel/packet.js";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const packet = (kind: Packet["kind"], code: number, ...data: number[]): Packet => ({
  kind,
  code,
  data: Uint8Array.from(data),
});

const VECTORS: [string, Packet, string][] = [
  ["ping", command(COMMAND.ping), "00 00 47 0F"],
  ["the reply to a ping", packet("response", 0), "40 00 21 49"],
  ["the key up, pressed", packet("report", 0, 1), "80 01 01 71 C2"],
  ["clear", command(COMMAND.clear), "06 00 97 5B"],
  ["the uppermost green LED", command(COMMAND.output, 11, 100), "22 02 0B 64 C9 3E"],
  ["Hello at 0,0", textCommand(0, 0, Buffer.from("Hello")), "1F 07 00 00 48 65 6C 6C 6F 0E DF"],
];

describe("packets", () => {
  it.each(VECTORS)("are encoded and decoded byte for byte: %s", (_, value, text) => {
    expect(encodePacket(value)).toEqual(hex(text));
    expect(new PacketDecoder().push(hex(text))).toEqual([value]);
  });

  it("has the check value of CRC-16/X-25", () => {
    expect(crc16(Buffer.from("123456789"))).toBe(0x906e);
  });

  it("refuse what no module takes, and to reset the host or cut its power", () => {
    expect(() => encodePacket(packet("command", 31, ...new Array(23).fill(0)))).toThrow("23 bytes of data > 22");
    expect(() => encodePacket(packet("command", 64))).toThrow("code 64 > 63");
    for (const data of [[12, 28, 97], [3, 11, 95], [8, 18, 99], []])
      expect(() => encodePacket(command(5, ...data))).toThrow("may reset the host or power it off");
  });

  it("belong together by their code; reports and echoes answer nothing", () => {
    const ping = command(COMMAND.ping);
    expect(isAnswerTo(packet("response", 0), ping)).toBe(true);
    expect(isAnswerTo(packet("refusal", 0), ping)).toBe(true);
    for (const other of [packet("response", 1), packet("report", 0), ping]) expect(isAnswerTo(other, ping)).toBe(false);
  });
});

describe("the decoder", () => {
  const all = VECTORS.map(([, value]) => value);
  const stream = Buffer.concat(VECTORS.map(([, , text]) => hex(text)));

  it("finds the same packets wherever the bytes are cut", () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const decoder = new PacketDecoder();
      expect([...decoder.push(stream.subarray(0, cut)), ...decoder.push(stream.subarray(cut))]).toEqual(all);
      expect(decoder.discardedBytes).toBe(0);
    }
    const decoder = new PacketDecoder();
    expect([...stream].flatMap((byte) => decoder.push(Uint8Array.of(byte)))).toEqual(all);
  });

  it("goes on after a packet that is cut off at any length", () => {
    const [, hello, text] = VECTORS.at(-1)!;
    for (let length = 1; length < hex(text).length; length++) {
      const decoder = new PacketDecoder();
      // The second of three may be swallowed by the length that the first one promised; the third never is.
      const rest = Buffer.concat([hex(text).subarray(0, length), hex(text), hex(text), hex(text)]);
      const found = [...decoder.push(rest), ...decoder.expire()];
      expect(found.length, String(length)).toBeGreaterThanOrEqual(3);
      expect(found.every((value) => Buffer.compare(value.data, hello.data) === 0)).toBe(true);
      expect(decoder.discardedBytes).toBe(length);
    }
  });

  it("drops one byte for a bad CRC and finds what follows, for every bit", () => {
    const [, , text] = VECTORS.at(-1)!;
    for (let bit = 0; bit < hex(text).length * 8; bit++) {
      const damaged = hex(text);
      damaged[bit >>> 3]! ^= 1 << (bit & 7);
      const decoder = new PacketDecoder();
      const found = [...decoder.push(Buffer.concat([damaged, stream])), ...decoder.expire()];
      expect(found.slice(-all.length), String(bit)).toEqual(all);
      expect(decoder.discardedBytes).toBeGreaterThan(0);
    }
  });

  it("finds every packet after junk of any kind", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(300)), (junk, cuts) => {
        const decoder = new PacketDecoder();
        const bytes = Buffer.concat([junk, stream]);
        const edges = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
        const found = edges.slice(1).flatMap((end, index) => decoder.push(bytes.subarray(edges[index], end)));
        found.push(...decoder.expire());
        expect(found.slice(-all.length)).toEqual(all);
      }),
      // One in 65,536 of all junk is a packet that swallows what follows: always the same junk.
      { seed: 635 },
    );
  });

  it("stays as small as it is under endless noise, and then takes a packet", () => {
    const decoder = new PacketDecoder();
    let state = 1;
    let bytes = 0;
    for (let round = 0; round < 200; round++) {
      const noise = Uint8Array.from({ length: 4096 }, () => {
        state = (state * 1103515245 + 12345) & 0x7fffffff;
        return state >>> 16;
      });
      const found = decoder.push(noise);
      bytes += noise.length - found.reduce((sum, { data }) => sum + data.length + 4, 0);
      expect(bytes - decoder.discardedBytes).toBeLessThanOrEqual(MAX_PACKET_BYTES);
    }
    decoder.expire();
    expect(decoder.discardedBytes).toBe(bytes);
    expect(decoder.push(stream)).toEqual(all);
  });
});
