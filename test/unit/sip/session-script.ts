// Writes the messages of a session in one line each, parses them with the real parser, plays them into the session and
// writes the events in one word each. For the session's tests.
import { otherSide, type Side } from "../../../device/base/ids.js";
import type { SipMessage } from "../../../device/sip/message.js";
import { type SessionEvent, type SessionState, startSession, stepSession } from "../../../device/sip/session.js";
import {
  requestText,
  responseText,
  type SdpOptions,
  type SipBody,
  type SipHeader,
  type SipRequest,
  sdpBody,
} from "../../fakes/sip-messages.js";
import { accept } from "./sip-text.js";

export interface Draft {
  cseq?: number;
  /** Side that sent the request. Default 0. */
  by?: Side;
  /** Tags of originator and answerer; undefined leaves the parameter out. */
  tags?: readonly [string | undefined, string | undefined];
  /** Hops passed: number of Via values, and the topmost branch with it. */
  hop?: number;
  /** Overrides the branch, e.g. for a sibling at the same hop. */
  branch?: string;
  /** Label of a session description: its letters become its origin, its host number its port. */
  sdp?: string;
  direction?: "sendrecv" | "sendonly" | "recvonly" | "inactive";
  /** Address of the description; 0.0.0.0 is RFC 2543's hold. */
  address?: string;
  /** What else the description says. */
  more?: Partial<SdpOptions>;
  callId?: string;
  /** User part of P-Asserted-Identity. */
  identity?: string;
  /** Address of the Contact, e.g. "100@10.0.0.1:5070". */
  contact?: string;
  headers?: readonly SipHeader[];
  /** A body that is no description. */
  body?: SipBody;
  /** User parts of originator and answerer. */
  users?: readonly [string, string];
}

const IN_DIALOG = new Set(["ACK", "BYE", "UPDATE", "PRACK", "INFO", "NOTIFY", "REFER"]);

function draftRequest(method: string, draft: Draft): SipRequest {
  const by = draft.by ?? 0;
  const isFirst = method === "CANCEL" || (method === "INVITE" && !("tags" in draft) && by === 0);
  const tags = draft.tags ?? ["a", isFirst || !(IN_DIALOG.has(method) || method === "INVITE") ? undefined : "b"];
  const hop = draft.hop ?? 1;
  const party = (side: Side) => {
    const tag = tags[side];
    const [first, second] = draft.users ?? ["100", "200"];
    const uri = side === 0 ? `sip:${first}@a.example` : `sip:${second}@b.example`;
    return { uri, ...(tag === undefined ? {} : { tag }) };
  };
  const top = draft.branch ?? `z9hG4bK-${draft.cseq ?? 1}-${by}-${hop}`;
  return {
    method,
    requestUri: "sip:target@example.com",
    via: [
      `hop${hop}.example;branch=${top}`,
      ...Array.from({ length: hop - 1 }, (_, i) => `hop${i}.example;branch=z9hG4bK-o${i}`),
    ],
    from: party(by),
    to: party(otherSide(by)),
    callId: draft.callId ?? "call-1",
    cseq: draft.cseq ?? 1,
    headers: headersOf(draft),
    ...(draft.contact === undefined ? {} : { contact: `<sip:${draft.contact}>` }),
    ...bodyOf(draft),
  };
}

function headersOf({ identity, headers = [] }: Draft): readonly SipHeader[] {
  return identity === undefined ? headers : [["P-Asserted-Identity", `<sip:${identity}@x>`], ...headers];
}

function bodyOf(draft: Draft): { body?: SipBody } {
  if (draft.sdp !== undefined) return { body: description(draft) };
  return draft.body === undefined ? {} : { body: draft.body };
}

function description(draft: Draft): SipBody {
  const { direction = "sendrecv", address = "10.0.0.1" } = draft;
  const codecs = [{ payloadType: 8, name: "PCMA", clockRate: 8000 }];
  const body = sdpBody({ address, port: 4000, codecs, direction, ...draft.more });
  return { type: body.type, text: body.text.replace("o=-", `o=${draft.sdp}`) };
}

export function request(method: string, draft: Draft = {}): SipMessage {
  return accept(requestText(draftRequest(method, draft)));
}

/** The response to `method` as `draft` describes its request; its To tag is the other side's. */
export function response(status: number, method: string, draft: Draft = {}): SipMessage {
  const { sdp: _, body: __, contact, ...rest } = draft;
  const tags: NonNullable<Draft["tags"]> = draft.tags ?? ["a", "b"];
  const of = draftRequest(method, { ...rest, tags: status === 100 ? [tags[0], undefined] : tags });
  const text = responseText(
    { ...of, headers: [] },
    {
      status,
      headers: headersOf(draft),
      ...(contact === undefined ? {} : { contact: `<sip:${contact}>` }),
      ...bodyOf(draft),
    },
  );
  return accept(text);
}

/** "offered0 early A", "answered1 hop B2", "hold0", "failed486", … */
export function eventText(event: SessionEvent): string {
  switch (event.type) {
    case "media": {
      const label = event.description.originId.split(" ")[0];
      return `${event.status}${event.side}${event.early ? " early" : ""}${event.path === "first" ? "" : " hop"} ${label}`;
    }
    case "media-rejected":
      return `rejected${event.side}`;
    case "failed":
      return `failed${event.status}`;
    case "reinvite":
    case "hold":
    case "resume":
    case "ended":
      return `${event.type}${event.by}`;
    case "early-media":
      return `early-media${event.side}`;
    case "redirected":
      return `redirected ${event.targets.join(" ")}`;
    case "refreshed":
      return `refreshed ${event.intervalS}`;
    case "lost":
    case "refer-refused":
    case "refer-progress":
      return `${event.type}${event.by} ${event.status}`;
    case "identity":
      return `identity${event.side} ${event.identity.user}`;
    case "target":
      return `target${event.side} ${event.uri}`;
    case "refer": {
      const { replaces } = event;
      const dialog = replaces ? ` for ${replaces.callId}/${replaces.toTag}/${replaces.fromTag}` : "";
      return `refer${event.by} ${event.target}${dialog}`;
    }
    default:
      return event.type;
  }
}

export interface Played {
  state: SessionState;
  /** Events of each message, comma-separated. */
  events: string[];
  from: (Side | undefined)[];
}

/** Plays messages in order; the first must open a session. */
export function play(messages: readonly SipMessage[]): Played {
  const start = startSession(messages[0]!);
  if (!start) throw new Error("no session");
  let state: SessionState = start.state;
  const events = [start.events.map(eventText).join(", ")];
  const from: (Side | undefined)[] = [start.from];
  for (const message of messages.slice(1)) {
    const step = stepSession(state, message);
    state = step.state;
    events.push(step.events.map(eventText).join(", "));
    from.push(step.from);
  }
  return { state, events, from };
}
