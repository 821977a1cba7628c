// Judges what the recorder stored of one demo call: compares the WAV, by ear-like measures, and the manifest's counts
// with what was said in the call, and puts it into one line. Believes nothing that the file does not show.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { CallLogLine, Manifest, ManifestParty } from "../../device/contract/manifest.js";
import { tonePresentMs } from "../caller/tone.js";
import { readWav } from "../wav-reader.js";

/** Below this level a tone is not there; the phones beep at 0.5. */
const LEAST_LEVEL = 0.1;
/** Beeps fill less than half of the talk; half of that must be found. */
const LEAST_TONE_SHARE = 0.2;
/** Share of the packets sent that the recorder must have seen. */
const LEAST_SEEN_SHARE = 0.95;

/** What was said in a call, and what may be stored of it. */
export interface DemoCall {
  sipCallId: string;
  /** The caller's number. */
  caller: string;
  /** The called number. */
  agent: string;
  agentToneHz: number;
  callerToneHz: number;
  /** Sent by the caller's phone. */
  callerPackets: number;
  stored: "both legs" | "agent's leg" | "nothing";
  why: string;
}

export interface Verdict {
  line: string;
  /** What is not as it should be; empty when all is well. */
  faults: string[];
}

/** The call log's lines of these calls, by SIP Call-ID. */
export function readCallLog(dataFolder: string, sipCallIds: readonly string[]): Map<string, CallLogLine> {
  const found = new Map<string, CallLogLine>();
  const folder = join(dataFolder, "calls");
  for (const name of listFolder(folder).filter((one) => one.endsWith(".jsonl"))) {
    for (const text of readFileSync(join(folder, name), "utf8").split("\n")) {
      const line = parseLine(text);
      const id = line?.sipCallIds.find((one) => sipCallIds.includes(one));
      if (line && id !== undefined) found.set(id, line);
    }
  }
  return found;
}

export function judge(dataFolder: string, log: CallLogLine | undefined, call: DemoCall): Verdict {
  const title = `call ${call.caller} to ${call.agent}`;
  if (!log) return { line: `${title}  not in the call log`, faults: ["the recorder did not report this call"] };
  if (log.file === "") return judgeUnrecorded(log, call, title);
  if (call.stored === "nothing")
    return { line: `${basename(log.file)}  ${title}`, faults: ["a file where none may be"] };
  return judgeRecording(dataFolder, log, call);
}

function judgeUnrecorded(log: CallLogLine, call: DemoCall, title: string): Verdict {
  const discarded = log.parties.reduce((sum, party) => sum + party.packets.discarded, 0);
  const recorded = log.parties.reduce((sum, party) => sum + party.packets.recorded, 0);
  const line = `no file  ${title}  nothing stored — ${call.why}: ${discarded} packets dropped before the disk (${log.noAudio})`;
  if (call.stored !== "nothing") return { line, faults: [`no recording, because: ${log.noAudio}`] };
  return {
    line,
    faults: recorded > 0 || discarded === 0 ? [`${recorded} packets recorded, ${discarded} discarded`] : [],
  };
}

function judgeRecording(dataFolder: string, log: CallLogLine, call: DemoCall): Verdict {
  const wavPath = join(dataFolder, log.file);
  const manifest = JSON.parse(readFileSync(wavPath.replace(/\.wav$/, ".json"), "utf8")) as Manifest;
  const { sampleRateHz, channels } = readWav(wavPath);
  const left = listen(channels[0] ?? new Int16Array(), sampleRateHz, call);
  const right = listen(channels[1] ?? new Int16Array(), sampleRateHz, call);
  const counts = packetsOf(manifest.parties.find((party) => party.channel === 1));
  const seconds = ((channels[0]?.length ?? 0) / sampleRateHz).toFixed(1);
  const dropped = call.stored === "both legs" ? "" : `: ${counts.discarded} packets dropped before the disk`;
  return {
    line: `${basename(log.file)}  ${seconds} s  left: ${left.text}, right: ${right.text} — ${call.why}${dropped}`,
    faults: [
      fault(areRolesRight(manifest), "left is not the agent's leg, or right not the caller's"),
      fault(left.isAgentOnly, `the left channel does not hold the agent alone, but: ${left.text}`),
      fault(
        counts.seen >= LEAST_SEEN_SHARE * call.callerPackets,
        `${counts.seen} of ${call.callerPackets} packets seen`,
      ),
      ...(call.stored === "both legs"
        ? [fault(right.isCallerOnly, `the right channel does not hold the caller alone, but: ${right.text}`)]
        : [
            fault(right.isSilent, "the right channel is not silent"),
            fault(counts.recorded === 0, `${counts.recorded} of the caller's packets were recorded`),
            fault(counts.discarded > 0, "no packet of the caller's was counted as dropped"),
          ]),
    ].filter((one) => one !== ""),
  };
}

function areRolesRight(manifest: Manifest): boolean {
  return manifest.parties.every((party) => party.role === (party.channel === 0 ? "agent" : "caller"));
}

interface Heard {
  isAgentOnly: boolean;
  isCallerOnly: boolean;
  /** Every sample is zero. */
  isSilent: boolean;
  text: string;
}

/** Whom a channel holds: a tone counts as there when it fills its share of the time, as absent when it never sounds. */
function listen(samples: Int16Array, sampleRateHz: number, call: DemoCall): Heard {
  const leastMs = (LEAST_TONE_SHARE * samples.length * 1000) / sampleRateHz;
  const agentMs = tonePresentMs(samples, call.agentToneHz, sampleRateHz, LEAST_LEVEL);
  const callerMs = tonePresentMs(samples, call.callerToneHz, sampleRateHz, LEAST_LEVEL);
  const isSilent = samples.every((sample) => sample === 0);
  const texts = [
    ...(agentMs > 0 ? [`agent ${call.agent} (${call.agentToneHz} Hz)`] : []),
    ...(callerMs > 0 ? [`caller ${call.caller} (${call.callerToneHz} Hz)`] : []),
  ];
  return {
    isAgentOnly: agentMs > 0 && agentMs >= leastMs && callerMs === 0,
    isCallerOnly: callerMs > 0 && callerMs >= leastMs && agentMs === 0,
    isSilent,
    text: texts.join(" and ") || (isSilent ? "silence" : "neither tone"),
  };
}

function packetsOf(party: ManifestParty | undefined): { seen: number; recorded: number; discarded: number } {
  const sum = { seen: 0, recorded: 0, discarded: 0 };
  for (const { packets } of party?.streams ?? []) {
    sum.seen += packets.seen;
    sum.recorded += packets.recorded;
    sum.discarded += packets.discarded;
  }
  return sum;
}

function fault(isWell: boolean, text: string): string {
  return isWell ? "" : text;
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The last line may still be being written. */
function parseLine(text: string): CallLogLine | undefined {
  try {
    return JSON.parse(text) as CallLogLine;
  } catch {
    return undefined;
  }
}
