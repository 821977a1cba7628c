// Real captures of real calls, replayed with both parties recorded: every call that carries G.711 gives a WAV whose legs
// are those of MANIFEST.tsv, what is not G.711 gives a call record with its reason. The captures stay where they lie,
// beside the project; without them this skips and says so. All are replayed in this process; those of IN_PROGRAM, one of
// each kind, by the built program as well, which must come to the same to the byte.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configSchema } from "../../device/contract/config.js";
import type { CallLogLine, ManifestStream } from "../../device/contract/manifest.js";
import type { SealPool } from "../../device/seal/pool.js";
import { readWav, soundSpan } from "../fakes/audio.js";
import { openSealPool, replayCapture } from "../fakes/capture-run.js";
import {
  makeFolder,
  PROJECT_ROOT,
  readCallLog,
  readRecordings,
  removeFolder,
  runProgram,
  type StoredRecording,
} from "../fakes/program.js";

const captures = join(PROJECT_ROOT, "../shared/captures");
const isThere = existsSync(join(captures, "MANIFEST.tsv"));
if (!isThere) console.log(`skipped: ${captures} is not there, so no real captures are replayed`);

interface ExpectedStream {
  codec: string;
  packets: number;
  durationS: number;
  lost: number;
}
interface ExpectedCall {
  answered: boolean;
  /** Streams by leg: caller (originator), callee (answerer). */
  legs: [ExpectedStream[], ExpectedStream[]];
}
interface Row {
  file: string;
  features: string;
  calls: ExpectedCall[];
}

/** Rows whose labels the manifest itself calls ambiguous: legs are compared as a set. */
const LEGS_AMBIGUOUS = new Set(["wiki_SIP_DTMF2_pcma_rfc2833.pcap"]);
/** Files whose Call-IDs are one call for the people in it: the manifest counts Call-IDs, the recorder makes one record. */
const ONE_CALL: Record<string, string> = {
  "goffinet_b2bua_two_legs_pcmu_noise.pcapng": "both sides of a PBX, told by the relayed payload",
  "voipshark_rtp_two_legs.pcap": "both sides of a PBX, told by the relayed payload",
  "goffinet_reinvites_directmedia_pcmu.pcapng": "both sides of a PBX, told by the stream that they share",
  "mtaa_multi_interface_transfer_opus.pcapng": "a REFER and what it led to",
  "mtaa_transfer_refer_hold_opus_1.pcapng": "a REFER and what it led to",
  "mtaa_transfer_refer_opus_2.pcapng": "a REFER and what it led to",
  "mtaa_transfer_refer_opus_5.pcapng": "a REFER and what it led to",
};
/** Files of which the recorder does not see everything yet: why, and what it makes of them. */
const PARTLY_SEEN: Record<string, { why: string; exitCode: number; noAudio: string[] }> = {
  "protos_c07_sip_malformed.pcap": { why: "it is a Network Monitor file", exitCode: 3, noAudio: [] },
};

/** What the program must make of it as well, by what is special about the capture. */
const IN_PROGRAM: Record<string, string> = {
  "wiki_SIP_CALL_RTP_G711_mediaproxy.pcap": "G.711 both ways",
  "sipp_1334calls_signalling.pcapng": "many calls in a short time, none with audio",
  "yate_3calls_long.pcap": "calls at the same time",
  "wiki_sip_rtp_g726_8calls.pcap": "another codec",
  "goffinet_b2bua_two_legs_pcmu_noise.pcapng": "halves of one call",
  "mtaa_transfer_refer_opus_2.pcapng": "a transfer",
  "arkime_gtp_ipv6_volte_amr.pcap": "a tunnel, IPv6, TCP",
  "wiki_sip_tls13_rtcp_sll.pcap": "signalling inside TLS",
  "wiki_rtp_l16_mono_nosip.pcapng": "no signalling",
};

function parseStreams(text: string): ExpectedStream[] {
  if (text.startsWith("none")) return [];
  return text.split(" & ").map((part) => {
    const match = /^(\S+) (\d+)pkt ([\d.]+)s(?: lost(\d+))?$/.exec(part.trim());
    if (!match) throw new Error(`cannot read "${part}" in MANIFEST.tsv`);
    return {
      codec: match[1]!.toUpperCase(),
      packets: Number(match[2]),
      durationS: Number(match[3]),
      lost: Number(match[4] ?? 0),
    };
  });
}

function parseCalls(truth: string): ExpectedCall[] {
  const calls: ExpectedCall[] = [];
  const body = truth.replace(/\. RTP not tied to any SDP.*$/, "");
  for (const part of body.split(/(?:^|[.] )(?=C\d+: )/).filter((text) => /^C\d+: /.test(text))) {
    const status = /^C\d+: ([^;]*)/.exec(part)![1]!;
    const leg = (name: string): ExpectedStream[] => {
      const found = new RegExp(`${name} audio ([^;]*?)(?:;|$)`).exec(part)?.[1]?.trim();
      if (!found) return [];
      const same = /= same stream\(s\) as C(\d+)/.exec(found);
      return same ? calls[Number(same[1]) - 1]!.legs[name === "caller" ? 0 : 1] : parseStreams(found);
    };
    calls.push({ answered: /(^|\/)200(,|\/|$)/.test(status), legs: [leg("caller"), leg("callee")] });
  }
  return calls;
}

function readRows(): Row[] {
  const [head, ...lines] = readFileSync(join(captures, "MANIFEST.tsv"), "utf8").trimEnd().split("\n");
  const names = head!.split("\t");
  return lines.map((line) => {
    const cells = line.split("\t");
    const cell = (name: string) => cells[names.indexOf(name)] ?? "";
    return { file: cell("file"), features: cell("features"), calls: parseCalls(cell("ground_truth")) };
  });
}

const isG711 = (stream: ExpectedStream) => /PCM[AU]\/8000/.test(stream.codec);
const byPackets = (a: { packets: number }, b: { packets: number }) => a.packets - b.packets;

function checkStreams(found: ManifestStream[], expected: ExpectedStream[]): void {
  const actual = found
    .map((stream) => ({
      packets: stream.packets.seen,
      lost: stream.packets.lost,
      durationS: (Date.parse(stream.lastAt) - Date.parse(stream.firstAt)) / 1000,
    }))
    .sort(byPackets);
  const wanted = [...expected].sort(byPackets);
  expect(actual.map(({ packets, lost }) => ({ packets, lost }))).toEqual(
    wanted.map(({ packets, lost }) => ({ packets, lost })),
  );
  for (const [i, stream] of actual.entries())
    expect(Math.abs(stream.durationS - wanted[i]!.durationS)).toBeLessThanOrEqual(0.02);
}

function checkRecording(recording: StoredRecording, expected: ExpectedCall, file: string): void {
  const { manifest, wavPath } = recording;
  const { channels, sampleRateHz } = readWav(wavPath);
  expect(sampleRateHz).toBe(8000);
  expect(channels[0]!.length).toBe(channels[1]!.length);
  expect(Math.round((channels[0]!.length * 1000) / sampleRateHz)).toBe(Math.round(manifest.audio.durationMs));
  if (LEGS_AMBIGUOUS.has(file)) {
    checkStreams(
      manifest.parties.flatMap((party) => party.streams),
      expected.legs.flat(),
    );
    for (const party of manifest.parties) expect(party.streams.length).toBe(1);
    return;
  }
  for (const [i, party] of manifest.parties.entries()) {
    const legs = expected.legs[i]!;
    checkStreams(party.streams, legs);
    const g711 = legs.filter(isG711);
    expect(party.recordedMs > 0).toBe(g711.length > 0);
    // A muted party sends digital silence: sound is not required, but there must be none that nobody sent.
    if (g711.length === 0) expect(soundSpan(channels[i]!)).toBe(0);
    for (const stream of party.streams) {
      const { seen, recorded, discarded, duplicate, undecoded } = stream.packets;
      expect(seen).toBe(recorded + discarded + duplicate + undecoded);
      if (/^PCM[AU]$/.test(stream.codec)) expect(recorded).toBeGreaterThan(0);
    }
  }
}

function checkCall(
  line: CallLogLine | undefined,
  recordings: StoredRecording[],
  expected: ExpectedCall,
  file: string,
): void {
  expect(line).toBeDefined();
  const streams = expected.legs.flat();
  if (!expected.answered) expect(line!.noAudio).toBe("not-answered");
  else if (streams.length === 0) expect(line!.noAudio).toBe("no-media");
  else if (!streams.some(isG711)) expect(line!.noAudio).toBe("codec-unsupported");
  else {
    expect(line!.noAudio).toBe("");
    checkRecording(recordings.find(({ manifest }) => manifest.id === line!.id)!, expected, file);
  }
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Every packet of every Call-ID is there, and each person's audio is in the one recording once. */
function checkOneCall(log: CallLogLine[], recordings: StoredRecording[], calls: ExpectedCall[]): void {
  expect(log.length).toBe(1);
  const [line] = log;
  expect(line!.sipCallIds.length).toBe(calls.length);
  const streams = calls.flatMap(({ legs }) => legs.flat());
  expect(sumOf(line!.parties.map(({ packets }) => packets.seen))).toBe(sumOf(streams.map(({ packets }) => packets)));
  if (!streams.some(isG711)) {
    expect(line!.noAudio).toBe("codec-unsupported");
    return;
  }
  const { manifest, wavPath } = recordings[0]!;
  const { channels } = readWav(wavPath);
  for (const channel of [0, 1] as const) {
    const parties = manifest.parties.filter((party) => party.channel === channel);
    const recorded = sumOf(parties.flatMap((party) => party.streams.map(({ packets }) => packets.recorded)));
    // The two sides of the PBX need not have had the same number of packets.
    const halves = calls.map(({ legs }) => sumOf(legs[channel].map(({ packets }) => packets)));
    expect(recorded).toBeGreaterThanOrEqual(Math.min(...halves) - 2);
    expect(recorded).toBeLessThanOrEqual(Math.max(...halves) + 2);
    if (recorded === 0) expect(soundSpan(channels[channel]!)).toBe(0);
  }
}

const POLICY = "both-parties";

/** What is the same whichever process made it: ids, keys and times of writing are not. */
function outcomeOf(data: string): unknown {
  const recordings = readRecordings(data);
  return readCallLog(data).map(({ id, file: _file, ...line }) => {
    const stored = recordings.find(({ manifest }) => manifest.id === id);
    return { ...line, sha256: stored?.manifest.audio.sha256, parties: stored?.manifest.parties };
  });
}

function checkCapture(data: string, { file, calls }: Row): void {
  const log = readCallLog(data);
  const recordings = readRecordings(data);
  if (ONE_CALL[file] !== undefined) {
    checkOneCall(log, recordings, calls);
    return;
  }
  const invited = log.filter((line) => !line.warnings.includes("start-not-seen"));
  // The manifest counts Call-IDs with an INVITE, which may be a re-INVITE of a call that began before the capture.
  const lines = log.length === calls.length ? log : invited;
  if (calls.length > 0) expect(lines.length).toBe(calls.length);
  for (const [i, expected] of calls.entries()) checkCall(lines[i], recordings, expected, file);
  expect(recordings.length).toBe(log.filter((line) => line.noAudio === "").length);
}

describe.runIf(isThere)("real captures", () => {
  const config = configSchema.parse({ consent: { policy: POLICY } });
  let folder: string;
  let pool: SealPool;
  beforeAll(() => {
    folder = makeFolder();
    pool = openSealPool();
  });
  afterAll(async () => {
    await pool.close();
    removeFolder(folder);
  });

  const rows = isThere ? readRows() : [];
  it.each(rows.filter(({ file }) => PARTLY_SEEN[file] === undefined).map((row) => [row.file, row] as const))(
    "%s",
    async (file, row) => {
      const data = join(folder, file);
      const result = await replayCapture(join(captures, file), data, pool, config);
      expect(result).toEqual({ fault: undefined, errors: [] });
      checkCapture(data, row);
      if (IN_PROGRAM[file] === undefined) removeFolder(data);
    },
  );

  it.each(Object.entries(IN_PROGRAM))("%s, by the program: %s", async (file) => {
    const data = join(folder, `${file}-program`);
    const result = await runProgram(["--read", join(captures, file), "--data", data, "--policy", POLICY, "--json"]);
    expect(result.stderr.split("\n").filter((line) => line.includes('"level":"error"'))).toEqual([]);
    expect(result.exitCode).toBe(0);
    expect(outcomeOf(data)).toEqual(outcomeOf(join(folder, file)));
  });

  it.each(Object.entries(PARTLY_SEEN))("%s, partly seen", async (file, { why, exitCode, noAudio }) => {
    const data = join(folder, file);
    const result = await runProgram(["--read", join(captures, file), "--data", data, "--policy", POLICY]);
    expect([why, result.exitCode, readCallLog(data).map((line) => line.noAudio)]).toEqual([why, exitCode, noAudio]);
    expect(readRecordings(data)).toEqual([]);
  });
});
