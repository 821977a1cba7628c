// Many calls at once on a wire, in real time, for minutes: each leg says stamped packets, each call is renewed by a re-INVITE
// again and again, so that a recorder that comes in the middle learns of it. A process in the sender's namespace patches
// ready-made frames; it tells when each packet time was sent. Sends, never listens.
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { endpointText, udpFrame } from "./frames.js";
import type { OfficeNetwork } from "./office-network.js";
import { rtpPacket } from "./rtp-stream.js";
import { requestText, responseText, type SipRequest, sdpBody } from "./sip-messages.js";
import { stampedPayload } from "./stamped-audio.js";

export const PTIME_MS = 60;
export const PACKET_SAMPLES = PTIME_MS * 8;
/** In which each call is renewed once. */
export const RENEWAL_MS = 960;
const BINDING = createRequire(import.meta.url).resolve("pcap/build/Release/pcap_binding.node");
/** What stands in SIP for the number of the transaction: of one width, so that lengths stay. */
const NUMBER = "10000000";
const UDP_CHECKSUM_AT = 14 + 20 + 6;
const RTP_AT = 14 + 20 + 8;
const STAMP_NUMBER_AT = RTP_AT + 12 + 6;

/** Reads its frames as JSON; sends those of each packet time, and says "number begun ended" of each, ms since 1970. */
const SENDER = `const { PcapSession } = require(${JSON.stringify(BINDING)});
  const session = new PcapSession();
  session.open_live("eth0", "", 1 << 20, 65535, "", () => {}, false, 10, () => {}, false);
  const { rtp, sip, ptimeMs, renewalMs } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  const legs = rtp.map((hex) => Buffer.from(hex, "hex"));
  const calls = sip.map((frames) => frames.map(({ hex, places }) => ({ bytes: Buffer.from(hex, "hex"), places })));
  const perRenewal = Math.round(renewalMs / ptimeMs);
  const began = Date.now();
  let number = 0;
  const tick = () => {
    for (; began + number * ptimeMs <= Date.now(); number++) {
      const begunMs = Date.now();
      for (let i = number % perRenewal; i < calls.length; i += perRenewal) {
        const digits = String(10000000 + number);
        for (const { bytes, places } of calls[i]) {
          for (const at of places) bytes.write(digits, at, "latin1");
          session.inject(bytes);
        }
      }
      for (const bytes of legs) {
        bytes.writeUInt16BE(number & 0xffff, ${RTP_AT + 2});
        bytes.writeUInt32BE(number * ptimeMs * 8, ${RTP_AT + 4});
        bytes.writeUInt32BE(number, ${STAMP_NUMBER_AT});
        session.inject(bytes);
      }
      process.stdout.write(number + " " + begunMs + " " + Date.now() + "\\n");
    }
    setTimeout(tick, began + number * ptimeMs - Date.now());
  };
  tick();`;

/** When the packets of one packet time were sent, one of each leg: ms since 1970. */
export interface Sending {
  begunMs: number;
  endedMs: number;
}

export class StampedCalls {
  /** By packet number. */
  readonly sendings: Sending[] = [];
  private readonly child: ChildProcess;
  private rest = "";

  /** Legs of call `n` are streams 2n and 2n + 1. */
  constructor(office: OfficeNetwork, host: string, calls: number) {
    const [command, ...args] = [...office.launcher(host), process.execPath, "-e", SENDER];
    this.child = spawn(command!, args, { stdio: ["pipe", "pipe", "inherit"] });
    const all = Array.from({ length: calls }, (_, call) => call);
    const frames = {
      rtp: all.flatMap((call) => [mediaFrame(call, 0), mediaFrame(call, 1)]),
      sip: all.map(renewal),
      ptimeMs: PTIME_MS,
      renewalMs: RENEWAL_MS,
    };
    this.child.stdin!.end(JSON.stringify(frames));
    this.child.stdout!.on("data", (chunk: Buffer) => this.note(chunk.toString()));
  }

  stop(): void {
    this.child.kill("SIGKILL");
  }

  private note(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop()!;
    for (const line of lines) {
      const [number, begunMs, endedMs] = line.split(" ").map(Number);
      this.sendings[number!] = { begunMs: begunMs!, endedMs: endedMs! };
    }
  }
}

const phoneOf = (call: number, side: 0 | 1) => ({
  user: side === 0 ? `03012345${100 + call}` : `${100 + call}`,
  address: side === 0 ? `198.51.100.${1 + call}` : `10.77.1.${1 + call}`,
  rtpPort: (side === 0 ? 30_000 : 40_000) + 2 * call,
});

/** A datagram without a checksum (RFC 768): it may be patched. */
function frameOf(call: number, from: 0 | 1, ports: [number, number], payload: Buffer): Buffer {
  const [sender, receiver] = [phoneOf(call, from), phoneOf(call, from === 0 ? 1 : 0)];
  const frame = udpFrame({
    source: endpointText(sender.address, ports[0]),
    destination: endpointText(receiver.address, ports[1]),
    payload,
  });
  frame.writeUInt16BE(0, UDP_CHECKSUM_AT);
  return frame;
}

function mediaFrame(call: number, side: 0 | 1): string {
  const stream = 2 * call + side;
  const payload = stampedPayload(stream, 0, PACKET_SAMPLES);
  const packet = rtpPacket({ payloadType: 8, sequence: 0, timestamp: 0, ssrc: 0x51de0000 + stream, payload });
  const [own, other] = [phoneOf(call, side), phoneOf(call, side === 0 ? 1 : 0)];
  return frameOf(call, side, [own.rtpPort, other.rtpPort], packet).toString("hex");
}

/** A re-INVITE of the caller, its answer and the ACK, with the places of the transaction's number. */
function renewal(call: number): { hex: string; places: number[] }[] {
  const [caller, agent] = [phoneOf(call, 0), phoneOf(call, 1)];
  const uriOf = ({ user, address }: typeof caller): string => `sip:${user}@${address}`;
  const session = ({ address, rtpPort }: typeof caller) =>
    sdpBody({ address, port: rtpPort, codecs: [{ payloadType: 8, name: "PCMA", clockRate: 8000 }], ptimeMs: PTIME_MS });
  const request = (method: string): SipRequest => ({
    method,
    requestUri: uriOf(agent),
    via: [`${caller.address}:5060;branch=z9hG4bK${call}x${NUMBER}`],
    from: { uri: uriOf(caller), tag: "c" },
    to: { uri: uriOf(agent), tag: "a" },
    callId: `stamped-${call}`,
    cseq: Number(NUMBER),
    contact: `<${uriOf(caller)}>`,
  });
  const invite: SipRequest = { ...request("INVITE"), body: session(caller) };
  const texts: [0 | 1, string][] = [
    [0, requestText(invite)],
    [1, responseText(invite, { status: 200, contact: `<${uriOf(agent)}>`, body: session(agent) })],
    [0, requestText(request("ACK"))],
  ];
  return texts.map(([from, text]) => {
    const frame = frameOf(call, from, [5060, 5060], Buffer.from(text));
    const places: number[] = [];
    for (let at = frame.indexOf(NUMBER); at >= 0; at = frame.indexOf(NUMBER, at + 1)) places.push(at);
    return { hex: frame.toString("hex"), places };
  });
}
