// What the schema cannot say about `api`: settings that contradict each other, and where it listens.
import { cidrContains, parseAddress, parseCidr } from "../base/address.js";
import type { Config } from "../contract/config.js";
import type { MeaningFault } from "./meaning.js";

/** RFC 1122 §3.2.1.3, RFC 4291 §2.5.3. */
const LOOPBACK = ["127.0.0.0/8", "::1/128"].map((text) => parseCidr(text)!);

export function findApiFaults({ api }: { api: Config["api"] }): MeaningFault[] {
  if (!api.enabled) return [];
  const { host, certFile, keyFile } = api;
  if (certFile === "" && keyFile !== "")
    return [{ path: ["api", "keyFile"], text: "has no effect without api.certFile" }];
  if (certFile !== "" && keyFile === "")
    return [{ path: ["api", "certFile"], text: "needs its private key in api.keyFile" }];
  if (host !== "localhost" && parseAddress(host) === undefined)
    return [{ path: ["api", "host"], text: "is no IP address of this box; 0.0.0.0 or :: stands for all of them" }];
  return [];
}

/** Beyond this box it always does, unless it is allowed not to. */
export function speaksTls({ host, certFile, allowPlain }: Config["api"]): boolean {
  return certFile !== "" || (!isLoopback(host) && !allowPlain);
}

/** Whether nobody but programs on this box can reach what listens there. */
export function isLoopback(host: string): boolean {
  const words = parseAddress(host);
  return words === undefined ? host === "localhost" : LOOPBACK.some((network) => cidrContains(network, words));
}
