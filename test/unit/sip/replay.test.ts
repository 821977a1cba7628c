// The signalling of real captures, through the real path from file to session, against what their manifest says of each
// call: which final responses, answered or not, how long until the BYE.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { TimeUs } from "../../../device/base/ids.js";
import { CaptureParser } from "../../../device/capture/file-format.js";
import { NetDecoder } from "../../../device/net/decoder.js";
import { TcpStreams } from "../../../device/net/tcp.js";
import { ByteBudget } from "../../../device/sip/byte-budget.js";
import { SipStreamFramer } from "../../../device/sip/framer.js";
import type { SipMessage } from "../../../device/sip/message.js";
import { looksLikeSip, parseSip } from "../../../device/sip/parser.js";
import { type SessionEvent, type SessionState, startSession, stepSession } from "../../../device/sip/session.js";
import { eventText } from "./session-script.js";
import { LIMITS } from "./sip-text.js";

const FOLDER = fileURLToPath(new URL("../../../../shared/captures/", import.meta.url));
const isThere = existsSync(`${FOLDER}MANIFEST.tsv`);
if (!isThere) console.log(`replay of captured signalling: skipped, there is no ${FOLDER}`);

interface Call {
  state: SessionState;
  events: SessionEvent[];
  hasInvite: boolean;
  /** Final responses to its attempts. */
  finals: number[];
  answeredAtUs: TimeUs;
  endedAtUs: TimeUs;
}

/** The calls of a capture file by Call-ID, in the order of their first messages. */
function replay(file: string): Map<string, Call> {
  const calls = new Map<string, Call>();
  const take = (data: Buffer, start: number, end: number, atUs: TimeUs, truncated: boolean): void => {
    if (!looksLikeSip(data, start, end)) return;
    const result = parseSip(data, start, end, LIMITS, { truncated });
    if (result.ok) play(calls, result.message, atUs);
  };
  const framers = new Map<number, SipStreamFramer>();
  const budget = new ByteBudget(1_000_000);
  let nowUs: TimeUs = 0;
  const limits = { maxConnections: 64, maxBufferedBytesPerConnection: 1 << 20, maxBufferedBytesTotal: 1 << 22 };
  const streams = new TcpStreams({ ...limits, idleTimeoutMs: 600_000 }, (data) => {
    const name = data.direction.id;
    const framer =
      framers.get(name) ??
      new SipStreamFramer(LIMITS, budget, (octets, start, end) => take(octets, start, end, nowUs, false));
    framers.set(name, framer);
    if (data.gap) framer.gap();
    framer.push(data.data, data.start, data.end);
  });
  const decoder = new NetDecoder(
    { maxFragmentedDatagrams: 64, maxFragmentMegabytes: 4, fragmentTimeoutMs: 5000 },
    (datagram) => take(datagram.data, datagram.start, datagram.end, datagram.capturedAtUs, datagram.truncated),
    (segment) => streams.push(segment),
  );
  const parser = new CaptureParser((frame) => {
    nowUs = frame.capturedAtUs;
    decoder.decode(frame);
  });
  parser.push(readFileSync(FOLDER + file));
  parser.finish();
  return calls;
}

function play(calls: Map<string, Call>, message: SipMessage, atUs: TimeUs): void {
  const known = calls.get(message.callId);
  const step = known ? stepSession(known.state, message) : startSession(message);
  if (!step) return;
  const call = known ?? { state: step.state, events: [], hasInvite: false, finals: [], answeredAtUs: 0, endedAtUs: 0 };
  calls.set(message.callId, call);
  call.state = step.state;
  call.hasInvite ||= message.kind === "request" && message.method === "INVITE";
  call.events.push(...step.events);
  if (step.events.some(({ type }) => type === "challenged" || type === "failed"))
    call.finals.push(step.state.finalStatus);
  if (step.events.some((event) => event.type === "answered")) {
    call.answeredAtUs = atUs;
    call.finals.push(200);
  }
  if (step.events.some((event) => event.type === "ended")) call.endedAtUs = atUs;
}
/** In the manifest's words: "401/200, answer->BYE 5.6s", "487, CANCELled", "no final response". */
function described(call: Call): string {
  const words = [call.finals.length === 0 ? "no final response" : call.finals.join("/")];
  if (call.answeredAtUs > 0) {
    const seconds = (call.endedAtUs - call.answeredAtUs) / 1e6;
    words.push(call.endedAtUs > 0 ? `answer->BYE ${seconds.toFixed(1)}s` : "no BYE in capture");
  }
  if (call.state.cancelSeen) words.push("CANCELled");
  return words.join(", ");
}

interface Truth {
  file: string;
  calls: string[];
}

function readTruths(): Truth[] {
  const [header = "", ...lines] = readFileSync(`${FOLDER}MANIFEST.tsv`, "utf8").trimEnd().split("\n");
  const columns = header.split("\t");
  return lines.map((line) => {
    const cells = line.split("\t");
    const text = cells[columns.indexOf("ground_truth")] ?? "";
    const calls = [...text.matchAll(/\bC\d+: ([^;.]*(?:\.\d+s)?)/g)].map((match) => match[1]!.trim());
    return { file: cells[columns.indexOf("file")] ?? "", calls };
  });
}

/** Where the manifest, made with other tools, and the signalling that can be seen part ways. */
const NOT_COMPARED: Readonly<Record<string, string>> = {
  "arkime_gtp_ipv6_volte_amr.pcap": "the call is inside a GTP tunnel",
  "protos_c07_sip_malformed.pcap": "no pcap but a Network Monitor file",
  "sngrep_ipip_tcp.pcap": "edited: its TCP bodies are shorter than their Content-Length",
};
const OTHERWISE: Readonly<Record<string, string[]>> = {
  // Two of three INVITEs are cancelled, and answered all the same: the call is not.
  "wiki_pppoe_dtmf_sipinfo_signalling.pcap": ["200, no BYE in capture"],
};
const truths = isThere
  ? readTruths().filter(({ file, calls }) => calls.length > 0 && NOT_COMPARED[file] === undefined)
  : [];

describe.skipIf(!isThere)("a real capture's calls", () => {
  test.each(truths)("$file", ({ file, calls }) => {
    const seen = [...replay(file).values()].filter((call) => call.hasInvite);
    expect(seen.map(described)).toEqual(OTHERWISE[file] ?? calls);
  });

  test("under load: 102 of 1334 calls answered", () => {
    const calls = [...replay("sipp_1334calls_signalling.pcapng").values()].filter((call) => call.hasInvite);
    expect(calls).toHaveLength(1334);
    expect(calls.filter((call) => call.answeredAtUs > 0)).toHaveLength(102);
  });
});

describe.skipIf(!isThere)("step by step", () => {
  /** Events of each call, media by status and side only. */
  const story = (file: string): string[] =>
    [...replay(file).values()].map((call) =>
      call.events.map((event) => eventText(event).replace(/ \S+$/, "")).join(", "),
    );
  const PLAIN = "offered0 early, answered, answered0, answered1, confirmed";

  test("late offer, seen on both hops of a proxy", () => {
    expect(story("wiki_SIP_DTMF2_pcma_rfc2833.pcap")).toEqual([
      "failed603",
      "ringing, answered, offered1, confirmed, answered1, answered0",
    ]);
  });

  test("direct media by re-INVITE on both legs of a back-to-back user agent", () => {
    const again = (by: 0 | 1) => `reinvite${by}, offered${by}, answered${by}, answered${1 - by}`;
    expect(story("goffinet_reinvites_directmedia_pcmu.pcapng")).toEqual([
      `offered0 early, challenged, retried, ${PLAIN}, ${again(1)}, ${again(1)}, ended1`,
      `${PLAIN}, ${again(0)}, ${again(0)}, ended1`,
    ]);
  });

  test("a proxy that tries four targets in turn, each INVITE and CANCEL in view", () => {
    expect(story("ata_digit_by_digit_overlap_invite_cancel_pcmu.pcap")).toEqual([`${PLAIN}, ended1`]);
  });

  test("PRACK", () => {
    const ringing = PLAIN.replace("early,", "early, ringing,");
    expect(story("nesfit_cisco_pcmu.pcap")).toEqual([`${ringing}, ended1`]);
    expect(story("pcap2sipp_prack_100rel_signalling.pcap")).toEqual([
      `${ringing}, ended0`,
      `${ringing}, ended0`,
      "failed483",
    ]);
  });

  test("hold and resume", () => {
    const ringing = PLAIN.replace("early,", "early, ringing,");
    const again = "reinvite0, offered0, answered0, answered1";
    const held = `${ringing}, ${again}, hold0, ${again}, resume0, ended1`;
    expect(story("mtaa_sig_conference.pcap")).toEqual([held, held]);
  });

  test("transfers and session timers", () => {
    const told = (file: string): string[] =>
      [...replay(file).values()]
        .map((call) =>
          call.events.map(eventText).filter((text) => /^(refer|refreshed|identity|target|lost)/.test(text)),
        )
        .filter((texts) => texts.length > 0)
        .map((texts) => texts.join(", "));
    expect(told("mtaa_transfer_refer_hold_opus_1.pcapng")).toEqual([
      "refer1 sip:1@192.168.1.23, refer-progress0 100, refer-progress0 200",
    ]);
    expect(told("mtaa_multi_interface_transfer_opus.pcapng")).toEqual([
      "refer0 sip:lenovo@192.168.1.194, refer-progress1 100, refer-progress1 200",
    ]);
    expect(told("asterisk_2legs_reinvite_signalling.pcap")).toEqual(["refreshed 1800, refreshed 1800"]);
    // Its user agent asks for 60 s, less than there may be.
    expect(told("wiki_pppoe_dtmf_sipinfo_signalling.pcap")).toEqual([
      "refreshed 90, refreshed 90, refreshed 90, refreshed 0",
    ]);
  });

  test("several INVITEs at once, all answered", () => {
    const [events] = story("wiki_pppoe_dtmf_sipinfo_signalling.pcap");
    expect(events?.split(", ").filter((text) => text === "answered")).toHaveLength(1);
    expect(events).toContain("answered0 hop, answered1 hop");
  });
});
