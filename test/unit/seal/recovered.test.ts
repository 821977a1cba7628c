import { describe, expect, it } from "vitest";
import { makeCallId } from "../../../device/base/ids.js";
import { CALL_RECORD_SCHEMA, type CallRecord } from "../../../device/contract/call-record.js";
import type { AdmittedPacket, RecordSource } from "../../../device/seal/record-source.js";
import { completeRecovered } from "../../../device/seal/recovered.js";
import { rtpPacket } from "../../fakes/rtp-stream.js";

const START_US = Date.UTC(2026, 10, 21, 9) * 1000;

function snapshot(): CallRecord {
  const party = {
    joinedBy: "start" as const,
    fromUs: START_US,
    toUs: START_US + 2_000_000,
    uri: "sip:x@y",
    number: "x",
    name: "",
    identifiedBy: "",
  };
  const span = { fromUs: START_US, toUs: START_US + 2_000_000, evidence: "e1", packets: 100 };
  return {
    schema: CALL_RECORD_SCHEMA,
    id: makeCallId(START_US),
    sipCallIds: ["c"],
    startedAtUs: START_US,
    answeredAtUs: START_US,
    endedAtUs: START_US + 2_000_000,
    endReason: "recovered",
    policy: "agent-only",
    policyRule: "",
    purpose: "recording",
    retention: "",
    parties: [
      { side: 0, role: "caller", ...party, consent: "unknown", spans: [], closedSpans: [] },
      { side: 1, role: "agent", ...party, consent: "not-required", spans: [span], closedSpans: [] },
    ],
    streams: [
      {
        index: 0,
        side: 1,
        ssrc: "0x00000007",
        source: "10.0.0.7:4000",
        destination: "198.51.100.20:3000",
        payloadTypes: [{ codec: { payloadType: 8, name: "PCMA", clockRate: 8000, channels: 1 }, packets: 100 }],
        firstAtUs: START_US,
        lastAtUs: START_US + 2_000_000,
        packets: { seen: 107, recorded: 100, discarded: 5, lost: 0, late: 0, duplicate: 2 },
        discardedBy: { "early-media": 5 },
        jitterMs: { mean: 0, max: 0 },
        mos: 4.4,
      },
    ],
    evidence: [],
    ledger: [],
    pauses: [],
    events: [],
    warnings: [],
  };
}

/** The agent's packets with these numbers, one each 20 ms. */
function journalOf(numbers: readonly number[]): RecordSource {
  const whole = journal([{ stream: 0, side: 1, ssrc: 7, payloadType: 8, packets: Math.max(...numbers) + 1 }]);
  return {
    visit(sink) {
      let number = 0;
      whole.visit((packet) => {
        if (numbers.includes(number++)) sink(packet);
      });
    },
  };
}

function journal(
  streams: { stream: number; side: 0 | 1; ssrc: number; payloadType: number; packets: number }[],
): RecordSource {
  return {
    visit(sink) {
      for (const { stream, side, ssrc, payloadType, packets } of streams) {
        for (let i = 0; i < packets; i++) {
          const data = rtpPacket({ payloadType, sequence: i, timestamp: i * 160, ssrc, payload: Buffer.alloc(160) });
          const packet: AdmittedPacket = {
            side,
            stream,
            capturedAtUs: START_US + i * 20_000,
            data,
            start: 0,
            end: data.length,
          };
          sink(packet);
        }
      }
    },
  };
}

describe("completeRecovered", () => {
  it("counts what the journal holds, ends with its last packet and lengthens the span that was open", () => {
    const record = completeRecovered(
      snapshot(),
      journal([{ stream: 0, side: 1, ssrc: 7, payloadType: 8, packets: 150 }]),
    );
    const lastUs = START_US + 149 * 20_000;
    expect(record).toMatchObject({ endReason: "recovered", endedAtUs: lastUs });
    expect(record.streams[0]!.packets).toMatchObject({ recorded: 150, discarded: 5, duplicate: 2, seen: 157 });
    expect(record.parties[1].spans[0]!.toUs).toBe(lastUs);
    expect(record.parties[0].spans).toEqual([]);
    expect(record.noAudio).toBeUndefined();
  });

  it("counts a span's packets by the journal, and keeps what the snapshot counted where the journal lost some", () => {
    const grown = snapshot();
    const spanOf = (fromMs: number, toMs: number, packets: number) => ({
      fromUs: START_US + fromMs * 1000,
      toUs: START_US + toMs * 1000,
      evidence: "e1",
      packets,
    });
    // 0–480 ms: 25 packets, 500–980 ms: refused, from 1000 ms on open.
    grown.parties[1].spans = [spanOf(0, 490, 25), spanOf(1000, 2000, 51)];
    grown.parties[1].closedSpans = [{ ...spanOf(490, 1000, 25), reason: "paused" }];
    grown.streams[0]!.packets.recorded = 76;
    const packets = [...Array(25).keys(), ...Array.from({ length: 100 }, (_, i) => i + 50)];
    const record = completeRecovered(grown, journalOf(packets));
    expect(record.parties[1].spans.map((span) => span.packets)).toEqual([25, 100]);
    expect(record.streams[0]!.packets.recorded).toBe(125);
    expect(record.parties[1].closedSpans).toEqual(grown.parties[1].closedSpans);
    const torn = completeRecovered(grown, journalOf(packets.slice(0, 60)));
    expect(torn.parties[1].spans.map((span) => span.packets)).toEqual([25, 51]);
    expect(torn.streams[0]!.packets.recorded).toBe(76);
  });

  it("does not lengthen a span that was shut, nor one beyond its own party's packets", () => {
    const both = snapshot();
    both.parties[0].spans = [{ fromUs: START_US, toUs: START_US + 2_000_000, evidence: "e2", packets: 0 }];
    both.parties[1].spans[0]!.toUs = START_US + 1_000_000;
    const record = completeRecovered(both, journal([{ stream: 0, side: 1, ssrc: 7, payloadType: 8, packets: 150 }]));
    expect(record.parties[0].spans[0]!.toUs).toBe(START_US + 2_000_000);
    expect(record.parties[1].spans[0]!.toUs).toBe(START_US + 1_000_000);
  });

  it("leaves out what was erased", () => {
    const erased = snapshot();
    erased.parties[1].erased = [{ fromUs: START_US, toUs: START_US + 980_000, packets: 50, evidence: "e3" }];
    erased.parties[1].spans[0] = { fromUs: START_US + 980_001, toUs: START_US + 2e6, evidence: "e4", packets: 50 };
    erased.streams[0]!.packets = { seen: 157, recorded: 50, discarded: 105, lost: 0, late: 0, duplicate: 2 };
    const streams = [{ stream: 0, side: 1 as const, ssrc: 7, payloadType: 8, packets: 150 }];
    const record = completeRecovered(erased, journal(streams));
    expect(record.streams[0]!.packets).toMatchObject({ recorded: 100, seen: 207 });
    expect(record.parties[1].spans[0]!.packets).toBe(100);
    erased.parties[1].erased[0]!.toUs = START_US + 9e6;
    expect(completeRecovered(erased, journal(streams)).noAudio).toBe("erased");
  });

  it("ends a pause with the call when nothing says how else", () => {
    const paused = snapshot();
    const by = { source: "api" as const, by: "token a", reason: "" };
    paused.pauses = [
      { fromUs: START_US + 100, toUs: START_US + 200, ...by, endedBy: "request" },
      { fromUs: START_US + 500_000, ...by },
      { fromUs: START_US + 9_000_000, ...by },
    ];
    const streams = [{ stream: 0, side: 1 as const, ssrc: 7, payloadType: 8, packets: 20 }];
    expect(completeRecovered(paused, journal(streams)).pauses).toEqual([
      paused.pauses[0],
      { ...paused.pauses[1], toUs: START_US + 500_000, endedBy: "call" },
      { ...paused.pauses[2], toUs: START_US + 9_000_000, endedBy: "call" },
    ]);
  });

  it("gives a stream that began after the last snapshot to whoever was on its side last", () => {
    const transferred = snapshot();
    transferred.parties.push({ ...transferred.parties[1], joinedBy: "transfer" });
    const streams = [{ stream: 4, side: 1 as const, ssrc: 9, payloadType: 0, packets: 10 }];
    expect(completeRecovered(transferred, journal(streams)).streams[1]).toMatchObject({ index: 4, party: 2 });
  });

  it("takes a stream that began after the last snapshot by its static payload type", () => {
    const streams = [
      { stream: 0, side: 1 as const, ssrc: 7, payloadType: 8, packets: 100 },
      { stream: 1, side: 1 as const, ssrc: 9, payloadType: 0, packets: 10 },
    ];
    const record = completeRecovered(snapshot(), journal(streams));
    expect(record.streams[1]).toMatchObject({
      index: 1,
      side: 1,
      ssrc: "0x00000009",
      packets: { seen: 10, recorded: 10 },
    });
    expect(record.streams[1]!.payloadTypes[0]!.codec.name).toBe("PCMU");
  });

  it("says so when the journal holds no audio", () => {
    expect(completeRecovered(snapshot(), journal([])).noAudio).toBe("journal-lost");
    expect(completeRecovered({ ...snapshot(), noAudio: "no-consent" }, journal([])).noAudio).toBe("no-consent");
  });
});
