// The handshake that opens SIP over WebSocket: RFC 6455 §4, RFC 7118 §4.
import { describe, expect, test } from "vitest";
import { type Upgrade, UpgradeScanner } from "../../../device/sip/websocket-upgrade.js";
import { upgradeRequest, upgradeResponse } from "../../fakes/websocket-bytes.js";

interface Found {
  /** What follows the head. */
  rest: string;
  upgrade: Upgrade | undefined;
}

function scan(...pieces: (string | Buffer)[]): Found | undefined {
  const scanner = new UpgradeScanner();
  for (const piece of pieces) {
    const data = Buffer.concat([Buffer.from("<<"), Buffer.from(piece), Buffer.from(">>")]);
    const headEnd = scanner.scan(data, 2, data.length - 2);
    if (headEnd >= 0) return { rest: data.toString("latin1", headEnd, data.length - 2), upgrade: scanner.upgrade };
  }
  return undefined;
}

const extensions = "permessage-deflate; client_max_window_bits";

describe("a handshake", () => {
  test("of the client", () => {
    expect(scan(Buffer.concat([upgradeRequest({ protocol: "SIP, chat", extensions }), Buffer.from("rest")]))).toEqual({
      rest: "rest",
      upgrade: { isResponse: false, protocols: ["sip", "chat"], extensions: `${extensions},` },
    });
  });

  test("of the server", () => {
    expect(scan(upgradeResponse())).toEqual({
      rest: "",
      upgrade: { isResponse: true, protocols: ["sip"], extensions: "" },
    });
  });

  test("split at every byte, and byte by byte", () => {
    const head = upgradeRequest({ extensions });
    for (let at = 0; at <= head.length; at++) {
      expect(scan(head.subarray(0, at), head.subarray(at))?.upgrade?.protocols).toEqual(["sip"]);
    }
    expect(scan(...[...head].map((octet) => Buffer.of(octet)))?.upgrade?.protocols).toEqual(["sip"]);
  });

  test("behind other requests, their bodies and junk", () => {
    const before = "POST /login HTTP/1.1\r\nContent-Length: 7\r\n\r\nfoo=bar\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    expect(scan(`\0\xff\n${before}`, upgradeRequest())?.upgrade).toBeDefined();
    const refusal = "HTTP/1.1 401 Unauthorized\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n";
    expect(scan(refusal)).toBeUndefined();
    expect(scan(refusal, upgradeResponse())?.upgrade?.isResponse).toBe(true);
  });

  test("with long cookies, names in any case, and lists in several lines", () => {
    const further = [`Cookie: ${"x".repeat(5000)}`, "SEC-WEBSOCKET-PROTOCOL: a,b"];
    expect(scan(upgradeRequest({ further }))?.upgrade?.protocols).toEqual(["sip", "a", "b"]);
    expect(scan("GET /?t=1 HTTP/1.1\nupgrade:WebSocket\nsec-websocket-protocol : sip\n\n")?.upgrade?.protocols).toEqual(
      ["sip"],
    );
  });

  test("not once something is missing in it", () => {
    const scanner = new UpgradeScanner();
    const head = upgradeRequest();
    scanner.scan(head, 0, 60);
    scanner.gap();
    expect(scanner.scan(head, 70, head.length)).toBe(-1);
    expect(scanner.scan(head, 0, head.length)).toBe(head.length);
  });
});

test("what is none", () => {
  for (const head of [
    "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: sip\r\n\r\n",
    "POST / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
    "GET /\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\n\r\n",
    "INVITE sip:a SIP/2.0\r\nUpgrade: websocket\r\n\r\n",
    "\r\n\r\n",
  ]) {
    expect(scan(head), head).toBeUndefined();
  }
});

test("hostile heads are bounded", () => {
  const scanner = new UpgradeScanner();
  const push = (text: string) => scanner.scan(Buffer.from(text), 0, text.length);
  expect(push("GET / HTTP/1.1\r\nUpgrade: websocket\r\n")).toBe(-1);
  for (let i = 0; i < 2000; i++)
    push(`Sec-WebSocket-Protocol: ${"p,".repeat(20)}\r\nSec-WebSocket-Extensions: ${"e".repeat(99)}\r\n`);
  for (let i = 0; i < 100; i++) push("x".repeat(10_000));
  expect(push("\r\n\r\n")).toBe(4);
  expect(scanner.upgrade?.protocols.length).toBe(16);
  expect(scanner.upgrade?.extensions.length).toBeLessThanOrEqual(8192);
});
