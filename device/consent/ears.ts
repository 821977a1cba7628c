// Who listens to a call's streams, recorded or not: for keys as RTP events, for keys as tones, for the caller's voice in
// the agent's stream. Only what the configuration asks for is listened to; what is heard stays in memory for as long as it
// takes to tell. Decides nothing.
import type { TimeUs } from "../base/ids.js";
import type { Call } from "../call/call.js";
import type { StreamEar } from "../call/guard.js";
import type { Leg } from "../call/leg.js";
import type { CallStream } from "../call/stream.js";
import type { CodecMapping, EchoRecord } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { Datagram } from "../net/datagram.js";
import { ALAW_SAMPLES, MULAW_SAMPLES } from "../rtp/g711-samples.js";
import { KeyEvents } from "../rtp/key-events.js";
import type { RtpView } from "../rtp/packet.js";
import { makeTelephoneEvent, readTelephoneEvent } from "../rtp/telephone-event.js";
import { ToneDetector } from "../rtp/tone-detector.js";
import type { CallConsent } from "./call-consent.js";
import { EchoWatch } from "./echo-watch.js";
import type { KeyPresses } from "./key-presses.js";

/** RTP ticks that may be missing between two packets without a new beginning: a packet of 60 ms. */
const GAP_TICKS = 480;
/** Longest payload listened to: 120 ms of G.711. */
const MAX_SAMPLES = 960;

/** The tables of codecs that are listened to, by encoding name. */
const SAMPLES_BY_CODE: Readonly<Record<string, Int16Array>> = { PCMA: ALAW_SAMPLES, PCMU: MULAW_SAMPLES };

export class EarFactory {
  private readonly keys: KeyPresses;
  private readonly echoWatch: EchoWatch;
  private readonly heard = new Int16Array(MAX_SAMPLES);
  private readonly events = new WeakMap<CallStream, EventEar>();
  private readonly audio = new WeakMap<CallStream, AudioEar>();

  constructor(
    config: Config,
    keys: KeyPresses,
    consentOf: (call: Call) => CallConsent,
    judgeAgain: (call: Call, atUs: TimeUs) => void,
  ) {
    this.keys = keys;
    this.echoWatch = new EchoWatch(config, consentOf, judgeAgain);
  }

  earFor(leg: Leg, stream: CallStream, codec: CodecMapping): StreamEar | undefined {
    if (codec.name === "TELEPHONE-EVENT") return this.keys.hearsEvents ? this.eventEar(leg, stream) : undefined;
    const samples = SAMPLES_BY_CODE[codec.name];
    if (samples === undefined || codec.clockRate !== 8000) return undefined;
    if (!this.keys.hearsTones && !this.echoWatch.isOn) return undefined;
    return this.audioEar(leg, stream, samples);
  }

  echoes(call: Call): boolean {
    return this.echoWatch.mutes(call);
  }

  echoOf(call: Call): EchoRecord | undefined {
    return this.echoWatch.report(call);
  }

  tick(nowUs: TimeUs): void {
    this.echoWatch.tick(nowUs);
  }

  exportCounters(): Record<string, number> {
    return this.echoWatch.exportCounters();
  }

  /** Nothing of what was heard so far is kept. */
  wipe(call: Call): void {
    this.echoWatch.wipe(call);
  }

  absorb(call: Call, other: Call): void {
    this.echoWatch.absorb(call, other);
  }

  forget(call: Call): void {
    this.echoWatch.forget(call);
  }

  private eventEar(leg: Leg, stream: CallStream): StreamEar {
    const known = this.events.get(stream);
    if (known) return known;
    const ear = new EventEar(stream, (key, atUs) => this.keys.press(leg, key, "rfc4733", atUs));
    this.events.set(stream, ear);
    return ear;
  }

  private audioEar(leg: Leg, stream: CallStream, samples: Int16Array): StreamEar {
    let ear = this.audio.get(stream);
    if (!ear) {
      const onKey = this.keys.hearsTones
        ? (key: string, atUs: TimeUs) => this.keys.press(leg, key, "tones", atUs)
        : undefined;
      ear = new AudioEar(leg, stream, onKey, this.echoWatch.isOn ? this.echoWatch : undefined, this.heard);
      this.audio.set(stream, ear);
    }
    ear.samplesByCode = samples;
    return ear;
  }
}

/** Keys as RTP events. */
class EventEar implements StreamEar {
  private readonly presses = new KeyEvents();
  private readonly event = makeTelephoneEvent();
  private readonly stream: CallStream;
  private readonly onKey: (key: string, atUs: TimeUs) => void;

  constructor(stream: CallStream, onKey: (key: string, atUs: TimeUs) => void) {
    this.stream = stream;
    this.onKey = onKey;
  }

  hear({ payloadStart, payloadEnd, timestamp, marker }: RtpView, { data, capturedAtUs }: Datagram): void {
    // Encrypted, or from a source that nobody vouched for.
    if (this.stream.blocked !== 0 || !readTelephoneEvent(data, payloadStart, payloadEnd, this.event)) return;
    const key = this.presses.hear(timestamp, marker, this.event, capturedAtUs);
    if (key !== undefined) this.onKey(key, capturedAtUs);
  }
}

/** Keys as tones, and echoes. */
class AudioEar implements StreamEar {
  samplesByCode: Int16Array = ALAW_SAMPLES;
  private readonly leg: Leg;
  private readonly stream: CallStream;
  private readonly detector: ToneDetector | undefined;
  private readonly onKey: (key: string) => void;
  private readonly echoes: EchoWatch | undefined;
  /** One packet's samples, for as long as the detector looks at them; shared. */
  private readonly heard: Int16Array;
  private nextTimestamp = -1;
  private atUs: TimeUs = 0;

  constructor(
    leg: Leg,
    stream: CallStream,
    onKey: ((key: string, atUs: TimeUs) => void) | undefined,
    echoes: EchoWatch | undefined,
    heard: Int16Array,
  ) {
    this.heard = heard;
    this.leg = leg;
    this.stream = stream;
    this.echoes = echoes;
    this.detector = onKey && new ToneDetector();
    this.onKey = (key) => onKey?.(key, this.atUs);
  }

  hear(view: RtpView, datagram: Datagram): void {
    if (this.stream.blocked !== 0) return;
    this.echoes?.hear(this.leg, this.samplesByCode, view, datagram);
    if (this.detector) this.listen(this.detector, view, datagram);
  }

  private listen(detector: ToneDetector, view: RtpView, { data, capturedAtUs }: Datagram): void {
    const { payloadStart, payloadEnd, timestamp } = view;
    const count = Math.min(payloadEnd - payloadStart, MAX_SAMPLES);
    const missing = (timestamp - this.nextTimestamp) | 0;
    // Late packets are of a time that was listened to without them.
    if (this.nextTimestamp >= 0 && missing < 0 && missing > -8 * GAP_TICKS) return;
    if (missing < 0 || missing > GAP_TICKS) detector.reset();
    this.nextTimestamp = (timestamp + count) >>> 0;
    this.atUs = capturedAtUs;
    const { heard } = this;
    for (let i = 0; i < count; i++) heard[i] = this.samplesByCode[data[payloadStart + i]!]!;
    detector.hear(heard, count, this.onKey);
    heard.fill(0, 0, count);
  }
}
