// REGISTER requests and responses as they pass one hop after another, for the tests of what is learnt from them.
import { type AddressWords, parseAddress } from "../../../device/base/address.js";
import type { SipArrival } from "../../../device/sip/arrival.js";
import type { SipMessage } from "../../../device/sip/message.js";
import { requestText, responseText, type SipRequest } from "../../fakes/sip-messages.js";
import { accept } from "../sip/sip-text.js";

export interface RegisterScene {
  /** "user@host" of the address of record. Default "21@pbx.example". */
  record?: string;
  /** Contact fields of the request. Default one at the phone's address. */
  contacts?: readonly string[];
  /** Expires of the request, "" = none. Default "3600". */
  expires?: string;
  /** Addresses from the phone on. Default phone and registrar. */
  path?: readonly string[];
  status?: number;
  /** Contact fields of the response. Default those of the request. */
  granted?: readonly string[];
  grantedExpires?: string;
  /** Parameters of the phone's own Via. */
  via?: string;
  cseq?: number;
  callId?: string;
  atS?: number;
}

export interface Seen {
  message: SipMessage;
  arrival: SipArrival;
}

export const PHONE = "10.0.0.7";
export const REGISTRAR = "10.0.0.1";

export function words(address: string): AddressWords {
  const parsed = parseAddress(address);
  if (!parsed) throw new Error(`no address: ${address}`);
  return parsed;
}

export function arrivalOf(source: string, destination: string, atS: number): SipArrival {
  return {
    atUs: atS * 1e6,
    transport: "UDP",
    source: words(source),
    sourcePort: 5060,
    destination: words(destination),
    destinationPort: 5060,
    vlan: -1,
    sourceMac: "",
  };
}

/** The request at every hop, then the response at every hop back. */
export function registerScene(scene: RegisterScene = {}): { requests: Seen[]; responses: Seen[] } {
  const path = scene.path ?? [PHONE, REGISTRAR];
  const [user, host] = (scene.record ?? "21@pbx.example").split("@") as [string, string];
  const contacts = scene.contacts ?? [`<sip:${user}@${path[0]}:5060>`];
  const atS = scene.atS ?? 1000;
  const requests: Seen[] = [];
  const responses: Seen[] = [];
  for (let hop = 0; hop + 1 < path.length; hop++) {
    const request = requestAt(scene, path, hop, `sip:${user}@${host}`, contacts);
    requests.push({ message: accept(requestText(request)), arrival: arrivalOf(path[hop]!, path[hop + 1]!, atS) });
    const granted = (scene.granted ?? contacts).map((value) => ["Contact", value] as const);
    const headers =
      scene.grantedExpires === undefined ? granted : [...granted, ["Expires", scene.grantedExpires] as const];
    const response = responseText({ ...request, headers: [] }, { status: scene.status ?? 200, toTag: "r", headers });
    responses.unshift({ message: accept(response), arrival: arrivalOf(path[hop + 1]!, path[hop]!, atS) });
  }
  return { requests, responses };
}

function requestAt(
  scene: RegisterScene,
  path: readonly string[],
  hop: number,
  uri: string,
  contacts: readonly string[],
): SipRequest {
  const own = `${path[0]}:5060;branch=z9hG4bK-0${scene.via ?? ""}`;
  const expires = scene.expires ?? "3600";
  return {
    method: "REGISTER",
    requestUri: "sip:pbx.example",
    via: [...path.slice(1, hop + 1).map((address) => `${address}:5060;branch=z9hG4bK-${address}`), own].slice(-hop - 1),
    from: { uri, tag: "f" },
    to: { uri },
    callId: scene.callId ?? `register-${uri}-${path[0]}`,
    cseq: scene.cseq ?? 1,
    headers: [
      ...contacts.map((value) => ["Contact", value] as const),
      ...(expires === "" ? [] : [["Expires", expires] as const]),
    ],
  };
}
