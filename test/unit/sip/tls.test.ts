// TLS seen from outside: hellos that OpenSSL itself writes, records, what is none, the table of servers.
import { beforeAll, describe, expect, test } from "vitest";
import { TlsEndpoints } from "../../../device/sip/tls-endpoints.js";
import { TlsProbe } from "../../../device/sip/tls-probe.js";
import { opensDtls, readClientHello, sightTls } from "../../../device/sip/tls-record.js";
import { makeRandom, randomInteger } from "../../fakes/random.js";
import { clientHello } from "../../fakes/tls-hello.js";

let hello: Buffer;
let plainHello: Buffer;
beforeAll(async () => {
  hello = await clientHello({ servername: "Sip.Example.com", ALPNProtocols: ["sip/2", "h2"] });
  plainHello = await clientHello({ maxVersion: "TLSv1.2" });
});

/** The same handshake message in records of so many bytes. */
function inRecords(whole: Buffer, size: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 5; at < whole.length; at += size) {
    const part = whole.subarray(at, at + size);
    records.push(Buffer.of(22, 3, 1, part.length >> 8, part.length & 255), part);
  }
  return Buffer.concat(records);
}

describe("a ClientHello", () => {
  test("names the server and offers protocols", () => {
    expect(sightTls(hello, 0, hello.length)).toBe("client-hello");
    const data = Buffer.concat([Buffer.from("??"), hello, Buffer.from("??")]);
    expect(readClientHello(data, 2, data.length - 2)).toEqual({
      isComplete: true,
      serverName: "sip.example.com",
      alpn: ["sip/2", "h2"],
    });
    expect(readClientHello(plainHello, 0, plainHello.length)).toEqual({ isComplete: true, serverName: "", alpn: [] });
  });

  test("in records of any size", () => {
    for (const size of [1, 2, 50, 200, 1000]) {
      const records = inRecords(hello, size);
      expect(readClientHello(records, 0, records.length)).toMatchObject({ isComplete: true, alpn: ["sip/2", "h2"] });
    }
  });

  test("cut at every byte says no more than it knows and never throws", () => {
    for (let end = 0; end < hello.length; end++) {
      const { isComplete, serverName, alpn } = readClientHello(hello, 0, end);
      expect(isComplete).toBe(false);
      expect("sip.example.com".startsWith(serverName)).toBe(true);
      for (const name of alpn) expect(["sip/2", "h2"].some((known) => known.startsWith(name))).toBe(true);
    }
  });

  test("with hostile lengths and names is read without harm", () => {
    const random = makeRandom(11);
    for (let round = 0; round < 3000; round++) {
      const broken = Buffer.from(hello);
      for (let i = 0; i < 4; i++) broken[5 + randomInteger(random, broken.length - 5)] = randomInteger(random, 256);
      const { serverName, alpn } = readClientHello(broken, 0, broken.length);
      expect(serverName).toMatch(/^[\w.-]{0,255}$/);
      expect(alpn.length).toBeLessThanOrEqual(8);
      for (const name of alpn) expect(name).toMatch(/^[\x21-\x7e]{1,255}$/);
    }
  });
});

describe("records", () => {
  test("are told by type, version and length", () => {
    const sight = (...octets: number[]) => sightTls(Buffer.from(octets), 0, octets.length);
    expect(sight(22, 3, 3, 0, 80, 2)).toBe("server-hello");
    expect(sight(22, 3, 3, 0, 80, 11)).toBe("record");
    expect(sight(23, 3, 3, 0x40, 0, 99)).toBe("record");
    expect(sight(21, 3, 1, 0, 2, 2)).toBe("record");
    expect(sight(23, 3, 3, 0, 0, 99)).toBe("no");
    expect(sight(23, 3, 3, 0x50, 0, 99)).toBe("no");
    expect(sight(24, 3, 3, 0, 8, 99)).toBe("no");
    expect(sight(23, 2, 3, 0, 8, 99)).toBe("no");
    expect(sight(23, 3, 5, 0, 8, 99)).toBe("no");
    for (let length = 0; length < 6; length++) expect(sight(...[23, 3, 3, 0, 8].slice(0, length))).toBe("more");
  });

  test("are not what SIP, HTTP and WebSocket begin with", () => {
    for (const text of [
      "INVITE sip:a SIP/2.0",
      "SIP/2.0 200 OK",
      "GET / HTTP/1.1",
      "\r\n\r\n",
      "\x81\x7e",
      "\xc1\x05",
    ]) {
      const data = Buffer.from(text, "latin1");
      expect(sightTls(data, 0, data.length), text).toBe("no");
    }
  });

  test("a DTLS client opens once, however often it answers a cookie", () => {
    const dtls = (messageSequence: number, handshake = 1) =>
      Buffer.from([22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50, handshake, 0, 0, 38, 0, messageSequence, 0, 0]);
    const opens = (data: Buffer) => opensDtls(data, 0, data.length);
    expect([opens(dtls(0)), opens(dtls(1)), opens(dtls(0, 2))]).toEqual([true, false, false]);
    for (let end = 0; end < 19; end++) expect(opensDtls(dtls(0), 0, end)).toBe(false);
  });
});

describe("the probe", () => {
  test("waits for a whole hello, split at every byte", () => {
    for (let at = 0; at < hello.length; at++) {
      const probe = new TlsProbe();
      if (at > 0) expect(probe.look(hello, 0, at)).toBeUndefined();
      expect(probe.isUndecided).toBe(at > 0);
      expect(probe.look(hello, at, hello.length)).toEqual({
        server: "destination",
        serverName: "sip.example.com",
        alpn: ["sip/2", "h2"],
      });
    }
  });

  test("does not wait for ever: a hello without end is taken as far as it goes", () => {
    const endless = Buffer.concat([hello, Buffer.alloc(20_000)]);
    endless.writeUIntBE(0x4000, 3, 2);
    endless.writeUIntBE(0xfffff, 6, 3);
    const probe = new TlsProbe();
    let at = 0;
    let view: ReturnType<TlsProbe["look"]>;
    for (; view === undefined && at < endless.length; at += 500) view = probe.look(endless, at, at + 500);
    expect(at).toBeLessThanOrEqual(8500);
    expect(view).toMatchObject({ server: "destination", serverName: "sip.example.com" });
  });

  test("forgets a beginning that turns out to be none, and looks at what follows", () => {
    const probe = new TlsProbe();
    expect(probe.look(Buffer.of(22, 3), 0, 2)).toBeUndefined();
    expect(probe.isUndecided).toBe(true);
    expect(probe.look(hello, 0, hello.length)?.server).toBe("destination");
    expect(probe.look(Buffer.of(22), 0, 1)).toBeUndefined();
    expect(probe.look(Buffer.from("INVITE"), 0, 6)).toBeUndefined();
    expect(probe.isUndecided).toBe(false);
    probe.look(hello, 0, 100);
    probe.gap();
    expect(probe.isUndecided).toBe(false);
  });

  test("tells the server's side where it can", () => {
    const serverHello = Buffer.from([22, 3, 3, 0, 80, 2, 0, 0]);
    expect(new TlsProbe().look(serverHello, 0, serverHello.length)?.server).toBe("source");
    const data = Buffer.from([23, 3, 3, 0, 80, 2, 0, 0]);
    expect(new TlsProbe().look(data, 0, data.length)?.server).toBe("unknown");
  });
});

describe("the table of servers", () => {
  test("counts connections, takes what clients say, and judges by port and protocol", () => {
    const table = new TlsEndpoints(10, [5061]);
    const first = table.connect("10.0.0.5:5061", 5061, "TCP", 100);
    first.bytes += 500;
    expect(table.connect("10.0.0.5:5061", 5061, "TCP", 200)).toBe(first);
    const second = table.connect("10.0.0.6:443", 443, "TCP", 150);
    table.describe(second, { serverName: "a.example", alpn: ["h2"] });
    table.describe(second, { serverName: "", alpn: [] });
    const third = table.connect("10.0.0.7:9999", 9999, "TCP", 300);
    table.describe(third, { serverName: "", alpn: ["http/1.1", "sip/2"] });
    const common = { transport: "TCP", connections: 1, bytes: 0 };
    expect(table.list()).toEqual([
      {
        ...common,
        endpoint: "10.0.0.5:5061",
        connections: 2,
        bytes: 500,
        likelySip: true,
        firstAtUs: 100,
        lastAtUs: 200,
      },
      {
        ...common,
        endpoint: "10.0.0.6:443",
        likelySip: false,
        firstAtUs: 150,
        lastAtUs: 150,
        serverName: "a.example",
        alpn: ["h2"],
      },
      {
        ...common,
        endpoint: "10.0.0.7:9999",
        likelySip: true,
        firstAtUs: 300,
        lastAtUs: 300,
        alpn: ["http/1.1", "sip/2"],
      },
    ]);
    expect(table.connections).toBe(4);
  });

  test("keeps its bound: the longest silent goes first", () => {
    const table = new TlsEndpoints(3, []);
    const busy = table.connect("a", 1, "TCP", 1);
    table.connect("b", 1, "TCP", 2);
    table.connect("c", 1, "TCP", 3);
    busy.lastAtUs = 9;
    table.connect("d", 1, "TCP", 10);
    expect(table.list().map(({ endpoint }) => endpoint)).toEqual(["a", "c", "d"]);
    for (let i = 0; i < 1000; i++) table.connect(`x${i}`, 1, "TCP", 20 + i);
    expect(table.list().map(({ endpoint }) => endpoint)).toEqual(["x997", "x998", "x999"]);
    expect(table.evicted).toBe(1001);
  });

  test("hands out copies", () => {
    const table = new TlsEndpoints(3, []);
    const status = table.connect("a", 1, "UDP", 1);
    table.describe(status, { serverName: "", alpn: ["h2"] });
    const [copy] = table.list();
    copy!.alpn!.push("x");
    copy!.bytes = 7;
    expect(table.list()).toMatchObject([{ bytes: 0, alpn: ["h2"], transport: "UDP" }]);
  });
});
