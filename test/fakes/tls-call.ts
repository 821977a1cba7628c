// Signalling that a recorder cannot read: a TLS connection to a SIP server (its ClientHello, then records) in the place of what
// a call says over UDP. The media stays as it is.
import { TcpConversation } from "./tcp-frames.js";
import { mergeCalls, type TimedFrame } from "./timed-frames.js";
import { clientHello } from "./tls-hello.js";

const APPLICATION_DATA = 23;

/** The frames of a call whose SIP goes over TLS to 10.0.0.2:5061. */
export async function overTls(frames: readonly TimedFrame[]): Promise<TimedFrame[]> {
  const messages = frames.filter(({ kind }) => kind === "sip");
  const first = messages[0]!;
  const tcp = new TcpConversation({ client: "198.51.100.20:49160", server: "10.0.0.2:5061" });
  const hello = await clientHello({ servername: "pbx.office.example" });
  const opening = [...tcp.open(), ...tcp.send("client", hello)];
  const sent = opening.map((frame, n): TimedFrame => ({ ...first, label: "", frame, atUs: first.atUs - 100_000 + n }));
  for (const message of messages) {
    const end = message.from === "caller" ? "client" : "server";
    for (const frame of tcp.send(end, record(message.frame.length))) sent.push({ ...message, label: "", frame });
  }
  return mergeCalls(
    frames.filter(({ kind }) => kind !== "sip"),
    sent,
  );
}

/** A record of TLS 1.2 (RFC 5246 §6.2.1) with nothing to be read in it. */
function record(bytes: number): Buffer {
  return Buffer.concat([Buffer.from([APPLICATION_DATA, 3, 3, bytes >>> 8, bytes & 0xff]), Buffer.alloc(bytes, 0xa5)]);
}
