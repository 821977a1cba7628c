// Real captures against the counts of an independent decoder: `tshark -T fields -e frame.protocols -e udp.length`
// (4.0.17), counting frames whose innermost transport is UDP or TCP, but no quotes in ICMP errors; bytes are the innermost
// udp.length − 8 summed. Fragments count once, reassembled.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { CaptureParser } from "../../../device/capture/file-format.js";
import { NetDecoder } from "../../../device/net/decoder.js";
import { LIMITS } from "./packets.js";

const folder = fileURLToPath(new URL("../../../../shared/captures/", import.meta.url));
const isThere = existsSync(folder);
if (!isThere) console.log(`skipped: real captures are not at ${folder}`);

interface Expected {
  file: string;
  udp: number;
  bytes: number;
  tcp: number;
  /** Counters that must not be zero, and their values; fragment counters not named must be 0. */
  counts?: Record<string, number>;
  /** Encapsulations in the order of first sight. */
  layers?: string[];
}

const FILES: Expected[] = [
  { file: "nesfit_cisco_pcmu.pcap", udp: 1398, bytes: 243280, tcp: 0 },
  {
    file: "mtaa_multi_interface_call_opus.pcapng",
    udp: 723,
    bytes: 56380,
    tcp: 0,
    counts: { fragments: 2, reassembled: 1 },
  },
  {
    file: "mtaa_multi_interface_transfer_opus.pcapng",
    udp: 1781,
    bytes: 139061,
    tcp: 0,
    counts: { fragments: 8, reassembled: 4 },
  },
  { file: "mtaa_sig_multi_linktype_redirect.pcapng", udp: 25, bytes: 17409, tcp: 0, counts: { fragments: 1 } },
  {
    file: "mtaa_transfer_refer_opus_5.pcapng",
    udp: 704,
    bytes: 130179,
    tcp: 274,
    counts: { fragments: 12, reassembled: 6 },
  },
  {
    file: "goffinet_g722_bye_retransmits.pcapng",
    udp: 1011,
    bytes: 192380,
    tcp: 0,
    counts: { fragments: 2, reassembled: 1 },
  },
  { file: "ndpi_rtp_video_nosip.pcapng", udp: 75, bytes: 33441, tcp: 37 },
  { file: "wiki_sip_tls13_rtcp_sll.pcap", udp: 4506, bytes: 769152, tcp: 52 },
  { file: "zeek_long_via_rawip4.pcap", udp: 2, bytes: 19111, tcp: 0 },
  { file: "wireshark_test_rawip_sip_malformed.pcapng", udp: 6, bytes: 2309, tcp: 0 },
  { file: "erf_linktype_sip_g729_tiny.pcap", udp: 15, bytes: 2483, tcp: 0 },
  { file: "wiki_h263_loopback_linktype.pcap", udp: 49, bytes: 12022, tcp: 0 },
  { file: "wiki_pppoe_dtmf_sipinfo_signalling.pcap", udp: 32, bytes: 23293, tcp: 0, layers: ["pppoe"] },
  { file: "yate_3calls_long.pcap", udp: 9755, bytes: 1678098, tcp: 2161 },
  // One of its datagrams has a UDP length of 0.
  {
    file: "arkime_mixed_protocols_sip_tcp.pcap",
    udp: 140,
    bytes: 11825,
    tcp: 733,
    counts: { "bad-udp-length": 1 },
    layers: ["geneve/ethernet", "ip-in-ip", "ipv6-in-ip"],
  },
  { file: "arkime_gtp_ipv6_volte_amr.pcap", udp: 40, bytes: 4479, tcp: 58, layers: ["gtp-u", "gtp-u"] },
  { file: "sngrep_ipip_tcp.pcap", udp: 0, bytes: 0, tcp: 4, layers: ["ip-in-ip"] },
  { file: "ndpi_vlan_gre_ppp_sip_1pkt.pcapng", udp: 1, bytes: 298, tcp: 0, layers: ["vlan/gre/ppp"] },
  { file: "pcpp_sip_reqs_pppoe.pcap", udp: 4, bytes: 2216, tcp: 0, layers: ["pppoe"] },
];
/** Reasons that a sound capture never gives. */
const FAULTS = [
  "short-frame",
  "too-many-tags",
  "bad-tunnel-header",
  "too-deep",
  "unknown-link-type",
  "bad-ip-header",
  "bad-ip-length",
  "bad-udp-length",
  "bad-tcp-header",
  "truncated",
  "fragments",
  "bad-fragment",
  "fragment-truncated",
  "fragment-duplicate",
  "fragment-overlap",
  "fragment-timeout",
  "fragment-evicted",
  "reassembled",
];

describe.skipIf(!isThere)("real captures", () => {
  it.each(FILES)("$file: as tshark counts", ({ file, udp, bytes, tcp, counts = {}, layers = [] }) => {
    let payloadBytes = 0;
    const decoder = new NetDecoder(LIMITS, ({ start, end }) => {
      payloadBytes += end - start;
    });
    const parser = new CaptureParser((frame) => decoder.decode(frame));
    parser.push(readFileSync(folder + file));
    parser.finish();
    expect(parser.fault).toBeUndefined();
    const all = decoder.counters.toRecord();
    expect({ udp: all["net.udp"], bytes: payloadBytes, tcp: all["net.tcp"] }).toEqual({ udp, bytes, tcp });
    expect(decoder.encapsulations().map((one) => one.layers)).toEqual(layers);
    for (const name of FAULTS) expect({ name, count: all[`net.${name}`] }).toEqual({ name, count: counts[name] ?? 0 });
  });
});
