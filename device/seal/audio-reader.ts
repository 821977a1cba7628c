// Reads a call's admitted packets one after another: whose they are, when they came, what they hold. One object is
// reused; the streams that it meets are kept, at most as many as a call may have.
import type { TimeUs } from "../base/ids.js";
import type { CallRecord, PartyRecord, StreamRecord } from "../contract/call-record.js";
import { makeRtpView, readRtp } from "../rtp/packet.js";
import { ArrivalClock } from "./arrival-clock.js";
import type { AudioCodec } from "./codec.js";
import type { AdmittedPacket } from "./record-source.js";
import { type SealParty, SealStream } from "./seal-stream.js";
import { SpanExtents } from "./span-extents.js";

/** The most that `rtp.maxStreamsPerCall` allows; packets of further streams are counted as foreign. */
const MAX_STREAMS = 1024;

export class AudioReader {
  /** The packet last read. */
  arrivalUs = 0;
  samples = 0;
  /** Undefined when the packet is no audio that this box decodes. */
  codec: AudioCodec | undefined;
  readonly rtp = makeRtpView();
  /** Packets of streams beyond the limit. */
  foreign = 0;
  /** Packets that were taken back by a withdrawal. */
  erased = 0;
  /** By 2 × stream index + side. */
  readonly #streams: (SealStream | undefined)[] = [];
  readonly #described = new Map<number, StreamRecord>();
  /** By place in the call's parties. */
  readonly #parties: SealParty[];
  readonly #sampleRateHz: number;
  readonly #startedAtUs: TimeUs;
  #clock: ArrivalClock;

  constructor(record: CallRecord, sampleRateHz: number) {
    this.#sampleRateHz = sampleRateHz;
    this.#startedAtUs = record.startedAtUs;
    this.#clock = new ArrivalClock(record.startedAtUs);
    this.#parties = record.parties.map((party) => ({
      extents: new SpanExtents(party.spans),
      erasedUntilUs: erasedUntil(party),
    }));
    for (const stream of record.streams) this.#described.set(stream.index * 2 + stream.side, stream);
  }

  /** The packet's stream, or undefined beyond the limit and when it was erased; sets the fields above. */
  read(packet: AdmittedPacket): SealStream | undefined {
    this.arrivalUs = this.#clock.read(packet.side, packet.capturedAtUs);
    const { rtp } = this;
    this.codec = undefined;
    this.samples = 0;
    if (packet.stream < 0 || packet.stream >= MAX_STREAMS) {
      this.foreign++;
      return undefined;
    }
    const stream = this.#streams[packet.stream * 2 + packet.side] ?? this.#open(packet);
    if (packet.capturedAtUs <= stream.erasedUntilUs) {
      this.erased++;
      return undefined;
    }
    rtp.payloadType = 0;
    if (!readRtp(packet.data, packet.start, packet.end, rtp)) return stream;
    const codec = stream.codecs[rtp.payloadType];
    if (codec === undefined) return stream;
    this.samples = codec.samplesOf(packet.data, rtp.payloadStart, rtp.payloadEnd);
    if (this.samples > 0) this.codec = codec;
    return stream;
  }

  /** Begins another pass over the same packets. */
  rewind(): void {
    this.#clock = new ArrivalClock(this.#startedAtUs);
    this.foreign = 0;
    this.erased = 0;
  }

  /** The clock of the pass that runs. */
  get clock(): ArrivalClock {
    return this.#clock;
  }

  /** By place in the call's parties: where the packets of its open spans stand, once they are placed. */
  get extents(): SpanExtents[] {
    return this.#parties.map(({ extents }) => extents);
  }

  /** The streams met so far, by index, then side. */
  get streams(): SealStream[] {
    return this.#streams.filter((stream) => stream !== undefined);
  }

  #open(packet: AdmittedPacket): SealStream {
    const key = packet.stream * 2 + packet.side;
    const described = this.#described.get(key);
    const party = this.#parties[described === undefined ? packet.side : placeOf(described)]!;
    const stream = new SealStream(packet.side, packet.stream, described, party, this.#sampleRateHz);
    this.#streams[key] = stream;
    return stream;
  }
}

/** Place in the call's parties; a stream that names none is the first party's of its side. */
export function placeOf(stream: StreamRecord): number {
  return stream.party ?? stream.side;
}

/** Until when what was captured of a party is erased. */
export function erasedUntil({ erased = [] }: PartyRecord): TimeUs {
  return erased.reduce((latest, { toUs }) => Math.max(latest, toUs), Number.NEGATIVE_INFINITY);
}
