// Real captures with TLS against what an independent decoder says of them: `tshark -Y tls.handshake.type==1 -T fields
// -e ip.dst -e tcp.dstport -e tls.handshake.extensions_server_name` (4.0.17) for the servers and their names, the sum of
// tcp.len over a stream for the bytes.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { CaptureParser } from "../../device/capture/file-format.js";
import { configSchema } from "../../device/contract/config.js";
import type { TlsEndpointStatus } from "../../device/contract/engine-messages.js";
import { NetDecoder } from "../../device/net/decoder.js";
import { SignallingPath } from "../../device/signalling.js";

const folder = fileURLToPath(new URL("../../../shared/captures/", import.meta.url));
const isThere = existsSync(folder);
if (!isThere) console.log(`skipped: real captures are not at ${folder}`);

function tlsEndpoints(file: string): TlsEndpointStatus[] {
  const config = configSchema.parse({});
  const path = new SignallingPath(config, () => {});
  const decoder = new NetDecoder(config.net, () => {}, path.segmentSink());
  const parser = new CaptureParser((frame) => decoder.decode(frame));
  parser.push(readFileSync(folder + file));
  parser.finish();
  path.finish();
  return path.tlsEndpoints();
}

describe.skipIf(!isThere)("real captures", () => {
  it("SIP over TLS 1.3, one connection each way", () => {
    expect(tlsEndpoints("wiki_sip_tls13_rtcp_sll.pcap")).toMatchObject([
      { endpoint: "217.12.244.34:5061", connections: 1, bytes: 9023, likelySip: true },
      { endpoint: "217.12.247.98:15081", connections: 1, bytes: 3763, likelySip: false },
    ]);
  });

  it("SIP over TLS of two phones, and connections that were only tried", () => {
    expect(tlsEndpoints("voipshark_siptls_plain_rtp.pcap")).toMatchObject([
      {
        endpoint: "192.168.20.130:5061",
        transport: "TCP",
        connections: 2,
        bytes: 21_329 + 15_941,
        likelySip: true,
        serverName: "192.168.20.130",
      },
    ]);
  });

  it("WebRTC whose signalling is inside TLS", () => {
    expect(tlsEndpoints("webrtc_dtls_srtp_freeswitch.pcapng")).toMatchObject([
      {
        endpoint: "209.105.235.10:8082",
        connections: 1,
        bytes: 14_941,
        likelySip: false,
        serverName: "webrtc.freeswitch.org",
      },
    ]);
  });

  it("the web, which is not taken for SIP", () => {
    const found = tlsEndpoints("yate_3calls_long.pcap");
    expect(found.filter(({ likelySip }) => likelySip)).toEqual([]);
    const baidu = found.find(({ endpoint }) => endpoint === "119.75.218.70:443");
    expect(baidu).toMatchObject({ serverName: "sp2.baidu.com", alpn: ["h2", "spdy/3.1", "http/1.1"] });
  });
});
