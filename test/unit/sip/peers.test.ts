// Who speaks SIP with whom, in which direction.
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../device/base/address.js";
import type { SipArrival } from "../../../device/sip/arrival.js";
import type { SipMessage } from "../../../device/sip/message.js";
import { SipPeers } from "../../../device/sip/peers.js";

const arrival = (source: string, destination: string, atUs: number): SipArrival => ({
  atUs,
  transport: "UDP",
  source: parseAddress(source)!,
  sourcePort: 5060,
  destination: parseAddress(destination)!,
  destinationPort: 5060,
  vlan: -1,
  sourceMac: "",
});
const INVITE = { kind: "request", method: "INVITE" } as SipMessage;
const OK = { kind: "response", status: 200 } as SipMessage;

describe("SIP peers", () => {
  it("are counted per pair and direction, whoever spoke first", () => {
    const peers = new SipPeers(8);
    peers.note(INVITE, arrival("10.0.0.9", "10.0.0.2", 5));
    peers.note(OK, arrival("10.0.0.2", "10.0.0.9", 6));
    peers.note(OK, arrival("10.0.0.2", "10.0.0.9", 7));
    expect(peers.figures()).toEqual([
      { a: "10.0.0.2", b: "10.0.0.9", forth: 2, back: 1, invitesForth: 0, invitesBack: 1, lastAtUs: 7 },
    ]);
  });

  it("are addresses of either family, and the greater half of an address is above the lesser", () => {
    const peers = new SipPeers(8);
    peers.note(OK, arrival("2001:db8::1", "2001:db8::2", 1));
    peers.note(OK, arrival("200.0.0.1", "10.0.0.1", 2));
    expect(peers.figures().map(({ a, b, forth, back }) => [a, b, forth, back])).toEqual([
      ["2001:db8::1", "2001:db8::2", 1, 0],
      ["10.0.0.1", "200.0.0.1", 0, 1],
    ]);
  });

  it("are bounded: the pair longest silent goes first", () => {
    const peers = new SipPeers(3);
    for (let n = 1; n <= 3; n++) peers.note(OK, arrival(`10.0.0.${n}`, "10.0.1.1", n));
    peers.note(OK, arrival("10.0.1.1", "10.0.0.1", 4));
    peers.note(OK, arrival("10.0.0.4", "10.0.1.1", 5));
    expect(peers.figures().map(({ a }) => a)).toEqual(["10.0.0.3", "10.0.0.1", "10.0.0.4"]);
    expect(peers.evicted).toBe(1);
  });
});
