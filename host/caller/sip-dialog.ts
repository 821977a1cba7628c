// One dialog as a test phone keeps it (RFC 3261 §12): who, where to, which route, and the requests and responses that
// follow from it. No sockets, no timers.
import { randomBytes } from "node:crypto";
import { headerOf, headersOf, type SipHeader, type SipText, uriIn, writeSip } from "./sip-text.js";

export interface LocalEnd {
  user: string;
  name: string;
  address: string;
  port: number;
}

export interface RequestOptions {
  headers?: readonly SipHeader[];
  body?: string;
  /** Default: the dialog's next number; ACK and CANCEL repeat the INVITE's. */
  cseq?: number;
  /** Default: a new one; CANCEL and the ACK of a refusal repeat the INVITE's. */
  branch?: string;
}

const BRANCH_COOKIE = "z9hG4bK";

export class SipDialog {
  readonly callId: string;
  readonly #end: LocalEnd;
  readonly #tag = randomToken();
  #local: string;
  #remote: string;
  #target: string;
  #routes: SipHeader[] = [];
  #cseq = 0;

  private constructor(end: LocalEnd, callId: string, local: string, remote: string, target: string) {
    this.#end = end;
    this.callId = callId;
    this.#local = local;
    this.#remote = remote;
    this.#target = target;
  }

  static placed(end: LocalEnd, targetUri: string): SipDialog {
    const dialog = new SipDialog(end, `${randomToken()}@${end.address}`, "", `<${targetUri}>`, targetUri);
    dialog.#local = `${end.name === "" ? "" : `"${end.name}" `}<sip:${end.user}@${hostOf(end)}>;tag=${dialog.#tag}`;
    return dialog;
  }

  static taken(end: LocalEnd, invite: SipText): SipDialog {
    const target = uriIn(headerOf(invite, "contact") || headerOf(invite, "from"));
    const dialog = new SipDialog(end, headerOf(invite, "call-id"), "", headerOf(invite, "from"), target);
    dialog.#local = `${headerOf(invite, "to")};tag=${dialog.#tag}`;
    dialog.#routes = headersOf(invite, "record-route").map(([, value]) => ["Route", value]);
    return dialog;
  }

  /** Learns the far end's tag, target and route from the answer to our INVITE (RFC 3261 §12.1.2). */
  established(answer: SipText): void {
    this.#remote = headerOf(answer, "to");
    this.#target = uriIn(headerOf(answer, "contact")) || this.#target;
    this.#routes = headersOf(answer, "record-route")
      .reverse()
      .map(([, value]) => ["Route", value]);
  }

  nextCseq(): number {
    this.#cseq++;
    return this.#cseq;
  }

  request(method: string, options: RequestOptions = {}): Buffer {
    const cseq = options.cseq ?? this.nextCseq();
    return writeSip(
      `${method} ${this.#target} SIP/2.0`,
      [
        ["Via", `SIP/2.0/UDP ${hostOf(this.#end)}:${this.#end.port};branch=${options.branch ?? newBranch()}`],
        ["Max-Forwards", "70"],
        ...this.#routes,
        ["From", this.#local],
        ["To", this.#remote],
        ["Call-ID", this.callId],
        ["CSeq", `${cseq} ${method}`],
        ...(options.headers ?? []),
      ],
      options.body,
    );
  }

  /** The ACK of a refusal names the To of that refusal (RFC 3261 §17.1.1.3). */
  refusalAck(refusal: SipText, cseq: number, branch: string): Buffer {
    this.#remote = headerOf(refusal, "to");
    return this.request("ACK", { cseq, branch });
  }

  response(request: SipText, status: string, options: Pick<RequestOptions, "headers" | "body"> = {}): Buffer {
    const to = headerOf(request, "to");
    const isTagged = /;\s*tag=/i.test(to) || status.startsWith("100 ");
    return writeResponse(request, status, isTagged ? to : `${to};tag=${this.#tag}`, options);
  }

  contact(): SipHeader {
    return ["Contact", `<sip:${this.#end.user}@${hostOf(this.#end)}:${this.#end.port}>`];
  }
}

/** A response outside any dialog. */
export function refuse(request: SipText, status: string): Buffer {
  const to = headerOf(request, "to");
  return writeResponse(request, status, /;\s*tag=/i.test(to) ? to : `${to};tag=${randomToken()}`, {});
}

function writeResponse(
  request: SipText,
  status: string,
  to: string,
  options: Pick<RequestOptions, "headers" | "body">,
): Buffer {
  return writeSip(
    `SIP/2.0 ${status}`,
    [
      ...headersOf(request, "via").map(([, value]): SipHeader => ["Via", value]),
      ...headersOf(request, "record-route").map(([, value]): SipHeader => ["Record-Route", value]),
      ["From", headerOf(request, "from")],
      ["To", to],
      ["Call-ID", headerOf(request, "call-id")],
      ["CSeq", headerOf(request, "cseq")],
      ...(options.headers ?? []),
    ],
    options.body,
  );
}

export function newBranch(): string {
  return `${BRANCH_COOKIE}${randomToken()}`;
}

function randomToken(): string {
  return randomBytes(8).toString("hex");
}

function hostOf(end: LocalEnd): string {
  return end.address.includes(":") ? `[${end.address}]` : end.address;
}
