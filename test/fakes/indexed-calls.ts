// Calls of an office as the index meets them, by seed: lines of the call log, manifests for those with audio, and a data folder
// that holds them. Thousands a second; nothing is sealed or signed.
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isoUs } from "../../device/base/clock.js";
import { makeCallId, type TimeUs } from "../../device/base/ids.js";
import type { ConsentState, NoAudioReason, Policy } from "../../device/contract/call-record.js";
import type { CallLogLine, Manifest, ManifestParty } from "../../device/contract/manifest.js";
import { makeRandom, randomInteger } from "./random.js";

export interface IndexedCallOptions {
  seed: number;
  count: number;
  firstUs: TimeUs;
  /** Calls are spread evenly over it. */
  spanUs: TimeUs;
  agents?: number;
  callers?: number;
}

export interface GeneratedCall {
  line: CallLogLine;
  /** Undefined without audio. */
  manifest: Manifest | undefined;
}

const CONSENTS: ConsentState[] = ["granted", "granted", "granted", "refused", "unknown", "withdrawn"];
const POLICIES: Policy[] = ["agent-only", "agent-only", "agent-only", "both-parties", "consent-first", "none"];
const NO_AUDIO: NoAudioReason[] = ["not-answered", "not-answered", "no-consent", "policy-none"];
const HOUR_MS = 3_600_000;

/** Draws by one seed. */
class Draw {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = makeRandom(seed);
  }

  below(limit: number): number {
    return randomInteger(this.#random, limit);
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)]!;
  }
}

/** In order of time. */
export function* generateCalls(options: IndexedCallOptions): Generator<GeneratedCall, void> {
  const { seed, count, firstUs, spanUs, agents = 40, callers = 5000 } = options;
  const random = new Draw(seed);
  for (let i = 0; i < count; i++) {
    const startedUs = Math.floor(firstUs + (spanUs * i) / count);
    yield generateCall(random, startedUs, 20 + random.below(agents), random.below(callers));
  }
}

function generateCall(random: Draw, startedUs: TimeUs, extension: number, caller: number): GeneratedCall {
  const noise = Buffer.from(Array.from({ length: 10 }, () => random.below(256)));
  const id = makeCallId(startedUs, noise);
  const policy = random.pick(POLICIES);
  const consent = random.pick(CONSENTS);
  const noAudio = policy === "none" ? "policy-none" : random.below(5) === 0 ? random.pick(NO_AUDIO) : "";
  // Most calls take minutes, few hours.
  const durationMs = noAudio === "" ? 1000 + Math.floor(HOUR_MS * 2 * (random.below(1_000_000) / 1e6) ** 6) : 0;
  const day = isoUs(startedUs).slice(0, 10).replaceAll("-", "/");
  const numbers = [String(extension), `+4930${String(1_000_000 + caller * 7)}`] as const;
  const line: CallLogLine = {
    schema: "sidetone.call-log/1",
    id,
    sipCallIds: [`${noise.toString("hex")}@192.0.2.1`],
    startedAt: isoUs(startedUs),
    answeredAt: noAudio === "not-answered" ? "" : isoUs(startedUs + 4e6),
    endedAt: isoUs(startedUs + 5e6 + durationMs * 1000),
    endReason: noAudio === "not-answered" ? "no-answer" : "bye",
    rejectStatus: 0,
    policy,
    noAudio,
    file: noAudio === "" ? `recordings/${day}/${id}.wav` : "",
    durationMs,
    parties: [
      logParty("agent", "answerer", numbers[0], "agents.match 10.0.0.0/24", "not-required", durationMs),
      logParty("caller", "originator", numbers[1], "", consent, consent === "granted" ? durationMs : 0),
    ],
    warnings: random.below(50) === 0 ? ["agent-stream-mixed"] : [],
  };
  return { line, manifest: noAudio === "" ? manifestOf(line, random) : undefined };
}

function logParty(
  role: "agent" | "caller",
  side: "answerer" | "originator",
  number: string,
  identifiedBy: string,
  consent: ConsentState,
  recordedMs: number,
): CallLogLine["parties"][number] {
  const packets = { seen: recordedMs / 20, recorded: recordedMs / 20, discarded: 0, lost: 0 };
  return { role, side, number, identifiedBy, consent, recordedMs, packets, codecs: ["PCMA"] };
}

function manifestOf(line: CallLogLine, random: Draw): Manifest {
  const { id, sipCallIds, startedAt, answeredAt, endedAt, endReason, policy, durationMs } = line;
  const hash = random
    .below(2 ** 32)
    .toString(16)
    .padStart(8, "0")
    .repeat(8);
  return {
    schema: "sidetone.recording/1",
    ...{ id, device: "box", sipCallIds, startedAt, answeredAt, endedAt, endReason, policy },
    policyRule: "",
    purpose: "quality",
    retention: random.below(3) === 0 ? "short" : "",
    audio: {
      file: `${id}.wav`,
      bytes: 44 + durationMs * 32,
      sha256: hash,
      sha512: hash + hash,
      sampleRateHz: 8000,
      channels: 2,
      durationMs,
      startsAt: answeredAt,
    },
    parties: line.parties.map((party, channel) => manifestParty(party, channel as 0 | 1)) as Manifest["parties"],
    evidence: [{ id: "e1", at: answeredAt, kind: "dtmf", effect: "granted", detail: { digit: "1" } }],
    ledger: [],
    pauses: [],
    events: [],
    warnings: line.warnings.map((code) => ({ code, detail: {} })),
    previous: hash,
    signature: `ed25519:${"A".repeat(86)}==`,
  };
}

function manifestParty(party: CallLogLine["parties"][number], channel: 0 | 1): ManifestParty {
  const { role, side, number, identifiedBy, consent, recordedMs } = party;
  return {
    ...{ role, side, channel, uri: `sip:${number}@192.0.2.1`, number, name: channel === 0 ? "Front desk" : "" },
    ...{ identifiedBy, joinedBy: "start", fromMs: 0, toMs: recordedMs, consent, recordedMs },
    spans: [{ fromMs: 0, toMs: recordedMs, evidence: "e1", packets: recordedMs / 20, audio: null }],
    closedSpans: [],
    streams: [
      {
        ...{
          ssrc: "0x1234abcd",
          codec: "PCMA",
          clockRate: 8000,
          source: "10.0.0.7:4000",
          destination: "10.0.0.1:4002",
        },
        ...{ firstAt: "", lastAt: "", discardedBy: {}, jitterMs: { mean: 1, max: 3 }, mos: 4.4 },
        packets: { seen: 1, admitted: 1, recorded: 1, discarded: 0, lost: 0, late: 0, duplicate: 0, undecoded: 0 },
      },
    ],
  };
}

/** Puts the call's files where the box would have them. */
export function storeCall(dataFolder: string, { line, manifest }: GeneratedCall): void {
  storeManifest(dataFolder, line, manifest);
  mkdirSync(join(dataFolder, "calls"), { recursive: true });
  appendFileSync(join(dataFolder, "calls", `${line.startedAt.slice(0, 10)}.jsonl`), `${JSON.stringify(line)}\n`);
}

export function storeManifest(dataFolder: string, line: CallLogLine, manifest: Manifest | undefined): void {
  if (manifest === undefined) return;
  const folder = join(dataFolder, "recordings", ...line.startedAt.slice(0, 10).split("-"));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${line.id}.json`), `${JSON.stringify(manifest)}\n`);
}
