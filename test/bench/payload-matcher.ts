// What the payload matcher costs per RTP packet: CPU ns for silence, for conversations without a partner and for relayed ones.
// Capture leaves a packet in the processor's cache, so each payload is read once before it is offered; that reading alone is
// measured beside it and subtracted. Prints one JSON object. After a build: node dist/test/bench/payload-matcher.js
import { PayloadMatcher } from "../../device/call/payload-matcher.js";
import { speechPayloads } from "../fakes/speech.js";

const STREAMS = 400;
const PACKETS = 500;
const PAYLOAD_BYTES = 160;
const CACHE_LINE_BYTES = 64;
const ROUNDS = 15;
const PTIME_US = 20_000;
const BETWEEN_STREAMS_US = PTIME_US / STREAMS;
const NS_PER_US = 1000;

type Traffic = "silence" | "unrelated" | "relayed";

const voices = Array.from({ length: STREAMS / 2 }, (_, i) => Buffer.concat(speechPayloads({ seed: i + 1 }, PACKETS)));
const silence = Buffer.alloc(PACKETS * PAYLOAD_BYTES, 0xd5);

/** CPU ns per packet; without a matcher, packets are only read. */
function measure(traffic: Traffic, matcher: PayloadMatcher | undefined): number {
  const tokens = Array.from({ length: STREAMS }, (_, i) => matcher?.open(i));
  let read = 0;
  const before = process.cpuUsage();
  for (let packet = 0; packet < PACKETS; packet++) {
    for (let stream = 0; stream < STREAMS; stream++) {
      const voice = traffic === "silence" ? silence : voices[stream >> 1]!;
      // Two streams have one voice each; unrelated ones are five seconds apart.
      const at = traffic === "unrelated" && stream % 2 === 1 ? (packet + PACKETS / 2) % PACKETS : packet;
      const start = at * PAYLOAD_BYTES;
      const end = start + PAYLOAD_BYTES;
      for (let line = start; line < end; line += CACHE_LINE_BYTES) read += voice[line]!;
      read += voice[end - 1]!;
      matcher?.offer(tokens[stream]!, voice, start, end, packet * PTIME_US + stream * BETWEEN_STREAMS_US);
    }
  }
  const used = process.cpuUsage(before);
  if (read === 0) throw new RangeError("nothing was read");
  return ((used.user + used.system) * NS_PER_US) / (STREAMS * PACKETS);
}

function compare(traffic: Traffic) {
  const reading: number[] = [];
  const both: number[] = [];
  let found = 0;
  for (let round = 0; round < ROUNDS; round++) {
    reading.push(measure(traffic, undefined));
    const matcher = new PayloadMatcher({ maxStreams: STREAMS, maxEntries: 16_384 }, () => {});
    both.push(measure(traffic, matcher));
    found = matcher.found;
  }
  const [readNs, readAndMatchNs] = [Math.min(...reading), Math.min(...both)];
  const rounded = (ns: number): number => Math.round(ns * 10) / 10;
  return {
    readNs: rounded(readNs),
    readAndMatchNs: rounded(readAndMatchNs),
    matcherNs: rounded(readAndMatchNs - readNs),
    pairs: found,
  };
}

const nsPerPacket = Object.fromEntries(
  (["silence", "unrelated", "relayed"] as const).map((each) => [each, compare(each)]),
);
process.stdout.write(
  `${JSON.stringify({ streams: STREAMS, packets: PACKETS, rounds: ROUNDS, least: nsPerPacket }, null, 2)}\n`,
);
