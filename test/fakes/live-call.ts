// A call that is in progress: two phones whose frames are put on an office's wire one after another, in real time, so that
// a test says what happens next and nothing of one step comes after the next one has begun. Sends, never listens.
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { endpointText, udpFrame } from "./frames.js";
import type { OfficeNetwork } from "./office-network.js";
import { EVENT_PAYLOAD_TYPE, rtpPacket } from "./rtp-stream.js";
import { requestText, responseText, type SipHeader, type SipRequest, sdpBody } from "./sip-messages.js";
import { G711_PAYLOAD_TYPE, type G711Codec, type PayloadSource } from "./tone.js";

const BINDING = createRequire(import.meta.url).resolve("pcap/build/Release/pcap_binding.node");
/** Puts every line of standard input, a frame in hex, onto the device that is its argument. */
const INJECTOR = `const { PcapSession } = require(${JSON.stringify(BINDING)});
  const session = new PcapSession();
  session.open_live(process.argv[1], "", 1 << 20, 65535, "", () => {}, false, 10, () => {}, false);
  process.stdout.write("ready");
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => session.inject(Buffer.from(line, "hex")));`;
const READY_WITHIN_MS = 10_000;

/** A network card in a host of an office. */
export class NetworkCard {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  static async open(office: OfficeNetwork, host: string, device = "eth0"): Promise<NetworkCard> {
    const [command, ...rest] = [...office.launcher(host), process.execPath, "-e", INJECTOR, device];
    const child = spawn(command!, rest, { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin!.on("error", () => {});
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the network card is not ready")), READY_WITHIN_MS);
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the network card is gone: exit code ${code}`)));
      child.stdout!.once("data", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    return new NetworkCard(child);
  }

  send(frame: Buffer): void {
    this.child.stdin!.write(`${frame.toString("hex")}\n`);
  }

  close(): void {
    this.child.kill("SIGKILL");
  }
}

const PTIME_MS = 20;
const SAMPLES = 160;
/** A process that was held up longer than this leaves a gap instead of sending a burst. */
const MAX_BURST_PACKETS = 25;
const EVENT_KEYS = "0123456789*#ABCD";
const END_REPORTS = 3;
const PRESS_PACKETS = 4;
/** Both speak a little before the answer, as phones do. */
const OVERTAKE_MS = 60;
const RINGING_MS = 120;

export type Side = "caller" | "agent";

export interface LivePhoneOptions {
  user: string;
  address: string;
  rtpPort: number;
  says: PayloadSource;
}

interface Phone extends LivePhoneOptions {
  tag: string;
  cseq: number;
  ssrc: number;
  sequence: number;
  /** Key that is down, and for how many packet times it has been. */
  pressed: { key: string; since: number } | undefined;
}

export interface LiveCallOptions {
  callId: string;
  codec: G711Codec;
  caller: LivePhoneOptions;
  agent: LivePhoneOptions;
}

export class LiveCall {
  readonly callId: string;
  private readonly card: NetworkCard;
  private readonly codec: G711Codec;
  private readonly phones: Record<Side, Phone>;
  private timer: NodeJS.Timeout | undefined;
  private startedAtMs = 0;
  private packetTime = 0;
  private transactions = 0;

  constructor(card: NetworkCard, { callId, codec, caller, agent }: LiveCallOptions) {
    this.card = card;
    this.callId = callId;
    this.codec = codec;
    const phone = (options: LivePhoneOptions, tag: string, ssrc: number): Phone => {
      return { ...options, tag, ssrc, cseq: 1, sequence: 0, pressed: undefined };
    };
    this.phones = { caller: phone(caller, "c", 0x0c0c0c0c), agent: phone(agent, "a", 0x0a0a0a0a) };
  }

  /** The caller calls, the agent answers; returns when both have begun to speak. */
  async begin(headers: readonly SipHeader[] = []): Promise<void> {
    const { caller, agent } = this.phones;
    const invite: SipRequest = {
      ...this.request("caller", "INVITE", headers),
      to: { uri: uriOf(agent) },
      contact: `<${uriOf(caller)}>`,
      body: this.session(caller),
    };
    this.sip("caller", requestText(invite));
    this.sip("agent", responseText(invite, { status: 100 }));
    this.sip("agent", responseText(invite, { status: 180, toTag: agent.tag, contact: `<${uriOf(agent)}>` }));
    await passMs(RINGING_MS - OVERTAKE_MS);
    this.startedAtMs = performance.now();
    this.tick();
    await passMs(OVERTAKE_MS);
    const answer = { status: 200, toTag: agent.tag, contact: `<${uriOf(agent)}>`, body: this.session(agent) };
    this.sip("agent", responseText(invite, answer));
    this.sip("caller", requestText({ ...this.request("caller", "ACK"), cseq: invite.cseq }));
  }

  /** What the side says from its next packet on. */
  say(side: Side, says: PayloadSource): void {
    this.phones[side].says = says;
  }

  /** An INFO of that side, with its answer: whatever is said after it comes after it on the wire. */
  inform(side: Side, ...header: SipHeader): void {
    this.exchange(side, "INFO", [header]);
  }

  /** A re-INVITE of that side which changes nothing, with its answer: both describe where they receive media. */
  renew(side: Side): void {
    const { [side]: own, [otherOf(side)]: other } = this.phones;
    own.cseq++;
    const invite = { ...this.request(side, "INVITE"), contact: `<${uriOf(own)}>`, body: this.session(own) };
    this.sip(side, requestText(invite));
    const answer = { status: 200, contact: `<${uriOf(other)}>`, body: this.session(other) };
    this.sip(otherOf(side), responseText(invite, answer));
    this.sip(side, requestText({ ...this.request(side, "ACK"), cseq: own.cseq }));
  }

  /** The side presses a key (RFC 4733) in the place of what it says; returns when it has let go. */
  async press(side: Side, key: string): Promise<void> {
    const phone = this.phones[side];
    phone.pressed = { key, since: 0 };
    while (phone.pressed !== undefined && this.timer !== undefined) await passMs(PTIME_MS);
  }

  hangUp(): void {
    this.exchange("caller", "BYE");
    this.stop();
  }

  /** Says nothing more, without a word about it. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private exchange(side: Side, method: string, headers: readonly SipHeader[] = []): void {
    this.phones[side].cseq++;
    const request = this.request(side, method, headers);
    this.sip(side, requestText(request));
    this.sip(otherOf(side), responseText(request, { status: 200 }));
  }

  private request(side: Side, method: string, headers: readonly SipHeader[] = []): SipRequest {
    const from = this.phones[side];
    const to = this.phones[otherOf(side)];
    this.transactions++;
    return {
      method,
      requestUri: uriOf(to),
      via: [`${from.address}:5060;branch=z9hG4bK${this.callId}${this.transactions}`],
      from: { uri: uriOf(from), tag: from.tag },
      to: { uri: uriOf(to), tag: to.tag },
      callId: this.callId,
      cseq: from.cseq,
      headers,
    };
  }

  private session({ address, rtpPort }: Phone): ReturnType<typeof sdpBody> {
    const codecs = [
      { payloadType: G711_PAYLOAD_TYPE[this.codec], name: this.codec, clockRate: 8000 },
      { payloadType: EVENT_PAYLOAD_TYPE, name: "telephone-event", clockRate: 8000 },
    ];
    return sdpBody({ address, port: rtpPort, codecs, ptimeMs: PTIME_MS });
  }

  private sip(side: Side, text: string): void {
    this.send(side, 5060, 5060, Buffer.from(text));
  }

  private tick(): void {
    const dueTime = Math.floor((performance.now() - this.startedAtMs) / PTIME_MS);
    this.packetTime = Math.max(this.packetTime, dueTime - MAX_BURST_PACKETS);
    for (; this.packetTime <= dueTime; this.packetTime++)
      for (const side of ["caller", "agent"] as const) this.rtp(side);
    const nextMs = this.startedAtMs + this.packetTime * PTIME_MS - performance.now();
    this.timer = setTimeout(() => this.tick(), nextMs);
  }

  private rtp(side: Side): void {
    const phone = this.phones[side];
    const timestamp = this.packetTime * SAMPLES;
    if (phone.pressed) {
      this.report(side, phone, phone.pressed, timestamp);
      return;
    }
    const payload = phone.says(timestamp, SAMPLES, this.codec);
    this.media(side, phone, { payloadType: G711_PAYLOAD_TYPE[this.codec], timestamp, payload });
  }

  /** RFC 4733 §2.5.1: the timestamp is the beginning's, the last report comes three times. */
  private report(side: Side, phone: Phone, pressed: NonNullable<Phone["pressed"]>, timestamp: number): void {
    const isLast = pressed.since === PRESS_PACKETS - 1;
    const payload = Buffer.from([EVENT_KEYS.indexOf(pressed.key), isLast ? 0x8a : 0x0a, 0, 0]);
    payload.writeUInt16BE((pressed.since + 1) * SAMPLES, 2);
    const began = { payloadType: EVENT_PAYLOAD_TYPE, timestamp: timestamp - pressed.since * SAMPLES, payload };
    for (let i = 0; i < (isLast ? END_REPORTS : 1); i++)
      this.media(side, phone, { ...began, isMarked: pressed.since === 0 });
    pressed.since++;
    if (isLast) phone.pressed = undefined;
  }

  private media(side: Side, phone: Phone, fields: Omit<Parameters<typeof rtpPacket>[0], "sequence" | "ssrc">): void {
    const packet = rtpPacket({ ...fields, sequence: phone.sequence++, ssrc: phone.ssrc });
    this.send(side, phone.rtpPort, this.phones[otherOf(side)].rtpPort, packet);
  }

  private send(side: Side, fromPort: number, toPort: number, payload: Buffer): void {
    const source = endpointText(this.phones[side].address, fromPort);
    const destination = endpointText(this.phones[otherOf(side)].address, toPort);
    this.card.send(udpFrame({ source, destination, payload }));
  }
}

export function passMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function uriOf({ user, address }: LivePhoneOptions): string {
  return `sip:${user}@${address}`;
}

function otherOf(side: Side): Side {
  return side === "caller" ? "agent" : "caller";
}
