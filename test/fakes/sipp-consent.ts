// What SIPp's parties need to say something of consent: captures with tones and keys, as RTP events (RFC 4733) or as tones,
// in one RTP stream whose order on the wire is known to the packet; keys in INFO; and a prompter that tells a script when
// to go on.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CaptureFile } from "./capture-file.js";
import { keyTone } from "./key-tones.js";
import type { OfficeNetwork } from "./office-network.js";
import { OfficeProgram, waitUntil } from "./office-program.js";
import { seedOf } from "./random.js";
import { type KeyPress, rtpStream } from "./rtp-stream.js";
import type { MessageParts } from "./sipp-script.js";
import { encodeG711, type PayloadSource, silenceSource, toneSource } from "./tone.js";

/** Milliseconds are multiples of a packet's. */
export type TalkPiece =
  | { toneHz: number; durationMs: number }
  /** A key as RTP events. */
  | { key: string }
  /** A key as tones, with a moment of silence around it. */
  | { keyTones: string };

const PTIME_MS = 20;
const PTIME_SAMPLES = 160;
/** Packets of a key: its events, or silence, its tones and silence. */
const EVENT_PACKETS = 5;
const QUIET_PACKETS = 3;
const TONE_PACKETS = 6;
const KEY_TONE_PACKETS = 2 * QUIET_PACKETS + TONE_PACKETS;
/** SIPp puts the real addresses in its place. */
const ANY_ENDPOINT = "192.0.2.1:4000";

/** Writes a capture for play_pcap_audio into the folder; returns its name and how long it plays. */
export function writeTalk(
  folder: string,
  name: string,
  pieces: readonly TalkPiece[],
): { file: string; durationMs: number } {
  const sources: PayloadSource[] = [];
  const keys: KeyPress[] = [];
  const add = (packets: number, source: PayloadSource) => {
    for (let i = 0; i < packets; i++) sources.push(source);
  };
  for (const piece of pieces) {
    if ("toneHz" in piece) add(piece.durationMs / PTIME_MS, toneSource(piece.toneHz));
    else if ("key" in piece) {
      keys.push({ key: piece.key, index: sources.length, packets: EVENT_PACKETS });
      add(EVENT_PACKETS, silenceSource());
    } else {
      const first = sources.length + QUIET_PACKETS;
      add(QUIET_PACKETS, silenceSource());
      add(TONE_PACKETS, tonesOf(piece.keyTones, first * PTIME_SAMPLES));
      add(QUIET_PACKETS, silenceSource());
    }
  }
  const frames = rtpStream({
    source: ANY_ENDPOINT,
    destination: ANY_ENDPOINT,
    from: "caller",
    startUs: 0,
    packets: sources.length,
    ptimeMs: PTIME_MS,
    ssrc: seedOf(name),
    payload: (sample, count, codec) => sources[sample / PTIME_SAMPLES]!(sample, count, codec),
    keys,
  });
  const file = `${name}.pcap`;
  new CaptureFile().addAll(frames).write(join(folder, file));
  return { file, durationMs: sources.length * PTIME_MS };
}

/** How long a key lasts as tones, with the silence around it. */
export const KEY_TONE_MS = KEY_TONE_PACKETS * PTIME_MS;

function tonesOf(key: string, firstSample: number): PayloadSource {
  const samples = Int16Array.from(keyTone(key, { durationMs: TONE_PACKETS * PTIME_MS }), Math.round);
  return (sample, count, codec) =>
    encodeG711(samples.subarray(sample - firstSample, sample - firstSample + count), codec);
}

/** The body of an INFO that says that a key was pressed. */
export function keyInInfo(key: string): MessageParts {
  return { body: { type: "application/dtmf-relay", lines: [`Signal=${key}`, "Duration=160", ""] } };
}

/** Reads lines "address Call-ID number" and sends a MESSAGE each. */
const PROMPTER = `const socket = require("node:dgram").createSocket("udp4");
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [address, callId, number] = line.split(" ");
  const message = [
    "MESSAGE sip:" + address + " SIP/2.0",
    "Via: SIP/2.0/UDP " + address + ":5099;branch=z9hG4bK-prompt-" + number,
    "From: <sip:prompter@" + address + ">;tag=" + number,
    "To: <sip:" + address + ">",
    "Call-ID: " + callId,
    "CSeq: " + number + " MESSAGE",
    "Content-Length: 0",
  ];
  socket.send(message.concat("", "").join("\\r\\n"), 5060, address);
});
`;

/**
 * Tells scripts on one host when to go on: with a MESSAGE from the host to itself, which is on no wire. A script that is
 * `untilPrompted` says with a file that it waits.
 */
export class Prompter {
  private readonly folder: string;
  private readonly program: OfficeProgram;
  private prompts = 0;

  constructor(network: OfficeNetwork, host: string, folder: string) {
    this.folder = folder;
    this.program = new OfficeProgram(network, host, process.execPath, ["-e", PROMPTER], { cwd: folder });
  }

  /** The Call-ID of the script that waits with this file, once it does. */
  async waitFor(file: string, patienceMs?: number): Promise<string> {
    const path = join(this.folder, file);
    const look = () => (existsSync(path) ? readFileSync(path, "latin1").trim() : undefined);
    return waitUntil(`a script to wait with ${file}`, look, patienceMs);
  }

  /** Lets the script at an address go on with its call. */
  prompt(address: string, callId: string): void {
    this.program.send(`${address} ${callId} ${++this.prompts}`);
  }
}
