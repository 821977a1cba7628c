// Writes SIPp scenarios step by step: one party of a call through the office's proxy, with an audio of its own in G.711.
// Headers follow RFC 3261 §12 (route sets, tags); what a step does not say is as plain as it can be.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EVENT_PAYLOAD_TYPE } from "./rtp-stream.js";
import { type PlayedTone, SippAudio } from "./sipp-audio.js";
import { G711_PAYLOAD_TYPE, type G711Codec } from "./tone.js";

/** Begins the names of the variables that keep the headers of a request to be answered later. */
const LATER_REQUEST = "later";
/** Takes a Call-ID and the file to leave it in; see Prompter. */
const NOTE_SCRIPT = "note.sh";
/** Variable with the port in the last description that was asked for. */
const PEER_PORT = "peerport";

export interface ScriptParty {
  /** User part of its address of record. */
  user: string;
  /** User part of whom it calls or is called by. */
  peer: string;
  toneHz: number;
}

export interface ScriptDescription {
  /** SIPp keyword or number; default: the port its rtp_stream sends from. */
  port?: string;
  /** Default: SIPp's media address. */
  address?: string;
  codec?: G711Codec;
  direction?: "sendrecv" | "sendonly" | "recvonly" | "inactive";
  ptimeMs?: number;
  /** Offers keys as RTP events (RFC 4733) too. */
  hasKeys?: boolean;
  /** Further lines of the medium. */
  attributes?: readonly string[];
}

export interface ScriptBody {
  /** Its Content-Type. */
  type: string;
  lines: readonly string[];
}

export interface MessageParts {
  /** Further header lines. */
  headers?: readonly string[];
  /** User part of the Contact when it is not the party itself (a redirection). */
  contact?: string;
  /** The body; `false` = none where there would be one. */
  sdp?: ScriptDescription | false;
  /** A body that is no description. */
  body?: ScriptBody;
}

/** What both parties of a call can do. */
export abstract class SippScript {
  protected readonly party: ScriptParty;
  private readonly steps: string[] = [];
  private readonly fileName: string;
  private readonly audio: SippAudio;
  private command = "";
  private cseq = 0;
  private inviteCseq = 0;
  private version = 0;

  /** `role` begins the names of its files. */
  constructor(role: string, party: ScriptParty) {
    this.party = party;
    this.fileName = `${role}-${party.user}`;
    this.audio = new SippAudio(this.fileName, party.toneHz);
  }

  /** From and To of a request within the dialog. */
  protected abstract readonly dialogHeaders: readonly string[];

  /** A request within the dialog; an INVITE is answered before the next one. */
  request(method: "INVITE" | "UPDATE" | "PRACK" | "INFO" | "BYE", parts: MessageParts = {}): this {
    this.cseq++;
    if (method === "INVITE") this.inviteCseq = this.cseq;
    const lines = [
      `${method} [next_url] SIP/2.0`,
      "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]",
      ...this.dialogHeaders,
      "Call-ID: [call_id]",
      `CSeq: ${this.cseq} ${method}`,
      "[routes]",
      this.contact,
      "Max-Forwards: 70",
    ];
    return this.send(lines, parts, true);
  }

  /** ACK for the 2xx of its last INVITE. */
  acknowledge(parts: MessageParts = {}): this {
    const lines = [
      "ACK [next_url] SIP/2.0",
      "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]",
      ...this.dialogHeaders,
      "Call-ID: [call_id]",
      `CSeq: ${this.inviteCseq} ACK`,
      "[routes]",
      "Max-Forwards: 70",
    ];
    return this.send(lines, parts, false);
  }

  /** ACK for the failure of an INVITE within the dialog: hop by hop, with that request's branch. */
  acknowledgeFailure(): this {
    const lines = [
      "ACK [next_url] SIP/2.0",
      "[last_Via:]",
      "[last_From:]",
      "[last_To:]",
      "Call-ID: [call_id]",
      `CSeq: ${this.inviteCseq} ACK`,
      "[routes]",
      "Max-Forwards: 70",
    ];
    return this.send(lines, {}, false);
  }

  /** Response to the last request received, which was sent within the dialog. */
  respond(status: string, parts: MessageParts = {}): this {
    const copied = ["[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]"];
    return this.send([`SIP/2.0 ${status}`, ...copied, "[last_Record-Route:]", this.contact], parts, false);
  }

  receiveRequest(method: string): this {
    return this.add(`<recv request="${method}" rrs="true"/>`);
  }

  /** Receives a request and keeps its headers, to be answered with `respondLater`. */
  keepRequest(method: string): this {
    return this.receiveAndKeep(method, LATER_REQUEST, false);
  }

  /** Response to the request that was kept. */
  respondLater(status: string): this {
    const lines = [`SIP/2.0 ${status}`, ...keptHeaders(LATER_REQUEST), `To:[$${LATER_REQUEST}to]`, this.contact];
    return this.send(lines, {}, false);
  }

  /** The proxy's 100 may come before the next message. */
  mayTry(): this {
    return this.add('<recv response="100" optional="true"/>');
  }

  /** Receives a description with a response and keeps its port, for the `run` that must follow. */
  receiveDescription(status: number): this {
    const pattern = `<ereg regexp="m=audio ([0-9]+)" search_in="msg" assign_to="media,${PEER_PORT}"/>`;
    return this.mayTry().add(`<recv response="${status}" rrs="true"><action>${pattern}</action></recv>`);
  }

  /** Provisional responses that may come before are skipped. */
  receive(status: number): this {
    for (const provisional of [100, 180, 183]) {
      if (provisional !== status) this.add(`<recv response="${provisional}" optional="true"/>`);
    }
    // A refusal makes no dialog: its Contact is no remote target.
    return this.add(`<recv response="${status}"${status < 300 ? ' rrs="true"' : ""}/>`);
  }

  pause(durationMs: number): this {
    return this.add(`<pause milliseconds="${durationMs}"/>`);
  }

  /** Speaks its tone, or another, until told otherwise. */
  speak(codec: G711Codec = "PCMA", toneHz?: number): this {
    return this.execute(`rtp_stream="${this.audio.streamName(codec, toneHz)},-1,${G711_PAYLOAD_TYPE[codec]}"`);
  }

  quiet(): this {
    return this.execute('rtp_stream="pause"');
  }

  speakAgain(): this {
    return this.execute('rtp_stream="resume"');
  }

  /** Speaks its tone from the port that was described last with [media_port]; the script goes on at once. */
  play(tone: PlayedTone): this {
    return this.execute(`play_pcap_audio="${this.audio.addCapture(tone)}"`);
  }

  /** Plays a capture from a file as `play` does. */
  playFile(path: string): this {
    return this.execute(`play_pcap_audio="${path}"`);
  }

  /** Starts a shell command and goes on; in it "$1" is the port of `receiveDescription`. */
  run(command: string): this {
    this.command = command;
    return this.execute(`command="sh ${this.fileName}.sh [$${PEER_PORT}]"`);
  }

  /** Leaves its Call-ID in a file of the folder, and goes on when it is prompted (see Prompter). */
  untilPrompted(file: string): this {
    return this.execute(`command="sh ${NOTE_SCRIPT} [call_id] ${file}"`).add('<recv request="MESSAGE"/>');
  }

  /** Writes the scenario and its audio; returns the scenario's file name. */
  write(folder: string): string {
    this.audio.write(folder);
    writeFileSync(join(folder, NOTE_SCRIPT), 'echo "$1" >"$2.part" && mv "$2.part" "$2"\n');
    if (this.command) {
      writeFileSync(join(folder, `${this.fileName}.sh`), `exec ${this.command} >${this.fileName}.log 2>&1\n`);
      // SIPp refuses variables that nobody reads.
      this.add('<Reference variables="media"/>');
    }
    const file = `${this.fileName}.xml`;
    const body = this.steps.map((step) => `  ${step}\n`).join("");
    const head = `<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="${this.fileName}">\n`;
    writeFileSync(join(folder, file), `${head}${body}</scenario>\n`);
    return file;
  }

  protected get contact(): string {
    return `Contact: <sip:${this.party.user}@[local_ip]:[local_port]>`;
  }

  /** `hasRoute`: the request makes a dialog, its answer repeats the route. */
  protected receiveAndKeep(method: string, prefix: string, hasRoute: boolean): this {
    const keep = (header: string, variable: string, occurrence = 1) =>
      `<ereg regexp=".*" search_in="hdr" header="${header}:" occurrence="${occurrence}" assign_to="${prefix}${variable}"/>`;
    const kept = [keep("Via", "via1"), keep("Via", "via2", 2), keep("From", "from"), keep("To", "to")];
    kept.push(keep("CSeq", "cseq"));
    if (hasRoute) kept.push(keep("Record-Route", "route"));
    return this.add(`<recv request="${method}" rrs="true"><action>${kept.join("")}</action></recv>`);
  }

  protected add(step: string): this {
    this.steps.push(step);
    return this;
  }

  /** CSeq of the next request outside a dialog. */
  protected nextInvite(): number {
    this.inviteCseq = ++this.cseq;
    return this.cseq;
  }

  protected get lastInvite(): number {
    return this.inviteCseq;
  }

  /** `isRepeated`: sent again until it is answered. */
  protected send(lines: readonly string[], { headers, sdp, body }: MessageParts, isRepeated: boolean): this {
    const content = sdp ? { type: "application/sdp", lines: this.describe(sdp) } : body;
    const rest = content
      ? [`Content-Type: ${content.type}`, "Content-Length: [len]", "", ...content.lines]
      : ["Content-Length: 0", "", ""];
    const text = [...lines, ...(headers ?? []), ...rest].join("\n");
    return this.add(`<send${isRepeated ? ' retrans="500"' : ""}><![CDATA[\n${text}\n]]></send>`);
  }

  private describe(description: ScriptDescription): string[] {
    const { port, address, codec = "PCMA", direction, ptimeMs, hasKeys = false, attributes = [] } = description;
    this.version++;
    const payloadType = G711_PAYLOAD_TYPE[codec];
    const keys = [`a=rtpmap:${EVENT_PAYLOAD_TYPE} telephone-event/8000`, `a=fmtp:${EVENT_PAYLOAD_TYPE} 0-16`];
    return [
      "v=0",
      `o=${this.party.user} 1 ${this.version} IN IP4 [local_ip]`,
      "s=-",
      `c=IN IP4 ${address ?? "[media_ip]"}`,
      "t=0 0",
      `m=audio ${port ?? "[rtpstream_audio_port]"} RTP/AVP ${payloadType}${hasKeys ? ` ${EVENT_PAYLOAD_TYPE}` : ""}`,
      `a=rtpmap:${payloadType} ${codec}/8000`,
      ...(hasKeys ? keys : []),
      ...(ptimeMs === undefined ? [] : [`a=ptime:${ptimeMs}`]),
      ...(direction === undefined ? [] : [`a=${direction}`]),
      ...attributes,
    ];
  }

  private execute(what: string): this {
    return this.add(`<nop><action><exec ${what}/></action></nop>`);
  }
}

/** What a response copies from a request that was kept, but To. The proxy is one hop away: two Vias. */
export function keptHeaders(prefix: string): string[] {
  return [
    `Via:[$${prefix}via1]`,
    `Via:[$${prefix}via2]`,
    `From:[$${prefix}from]`,
    "Call-ID: [call_id]",
    `CSeq:[$${prefix}cseq]`,
  ];
}
