// Where the box is reached, as whoever asks has named it: for addresses in answers, which go to that asker alone.
import type { IncomingMessage } from "node:http";
import { isIPv6, type Socket } from "node:net";

/** A name or an address, in brackets if it is of version 6, and a port (RFC 9110 §7.2); nothing that would end an address. */
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

/** "https://box.example:8385". What is no host in the header Host counts as the socket's own address. */
export function originOf({ headers, socket }: Pick<IncomingMessage, "headers" | "socket">): string {
  const scheme = "encrypted" in socket && socket.encrypted === true ? "https" : "http";
  const named = headers.host ?? "";
  return `${scheme}://${HOST.test(named) ? named : addressOf(socket)}`;
}

function addressOf({ localAddress = "127.0.0.1", localPort = 0 }: Socket): string {
  return `${isIPv6(localAddress) ? `[${localAddress}]` : localAddress}:${localPort}`;
}
