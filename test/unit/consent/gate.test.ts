import { describe, expect, it } from "vitest";
import { Party } from "../../../device/call/party.js";
import { CallStream, discardCode } from "../../../device/call/stream.js";
import { Gate, type GateOptions } from "../../../device/consent/gate.js";
import type { Datagram } from "../../../device/net/datagram.js";

function harness(preAnswerMs = 200) {
  const kept: { atUs: number; byte: number }[] = [];
  let works = true;
  const party = new Party(0, "start", 0);
  const options: GateOptions = { preAnswerMs, keepsDigits: false };
  const gate = new Gate(
    {
      append: (_side, _stream, atUs, data, start) => {
        if (works) kept.push({ atUs, byte: data[start]! });
        return works;
      },
    },
    options,
  );
  const stream = new CallStream(0, party, 1, "a", "b");
  const scratch = Buffer.alloc(1);
  const offer = (byte: number, atUs = byte * 1000, isDuplicate = false) => {
    scratch[0] = byte;
    stream.seen++;
    const datagram = { data: scratch, start: 0, end: 1, capturedAtUs: atUs } as Datagram;
    gate.offer(stream, datagram, isDuplicate);
  };
  const breakDisk = () => {
    works = false;
  };
  return { gate, party, stream, kept, offer, breakDisk };
}

describe("Gate", () => {
  it("keeps the spans of two parties on one leg apart", () => {
    const { gate, party, kept, offer } = harness();
    const next = new Party(0, "re-invite", 2500);
    gate.open(500, "e1", false, party);
    offer(1);
    gate.open(1500, "e1", false, next);
    offer(2);
    gate.shut(2500, "consent", false);
    expect(kept.map(({ byte }) => byte)).toEqual([1, 2]);
    expect(gate.spansOf(party, 9000)).toEqual([{ fromUs: 500, toUs: 1500, evidence: "e1", packets: 1 }]);
    expect(gate.spansOf(next, 9000)).toEqual([{ fromUs: 1500, toUs: 2500, evidence: "e1", packets: 1 }]);
    gate.unite(party, next);
    expect(gate.spansOf(party, 9000)).toHaveLength(2);
  });

  it("is shut until it is told otherwise", () => {
    const { stream, kept, offer } = harness();
    offer(1);
    expect(kept).toEqual([]);
    expect(stream.discarded).toBe(1);
  });

  it("opens with the next packet after the grant and shuts with the first after a withdrawal", () => {
    const { gate, party, stream, kept, offer } = harness();
    gate.shut(0, "consent", false);
    offer(1);
    gate.open(1500, "e1", false, party);
    offer(2);
    offer(3);
    gate.shut(3500, "consent", false);
    offer(4);
    expect(kept.map((packet) => packet.byte)).toEqual([2, 3]);
    expect(gate.spansOf(party, 9000)).toEqual([{ fromUs: 1500, toUs: 3500, evidence: "e1", packets: 2 }]);
    expect([stream.recorded, stream.discarded]).toEqual([2, 2]);
  });

  it("drops copies of admitted packets only", () => {
    const { gate, party, stream, kept, offer } = harness();
    offer(1, 1000, true);
    gate.open(0, "e1", false, party);
    offer(2);
    offer(2, 2000, true);
    expect(kept.length).toBe(1);
    expect([stream.recorded, stream.duplicate, stream.discarded]).toEqual([1, 1, 1]);
  });

  it("holds what overtakes the answer for a moment and admits only that", () => {
    const { gate, party, stream, kept, offer } = harness(5);
    gate.shut(0, "early-media", true);
    for (let i = 1; i <= 10; i++) offer(i);
    gate.open(11_000, "e1", false, party);
    offer(11);
    expect(kept.map((packet) => packet.byte)).toEqual([6, 7, 8, 9, 10, 11]);
    expect([stream.recorded, stream.discarded]).toEqual([6, 5]);
    expect(gate.spansOf(party, 20_000)[0]!.fromUs).toBe(6000);
  });

  it("forgets what it held when anything but the answer is missing", () => {
    const { gate, party, stream, kept, offer } = harness();
    gate.shut(0, "early-media", true);
    offer(1);
    gate.shut(1500, "consent", false);
    gate.open(2000, "e1", false, party);
    expect(kept).toEqual([]);
    expect(stream.discarded).toBe(1);
  });

  it("holds nothing of a stream that is refused for itself, and bounds what it holds", () => {
    const { gate, party, stream, kept, offer } = harness(1000);
    gate.shut(0, "early-media", true);
    stream.blocked = discardCode("encrypted");
    offer(1);
    stream.blocked = 0;
    for (let i = 0; i < 80; i++) offer(2, 2000 + i);
    gate.open(3000, "e1", false, party);
    expect(kept.length).toBe(50);
    expect(stream.recorded + stream.discarded).toBe(stream.seen);
  });

  it("refuses a changed source unless the policy does not depend on who speaks", () => {
    const { gate, party, stream, kept, offer } = harness();
    stream.blocked = discardCode("source-changed");
    gate.open(0, "e1", false, party);
    offer(1);
    gate.open(1500, "e2", true, party);
    offer(2);
    expect(kept.map((packet) => packet.byte)).toEqual([2]);
  });

  it("counts what the journal could not keep as discarded", () => {
    const { gate, party, stream, offer, breakDisk } = harness();
    gate.open(0, "e1", false, party);
    breakDisk();
    offer(1);
    expect([stream.recorded, stream.discarded]).toEqual([0, 1]);
  });
});
