import { describe, expect, it } from "vitest";
import { classifyMedia, MediaKind, makeRtpView, readRtp } from "../../../device/rtp/packet.js";

const plain = Buffer.from("8008000100000002deadbeef0102", "hex");

describe("classifyMedia", () => {
  it.each([
    ["RTP", plain, MediaKind.rtp],
    ["RTCP sender report", Buffer.from("80c8000100000001", "hex"), MediaKind.rtcp],
    ["RTCP whose length does not fit is RTP or nothing", Buffer.from("80c8000900000001", "hex"), MediaKind.other],
    ["payload type 95 with marker is RTP", Buffer.from("80df000100000002deadbeef", "hex"), MediaKind.rtp],
    ["STUN", Buffer.from("000100002112a442", "hex"), MediaKind.stun],
    ["DTLS", Buffer.from("16fefd0000000000", "hex"), MediaKind.dtls],
    ["SIP", Buffer.from("INVITE sip:x SIP/2.0"), MediaKind.other],
    ["too short", Buffer.from("8008", "hex"), MediaKind.other],
  ])("%s", (_name, bytes, kind) => {
    expect(classifyMedia(bytes, 0, bytes.length)).toBe(kind);
  });
});

describe("readRtp", () => {
  it("reads the fixed header at any offset", () => {
    const view = makeRtpView();
    const bytes = Buffer.concat([Buffer.alloc(3, 0xff), plain]);
    expect(readRtp(bytes, 3, bytes.length, view)).toBe(true);
    expect(view).toEqual({
      payloadType: 8,
      marker: false,
      sequence: 1,
      timestamp: 2,
      ssrc: 0xdeadbeef,
      payloadStart: 15,
      payloadEnd: 17,
    });
  });

  it("skips CSRCs and extension and cuts padding", () => {
    const bytes = Buffer.concat([
      Buffer.from("b2880001000000020000000a", "hex"),
      Buffer.alloc(8), // two CSRCs
      Buffer.from("bede000100000000", "hex"), // one-word extension
      Buffer.from("aabbcc", "hex"),
      Buffer.from("000003", "hex"), // padding of 3
    ]);
    const view = makeRtpView();
    expect(readRtp(bytes, 0, bytes.length, view)).toBe(true);
    expect(view.marker).toBe(true);
    expect(bytes.subarray(view.payloadStart, view.payloadEnd).toString("hex")).toBe("aabbcc");
  });

  it("refuses every truncation of header, CSRC list and extension, and padding longer than the payload", () => {
    const bytes = Buffer.concat([
      Buffer.from("92080001000000020000000a", "hex"),
      Buffer.alloc(8),
      Buffer.from("bede000100000000", "hex"),
    ]);
    const view = makeRtpView();
    for (let length = 0; length < bytes.length; length++) expect(readRtp(bytes, 0, length, view)).toBe(false);
    expect(readRtp(bytes, 0, bytes.length, view)).toBe(true);
    const padded = Buffer.from("a0080001000000020000000a00ff", "hex");
    expect(readRtp(padded, 0, padded.length, view)).toBe(false);
  });
});
