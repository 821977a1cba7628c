// What the kernel says of network interfaces: names, up or down, link, index. Reads sysfs (or, without it, asks Node);
// never changes an interface and never opens a socket.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

/** The kernel's folder of interfaces, one entry each (Documentation/ABI/testing/sysfs-class-net). */
export const SYSFS_INTERFACES = "/sys/class/net";

/** Flags of netdevice(7). */
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
/** Hardware types of <linux/if_arp.h> whose frames libpcap delivers as Ethernet. */
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;
/** States of RFC 2863 §3.1.14 with a link; "unknown" is what drivers without link detection say. */
const LINK_STATES = new Set(["up", "unknown"]);

export interface InterfaceState {
  name: string;
  /** Set up by the administrator. */
  isUp: boolean;
  /** Has a link: cable in, peer alive. */
  hasLink: boolean;
  isLoopback: boolean;
  isEthernet: boolean;
  /** Changes when an interface is removed and made again under the same name; 0 = unknown. */
  index: number;
  /** Longest packet that it sends, without the link header; absent = unknown. */
  mtuBytes?: number;
}

/** The interface's state, or undefined when there is none of that name. */
export function readInterface(name: string, folder = SYSFS_INTERFACES): InterfaceState | undefined {
  if (!isInterfaceName(name)) return undefined;
  if (!existsSync(folder)) return nodeInterfaces().find((state) => state.name === name);
  try {
    const flags = Number(read(folder, name, "flags"));
    const hardwareType = Number(read(folder, name, "type"));
    return {
      name,
      isUp: (flags & IFF_UP) !== 0,
      hasLink: LINK_STATES.has(read(folder, name, "operstate")),
      isLoopback: (flags & IFF_LOOPBACK) !== 0,
      isEthernet: hardwareType === ARPHRD_ETHER || hardwareType === ARPHRD_LOOPBACK,
      index: Number(read(folder, name, "ifindex")),
      ...mtuOf(folder, name),
    };
  } catch {
    // Gone, between two reads as well; files such as bonding_masters are no interfaces either.
    return undefined;
  }
}

function mtuOf(folder: string, name: string): Pick<InterfaceState, "mtuBytes"> {
  const file = join(folder, name, "mtu");
  const mtuBytes = existsSync(file) ? Number(read(folder, name, "mtu")) : 0;
  return mtuBytes > 0 ? { mtuBytes } : {};
}

/** Every interface, by index. */
export function readInterfaces(folder = SYSFS_INTERFACES): InterfaceState[] {
  if (!existsSync(folder)) return nodeInterfaces();
  return readdirSync(folder)
    .map((name) => readInterface(name, folder))
    .filter((state) => state !== undefined)
    .sort((a, b) => a.index - b.index);
}

/** A name the kernel would take (dev_valid_name): 1–15 bytes, no slash, no white space; so it cannot form a path. */
export function isInterfaceName(name: string): boolean {
  return /^[^\s/:\0]{1,15}$/.test(name) && name !== "." && name !== "..";
}

function read(folder: string, name: string, file: string): string {
  return readFileSync(join(folder, name, file), "latin1").trim();
}

/** Node lists only interfaces that are up and have an address. */
function nodeInterfaces(): InterfaceState[] {
  return Object.entries(networkInterfaces()).map(([name, addresses]) => ({
    name,
    isUp: true,
    hasLink: true,
    isLoopback: addresses?.some((address) => address.internal) ?? false,
    isEthernet: true,
    index: 0,
  }));
}
