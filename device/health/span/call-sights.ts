// What the last calls showed of the mirror port: whether their media came, from both sides, readable, with a known agent. Fed
// with the records of calls that have ended; keeps counts and addresses, no numbers. Bounded.

import type { TimeUs } from "../../base/ids.js";
import type { CallRecord, StreamRecord } from "../../contract/call-record.js";

/** The calls that are judged: enough to tell a fault from an accident, few enough to see that it was mended. */
const MAX_CALLS = 20;
/** Older ones say nothing about today. */
const MAX_AGE_US = 86_400_000_000;
/** A shorter call may be over before the second side says anything. */
const LEAST_CALL_US = 2_000_000;
/** Packets that prove a side: one may be a stray. */
const LEAST_PACKETS = 5;
/** Codecs that give a recording. */
const RECORDABLE = new Set(["PCMA", "PCMU"]);
/** Payload that is no speech of its own: it proves nothing about the codec. */
const AUXILIARY = new Set(["TELEPHONE-EVENT", "CN"]);

export interface CallSight {
  endedAtUs: TimeUs;
  media: "both" | "one" | "none";
  isEncrypted: boolean;
  /** Of the streams, "" = recordable. */
  codec: string;
  agent: "known" | "unknown" | "contradictory";
  /** Where the media came from, at most one address per side. */
  addresses: string[];
  hasPackets: boolean;
}

export class CallSights {
  private sights: CallSight[] = [];

  /** Calls that were not answered, and halves of others, show nothing. */
  note(record: CallRecord): void {
    const sight = sightOf(record);
    if (sight) this.sights = [...this.sights, sight].slice(-MAX_CALLS);
  }

  /** Of the last day, the newest last. */
  recent(nowUs: TimeUs): readonly CallSight[] {
    return this.sights.filter(({ endedAtUs }) => nowUs - endedAtUs <= MAX_AGE_US);
  }
}

/** undefined when the call says nothing about the mirror. */
export function sightOf(record: CallRecord): CallSight | undefined {
  const { answeredAtUs, endedAtUs, streams, noAudio, absorbedBy, parties } = record;
  if (absorbedBy !== undefined || answeredAtUs === undefined || endedAtUs - answeredAtUs < LEAST_CALL_US)
    return undefined;
  const seen = streams.filter(({ packets }) => packets.seen >= LEAST_PACKETS);
  const sides = new Set(seen.map(({ side }) => side));
  const addresses = [0, 1].flatMap((side) => {
    const stream = seen.find((one) => one.side === side);
    return stream ? [addressOf(stream.source)] : [];
  });
  const isContradictory = noAudio === "agent-contradictory" || record.warnings.some(isContradiction);
  const isKnown = parties.some(({ role }) => role === "agent");
  return {
    endedAtUs,
    media: sides.size === 2 ? "both" : sides.size === 1 ? "one" : "none",
    isEncrypted: seen.some((stream) => stream.isEncrypted === true),
    codec: unsupportedCodec(seen),
    agent: isKnown ? "known" : isContradictory ? "contradictory" : "unknown",
    addresses,
    hasPackets: streams.length > 0,
  };
}

function isContradiction({ code }: { code: string }): boolean {
  return code === "agent-contradictory";
}

function unsupportedCodec(streams: readonly StreamRecord[]): string {
  for (const { payloadTypes } of streams) {
    const speech = payloadTypes.filter(({ codec }) => !AUXILIARY.has(codec.name));
    const most = speech.toSorted((a, b) => b.packets - a.packets)[0];
    if (most && !RECORDABLE.has(most.codec.name)) return most.codec.name;
  }
  return "";
}

/** "10.0.0.7" of "10.0.0.7:4000", "2001:db8::5" of "[2001:db8::5]:4000". */
export function addressOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}
