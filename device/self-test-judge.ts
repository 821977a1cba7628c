// Whether what came out of the self-test is what has to come out: of the engine, of the journal, of sealing. Pure, and strict: each
// function gives what is wrong as one line, "" when nothing is. The expected figures are the call's own (self-test-call.ts).
import { createHash, type KeyObject } from "node:crypto";
import type { Identity } from "./age/keys.js";
import { decryptAge } from "./age/reader.js";
import { otherSide } from "./base/ids.js";
import type { CallRecord, StreamRecord } from "./contract/call-record.js";
import type { SelfTestOutcome } from "./contract/engine-messages.js";
import type { AdmittedPacket, RecordSource } from "./seal/record-source.js";
import {
  LEAD_SAMPLES,
  PACKETS,
  SAMPLE_RATE_HZ,
  SAMPLES_PER_PACKET,
  type SelfTestCall,
  SIP_MESSAGES,
} from "./self-test-call.js";
import type { SelfTestFile } from "./store/self-test-files.js";
import { verifyManifest } from "./store/signature.js";

const AGENT_SAMPLES = PACKETS * SAMPLES_PER_PACKET;
const FRAMES = LEAD_SAMPLES + AGENT_SAMPLES;
const WAV_HEADER_BYTES = 44;
const BYTES_PER_FRAME = 4;

/** One call, with everything that was put in. */
export function judgeDecoding({ calls, frames }: SelfTestOutcome, call: SelfTestCall): string {
  const expected = SIP_MESSAGES + 2 * PACKETS;
  if (frames !== expected) return `${frames} of ${expected} frames were put in`;
  if (calls.length !== 1) return `${calls.length} calls came of one`;
  const { record } = calls[0]!;
  if (record.sipCallIds.join() !== call.sipCallId) return "the call has another Call-ID";
  if (record.endReason !== "bye") return `the call ended by ${record.endReason}, not by its BYE`;
  if (record.answeredAtUs !== call.answeredAtUs) return "the call was not answered when it was";
  if (record.streams.length !== 2) return `${record.streams.length} streams came of two`;
  for (const side of [0, 1] as const) {
    const stream = streamOf(record, side);
    if (stream === undefined) return `side ${side} has no stream`;
    if (Number(stream.ssrc) !== call.ssrcs[side]) return `side ${side} has another's stream`;
    const { seen, lost, late, duplicate, copies } = stream.packets;
    if (seen !== PACKETS) return `${seen} of ${PACKETS} packets of side ${side} were seen`;
    if (lost + late + duplicate + (copies ?? 0) > 0) return `packets of side ${side} count as lost, late or twice`;
  }
  return "";
}

/** The agent's packets admitted, all of them; of the caller's none, and for want of consent. */
export function judgeGate(record: CallRecord, call: SelfTestCall): string {
  if (record.isSelfTest !== true) return "the call is not marked as the self-test's";
  if (record.policy !== "agent-only") return `the call was recorded under ${record.policy}`;
  const [agent, caller] = [streamOf(record, call.agentSide)!, streamOf(record, otherSide(call.agentSide))!];
  const [agentParty, callerParty] = [record.parties[call.agentSide], record.parties[otherSide(call.agentSide)]];
  if (callerParty.role !== "caller" || callerParty.consent !== "unknown")
    return `the caller is taken for ${callerParty.role} with consent ${callerParty.consent}`;
  if (callerParty.spans.length > 0) return "the caller's gate was open";
  if (caller.packets.recorded > 0) return `${caller.packets.recorded} of the caller's packets were admitted`;
  if (caller.discardedBy.consent !== PACKETS)
    return `${caller.discardedBy.consent ?? 0} of ${PACKETS} of the caller's packets were refused for want of consent`;
  if (agentParty.role !== "agent") return `the agent is taken for ${agentParty.role}`;
  if (agent.packets.recorded !== PACKETS)
    return `${agent.packets.recorded} of ${PACKETS} of the agent's packets were admitted`;
  const admitted = agentParty.spans.reduce((sum, span) => sum + span.packets, 0);
  return admitted === PACKETS ? "" : `the agent's spans count ${admitted} packets`;
}

/** Exactly the agent's packets, byte for byte and in order, and nothing of anybody else. */
export function judgeJournal(source: RecordSource, call: SelfTestCall): string {
  let fault = "";
  let n = 0;
  source.visit((packet: AdmittedPacket) => {
    if (fault !== "") return;
    if (packet.side !== call.agentSide) fault = "the journal holds a packet of the caller";
    else if (n >= PACKETS) fault = `the journal holds more than ${PACKETS} packets`;
    else if (!call.rtpPacket(call.agentSide, n).equals(packet.data.subarray(packet.start, packet.end)))
      fault = `packet ${n + 1} in the journal is not what was said`;
    n++;
  });
  return fault === "" && n < PACKETS ? `the journal holds ${n} of ${PACKETS} packets` : fault;
}

/** `identity` opens it where it is encrypted: a key that was made for this one recording and is in memory only. */
export function judgeRecording(
  { audio, manifest: bytes }: SelfTestFile,
  call: SelfTestCall,
  publicKey: KeyObject,
  identity: Identity | undefined,
): string {
  const manifest = verifyManifest(bytes, publicKey);
  if (manifest === undefined) return "the manifest's signature does not fit";
  if (manifest.selfTest !== true || manifest.previous !== "")
    return "the manifest does not say that it is the self-test's";
  const stored = manifest.audio;
  if (
    stored.bytes !== audio.length ||
    stored.sha256 !== hashOf("sha256", audio) ||
    stored.sha512 !== hashOf("sha512", audio)
  )
    return "the recording's file is not what its manifest says";
  if ((identity !== undefined) !== (stored.encryption !== undefined))
    return identity ? "the recording is in clear" : "the recording is encrypted, and nobody asked for it";
  let wav = audio;
  if (identity !== undefined) {
    try {
      wav = decryptAge(audio, [identity]);
    } catch (error) {
      return `the recording cannot be decrypted: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (stored.encryption!.plainSha256 !== hashOf("sha256", wav))
      return "what is encrypted is not what the manifest says";
  }
  const { recordedMs, streams } = manifest.parties[1];
  if (recordedMs > 0 || streams.some(({ packets }) => packets.recorded + packets.admitted > 0))
    return "the manifest says that the caller was recorded";
  return judgeSamples(wav, call);
}

/** RIFF WAVE, PCM of 16 bits, 8 kHz, two channels: the agent's every sample on the left, nothing at all on the right. */
function judgeSamples(wav: Buffer, call: SelfTestCall): string {
  const data = wav.subarray(WAV_HEADER_BYTES);
  const isWav =
    wav.toString("latin1", 0, 4) === "RIFF" &&
    wav.toString("latin1", 8, 16) === "WAVEfmt " &&
    wav.toString("latin1", 36, 40) === "data" &&
    wav.readUInt16LE(20) === 1 &&
    wav.readUInt16LE(22) === 2 &&
    wav.readUInt32LE(24) === SAMPLE_RATE_HZ &&
    wav.readUInt32LE(40) === data.length;
  if (!isWav) return "the recording is no WAV of two channels at 8 kHz";
  const frames = data.length / BYTES_PER_FRAME;
  if (frames !== FRAMES) return `the recording has ${frames} samples, not ${FRAMES}`;
  const said = call.agentSamples();
  for (let frame = 0; frame < FRAMES; frame++) {
    if (data.readInt16LE(frame * BYTES_PER_FRAME + 2) !== 0)
      return `the caller's channel is not silent at sample ${frame}`;
    const expected = frame < LEAD_SAMPLES ? 0 : said[frame - LEAD_SAMPLES];
    if (data.readInt16LE(frame * BYTES_PER_FRAME) !== expected)
      return `the agent's channel is not what was said at sample ${frame}`;
  }
  return "";
}

function streamOf({ streams }: CallRecord, side: number): StreamRecord | undefined {
  return streams.find((stream) => stream.side === side);
}

function hashOf(algorithm: "sha256" | "sha512", bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest("hex");
}
