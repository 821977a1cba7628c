// Writes the messages of a session in one line each, parses them with the real parser, plays them into the session and
// writes the events in one word each. For the session's tests.
import { otherSide, type Side } from "../../../device/base/ids.js";
import type { SipMessage } from "../../../device/sip/message.js";
import { type SessionEvent, type SessionState, startSession, stepSession } from "../../../device/sip/session.js";
import { requestText, responseText, type SipRequest, sdpBody } from "../../fakes/sip-messages.js";
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
  callId?: string;
  identity?: string;
}

const IN_DIALOG = new Set(["ACK", "BYE", "UPDATE", "PRACK", "INFO", "NOTIFY", "REFER"]);

function draftRequest(method: string, draft: Draft): SipRequest {
  const by = draft.by ?? 0;
  const isFirst = method === "CANCEL" || (method === "INVITE" && !("tags" in draft) && by === 0);
  const tags = draft.tags ?? ["a", isFirst || !(IN_DIALOG.has(method) || method === "INVITE") ? undefined : "b"];
  const hop = draft.hop ?? 1;
  const party = (side: Side) => {
    const tag = tags[side];
    return { uri: side === 0 ? "sip:100@a.example" : "sip:200@b.example", ...(tag === undefined ? {} : { tag }) };
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
    headers: draft.identity === undefined ? [] : [["P-Asserted-Identity", `<sip:${draft.identity}@x>`]],
    ...(draft.sdp === undefined ? {} : { body: description(draft) }),
  };
}

function description(draft: Draft) {
  const { direction = "sendrecv", address = "10.0.0.1" } = draft;
  const codecs = [{ payloadType: 8, name: "PCMA", clockRate: 8000 }];
  const body = sdpBody({ address, port: 4000, codecs, direction });
  return { type: body.type, text: body.text.replace("o=-", `o=${draft.sdp}`) };
}

export function request(method: string, draft: Draft = {}): SipMessage {
  return accept(requestText(draftRequest(method, draft)));
}

/** The response to `method` as `draft` describes its request; its To tag is the other side's. */
export function response(status: number, method: string, draft: Draft = {}): SipMessage {
  const { sdp: _, ...rest } = draft;
  const tags: NonNullable<Draft["tags"]> = draft.tags ?? ["a", "b"];
  const of = draftRequest(method, { ...rest, tags: status === 100 ? [tags[0], undefined] : tags });
  const headers = of.headers ?? [];
  const text = responseText(
    { ...of, headers: [] },
    { status, headers, ...(draft.sdp === undefined ? {} : { body: description(draft) }) },
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
