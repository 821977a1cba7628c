import { describe, expect, it } from "vitest";
import { headerOf, headersOf, readSdp, readSip, uriIn, writeSdp, writeSip } from "../../../host/caller/sip-text.js";

const invite = writeSip(
  "INVITE sip:21@127.0.0.2 SIP/2.0",
  [
    ["Via", "SIP/2.0/UDP 127.0.0.3:5060;branch=z9hG4bK1"],
    ["Via", "SIP/2.0/UDP 127.0.0.4:5060;branch=z9hG4bK2"],
    ["From", "<sip:42@127.0.0.3>;tag=a"],
    ["CSeq", "7 INVITE"],
  ],
  writeSdp({ address: "127.0.0.3", port: 4000, codec: "PCMU" }),
);

describe("SIP text", () => {
  it("is read back as it was written", () => {
    const message = readSip(invite)!;
    expect([message.method, message.status]).toEqual(["INVITE", 0]);
    expect(headersOf(message, "via").map(([, value]) => value.at(-1))).toEqual(["1", "2"]);
    expect(headerOf(message, "content-length")).toBe(String(Buffer.byteLength(message.body)));
    expect(readSdp(message.body)).toEqual({ address: "127.0.0.3", port: 4000, codec: "PCMU" });
    expect(headerOf(message, "x-none")).toBe("");
  });

  it("is read with compact names and folded lines, a response with its CSeq's method", () => {
    const message = readSip(
      Buffer.from("SIP/2.0 486 Busy Here\r\nf : <sip:a@b>\r\n ;tag=x\r\nCSEQ:\r\n\t3 BYE\r\n\r\n"),
    )!;
    expect([message.method, message.status]).toEqual(["BYE", 486]);
    expect(headerOf(message, "from")).toBe("<sip:a@b> ;tag=x");
  });

  it("refuses what is none, and takes every truncation without an error", () => {
    for (const text of [
      "",
      "\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n",
      "SIP/2.0 999 X\r\n\r\n",
      "BYE sip:a SIP/2.0\r\nx\r\n\r\n",
    ]) {
      expect(readSip(Buffer.from(text)), text).toBeUndefined();
    }
    const headBytes = invite.indexOf("\r\n\r\n") + 4;
    for (let length = 0; length < invite.length; length++) {
      const message = readSip(invite.subarray(0, length));
      expect(message === undefined).toBe(length < headBytes);
      if (message) readSdp(message.body);
    }
  });

  it("is bounded", () => {
    expect(readSip(Buffer.concat([invite, Buffer.alloc(16_384, 0x20)]))).toBeUndefined();
    const many = Array.from({ length: 200 }, (): [string, string] => ["X", "1"]);
    expect(readSip(writeSip("BYE sip:a@b SIP/2.0", many))).toBeUndefined();
  });

  it("finds a URI with and without angle brackets", () => {
    expect(uriIn('"Name" <sip:21@10.0.0.1:5060;transport=udp>;tag=1')).toBe("sip:21@10.0.0.1:5060;transport=udp");
    expect(uriIn("sip:21@10.0.0.1;tag=1")).toBe("sip:21@10.0.0.1");
  });
});

describe("session descriptions", () => {
  const sdp = (media: string, session = "c=IN IP4 10.0.0.1\r\n"): string => `v=0\r\n${session}t=0 0\r\n${media}`;

  it("prefers the media's own address and its first G.711", () => {
    const media = "m=video 9 RTP/AVP 96\r\nm=audio 5000 RTP/AVP 9 8 0 101\r\nc=IN IP6 2001:db8::1\r\n";
    expect(readSdp(sdp(media))).toEqual({ address: "2001:db8::1", port: 5000, codec: "PCMA" });
  });

  it("is nothing without audio, address, port or G.711", () => {
    expect(readSdp("")).toBeUndefined();
    expect(readSdp(sdp("m=video 9 RTP/AVP 0\r\n"))).toBeUndefined();
    expect(readSdp(sdp("m=audio 0 RTP/AVP 0\r\n"))).toBeUndefined();
    expect(readSdp(sdp("m=audio 5000 RTP/AVP 9 18\r\n"))).toBeUndefined();
    expect(readSdp(sdp("m=audio 5000 RTP/SAVP 0\r\n"))).toBeUndefined();
    expect(readSdp(sdp("m=audio 5000 RTP/AVP 0\r\n", ""))).toBeUndefined();
  });
});
