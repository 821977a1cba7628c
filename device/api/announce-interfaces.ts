// On which interfaces a box may say where it is: those that the API is reached on, and never one that shares a link with an interface that
// is captured on, for a mirror port is not to be sent to.
import { readdirSync } from "node:fs";
import type { NetworkInterfaceInfo } from "node:os";
import { join } from "node:path";

const SYSFS_INTERFACES = "/sys/class/net";
const LOWER = "lower_";
const MAX_DEPTH = 8;

export interface AnnouncePlace {
  /** Of the interface. */
  name: string;
  /** By which it sends, IPv4. */
  address: string;
  netmask: string;
  /** All that the box is reached by there. */
  addresses: string[];
}

export interface PlaceQuestion {
  /** `api.host`. */
  host: string;
  captured: readonly string[];
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>;
  sysfs?: string;
}

export function announcePlaces({
  host,
  captured,
  interfaces,
  sysfs = SYSFS_INTERFACES,
}: PlaceQuestion): AnnouncePlace[] {
  const mirror = new Set(captured.flatMap((name) => linksOf(name, sysfs)));
  const isMirror = (name: string): boolean => linksOf(name, sysfs).some((link) => mirror.has(link));
  const all = Object.entries(interfaces).map(([name, list = []]) => ({ name, list }));
  // The kernel is told the way out by its address: one that a mirror port has as well would not do.
  const forbidden = new Set(
    all.filter(({ name }) => isMirror(name)).flatMap(({ list }) => list.map(({ address }) => address)),
  );
  return all
    .filter(({ name }) => !isMirror(name))
    .flatMap(({ name, list }) => {
      const reached = list.filter((one) => !one.internal && isReached(one, host) && !forbidden.has(one.address));
      const own = reached.find(({ family }) => family === "IPv4");
      if (own === undefined) return [];
      return [{ name, address: own.address, netmask: own.netmask, addresses: reached.map(({ address }) => address) }];
    });
}

/** The address is on the place's own network. */
export function isNear({ address, netmask }: AnnouncePlace, other: string): boolean {
  const [own, mask, far] = [address, netmask, other].map((text) => text.split(".").map(Number));
  return far!.length === 4 && own!.every((byte, at) => (byte & mask![at]!) === (far![at]! & mask![at]!));
}

function isReached({ address, family, scopeid }: NetworkInterfaceInfo, host: string): boolean {
  if (family === "IPv6" && (scopeid !== 0 || host !== "::")) return host === address;
  return host === "0.0.0.0" || host === "::" || host === address;
}

/** The interface with those that it lies upon: a VLAN's, a bond's, a bridge's. */
function linksOf(name: string, sysfs: string, depth = 0): string[] {
  if (depth === MAX_DEPTH) return [name];
  try {
    const lower = readdirSync(join(sysfs, name)).filter((entry) => entry.startsWith(LOWER));
    return [name, ...lower.flatMap((entry) => linksOf(entry.slice(LOWER.length), sysfs, depth + 1))];
  } catch {
    return [name];
  }
}
