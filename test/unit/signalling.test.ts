// What becomes of connections: SIP, WebSocket, TLS and everything else, told apart by their first bytes, on any port.
import { beforeAll, describe, expect, it } from "vitest";
import { type Config, configSchema } from "../../device/contract/config.js";
import type { Datagram } from "../../device/net/datagram.js";
import { LinkFacts } from "../../device/net/link-facts.js";
import type { TcpSegment } from "../../device/net/tcp-segment.js";
import { SignallingPath } from "../../device/signalling.js";
import type { SipArrival } from "../../device/sip/arrival.js";
import type { SipMessage } from "../../device/sip/message.js";
import { makeRandom, randomInteger } from "../fakes/random.js";
import { clientHello } from "../fakes/tls-hello.js";
import { upgradeRequest, upgradeResponse, WebSocketWriter } from "../fakes/websocket-bytes.js";
import { FIN, SYN, segment } from "./net/tcp-segments.js";
import { invite, SDP } from "./sip/sip-text.js";

const MASK = [1, 2, 3, 4];
const INVITE = invite({}, ["Content-Type: application/sdp", `Content-Length: ${SDP.length}`], SDP);
const SERVER_HELLO = Buffer.from("160303005a020000560303".padEnd(190, "0"), "hex");
const APPLICATION_DATA = Buffer.concat([Buffer.from([23, 3, 3, 0, 200]), Buffer.alloc(200, 0x5a)]);
/** Nothing that is looked for. */
const NOISE = Buffer.alloc(100, "nothing of interest\n");

type End = "client" | "server";

/** One connection at a time through the path: bytes are given their sequence numbers. */
class Wire {
  readonly messages: { message: SipMessage; arrival: SipArrival }[] = [];
  readonly path: SignallingPath;
  private readonly next = new Map<string, number>();
  private port = 40_000;
  private serverPort = 5060;
  private atMs = 0;

  constructor(overrides: Record<string, unknown> = {}) {
    const config: Config = configSchema.parse(overrides);
    this.path = new SignallingPath(config, (message, arrival) => this.messages.push({ message, arrival }));
  }

  /** A new connection, seen from its beginning or joined midway. */
  connection(serverPort: number, { isMidway = false } = {}): this {
    this.port++;
    this.serverPort = serverPort;
    if (isMidway) return this;
    this.push("client", Buffer.alloc(0), SYN);
    this.push("server", Buffer.alloc(0), SYN);
    return this;
  }

  send(from: End, ...pieces: (string | Buffer)[]): this {
    for (const piece of pieces) this.push(from, Buffer.from(piece), 0x10);
    return this;
  }

  lose(from: End, bytes: number): this {
    this.next.set(this.nameOf(from), this.sequenceOf(from) + bytes);
    return this;
  }

  end(): this {
    this.push("client", Buffer.alloc(0), FIN);
    this.push("server", Buffer.alloc(0), FIN);
    return this;
  }

  get counts(): Record<string, number> {
    const all = Object.entries(this.path.exportCounters()).filter(([name]) => name.startsWith("sip."));
    return Object.fromEntries(all.filter(([, count]) => count !== 0));
  }

  get methods(): string[] {
    return this.messages.map(({ message, arrival }) => `${arrival.transport} ${message.method}`);
  }

  private push(from: End, payload: Buffer, flags: number): void {
    const sequence = this.sequenceOf(from);
    const one: TcpSegment = segment(sequence, payload, {
      flags,
      client: this.port,
      reverse: from === "server",
      atMs: this.atMs++,
    });
    const ports = from === "client" ? [this.port, this.serverPort] : [this.serverPort, this.port];
    one.key[8] = (ports[0]! << 16) | ports[1]!;
    this.path.segmentSink()(one);
    this.next.set(this.nameOf(from), sequence + payload.length + ((flags & (SYN | FIN)) === 0 ? 0 : 1));
  }

  private nameOf(from: End): string {
    return `${from} ${this.port}`;
  }

  private sequenceOf(from: End): number {
    return this.next.get(this.nameOf(from)) ?? 1000;
  }
}

let hello: Buffer;
beforeAll(async () => {
  hello = await clientHello({ servername: "pbx.example", ALPNProtocols: ["h2"] });
});

describe("SIP over TCP", () => {
  it("is found on any port, with where it was seen", () => {
    const wire = new Wire().connection(15_060).send("client", INVITE.slice(0, 200), INVITE.slice(200));
    expect(wire.messages).toMatchObject([
      {
        message: { method: "INVITE" },
        arrival: { transport: "TCP", sourcePort: 40_001, destinationPort: 15_060, source: [0, 0, 0xffff, 0x0a000001] },
      },
    ]);
    expect(wire.counts).toEqual({ "sip.messages": 1 });
  });

  it("is waited for behind any number of keep-alives", () => {
    const wire = new Wire().connection(5060, { isMidway: true });
    for (let i = 0; i < 5000; i++) wire.send("client", "\r\n\r\n").send("server", "\r\n");
    wire.send("client", INVITE);
    expect(wire.methods).toEqual(["TCP INVITE"]);
    expect(wire.counts).toEqual({ "sip.messages": 1 });
  });

  it("is waited for when its first message is longer than what is probed", () => {
    const long = invite({ Contact: `Contact: <sip:a@b>\r\n${"X-Token: 0123456789abcdef\r\n".repeat(200)}X: y` });
    const body = "v=0\r\n".repeat(4000);
    const large = invite({ "Call-ID": "Call-ID: large" }, ["l: 20000"], body);
    const wire = new Wire().connection(5060).send("client", ...cut(`${NOISE}${large}`, 1000));
    expect(wire.methods).toEqual(["TCP INVITE"]);
    wire.connection(5060).send("client", ...cut(long, 100));
    wire.send("client", INVITE);
    expect(wire.methods).toEqual(["TCP INVITE", "TCP INVITE", "TCP INVITE"]);
  });

  it("of which something is missing is handed on as far as it is there", () => {
    const wire = new Wire().connection(5060).send("client", INVITE, INVITE.slice(0, -20)).lose("client", 20);
    wire.send("client", INVITE);
    wire.path.finish();
    expect(wire.messages.map(({ message }) => message.bodyFault)).toEqual(["", "truncated", ""]);
    expect(wire.messages[1]?.message.sdp?.media.length ?? 0).toBeLessThanOrEqual(1);
  });

  it("joined midway is read from the next message on", () => {
    const wire = new Wire().connection(5060, { isMidway: true });
    wire.send("client", INVITE.slice(100), INVITE.slice(0, 50), INVITE.slice(50));
    expect(wire.methods).toEqual(["TCP INVITE"]);
  });
});

describe("SIP over WebSocket", () => {
  const writer = () => new WebSocketWriter();
  const masked = () => writer().message(Buffer.from(INVITE), { mask: MASK });

  it("is read after its handshake, on any port", () => {
    const wire = new Wire().connection(80);
    wire.send("client", upgradeRequest()).send("server", upgradeResponse());
    wire.send("client", masked()).send("server", writer().message(Buffer.from(INVITE)));
    expect(wire.messages).toMatchObject([
      { arrival: { transport: "WS", sourcePort: 40_001, destinationPort: 80 } },
      { arrival: { transport: "WS", sourcePort: 80, destinationPort: 40_001 } },
    ]);
    expect(wire.counts).toMatchObject({
      "sip.websocket-connections": 1,
      "sip.websocket-messages": 2,
      "sip.messages": 2,
    });
  });

  it("follows its handshake in the same segment", () => {
    const wire = new Wire().connection(80).send("client", Buffer.concat([upgradeRequest(), masked()]));
    expect(wire.methods).toEqual(["WS INVITE"]);
  });

  it.each<[string, End]>([
    ["request", "client"],
    ["response", "server"],
  ])("is read in both directions when only the %s was seen", (_name, seen) => {
    const wire = new Wire().connection(80, { isMidway: true });
    wire.send(seen, seen === "client" ? upgradeRequest() : upgradeResponse());
    // Far more than an unknown connection is granted.
    for (let i = 0; i < 200; i++) wire.send("client", NOISE).send("server", NOISE);
    wire.send("client", masked()).send("server", writer().message(Buffer.from(INVITE)));
    expect(wire.methods).toEqual(["WS INVITE", "WS INVITE"]);
    expect(wire.counts["sip.tcp-directions-ignored"]).toBeUndefined();
  });

  it("is read after a server that asks for credentials first", () => {
    const wire = new Wire().connection(80);
    wire.send("client", upgradeRequest()).send("server", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    wire.send("client", upgradeRequest()).send("server", upgradeResponse());
    wire.send("client", masked()).send("server", writer().message(Buffer.from(INVITE)));
    expect(wire.methods).toEqual(["WS INVITE", "WS INVITE"]);
  });

  it("is read when the server names no subprotocol", () => {
    const wire = new Wire().connection(80);
    wire.send("client", upgradeRequest()).send("server", upgradeResponse({ protocol: "" }));
    wire.send("server", writer().message(Buffer.from(INVITE)));
    expect(wire.methods).toEqual(["WS INVITE"]);
  });

  it("is read compressed only where that was agreed on", () => {
    for (const extensions of ["permessage-deflate; server_no_context_takeover", ""]) {
      const wire = new Wire().connection(80);
      wire.send("client", upgradeRequest({ extensions: "permessage-deflate" }));
      wire.send("server", upgradeResponse({ extensions }));
      for (const from of ["client", "server"] as const) {
        wire.send(from, new WebSocketWriter({ isCompressing: true }).message(Buffer.from(INVITE)));
      }
      expect(wire.methods).toEqual(extensions === "" ? [] : ["WS INVITE", "WS INVITE"]);
      expect(wire.counts["sip.websocket-lost"] ?? 0).toBe(extensions === "" ? 2 : 0);
    }
  });

  it("goes on after a gap with the next message", () => {
    const wire = new Wire().connection(80).send("client", upgradeRequest(), masked());
    wire.lose("client", 77).send("client", NOISE, masked());
    wire.path.finish();
    expect(wire.methods).toEqual(["WS INVITE", "WS INVITE"]);
    expect(wire.counts["sip.websocket-lost"]).toBe(1);
  });

  it("is not put together across a gap", () => {
    const wire = new Wire().connection(80).send("client", upgradeRequest(), masked().subarray(0, 250));
    wire.lose("client", 10).send("client", Buffer.concat([masked().subarray(260), masked()]));
    wire.path.finish();
    expect(wire.messages.map(({ message }) => message.bodyFault)).toEqual(["truncated", ""]);
    wire.connection(80).send("client", "GET / HTTP/1.1\r\nUpgrade: websocket\r\n").lose("client", 9);
    wire.send("client", "Sec-WebSocket-Protocol: sip\r\n\r\n");
    wire.path.finish();
    expect(wire.counts["sip.websocket-connections"]).toBe(1);
  });

  it("seen in one direction is waited for in the other, which has shown nothing yet", () => {
    const wire = new Wire().connection(80, { isMidway: true }).send("server", NOISE).send("client", masked());
    for (let i = 0; i < 200; i++) wire.send("server", NOISE);
    wire.send("server", writer().message(Buffer.from(INVITE)));
    expect(wire.methods).toEqual(["WS INVITE", "WS INVITE"]);
  });

  it("of another subprotocol is given up like any other connection", () => {
    const wire = new Wire().connection(80);
    wire.send("client", upgradeRequest({ protocol: "mqtt" })).send("server", upgradeResponse({ protocol: "mqtt" }));
    for (let i = 0; i < 200; i++) {
      wire.send("client", writer().message(NOISE, { mask: MASK })).send("server", writer().message(NOISE));
    }
    expect(wire.counts).toEqual({ "sip.tcp-directions-ignored": 2 });
  });
});

describe("connections that carry something else", () => {
  it("are not decompressed: what looks like a compressed frame in a download is none", () => {
    const compressed = new WebSocketWriter({ isCompressing: true }).message(Buffer.from(INVITE));
    const download = new Wire().connection(80).send("server", "HTTP/1.1 200 OK\r\n\r\n", compressed);
    expect(download.methods).toEqual([]);
    const midway = new Wire().connection(80, { isMidway: true }).send("server", compressed.subarray(90), compressed);
    expect(midway.methods).toEqual(["WS INVITE"]);
  });

  it("cost the first 8 KiB of each direction and nothing more", () => {
    const random = makeRandom(3);
    const wire = new Wire().connection(80);
    wire.send("client", "GET /bulk HTTP/1.1\r\nHost: a\r\n\r\n");
    wire.send("server", "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n");
    for (let i = 0; i < 100; i++) {
      const body = Buffer.alloc(1400);
      for (let at = 0; at < body.length; at++) body[at] = randomInteger(random, 256);
      wire.send("server", body);
    }
    // Even SIP is no longer looked for.
    wire.send("server", INVITE);
    expect(wire.methods).toEqual([]);
    expect(wire.counts).toEqual({ "sip.tcp-directions-ignored": 1 });
    const { "net.tcp-bytes": bytes } = wire.path.exportCounters();
    expect(bytes).toBeLessThan(8192 + 1400 + 100);
  });
});

describe("TLS", () => {
  it("is reported by server, with what the client says and every byte of it", () => {
    const wire = new Wire().connection(5061).send("client", hello).send("server", SERVER_HELLO);
    for (let i = 0; i < 100; i++) wire.send("client", APPLICATION_DATA).send("server", APPLICATION_DATA);
    wire.end().connection(5061).send("client", hello);
    expect(wire.path.tlsEndpoints()).toEqual([
      {
        endpoint: "10.10.0.2:5061",
        transport: "TCP",
        connections: 2,
        bytes: 2 * hello.length + SERVER_HELLO.length + 200 * APPLICATION_DATA.length,
        likelySip: true,
        firstAtUs: expect.any(Number),
        lastAtUs: expect.any(Number),
        serverName: "pbx.example",
        alpn: ["h2"],
      },
    ]);
    const [status] = wire.path.tlsEndpoints();
    expect(status!.lastAtUs - status!.firstAtUs).toBe((1 + 200 + 2 + 3) * 1000);
    expect(wire.counts).toEqual({ "sip.tls-connections": 2 });
    expect(wire.path.exportCounters()["net.tcp-bytes"]).toBe(2 * hello.length + SERVER_HELLO.length);
  });

  it("is recognised when its hello comes in pieces, or after the server's", () => {
    const wire = new Wire().connection(9999);
    wire.send("client", ...cut(hello, 50)).send("server", SERVER_HELLO);
    wire.connection(9998).send("server", SERVER_HELLO).send("client", hello.subarray(0, 9), hello.subarray(9));
    expect(wire.path.tlsEndpoints()).toMatchObject([
      { endpoint: "10.10.0.2:9999", connections: 1, serverName: "pbx.example", likelySip: false },
      { endpoint: "10.10.0.2:9998", connections: 1, serverName: "pbx.example", likelySip: false },
    ]);
  });

  it("joined midway counts to the end with a SIP port, else with the lower one", () => {
    const wire = new Wire({ sip: { tlsPorts: [50_443] } });
    wire.connection(50_443, { isMidway: true }).send("client", APPLICATION_DATA);
    wire.connection(443, { isMidway: true }).send("client", APPLICATION_DATA).send("server", "no record begins here");
    expect(wire.path.tlsEndpoints()).toMatchObject([
      { endpoint: "10.10.0.2:50443", connections: 1, likelySip: true },
      { endpoint: "10.10.0.2:443", connections: 1, likelySip: false, bytes: APPLICATION_DATA.length + 21 },
    ]);
  });

  it("is likely SIP by its ALPN on any port", async () => {
    const sip = await clientHello({ ALPNProtocols: ["sip/2"] });
    const wire = new Wire().connection(443).send("client", sip);
    expect(wire.path.tlsEndpoints()).toMatchObject([{ likelySip: true, alpn: ["sip/2"] }]);
  });

  it("keeps 256 servers", () => {
    const wire = new Wire();
    for (let port = 1000; port < 1300; port++) wire.connection(port).send("client", hello).end();
    const ports = wire.path.tlsEndpoints().map(({ endpoint }) => Number(endpoint.split(":")[1]));
    expect(ports).toEqual(Array.from({ length: 256 }, (_, i) => 1044 + i));
    expect(wire.counts).toEqual({ "sip.tls-connections": 300, "sip.tls-endpoints-evicted": 44 });
  });
});

describe("DTLS", () => {
  const openings = Buffer.from([22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50, 1, 0, 0, 38, 0, 0, 0, 0]);
  const datagram = (ports: [number, number], data: Buffer): Datagram => {
    const key = segment(0, "", { reverse: ports[0] < ports[1] }).key;
    key[8] = (ports[0] << 16) | ports[1];
    const link = new LinkFacts();
    return { data, start: 0, end: data.length, truncated: false, capturedAtUs: 5, key, interfaceIndex: 0, link };
  };

  it("to a SIP port is reported, other DTLS is not", () => {
    const { path } = new Wire();
    path.noteDtls(datagram([40_000, 5061], openings));
    path.noteDtls(datagram([5061, 40_000], openings));
    path.noteDtls(datagram([40_000, 5061], APPLICATION_DATA));
    path.noteDtls(datagram([40_000, 30_000], openings));
    const bytes = 2 * openings.length + APPLICATION_DATA.length;
    expect(path.tlsEndpoints()).toMatchObject([{ transport: "UDP", connections: 1, bytes, likelySip: true }]);
  });
});

function cut(bytes: string | Buffer, size: number): Buffer[] {
  const all = Buffer.from(bytes);
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.subarray(i * size, (i + 1) * size));
}
