// Each press is told once, whatever the network makes of its reports. The presses are written down first, their packets
// are lost, repeated and reordered, and what is heard is compared with what was pressed.
import { describe, expect, test } from "vitest";
import { KeyEvents } from "../../../device/rtp/key-events.js";
import { keyOf } from "../../../device/rtp/telephone-event.js";
import { makeRandom, randomInteger } from "../../fakes/random.js";

interface Packet {
  timestamp: number;
  marker: boolean;
  event: number;
  isEnd: boolean;
  durationTicks: number;
  atUs: number;
}

interface Press {
  event: number;
  startMs: number;
  durationMs: number;
}

interface Sender {
  clockRate: number;
  packetMs: number;
  /** RTP timestamp at 0 ms. */
  origin: number;
}

const PHONE: Sender = { clockRate: 8000, packetMs: 20, origin: 160 };
const LONGEST = 0xffff;

/** The packets of one press as RFC 4733 §2.5.1 has them: updates, segments, three end packets. */
function packetsOf({ event, startMs, durationMs }: Press, { clockRate, packetMs, origin }: Sender): Packet[] {
  const ticksPerMs = clockRate / 1000;
  const packets: Packet[] = [];
  let segmentStart = 0;
  const add = (elapsedMs: number, isEnd: boolean, atMs: number) => {
    const durationTicks = Math.round(elapsedMs * ticksPerMs) - segmentStart;
    const timestamp = (origin + Math.round(startMs * ticksPerMs) + segmentStart) % 2 ** 32;
    packets.push({ timestamp, marker: packets.length === 0, event, isEnd, durationTicks, atUs: atMs * 1000 });
  };
  for (let elapsedMs = packetMs; elapsedMs < durationMs; elapsedMs += packetMs) {
    if (Math.round(elapsedMs * ticksPerMs) - segmentStart > LONGEST) {
      add((segmentStart + LONGEST) / ticksPerMs, false, startMs + elapsedMs);
      segmentStart += LONGEST;
    }
    add(elapsedMs, false, startMs + elapsedMs);
  }
  for (let copy = 0; copy < 3; copy++) add(durationMs, true, startMs + durationMs + copy * packetMs);
  return packets;
}

function hear(packets: readonly Packet[], keys = new KeyEvents()): string {
  let heard = "";
  for (const { timestamp, marker, event, isEnd, durationTicks, atUs } of packets)
    heard += keys.hear(timestamp, marker, { event, isEnd, volume: 10, durationTicks }, atUs) ?? "";
  return heard;
}

const press = (event: number, startMs: number, durationMs = 120): Press => ({ event, startMs, durationMs });
const packets = (presses: readonly Press[], sender = PHONE) => presses.flatMap((each) => packetsOf(each, sender));

describe("a press", () => {
  test("is told with its first packet, and only then", () => {
    const keys = new KeyEvents();
    expect(packetsOf(press(1, 1000), PHONE).map((packet) => hear([packet], keys))).toEqual([
      "1",
      ...Array.from({ length: 7 }, () => ""),
    ]);
  });

  test("of each of the sixteen keys", () => {
    expect(hear(packets(Array.from({ length: 16 }, (_, event) => press(event, event * 300))))).toBe("0123456789*#ABCD");
  });

  test.each([16, 17, 32, 255])("of event %i is no key", (event) => {
    expect(hear(packets([press(event, 0), press(5, 300)]))).toBe("5");
  });

  test("again of the same key is another", () => {
    expect(hear(packets([press(5, 0), press(5, 200), press(5, 400)]))).toBe("555");
  });

  test("is told from the last of its packets alone", () => {
    const all = packetsOf(press(7, 0), PHONE);
    for (let from = 0; from < all.length; from++) expect(hear(all.slice(from))).toBe("7");
  });

  test("that never ends is over when the next one begins", () => {
    const noEnd = packets([press(3, 0), press(3, 400), press(4, 800)]).filter(({ isEnd }) => !isEnd);
    expect(hear(noEnd)).toBe("334");
  });

  test("of another key with the same timestamp is another", () => {
    const [first] = packetsOf(press(1, 0), PHONE);
    expect(hear([first!, { ...first!, event: 2 }])).toBe("12");
  });
});

/** Loses, repeats and delays packets by up to 200 ms, but leaves each press one packet at least. */
function disturb(presses: readonly Press[], sender: Sender, random: () => number): Packet[] {
  const loss = random() * 0.7;
  const repeats = random() * 0.5;
  const sent = presses.flatMap((each) => {
    const all = packetsOf(each, sender);
    const kept = all.filter(() => random() >= loss);
    return kept.length > 0 ? kept : [all[randomInteger(random, all.length)]!];
  });
  const arrived = sent.flatMap((packet) => {
    const copies = random() < repeats ? 2 : 1;
    return Array.from({ length: copies }, () => ({ ...packet, atUs: packet.atUs + random() * 200_000 }));
  });
  return arrived.sort((a, b) => a.atUs - b.atUs);
}

describe("loss, repetition and reordering", () => {
  test("change nothing, for 500 runs of presses", () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = makeRandom(seed);
      const sender: Sender = {
        clockRate: [8000, 16000, 48000][seed % 3]!,
        packetMs: [10, 20, 50][randomInteger(random, 3)]!,
        // Many runs go over the timestamp's end.
        origin: (2 ** 32 - randomInteger(random, 48_000 * 10)) % 2 ** 32,
      };
      let atMs = 100;
      const presses = Array.from({ length: 12 }, () => {
        const each = press(randomInteger(random, 16), atMs, 40 + randomInteger(random, 300));
        // So far apart that reordering does not change the order of presses, which nobody could tell.
        atMs += each.durationMs + 450 + randomInteger(random, 300);
        return each;
      });
      const wanted = presses.map(({ event }) => keyOf(event)).join("");
      expect(`${seed} ${hear(disturb(presses, sender, random))}`).toBe(`${seed} ${wanted}`);
    }
  });

  test("a whole press that comes twice is one", () => {
    const all = packets([press(1, 0), press(2, 300)]);
    expect(hear([...all, ...all.map((packet) => ({ ...packet, atUs: packet.atUs + 150_000 }))])).toBe("12");
  });

  test("quick presses in reverse are each told once", () => {
    const all = packets(Array.from({ length: 10 }, (_, i) => press(i, i * 20, 20)));
    expect([...hear(all.toReversed())].sort().join("")).toBe("0123456789");
  });
});

describe("a press that outlasts the duration field", () => {
  test.each([
    [8000, 20],
    [8000, 50],
    [16000, 20],
    [48000, 20],
    [48000, 50],
  ])("is one press (%i Hz, %i ms)", (clockRate, packetMs) => {
    const sender = { clockRate, packetMs, origin: 2 ** 32 - 100_000 };
    const all = packets([press(5, 1000, 30_000), press(5, 31_100)], sender);
    expect(new Set(all.map(({ timestamp }) => timestamp)).size).toBeGreaterThan(4);
    expect(hear(all)).toBe("55");
  });

  test("whatever is lost or late at the seam", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = makeRandom(seed);
      const sender = { clockRate: 8000, packetMs: 20, origin: randomInteger(random, 2 ** 32) };
      const all = packetsOf(press(9, 0, 20_000), sender);
      const kept = all.filter((_, i) => i === 0 || random() > 0.5);
      const late = kept.map((packet) => ({ ...packet, atUs: packet.atUs + random() * 200_000 }));
      expect(`${seed} ${hear(late.sort((a, b) => a.atUs - b.atUs))}`).toBe(`${seed} 9`);
    }
  });

  test("of a sender that ends a segment with the last report that fits", () => {
    const first = { timestamp: 1000, marker: false, event: 1, isEnd: false };
    const reports = Array.from({ length: 409 }, (_, i) => ({
      ...first,
      marker: i === 0,
      durationTicks: (i + 1) * 160,
      atUs: i * 20_000,
    }));
    const next = { ...first, timestamp: 1000 + 409 * 160, durationTicks: 160, atUs: 409 * 20_000 };
    expect(hear([...reports, next])).toBe("1");
    expect(hear([...reports.slice(0, -1), next])).toBe("1");
  });

  test("but not after its end, with a marker, for another key, later, or elsewhere in time", () => {
    const full = { timestamp: 1000, marker: true, event: 1, isEnd: false, durationTicks: LONGEST, atUs: 8_192_000 };
    const next = { ...full, timestamp: 1000 + LONGEST, marker: false, durationTicks: 160, atUs: 8_212_000 };
    expect(hear([full, next])).toBe("1");
    expect(hear([{ ...full, isEnd: true }, next])).toBe("11");
    expect(hear([full, { ...next, marker: true }])).toBe("11");
    expect(hear([full, { ...next, event: 2 }])).toBe("12");
    expect(hear([full, { ...next, atUs: 12_000_000 }])).toBe("11");
    expect(hear([full, { ...next, timestamp: next.timestamp + 160 }])).toBe("11");
    expect(hear([full, { ...next, timestamp: next.timestamp - 160 }])).toBe("11");
  });
});

test("a timestamp that comes again after minutes is another press", () => {
  const [first] = packetsOf(press(1, 0), PHONE);
  expect(hear([first!, { ...first!, atUs: 50_000_000 }, { ...first!, atUs: 300_000_000 }])).toBe("11");
});
