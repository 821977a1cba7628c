// Session descriptions: RFC 8866, with the attributes of RFC 3605, 4568, 5761, 8122 and 8839 that a recorder needs.
import { describe, expect, test } from "vitest";
import { formatAddress } from "../../../device/base/address.js";
import { staticCodec } from "../../../device/sip/payload-types.js";
import { parseSdp } from "../../../device/sip/sdp.js";
import type { MediaDescription } from "../../../device/sip/sdp-types.js";

const HEAD = ["v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"];
const parse = (...lines: string[]) => parseSdp([...HEAD, ...lines, ""].join("\r\n"))!;
function media(...lines: string[]): MediaDescription {
  return parse(...lines).media[0]!;
}

describe("session level", () => {
  test("origin", () => {
    const sdp = parseSdp("v=0\r\no=alice 289 17 IN IP4 host.example\r\n")!;
    expect(sdp).toEqual({
      originId: "alice 289 IN IP4 host.example",
      originVersion: "17",
      originUser: "alice",
      originAddress: "host.example",
      media: [],
    });
  });

  test.each([
    ["- 1 1 IN IP6 2001:DB8::1", "-", "2001:db8::1"],
    ["alice 1 1 IN IP4 Host.Example further words", "alice", "host.example"],
    ["alice", "alice", ""],
    ["alice 1 1 IN IP4", "alice", ""],
    [`${"u".repeat(300)} 1 1 IN IP4 ${"h".repeat(300)}`, "u".repeat(255), "h".repeat(255)],
    ["", "", ""],
  ])("user and address of o=%s", (line, originUser, originAddress) => {
    expect(parseSdp(`v=0\r\no=${line}\r\n`)).toMatchObject({ originUser, originAddress });
  });

  test("the first of several origins", () => {
    expect(parseSdp("v=0\r\no=a 1 1 IN IP4 x\r\no=b 2 2 IN IP4 y\r\n")).toMatchObject({ originUser: "a" });
    expect(parse("m=audio 1 RTP/AVP 0", "o=b 2 2 IN IP4 y")).toMatchObject({ originUser: "-" });
  });

  test("only what opens with v= is a description", () => {
    for (const text of ["", " \r\n", "o=- 1 1 IN IP4 1.2.3.4\r\n", "garbage", "\0v=0", "m=audio 1 RTP/AVP 0"]) {
      expect(parseSdp(text)).toBeUndefined();
    }
    const nothing = { originId: "", originVersion: "", originUser: "", originAddress: "", media: [] };
    expect(parseSdp("\r\n v=0")).toEqual(nothing);
  });

  test("bare line feeds, unknown and malformed lines", () => {
    const text = [...HEAD, "k=prompt", "z", "=", "ax=1", "m=audio 4000 RTP/AVP 0", "b=AS:64", "a=", "a=:", "i=x"].join(
      "\n",
    );
    expect(parseSdp(text)?.media).toHaveLength(1);
  });
});

describe("media", () => {
  test("a plain audio section", () => {
    const section = media("m=audio 49170 RTP/AVP 0 8 97", "a=rtpmap:97 iLBC/8000", "a=fmtp:97 mode=30", "a=ptime:30");
    expect(section).toMatchObject({
      kind: "audio",
      port: 49170,
      protocol: "RTP/AVP",
      addressText: "192.0.2.1",
      direction: "sendrecv",
      ptimeMs: 30,
      rtcpPort: 49171,
      rtcpMux: false,
      encrypted: false,
      candidates: [],
    });
    expect(formatAddress(section.address!)).toBe("192.0.2.1");
    expect(section.codecs).toEqual([
      { payloadType: 0, name: "PCMU", clockRate: 8000, channels: 1 },
      { payloadType: 8, name: "PCMA", clockRate: 8000, channels: 1 },
      { payloadType: 97, name: "ILBC", clockRate: 8000, channels: 1, format: "mode=30" },
    ]);
  });

  test("c= of the section goes before the session's, wherever it stands", () => {
    const sdp = parse("m=audio 1 RTP/AVP 0", "m=video 2 RTP/AVP 31", "c=IN IP6 2001:db8::1", "c=IN IP4 9.9.9.9");
    expect(sdp.media.map((m) => m.addressText)).toEqual(["192.0.2.1", "2001:db8::1"]);
    expect(formatAddress(sdp.media[1]!.address!)).toBe("2001:db8::1");
  });

  test("addresses", () => {
    expect(media("m=audio 1 RTP/AVP 0", "c=IN IP4 224.2.1.1/127/3").addressText).toBe("224.2.1.1");
    expect(formatAddress(media("m=audio 1 RTP/AVP 0", "c=IN IP4 0.0.0.0").address!)).toBe("0.0.0.0");
    for (const line of ["c=IN IP4 phone.example", "c=IN IP4", "c=", "c=IN IP4 999.1.1.1"]) {
      const section = media("m=audio 1 RTP/AVP 0", line);
      expect("address" in section).toBe(false);
    }
  });

  test("several sections keep their places, malformed and disabled ones too", () => {
    const sdp = parse("m=audio", "m=audio 0 RTP/AVP 0", "m=audio 70000 RTP/AVP 0", "m=audio 4000/2 RTP/AVP 0", "m=");
    expect(sdp.media.map((m) => m.port)).toEqual([0, 0, 0, 4000, 0]);
    expect(sdp.media[0]!.rtcpPort).toBe(0);
  });

  test("sections without RTP", () => {
    const sdp = parse("m=image 5004 udptl t38", "a=T38FaxVersion:0", "m=message 9 TCP/MSRP *", "m=audio 6 RTP/AVP 0");
    expect(sdp.media.map((m) => [m.kind, m.protocol, m.codecs.length])).toEqual([
      ["image", "UDPTL", 0],
      ["message", "TCP/MSRP", 0],
      ["audio", "RTP/AVP", 1],
    ]);
  });

  test("direction: section before session before sendrecv", () => {
    const sdp = parse(
      "a=recvonly",
      "m=audio 1 RTP/AVP 0",
      "a=sendonly",
      "m=audio 2 RTP/AVP 0",
      "m=audio 3 RTP/AVP 0",
      "a=INACTIVE",
    );
    expect(sdp.media.map((m) => m.direction)).toEqual(["sendonly", "recvonly", "inactive"]);
  });

  test("RTCP port", () => {
    expect(media("m=audio 4000 RTP/AVP 0", "a=rtcp:53020 IN IP4 1.2.3.4").rtcpPort).toBe(53020);
    expect(media("m=audio 4000 RTP/AVP 0", "a=rtcp:x").rtcpPort).toBe(4001);
    expect(media("m=audio 65535 RTP/AVP 0").rtcpPort).toBe(0);
    expect(media("m=audio 4000 RTP/AVP 0", "a=rtcp:9", "a=rtcp-mux")).toMatchObject({ rtcpPort: 4000, rtcpMux: true });
  });

  test("encryption", () => {
    expect(media("m=audio 1 RTP/SAVP 0").encrypted).toBe(true);
    expect(media("m=audio 1 udp/tls/rtp/savpf 0")).toMatchObject({ encrypted: true, protocol: "UDP/TLS/RTP/SAVPF" });
    expect(media("m=audio 1 RTP/AVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x").encrypted).toBe(true);
    expect(media("a=fingerprint:sha-256 00", "m=audio 1 RTP/AVP 0").encrypted).toBe(true);
    expect(media("m=audio 1 RTP/AVPF 0").encrypted).toBe(false);
  });

  test("ICE candidates: RTP over UDP at literal addresses", () => {
    const section = media(
      "m=audio 1 RTP/AVP 0",
      "a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host",
      "a=candidate:1 2 UDP 2130706430 10.0.1.1 8999 typ host",
      "a=candidate:2 1 tcp 1 10.0.1.1 9 typ host tcptype active",
      "a=candidate:3 1 udp 1 abc.local 1000 typ host",
      "a=candidate:4 1 udp 1 2001:db8::7 70000 typ host",
      "a=candidate:5 1 udp 1 2001:db8::7 7000 typ host",
      "a=candidate:6 1 udp 1 10.0.0.1",
    );
    expect(section.candidates.map((c) => `${formatAddress(c.address)} ${c.port}`)).toEqual([
      "10.0.1.1 8998",
      "2001:db8::7 7000",
    ]);
  });

  test("values that are no numbers change nothing", () => {
    const section = media("m=audio 4000 RTP/AVP 0 999 -1 x 0 200", "a=ptime:0", "a=ptime:x", "a=ptime:99999");
    expect(section.codecs.map((c) => c.payloadType)).toEqual([0]);
    expect("ptimeMs" in section).toBe(false);
    expect(media("m=audio 4000 RTP/AVP 0", "a=ptime:2.5").ptimeMs).toBe(2.5);
  });
});

describe("payload types", () => {
  test.each([
    [0, "PCMU", 8000, 1],
    [3, "GSM", 8000, 1],
    [4, "G723", 8000, 1],
    [5, "DVI4", 8000, 1],
    [6, "DVI4", 16000, 1],
    [7, "LPC", 8000, 1],
    [8, "PCMA", 8000, 1],
    [9, "G722", 8000, 1],
    [10, "L16", 44100, 2],
    [11, "L16", 44100, 1],
    [12, "QCELP", 8000, 1],
    [13, "CN", 8000, 1],
    [14, "MPA", 90000, 1],
    [15, "G728", 8000, 1],
    [16, "DVI4", 11025, 1],
    [17, "DVI4", 22050, 1],
    [18, "G729", 8000, 1],
  ])("%i is %s", (payloadType, name, clockRate, channels) => {
    expect(staticCodec(payloadType)).toEqual({ payloadType, name, clockRate, channels });
    expect(media(`m=audio 1 RTP/AVP ${payloadType}`).codecs).toEqual([{ payloadType, name, clockRate, channels }]);
  });

  test("unassigned, reserved and dynamic numbers have no meaning of their own", () => {
    for (const payloadType of [1, 2, 19, 24, 72, 96, 127, 128, -1, 0.5])
      expect(staticCodec(payloadType)).toBeUndefined();
    expect(media("m=audio 1 RTP/AVP 96").codecs).toEqual([
      { payloadType: 96, name: "UNKNOWN", clockRate: 8000, channels: 1 },
    ]);
  });

  test("rtpmap: case, channels, clocks, and lines before or without use", () => {
    const section = media(
      "m=audio 1 RTP/AVP 8 96 97 9 98 99",
      "a=rtpmap:96 opus/48000/2",
      "a=rtpmap:97 telephone-event/8000",
      "a=rtpmap:9 G722/16000",
      "a=rtpmap:98 x/0",
      "a=rtpmap:99 y/8000/0",
      "a=rtpmap:100 unused/8000",
      "a=rtpmap:8 L16/16000",
    );
    expect(section.codecs.map((c) => `${c.payloadType} ${c.name} ${c.clockRate} ${c.channels}`)).toEqual([
      "8 L16 16000 1",
      "96 OPUS 48000 2",
      "97 TELEPHONE-EVENT 8000 1",
      "9 G722 8000 1",
      "98 UNKNOWN 8000 1",
      "99 Y 8000 1",
    ]);
  });
});

describe("bounds", () => {
  test("16 sections, and lines behind the last belong to none of them", () => {
    const sdp = parse(
      ...Array.from({ length: 20 }, (_, i) => `m=audio ${1000 + i} RTP/AVP 0`),
      "a=sendonly",
      "c=IN IP4 9.9.9.9",
    );
    expect(sdp.media).toHaveLength(16);
    expect(sdp.media[15]).toMatchObject({ port: 1015, direction: "sendrecv", addressText: "192.0.2.1" });
  });

  test("64 formats in a section, 256 in all, 16 candidates", () => {
    const formats = Array.from({ length: 128 }, (_, i) => i).join(" ");
    const candidates = Array.from({ length: 40 }, (_, i) => `a=candidate:1 1 UDP 1 10.0.0.1 ${1000 + i} typ host`);
    expect(media(`m=audio 1 RTP/AVP ${formats}`, ...candidates).codecs).toHaveLength(64);
    expect(media("m=audio 1 RTP/AVP 0", ...candidates).candidates).toHaveLength(16);
    const all = parse(...Array.from({ length: 16 }, () => `m=audio 1 RTP/AVP ${formats}`)).media;
    expect(all.reduce((sum, one) => sum + one.codecs.length, 0)).toBe(256);
  });

  test("names and parameters", () => {
    const section = media(
      "m=audio 1 RTP/AVP 96 97",
      `a=rtpmap:96 ${"n".repeat(65)}/8000`,
      `a=fmtp:97 ${"p".repeat(5000)}`,
    );
    expect(section.codecs[0]!.name).toBe("UNKNOWN");
    expect(section.codecs[1]!.format).toHaveLength(1024);
  });

  test("parameters of all formats together: what is beyond is left out, not cut", () => {
    const lines = Array.from({ length: 12 }, (_, i) => `a=fmtp:${96 + i} ${"p".repeat(1000)}`);
    const formats = lines.map((_, i) => 96 + i).join(" ");
    const { codecs } = media(`m=audio 1 RTP/AVP ${formats}`, ...lines);
    expect(codecs.filter(({ format }) => format !== undefined)).toHaveLength(8);
    expect(new Set(codecs.map(({ format }) => format?.length))).toEqual(new Set([1000, undefined]));
  });

  test("kinds, protocols and addresses are words, not texts", () => {
    const section = media(`m=${"k".repeat(999)} 1 ${"P".repeat(999)} 0`, `c=IN IP4 ${"h".repeat(999)}`);
    expect([section.kind.length, section.protocol.length, section.addressText.length]).toEqual([255, 255, 255]);
  });
});

describe("parameters of a format", () => {
  test.each([
    ["97 mode=30", "mode=30"],
    ["97 \t mode=30 ; x ", "mode=30 ; x"],
    ["97 a\rb", "a\rb"],
    ["97  \r", undefined],
    ["97", undefined],
    ["97mode=30", undefined],
    ["1097 mode=30", undefined],
    [" 97 mode=30", "mode=30"],
  ])("a=fmtp:%j", (line, format) => {
    expect(media("m=audio 1 RTP/AVP 97", `a=fmtp:${line}`).codecs[0]?.format).toBe(format);
  });
});
