// The summary of a replay: what a person reads, what a program gets, and that neither depends on the order of sealing.
import { describe, expect, it } from "vitest";
import type { CallId } from "../../../device/base/ids.js";
import { describeSummary, formatDuration, formatSummary, type SummaryInput } from "../../../device/console/summary.js";
import { NO_AUDIO_TEXT, TROUBLE_COUNTERS } from "../../../device/console/text.js";
import type { NoAudioReason } from "../../../device/contract/call-record.js";
import type { EncapsulationStatus, TlsEndpointStatus } from "../../../device/contract/engine-messages.js";
import type { CallLogLine } from "../../../device/contract/manifest.js";

type Party = CallLogLine["parties"][number];
function party(part: Partial<Party> = {}): Party {
  const packets = { seen: 0, recorded: 0, discarded: 0, lost: 0 };
  return {
    role: "caller",
    side: "originator",
    number: "",
    identifiedBy: "",
    consent: "unknown",
    recordedMs: 0,
    packets,
    codecs: ["PCMA"],
    ...part,
  };
}
function call(index: number, part: Partial<CallLogLine> = {}): CallLogLine {
  const id = `01HZZZZZZZZZZZZZZZZZZ${String(index).padStart(5, "0")}`;
  return {
    schema: "sidetone.call-log/1",
    id: id as CallId,
    sipCallIds: [`${index}@pbx`],
    startedAt: new Date(Date.UTC(2026, 10, 21, 9) + index * 1000).toISOString().replace("Z", "000Z"),
    answeredAt: "",
    endedAt: "",
    endReason: "bye",
    rejectStatus: 0,
    policy: "agent-only",
    noAudio: "",
    file: `recordings/2026/11/21/${id}.wav`,
    durationMs: 63_280,
    parties: [
      party({ number: "0301234567", packets: { seen: 3164, recorded: 0, discarded: 3164, lost: 2 } }),
      party({
        role: "agent",
        number: "21",
        recordedMs: 63_180,
        packets: { seen: 3159, recorded: 3159, discarded: 0, lost: 1 },
      }),
    ],
    warnings: [],
    ...part,
  };
}
function input(calls: CallLogLine[], part: Partial<SummaryInput> = {}): SummaryInput {
  const sources = [{ name: "a.pcap", frames: 6400, bytes: 1_500_000, kernelDrops: 0, interfaceDrops: 0 }];
  return {
    calls,
    counters: { sources, counts: {}, encapsulations: [], tlsEndpoints: [] },
    faults: [],
    dataFolder: "./data",
    ...part,
  };
}
const silent = (index: number, noAudio: NoAudioReason): CallLogLine =>
  call(index, { noAudio, file: "", durationMs: 0, parties: [party({ number: "1" }), party({ number: "2" })] });

describe("formatSummary", () => {
  it("shows a call per row, then totals", () => {
    const lines = formatSummary(input([call(0), silent(1, "agent-unknown")])).split("\n");
    expect(lines).toEqual([
      "started (UTC)        parties                   policy      duration  recorded s  discarded  result",
      "2026-11-21 09:00:00  0301234567 -> 21 (agent)  agent-only    1:03.3  0.0 / 63.2   3164 / 0  recordings/2026/11/21/01HZZZZZZZZZZZZZZZZZZ00000.wav",
      "2026-11-21 09:00:01  1 -> 2                    agent-only         -   0.0 / 0.0      0 / 0  no audio: agent unknown",
      "",
      "2 calls: 1 recorded (1:03.3), 1 without audio",
      "  1 agent unknown: neither side matched agents.match; name the agents with --agents or agents.match",
      "RTP packets of these calls: 6323 seen, 3159 recorded, 3164 discarded, 3 lost",
      "Read: 6400 packets, 1.5 MB from 1 input",
      "",
    ]);
  });

  it("does without a table when there was no call", () => {
    const text = formatSummary(input([]));
    expect(text).toMatch(/^0 calls: 0 recorded \(0:00\.0\), 0 without audio\n/);
    expect(text).not.toMatch(/started/);
  });

  it("limits the table and says where the others are", () => {
    const lines = formatSummary(input(Array.from({ length: 1334 }, (_, index) => call(index)))).split("\n");
    expect(lines[50]).toMatch(/09:00:49/);
    expect(lines[51]).toBe("and 1284 more calls, listed in ./data/calls/");
    expect(lines).toContain("1334 calls: 1334 recorded (23:26:55.5), 0 without audio");
    const exactly = formatSummary(input(Array.from({ length: 50 }, (_, index) => call(index))));
    expect(exactly).not.toMatch(/more call/);
    const oneMore = formatSummary(input(Array.from({ length: 51 }, (_, index) => call(index))));
    expect(oneMore).toMatch(/\nand 1 more call, listed/);
  });

  it("lets nothing from the network steer the terminal or break the columns", () => {
    const hostile = call(0, {
      parties: [party({ number: "\u001b[2J\u202e\n\u00fcber" }), party({ number: "9".repeat(100_000) })],
    });
    const text = formatSummary(input([hostile], { faults: [{ code: "capture-cut", message: "x\u001b[31m\ny" }] }));
    expect(text).toMatch(/^[\n\x20-\x7e]+$/);
    expect(text.split("\n")[1]).toContain(`?[2J???ber -> ${"9".repeat(22)}..  agent-only`);
    expect(text).toContain("  capture-cut: x?[31m?y\n");
  });

  it("says what the calls came wrapped in, the most frequent first, in ASCII", () => {
    const wrapped = (layers: string, outer: string, frames: number): EncapsulationStatus => ({
      ...{ layers, outer, frames },
      ...{ inner: "10.0.0.1 → 10.0.0.2", firstAtUs: 1, lastAtUs: 2 },
    });
    const mirrors = [wrapped("vlan/vlan", "", 1), wrapped("gre/erspan2/ethernet", "10.9.0.1 → 10.9.0.2", 412)];
    const withMirrors = (encapsulations: EncapsulationStatus[]): SummaryInput => {
      const plain = input([call(0)]);
      return { ...plain, counters: { ...plain.counters, encapsulations } };
    };
    const text = formatSummary(withMirrors(mirrors));
    expect(text.split("1 input\n")[1]).toBe(
      "encapsulated: 412 frames in gre/erspan2/ethernet (10.9.0.1 -> 10.9.0.2, first inside 10.0.0.1 -> 10.0.0.2)\n" +
        "encapsulated: 1 frame in vlan/vlan (first inside 10.0.0.1 -> 10.0.0.2)\n",
    );
    expect(describeSummary(withMirrors(mirrors)).encapsulations).toEqual(mirrors);
    const many = Array.from({ length: 64 }, (_, i) => wrapped("gtp-u", `10.0.0.${i} → 10.0.1.1`, 100 - i));
    const lines = formatSummary(withMirrors(many)).split("\n");
    expect(lines.filter((line) => line.startsWith("encapsulated: "))).toHaveLength(11);
    expect(lines).toContain(
      "encapsulated: 100 frames in gtp-u (10.0.0.0 -> 10.0.1.1, first inside 10.0.0.1 -> 10.0.0.2)",
    );
    expect(lines).toContain("encapsulated: 3429 frames in 54 more ways");
    expect(formatSummary(withMirrors([]))).not.toMatch(/encapsulated/);
  });

  it("names warnings of a recording, each once", () => {
    const text = formatSummary(input([call(0, { warnings: ["codec", "codec", "gap"] })]));
    expect(text).toMatch(/00000\.wav \(codec, gap\)\n/);
  });

  it("says in words what could not be read", () => {
    const text = formatSummary(
      input([], {
        counters: {
          sources: [{ name: "eth0", frames: 1, bytes: 60, kernelDrops: 7, interfaceDrops: 2 }],
          counts: {
            "net.frames": 1,
            "rtp.unbound": 12,
            "sip.rejected.cseq": 3,
            "sip.rejected.status": 0,
            "net.short-frame": 1,
          },
          encapsulations: [],
          tlsEndpoints: [],
        },
        faults: [{ code: "capture-cut", message: "b.pcap: ends inside packet 12" }],
      }),
    );
    expect(text.split("Not read or not kept:\n")[1]).toBe(
      [
        "  capture-cut: b.pcap: ends inside packet 12",
        "  7 packets dropped by the kernel on eth0; raise capture.bufferMegabytes",
        "  2 packets dropped by the interface eth0",
        "  1 frames cut off in the link-layer header",
        "  3 SIP messages refused: cseq",
        "  12 RTP packets without signalling",
        "",
      ].join("\n"),
    );
    expect(formatSummary(input([call(0)]))).not.toMatch(/Not read/);
  });
});

describe("TLS", () => {
  const server = (endpoint: string, part: Partial<TlsEndpointStatus> = {}): TlsEndpointStatus => ({
    endpoint,
    transport: "TCP",
    connections: 1,
    bytes: 1000,
    likelySip: true,
    firstAtUs: 1,
    lastAtUs: 2,
    ...part,
  });
  const trouble = (tlsEndpoints: TlsEndpointStatus[], counts: Record<string, number> = {}): string[] => {
    const counters = { sources: [], counts, encapsulations: [], tlsEndpoints };
    return formatSummary(input([], { counters })).split("Not read or not kept:\n")[1]?.trimEnd().split("\n") ?? [];
  };

  it("that hides SIP is named with its server", () => {
    expect(
      trouble([server("10.0.0.5:5061", { connections: 12 }), server("[2001:db8::5]:5061", { transport: "UDP" })]),
    ).toEqual([
      "  cannot be read: SIP over TLS at 10.0.0.5:5061, 12 connections",
      "  cannot be read: SIP over DTLS at [2001:db8::5]:5061, 1 connection",
    ]);
  });

  it("of many servers is told in few lines", () => {
    const lines = trouble(Array.from({ length: 13 }, (_, i) => server(`10.0.0.${i}:5061`)));
    expect(lines.length).toBe(11);
    expect(lines.at(-1)).toBe("  cannot be read: SIP over TLS at 3 more servers");
  });

  it("of another kind matters only where media has no signalling", () => {
    const web = Array.from({ length: 5 }, (_, i) => server(`10.0.0.${i}:443`, { likelySip: false }));
    expect(trouble(web)).toEqual([]);
    expect(trouble(web, { "rtp.unbound": 1 }).at(-1)).toBe(
      "  cannot be read: TLS at 5 other servers (10.0.0.0:443, 10.0.0.1:443, 10.0.0.2:443, ...); SIP may be in it",
    );
    expect(trouble(web.slice(0, 1), { "rtp.unbound": 1 }).at(-1)).toMatch(/TLS at 1 other server \(10\.0\.0\.0:443\);/);
  });

  it("is data for a program, all of it", () => {
    const tlsEndpoints = [server("10.0.0.5:5061", { serverName: "pbx", alpn: ["sip/2"] }), server("10.0.0.5:443")];
    const counters = { sources: [], counts: {}, encapsulations: [], tlsEndpoints };
    expect(describeSummary(input([], { counters })).tlsEndpoints).toEqual(tlsEndpoints);
  });
});

describe("describeSummary", () => {
  it("has every call, the totals and the counters", () => {
    const calls = Array.from({ length: 60 }, (_, index) => (index % 3 ? call(index) : silent(index, "no-media")));
    const summary = describeSummary(
      input(calls, { counters: { sources: [], counts: { "net.frames": 9 }, encapsulations: [], tlsEndpoints: [] } }),
    );
    expect(summary.schema).toBe("sidetone.summary/1");
    expect(summary.calls).toEqual(calls);
    expect(summary.counters).toEqual({ "net.frames": 9 });
    expect(summary.totals).toEqual({
      calls: 60,
      recorded: 40,
      withoutAudio: 20,
      withoutAudioBy: { "no-media": 20 },
      durationMs: 40 * 63_280,
      packets: { seen: 40 * 6323, recorded: 40 * 3159, discarded: 40 * 3164, lost: 40 * 3 },
    });
    expect(JSON.parse(JSON.stringify(summary))).toEqual(summary);
  });

  it("is the same in whatever order the calls were stored", () => {
    const calls = [call(2), call(0), call(1), call(3, { startedAt: call(0).startedAt })];
    const sorted = describeSummary(input(calls)).calls.map((line) => line.id.slice(-1));
    expect(sorted).toEqual(["0", "3", "1", "2"]);
    expect(formatSummary(input(calls))).toBe(formatSummary(input(calls.toReversed())));
    expect(calls[0]!.id.slice(-1)).toBe("2");
  });
});

describe("texts", () => {
  it("say for every reason what it means, in one line", () => {
    for (const [reason, { short, sentence }] of Object.entries(NO_AUDIO_TEXT)) {
      expect(short, reason).toMatch(/^[a-z ]{5,20}$/);
      expect(sentence, reason).toMatch(/^[\x20-\x7e]{30,110}$/);
    }
  });

  it("name each counter once", () => {
    const names = TROUBLE_COUNTERS.map((counter) => counter.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([
    [0, "0:00.0"],
    [49, "0:00.0"],
    [59_960, "1:00.0"],
    [63_280, "1:03.3"],
    [3_599_999, "1:00:00.0"],
    [3_603_300, "1:00:03.3"],
    [100 * 3_600_000, "100:00:00.0"],
  ])("%i ms is %s", (durationMs, text) => expect(formatDuration(durationMs)).toBe(text));
});
