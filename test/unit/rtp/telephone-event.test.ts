// One RFC 4733 report.
import { describe, expect, it } from "vitest";
import { keyOf, makeTelephoneEvent, readTelephoneEvent } from "../../../device/rtp/telephone-event.js";
import { makeRandom } from "../../fakes/random.js";

function read(hex: string) {
  const bytes = Buffer.from(hex, "hex");
  const into = makeTelephoneEvent();
  return readTelephoneEvent(bytes, 0, bytes.length, into) ? into : undefined;
}

describe("readTelephoneEvent", () => {
  it.each([
    ["the first packet of a 9", "09070190", { event: 9, isEnd: false, volume: 7, durationTicks: 400 }],
    ["the end of a 9", "09870640", { event: 9, isEnd: true, volume: 7, durationTicks: 1600 }],
    ["the end of a 1", "018a0708", { event: 1, isEnd: true, volume: 10, durationTicks: 1800 }],
    ["a first packet with duration 0", "0b0a0000", { event: 11, isEnd: false, volume: 10, durationTicks: 0 }],
    ["the largest of all", "ffbfffff", { event: 255, isEnd: true, volume: 63, durationTicks: 65535 }],
    ["the reserved bit is ignored", "05ca00a0", { event: 5, isEnd: true, volume: 10, durationTicks: 160 }],
    ["the first of two", "050a00a006ff1234", { event: 5, isEnd: false, volume: 10, durationTicks: 160 }],
    ["and of one and a half", "050a00a006ff", { event: 5, isEnd: false, volume: 10, durationTicks: 160 }],
  ])("%s", (_name, hex, event) => expect(read(hex)).toEqual(event));

  it.each(["", "05", "050a", "050a00"])("refuses the cut report %j", (hex) => expect(read(hex)).toBeUndefined());

  it("reads what lies within the bounds only", () => {
    const into = makeTelephoneEvent();
    const bytes = Buffer.from("ffff058a01e0ffff", "hex");
    expect(readTelephoneEvent(bytes, 2, 6, into)).toBe(true);
    expect(into).toEqual({ event: 5, isEnd: true, volume: 10, durationTicks: 480 });
    expect(readTelephoneEvent(bytes, 2, 5, into)).toBe(false);
    expect(into.event).toBe(5);
  });

  it("is what the bits say, whatever they are", () => {
    const random = makeRandom(2833);
    for (let round = 0; round < 1000; round++) {
      const word = Math.floor(random() * 2 ** 32);
      const bits = word.toString(2).padStart(32, "0");
      expect(read(word.toString(16).padStart(8, "0"))).toEqual({
        event: Number.parseInt(bits.slice(0, 8), 2),
        isEnd: bits[8] === "1",
        volume: Number.parseInt(bits.slice(10, 16), 2),
        durationTicks: Number.parseInt(bits.slice(16), 2),
      });
    }
  });
});

describe("keyOf", () => {
  it("knows the sixteen keys and nothing else", () => {
    const keys = Array.from({ length: 256 }, (_, event) => keyOf(event));
    expect(keys.slice(0, 16).join("")).toBe("0123456789*#ABCD");
    expect(keys.slice(16).every((key) => key === undefined)).toBe(true);
  });
});
