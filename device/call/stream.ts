// One RTP stream of a call: the packets of one SSRC on one UDP flow, from one leg. Holds the counts that the manifest
// proves; knows nothing of audio. A restarted sequence or a new SSRC is another stream.
import type { Side, TimeUs } from "../base/ids.js";
import type { CodecMapping, DiscardReason } from "../contract/call-record.js";
import { StreamStatistics } from "../rtp/stream-statistics.js";
import type { StreamEar } from "./guard.js";
import type { Twin } from "./hops.js";
import type { Leg } from "./leg.js";
import type { Party } from "./party.js";
import type { StreamToken } from "./payload-stream.js";
import type { WatchedStream } from "./relay-watch.js";

/** Reasons in the order of their codes in `CallStream.blocked` and the gate; code 0 = none. */
export const DISCARD_REASONS: readonly DiscardReason[] = [
  "consent",
  "role-unknown",
  "policy",
  "early-media",
  "ended",
  "encrypted",
  "source-changed",
  "journal",
  "other-half",
  "other-hop",
  "paused",
  "not-started",
  "sampled-out",
  "agent-not-registered",
  "digits",
  "echo",
  "erased",
  "disk-full",
];
export type DiscardCode = number;
/** The code (1…) of a reason; 0 means admitted. */
export function discardCode(reason: DiscardReason): DiscardCode {
  return DISCARD_REASONS.indexOf(reason) + 1;
}

/** Payload types told apart on one stream; further ones count as the last. */
const MAX_PAYLOAD_TYPES = 16;

export class CallStream {
  /** Place in the call's streams, as in the journal's record headers; changes only when the call is absorbed. */
  index: number;
  side: Side;
  /** Who was on the side when the stream began. */
  party: Party;
  readonly ssrc: number;
  readonly source: string;
  readonly destination: string;
  readonly statistics = new StreamStatistics();
  readonly payloadTypes: { codec: CodecMapping; packets: number }[] = [];
  firstAtUs: TimeUs = 0;
  lastAtUs: TimeUs = 0;
  seen = 0;
  recorded = 0;
  /** Copies of packets whose gate was open, dropped. */
  duplicate = 0;
  /** Copies that the mirror port made: taken out before anything else, not in `seen`. */
  copies = 0;
  /** By DiscardCode - 1. */
  readonly discardedBy = new Int32Array(DISCARD_REASONS.length);
  /** DiscardCode of a reason that lies in the stream itself (encrypted, changed source); 0 = none. */
  blocked: DiscardCode = 0;
  clockRate = 8000;
  /** The current payload type is that of keys that are pressed (RFC 4733). */
  carriesDigits = false;
  /** Who listens to what the stream says, whether it is recorded or not; in memory only. */
  ear: StreamEar | undefined;
  /** The leg that it is of. */
  leg: Leg | undefined;
  /** Its place in the search for relayed copies; undefined where that is not searched for. */
  watched: StreamToken<WatchedStream> | undefined;
  /** Streams of the leg's other flows that may carry the same packets. */
  twins: readonly Twin[] = [];
  private lastPayloadType = -1;
  private lastSlot = 0;

  constructor(index: number, party: Party, ssrc: number, source: string, destination: string) {
    this.index = index;
    this.side = party.side;
    this.party = party;
    this.ssrc = ssrc;
    this.source = source;
    this.destination = destination;
  }

  get discarded(): number {
    let sum = 0;
    for (const count of this.discardedBy) sum += count;
    return sum;
  }

  countDiscarded(code: DiscardCode): void {
    this.discardedBy[code - 1]!++;
  }

  /** Packets that were recorded and could not be kept after all. */
  countLost(packets: number): void {
    this.recorded -= packets;
    this.discardedBy[discardCode("journal") - 1]! += packets;
  }

  /** What was recorded so far is to be taken out again; returns how many packets that are. */
  erase(): number {
    const packets = this.recorded;
    this.recorded = 0;
    this.discardedBy[discardCode("erased") - 1]! += packets;
    return packets;
  }

  /** What stands for the stream in a call that it no longer belongs to: all that was recorded of it there is taken out. */
  tombstone(party: Party): CallStream {
    const stone = new CallStream(this.index, party, this.ssrc, this.source, this.destination);
    stone.side = this.side;
    stone.firstAtUs = this.firstAtUs;
    stone.lastAtUs = this.lastAtUs;
    stone.seen = this.seen;
    stone.recorded = this.recorded;
    stone.duplicate = this.duplicate;
    stone.copies = this.copies;
    stone.discardedBy.set(this.discardedBy);
    for (const { codec, packets } of this.payloadTypes) stone.payloadTypes.push({ codec, packets });
    stone.erase();
    return stone;
  }

  /** Counts a packet of a payload type whose mapping is known; false when the mapping must be given first. */
  countPayloadType(payloadType: number): boolean {
    if (payloadType !== this.lastPayloadType) return false;
    this.payloadTypes[this.lastSlot]!.packets++;
    return true;
  }

  /** Makes `codec` the current payload type's meaning and counts the packet. */
  switchPayloadType(payloadType: number, codec: CodecMapping): void {
    let slot = this.payloadTypes.findIndex((known) => known.codec.payloadType === payloadType);
    if (slot < 0) {
      if (this.payloadTypes.length < MAX_PAYLOAD_TYPES) this.payloadTypes.push({ codec, packets: 0 });
      slot = this.payloadTypes.length - 1;
    }
    this.payloadTypes[slot]!.packets++;
    this.lastSlot = slot;
    this.lastPayloadType = payloadType;
    this.carriesDigits = codec.name === "TELEPHONE-EVENT";
    if (codec.clockRate > 0 && !this.carriesDigits) this.clockRate = codec.clockRate;
  }

  /** A new description may give payload types another meaning: ask again with the next packet. */
  forgetPayloadType(): void {
    this.lastPayloadType = -1;
  }
}
