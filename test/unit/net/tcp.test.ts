import { describe, expect, it } from "vitest";
import { ACK, Consumer, FIN, HOLE_US, IDLE_US, RST, SYN, segment } from "./tcp-segments.js";

const syn = (sequence: number, options = {}) => segment(sequence, "", { flags: SYN, ...options });

describe("order", () => {
  it("hands on both directions of a connection, each with its own key and identity", () => {
    const tcp = new Consumer().push(
      syn(99),
      syn(499, { reverse: true, flags: SYN | ACK }),
      segment(100, "INVITE"),
      segment(500, "200 OK", { reverse: true, atMs: 4 }),
      segment(106, " sip:", { atMs: 9 }),
    );
    expect(tcp.seen).toEqual([
      { from: "10.0.0.1:5062", to: "10.10.0.2:5060", text: "INVITE", gap: false, atMs: 0, id: 1 },
      { from: "10.10.0.2:5060", to: "10.0.0.1:5062", text: "200 OK", gap: false, atMs: 4, id: 2 },
      { from: "10.0.0.1:5062", to: "10.10.0.2:5060", text: " sip:", gap: false, atMs: 9, id: 1 },
    ]);
    expect(tcp.counts).toEqual({ connections: 1 });
  });

  it("puts segments in order and delivers at the time of the one that fills the hole", () => {
    const tcp = new Consumer().push(syn(0), segment(4, "def", { atMs: 1 }), segment(7, "ghi", { atMs: 2 }));
    expect(tcp.seen).toEqual([]);
    expect(tcp.streams.bufferedBytes).toBeGreaterThan(6);
    tcp.push(segment(1, "abc", { atMs: 3 }));
    expect(tcp.text).toBe("abcdefghi");
    expect(tcp.seen.map(({ atMs }) => atMs)).toEqual([3, 3, 3]);
    expect(tcp.streams.bufferedBytes).toBe(0);
    expect(tcp.counts).toEqual({ connections: 1, "out-of-order": 2 });
  });

  it("trims retransmissions and partial overlaps, early and late", () => {
    const tcp = new Consumer().push(
      syn(0),
      segment(1, "abc"),
      segment(1, "abc"),
      segment(2, "bcde"),
      segment(8, "hi"),
      segment(8, "hi"),
      segment(7, "ghij"),
      segment(4, "defgh"),
      segment(1, "abcdefghijk"),
    );
    expect(tcp.text).toBe("abcdefghijk");
    expect(tcp.counts).toEqual({
      connections: 1,
      "out-of-order": 2,
      retransmitted: 3,
      overlapping: 4,
    });
  });

  it("keeps the longer of two held segments that begin alike", () => {
    const tcp = new Consumer().push(syn(0), segment(4, "de"), segment(4, "defg"), segment(1, "abc"));
    expect(tcp.text).toBe("abcdefg");
  });

  it.each([0xfffffffd, 0x7ffffffb])("holds and orders segments on both sides of the wrap of %i", (initial) => {
    const part = (offset: number, text: string) => segment(initial + 1 + offset, text);
    const tcp = new Consumer().push(syn(initial), part(8, "ij"), part(2, "cd"), part(6, "gh"), part(4, "ef"));
    expect(tcp.text).toBe("");
    tcp.push(part(0, "ab"));
    expect(tcp.text).toBe("abcdefghij");
  });

  it("takes data that comes with the SYN and with the FIN", () => {
    const tcp = new Consumer().push(segment(0, "ab", { flags: SYN }), segment(3, "cd", { flags: FIN | ACK }));
    expect(tcp.text).toBe("abcd");
  });

  it("joins midway with a gap, at the first segment that carries data", () => {
    // A keep-alive's number is one too low (RFC 9293 §3.8.4): it must not make a hole.
    const tcp = new Consumer().push(segment(999, ""), segment(1000, "abc"), segment(1003, "def"));
    expect(tcp.text).toBe("|abcdef");
    expect(tcp.counts).toEqual({ connections: 1, midstream: 1 });
  });

  it("drops what no window can reach", () => {
    const tcp = new Consumer().push(
      syn(0),
      segment(1, "a"),
      segment(2 + 2 ** 30 + 1, "far"),
      segment(2 - 2 ** 30 - 9, "old"),
    );
    expect(tcp.text).toBe("a");
    expect(tcp.streams.bufferedBytes).toBe(0);
    expect(tcp.counts).toMatchObject({ "out-of-window": 2 });
  });

  it("passes over what the capture cut off a segment", () => {
    const tcp = new Consumer().push(syn(0), segment(1, "abc", { wireBytes: 10 }), segment(11, "def"));
    expect(tcp.text).toBe("abc|def");
    expect(tcp.counts).toMatchObject({ truncated: 1 });
  });

  it("fills from a whole copy only what comes after the bytes it passed over", () => {
    const tcp = new Consumer().push(
      syn(0),
      segment(4, "def", { wireBytes: 6 }),
      segment(1, "abc"),
      segment(7, "ghijk"),
    );
    expect(tcp.text).toBe("abcdef|jk");
  });
});

describe("holes", () => {
  it("waits for the timeout in packet time, then passes over and says so", () => {
    const tcp = new Consumer().push(syn(0), segment(1, "ab"), segment(6, "fg", { atMs: 10 }));
    tcp.streams.advance(segment(0, "", { atMs: 10 }).capturedAtUs + HOLE_US);
    expect(tcp.text).toBe("ab");
    tcp.streams.advance(segment(0, "", { atMs: 11 }).capturedAtUs + HOLE_US);
    expect(tcp.text).toBe("ab|fg");
    tcp.push(segment(8, "hi", { atMs: 3020 }), segment(3, "cde", { atMs: 3020 }));
    expect(tcp.text).toBe("ab|fghi");
    expect(tcp.counts).toMatchObject({ gaps: 1, retransmitted: 1 });
  });

  it("waits anew for a second hole", () => {
    const tcp = new Consumer().push(syn(0), segment(3, "c"), segment(6, "f"));
    tcp.push(segment(99, "x", { client: 7, atMs: 3001 }));
    expect(tcp.text).toBe("|c|x");
    tcp.push(segment(100, "y", { client: 7, atMs: 6001 }));
    expect(tcp.text).toBe("|c|xy");
    tcp.push(segment(101, "z", { client: 7, atMs: 6002 }));
    expect(tcp.text).toBe("|c|xy|fz");
  });

  it("gives a hole up when the direction's share of memory is full", () => {
    const part = "x".repeat(1000);
    const tcp = new Consumer({ maxBufferedBytesPerConnection: 20_000 }).push(syn(0));
    for (let i = 0; i < 30; i++) {
      tcp.push(segment(101 + i * 1000, part));
      expect(tcp.streams.bufferedBytes).toBeLessThanOrEqual(10_000);
    }
    expect(tcp.text).toBe(`|${"x".repeat(30_000)}`);
    expect(tcp.counts).toMatchObject({ gaps: 1 });
  });

  it("passes over a hole at once for a segment that is too large to hold", () => {
    const tcp = new Consumer({ maxBufferedBytesPerConnection: 2000 }).push(syn(0), segment(50, "y".repeat(1500)));
    expect(tcp.text).toBe(`|${"y".repeat(1500)}`);
    expect(tcp.streams.bufferedBytes).toBe(0);
  });

  it("gives up the oldest hole of all when the total is full", () => {
    const tcp = new Consumer({ maxBufferedBytesTotal: 20_000, maxBufferedBytesPerConnection: 40_000 });
    for (let client = 1; client <= 40; client++) {
      tcp.push(syn(0, { client }), segment(10, "z".repeat(744), { client }));
      expect(tcp.streams.bufferedBytes).toBeLessThanOrEqual(20_000);
    }
    expect(tcp.streams.bufferedBytes).toBe(20_000);
    expect(tcp.seen.map(({ from }) => from)).toEqual(Array.from({ length: 20 }, (_, i) => `10.0.0.1:${i + 1}`));
    expect(tcp.counts).toMatchObject({ gaps: 20 });
  });

  it("holds a bounded number of segments, however small", () => {
    const tcp = new Consumer({ maxBufferedBytesPerConnection: 2 ** 24, maxBufferedBytesTotal: 2 ** 24 }).push(syn(0));
    for (let i = 1; i <= 257; i++) tcp.push(segment(2 * i, "."));
    expect(tcp.counts).toMatchObject({ gaps: 1, "out-of-order": 257 });
  });
});

describe("ignored directions", () => {
  it("counts and skips, frees what was held, and leaves the other direction alone", () => {
    const tcp = new Consumer();
    tcp.onData = (direction) => direction.id === 1 && direction.ignore();
    tcp.push(syn(0), segment(9, "later"), segment(1, "GET /"), segment(6, "x"), segment(5000, "y"));
    expect(tcp.text).toBe("GET /");
    expect(tcp.streams.bufferedBytes).toBe(0);
    tcp.push(segment(1, "SIP/2.0", { reverse: true }));
    expect(tcp.text).toBe("GET /|SIP/2.0");
    expect(tcp.counts).toMatchObject({ ignored: 2 });
    expect(tcp.counts).not.toHaveProperty("gaps");
  });

  it("hands on nothing more of what was already waiting", () => {
    const tcp = new Consumer();
    tcp.onData = (direction) => direction.ignore();
    tcp.push(syn(0), segment(2, "b"), segment(3, "c"), segment(1, "a"));
    expect(tcp.text).toBe("a");
  });

  it("has what is skipped counted where the consumer wants it, copies and what waited included", () => {
    const tally = { bytes: 0, lastAtUs: 0 };
    const tcp = new Consumer();
    tcp.onData = (direction) => direction.ignore(tally);
    tcp.push(
      syn(0),
      segment(4, "later"),
      segment(1, "GET"),
      segment(9, "x", { atMs: 4 }),
      segment(9, "x", { atMs: 7 }),
    );
    tcp.push(segment(10, "cut", { wireBytes: 100, atMs: 9 }), segment(110, "", { atMs: 11 }));
    expect(tcp.text).toBe("GET");
    expect(tally).toEqual({ bytes: 5 + 1 + 1 + 100, lastAtUs: segment(0, "", { atMs: 11 }).capturedAtUs });
  });

  it("ends with the connection: the next one on the same ports is listened to", () => {
    const tcp = new Consumer();
    tcp.onData = (direction) => direction.id === 1 && direction.ignore();
    tcp.push(syn(0), segment(1, "a"), segment(7, "", { flags: FIN }), syn(900), segment(901, "b"));
    expect(tcp.text).toBe("ab");
    expect(tcp.counts).toMatchObject({ ignored: 1, restarted: 1, connections: 2 });
  });
});

describe("lives of connections", () => {
  const finished = () =>
    new Consumer().push(
      syn(0),
      syn(0, { reverse: true, flags: SYN | ACK }),
      segment(1, "ab", { flags: FIN | ACK }),
      segment(1, "cd", { flags: FIN | ACK, reverse: true }),
    );

  it("ends when both sides have sent FIN, and takes late copies for what they are", () => {
    const tcp = finished();
    expect(tcp.ended).toEqual([1, 2]);
    tcp.push(segment(1, "ab"), segment(3, "", { reverse: true }));
    expect(tcp.text).toBe("abcd");
    expect(tcp.counts).toEqual({ connections: 1, finished: 1, "after-end": 1 });
    expect(tcp.streams.connections).toBe(1);
    tcp.streams.advance(segment(0).capturedAtUs + IDLE_US + 1);
    expect(tcp.streams.connections).toBe(0);
    expect(tcp.counts).not.toHaveProperty("idle");
  });

  it("begins again with a SYN", () => {
    const tcp = finished().push(syn(7000), segment(7001, "new"));
    expect(tcp.seen.at(-1)).toMatchObject({ text: "new", gap: false, id: 3 });
    expect(tcp.counts).toMatchObject({ restarted: 1, connections: 2 });
  });

  it("waits for what lies before a FIN that came early", () => {
    const tcp = new Consumer().push(syn(0), segment(3, "cd", { flags: FIN }), segment(1, "ab"), segment(5, "after"));
    expect(tcp.text).toBe("abcd");
    expect(tcp.counts).toMatchObject({ "after-end": 1 });
  });

  it("does not believe a FIN behind which bytes have come already", () => {
    const tcp = new Consumer().push(syn(0), segment(1, "abcdef"), segment(3, "", { flags: FIN }), segment(7, "gh"));
    expect(tcp.text).toBe("abcdefgh");
  });

  it("does not take a repeated SYN for a new connection", () => {
    const tcp = new Consumer().push(syn(0), segment(1, "ab"), syn(0), segment(3, "cd"));
    expect(tcp.text).toBe("abcd");
    expect(tcp.counts).toEqual({ connections: 1 });
  });

  it("replaces a connection whose SYN has another number, handing on what waited", () => {
    const tcp = new Consumer().push(syn(0), segment(5, "late"), syn(100), segment(101, "new"));
    expect(tcp.text).toBe("|latenew");
    expect(tcp.ended).toEqual([1]);
    expect(tcp.counts).toMatchObject({ restarted: 1 });
  });

  it("believes a RST at the expected number only", () => {
    const tcp = new Consumer().push(
      syn(0),
      segment(1, "ab"),
      segment(2, "", { flags: RST }),
      segment(900, "", { flags: RST }),
    );
    expect(tcp.counts).toMatchObject({ "reset-ignored": 2 });
    expect(tcp.ended).toEqual([]);
    tcp.push(segment(3, "", { flags: RST | ACK }));
    expect(tcp.ended).toEqual([1]);
    expect(tcp.streams.connections).toBe(0);
    expect(tcp.counts).toMatchObject({ reset: 1 });
  });

  it("believes a RST behind the sender's FIN and one from a side that has sent nothing", () => {
    const after = new Consumer().push(syn(0), segment(1, "ab", { flags: FIN }), segment(4, "", { flags: RST }));
    expect(after.counts).toMatchObject({ reset: 1 });
    const refused = new Consumer().push(syn(0), segment(0, "", { flags: RST | ACK, reverse: true }));
    expect(refused.counts).toMatchObject({ reset: 1 });
  });

  it("forgets the silent, handing on what waited", () => {
    const tcp = new Consumer({ holeTimeoutMs: 120_000 }).push(syn(0), segment(5, "late"));
    tcp.push(segment(1, "x", { client: 9, atMs: 60_001 }));
    expect(tcp.text).toBe("|late|x");
    expect(tcp.ended).toEqual([1]);
    expect(tcp.streams.connections).toBe(1);
    expect(tcp.counts).toMatchObject({ idle: 1 });
  });

  it("takes packets from long before for another connection", () => {
    const tcp = new Consumer().push(syn(0), segment(1, "ab"), segment(5000, "old", { atMs: -100_000 }));
    expect(tcp.text).toBe("ab|old");
    expect(tcp.counts).toMatchObject({ idle: 1, connections: 2 });
  });

  it("makes room by giving up ended connections first, then the longest silent", () => {
    const tcp = new Consumer({ maxConnections: 3 });
    tcp.push(syn(0, { client: 1 }), syn(0, { client: 2 }));
    tcp.push(segment(1, "", { client: 2, flags: FIN }), segment(1, "", { client: 2, flags: FIN, reverse: true }));
    tcp.push(syn(0, { client: 3 }), syn(0, { client: 4 }));
    expect(tcp.counts).not.toHaveProperty("evicted");
    tcp.push(segment(1, "alive", { client: 1 }), syn(0, { client: 5 }));
    expect(tcp.streams.connections).toBe(3);
    expect(tcp.counts).toMatchObject({ evicted: 1, finished: 1 });
    tcp.push(segment(6, "!", { client: 1 }), segment(1, "gone", { client: 3 }));
    expect(tcp.text).toBe("alive!|gone");
  });

  it("shows each direction the other one, as long as both are there", () => {
    const peers: unknown[] = [];
    const tcp = new Consumer();
    tcp.onData = (direction) => {
      peers.push(direction.peer?.id);
      expect(direction.peer?.peer ?? direction).toBe(direction);
    };
    tcp.push(segment(1, "a"), segment(1, "b", { reverse: true }), segment(2, "c"), segment(1, "x", { client: 9 }));
    expect(peers).toEqual([undefined, 1, 2, undefined]);
  });

  it("keeps the consumer's state with the direction and tells it when the direction goes", () => {
    const states: unknown[] = [];
    const tcp = new Consumer();
    tcp.onData = (direction) => {
      states.push(direction.state);
      direction.state = `state of ${direction.id}`;
    };
    tcp.push(syn(0), segment(1, "a"), segment(2, "b"), segment(1, "x", { client: 8 }), segment(3, "c"));
    expect(states).toEqual([undefined, "state of 1", undefined, "state of 1"]);
    tcp.streams.finish();
    expect(tcp.ended.sort()).toEqual([1, 2]);
    expect(tcp.streams.connections).toBe(0);
  });

  it("hands on at the end what waits behind holes", () => {
    const tcp = new Consumer().push(syn(0), segment(3, "c"), segment(6, "f"));
    tcp.streams.finish();
    expect(tcp.text).toBe("|c|f");
    expect(tcp.streams.bufferedBytes).toBe(0);
  });
});
