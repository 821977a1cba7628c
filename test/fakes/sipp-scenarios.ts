// SIPp scenarios for a caller and an agent that speak G.711 A-law at each other, written to a folder together with the
// audio they send.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PayloadSource } from "./tone.js";

const AUDIO_SAMPLES = 8000;

export interface CallerScenario {
  talkMs: number;
  /** Further header lines of the INVITE. */
  headers?: string[];
}

/** Writes `caller.xml` and `caller.raw`. */
export function writeCaller(folder: string, payload: PayloadSource, options: CallerScenario): void {
  writeFileSync(join(folder, "caller.raw"), payload(0, AUDIO_SAMPLES, "PCMA"));
  const request = (method: string, cseq: number, to: string, more: string) => `
      ${method} sip:21@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: "Caller" <sip:0301234567@[local_ip]:[local_port]>;tag=[pid]c[call_number]
      To: <sip:21@[remote_ip]:[remote_port]>${to}
      Call-ID: [call_id]
      CSeq: ${cseq} ${method}
      Contact: <sip:0301234567@[local_ip]:[local_port]>
      Max-Forwards: 70${(method === "INVITE" ? (options.headers ?? []) : []).map((line) => `\n      ${line}`).join("")}
      ${more}
`;
  writeFileSync(
    join(folder, "caller.xml"),
    scenario(
      "caller",
      `
  <send retrans="500"><![CDATA[${request("INVITE", 1, "", sdp)}]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200"/>
  <send><![CDATA[${request("ACK", 1, "[peer_tag_param]", "Content-Length: 0\n")}]]></send>
  <nop><action><exec rtp_stream="caller.raw,-1,8"/></action></nop>
  <pause milliseconds="${options.talkMs}"/>
  <nop><action><exec rtp_stream="pause"/></action></nop>
  <send retrans="500"><![CDATA[${request("BYE", 2, "[peer_tag_param]", "Content-Length: 0\n")}]]></send>
  <recv response="200"/>`,
    ),
  );
}

/** Writes `agent.xml` and `agent.raw`. */
export function writeAgent(folder: string, payload: PayloadSource): void {
  writeFileSync(join(folder, "agent.raw"), payload(0, AUDIO_SAMPLES, "PCMA"));
  const response = (status: string, tag: string, more: string) => `
      SIP/2.0 ${status}
      [last_Via:]
      [last_From:]
      [last_To:]${tag}
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:21@[local_ip]:[local_port]>
      ${more}
`;
  const tag = ";tag=[pid]a[call_number]";
  writeFileSync(
    join(folder, "agent.xml"),
    scenario(
      "agent",
      `
  <recv request="INVITE"/>
  <send><![CDATA[${response("180 Ringing", tag, "Content-Length: 0\n")}]]></send>
  <send retrans="500"><![CDATA[${response("200 OK", tag, sdp)}]]></send>
  <recv request="ACK"/>
  <nop><action><exec rtp_stream="agent.raw,-1,8"/></action></nop>
  <recv request="BYE"/>
  <nop><action><exec rtp_stream="pause"/></action></nop>
  <send><![CDATA[${response("200 OK", "", "Content-Length: 0\n")}]]></send>`,
    ),
  );
}

const sdp = `Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=- 1 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 [media_ip]
      t=0 0
      m=audio [rtpstream_audio_port] RTP/AVP 8
      a=rtpmap:8 PCMA/8000`;

function scenario(name: string, body: string): string {
  return `<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="${name}">${body}\n</scenario>\n`;
}
