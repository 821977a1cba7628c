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
  const span = { fromUs: START_US, toUs: START_US + 2_000_000, evidence: "e1" };
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
    parties: [
      { side: 0, role: "caller", ...party, consent: "unknown", spans: [] },
      { side: 1, role: "agent", ...party, consent: "not-required", spans: [span] },
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
    events: [],
    warnings: [],
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
