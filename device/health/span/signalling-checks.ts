// The doctor's checks on SIP: seen at all, in both directions, readable.
import type { SipPeerFigures, SpanFinding } from "../../contract/span.js";
import { counted, fine, type SpanInput, type SpanVerdict, share, unseen } from "./check.js";
import { grown, type SpanStretch } from "./window.js";

/** So much traffic for so long without any SIP is the wrong traffic. */
const LEAST_FRAMES = 1000;
const PATIENCE_MS = 120_000;
/** So many messages one way and none back prove a direction missing: a request is sent seven times (RFC 3261 §17.1.1.2). */
const LEAST_MESSAGES = 3;
const MAX_NAMED = 5;

export function checkSip({ tenMinutes, isLive }: SpanInput): SpanVerdict {
  if (tenMinutes === undefined) return unseen("capture has not begun");
  const { now, before } = tenMinutes;
  const count = (transport: "udp" | "tcp" | "ws"): number => now.figures.sip[transport] - before.figures.sip[transport];
  const [udp, tcp, ws] = [count("udp"), count("tcp"), count("ws")];
  const all = udp + tcp + ws;
  if (all > 0) {
    const minutes = tenMinutes.ms / 60_000;
    const rate = isLive
      ? `${(all / minutes).toFixed(all / minutes < 10 ? 1 : 0)} messages a minute`
      : counted(all, "message");
    return fine(`${rate}: UDP ${share(udp, all)}, TCP ${share(tcp, all)}, WebSocket ${share(ws, all)}`);
  }
  const frames = grown(tenMinutes, "net.frames");
  if (frames < LEAST_FRAMES || (isLive && tenMinutes.ms < PATIENCE_MS)) return unseen("no SIP yet");
  // What is there but cannot be read is another check's.
  if (tlsOf(tenMinutes).length > 0) return unseen("none that can be read");
  return { figure: "none", findings: [{ code: "no-sip", figure: `none in ${counted(frames, "packet")}` }] };
}

export function checkSipDirections({ tenMinutes }: SpanInput): SpanVerdict {
  if (tenMinutes === undefined) return unseen("capture has not begun");
  const pairs = pairsOf(tenMinutes);
  if (pairs.length === 0) return unseen("no SIP yet");
  const findings: SpanFinding[] = [];
  for (const { a, b, forth, back } of pairs) {
    const [from, to, count] = back === 0 ? [a, b, forth] : [b, a, back];
    if (forth > 0 && back > 0) continue;
    if (count >= LEAST_MESSAGES)
      findings.push({ code: "sip-one-way", figure: `${from} → ${to}: ${counted(count, "message")}, none back` });
  }
  const both = pairs.filter(({ forth, back }) => forth > 0 && back > 0).length;
  return { figure: `both between ${both} of ${counted(pairs.length, "pair")}`, findings: named(findings) };
}

export function checkSipEncrypted({ tenMinutes }: SpanInput): SpanVerdict {
  if (tenMinutes === undefined) return unseen("capture has not begun");
  const tls = tlsOf(tenMinutes);
  const { udp, tcp, ws } = tenMinutes.now.figures.sip;
  const readable = udp + tcp + ws;
  if (tls.length === 0) return readable === 0 ? unseen("no SIP yet") : fine("all of it");
  const code = readable === 0 ? "sip-tls" : "sip-partly-tls";
  const findings = tls.map(({ endpoint, connections, transport }): SpanFinding => {
    const kind = transport === "UDP" ? "DTLS" : "TLS";
    return { code, figure: `${endpoint}: ${kind}, ${counted(connections, "connection")}` };
  });
  const figure = `${counted(readable, "readable message")}, TLS or DTLS to ${counted(tls.length, "server")}`;
  return { figure, findings: named(findings) };
}

/** Servers to which something went within the time. */
function tlsOf({ before, now }: SpanStretch): SpanStretch["now"]["counters"]["tlsEndpoints"] {
  const known = new Map(before.counters?.tlsEndpoints.map((one) => [one.endpoint + one.transport, one.bytes]));
  return now.counters.tlsEndpoints.filter(
    ({ endpoint, transport, bytes, likelySip }) => likelySip && bytes > (known.get(endpoint + transport) ?? 0),
  );
}

/** Who spoke within the time, with what was said then. */
export function pairsOf({ before, now }: SpanStretch): SipPeerFigures[] {
  const known = new Map(before.figures.peers.map((pair) => [`${pair.a} ${pair.b}`, pair]));
  return now.figures.peers.flatMap((pair) => {
    const was = known.get(`${pair.a} ${pair.b}`);
    const [forth, back] = [pair.forth - (was?.forth ?? 0), pair.back - (was?.back ?? 0)];
    return forth > 0 || back > 0 ? [{ ...pair, forth: Math.max(0, forth), back: Math.max(0, back) }] : [];
  });
}

/** The first few, and how many more there are. */
function named(findings: readonly SpanFinding[]): SpanFinding[] {
  const shown = findings.slice(0, MAX_NAMED);
  const more = findings.length - shown.length;
  const last = shown.at(-1);
  if (more > 0 && last) shown[shown.length - 1] = { ...last, figure: `${last.figure}; and ${more} more` };
  return shown;
}
