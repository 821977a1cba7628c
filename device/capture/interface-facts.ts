// What the doctor asks about a capture interface and the kernel knows: link, speed, addresses, promiscuous mode, offloads.
// Reads sysfs and asks ethtool where it is installed; never changes an interface.
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { type Ask, askProgram } from "../base/ask-program.js";
import { isInterfaceName, readInterface, SYSFS_INTERFACES } from "./interface-state.js";

/** <linux/if.h>; sysfs shows it also when a packet socket asked for it, ioctl does not. */
const IFF_PROMISC = 0x100;
/** Features of ethtool(8) that join received packets together. */
const JOINING_FEATURES = ["generic-receive-offload", "large-receive-offload", "rx-gro-hw"];

export interface InterfaceFacts {
  name: string;
  isUp: boolean;
  hasLink: boolean;
  isPromiscuous: boolean;
  /** Not link-local ones: every interface that is up gives itself one of those. */
  addresses: string[];
  /** undefined = the driver does not say. */
  speedMegabits?: number;
  duplex?: string;
  /** Offloads that are on; undefined = nobody can say. */
  joining?: string[];
}

/** undefined when there is no such interface, or it stands for all ("any"). */
export async function readInterfaceFacts(
  name: string,
  ask: Ask = askProgram,
  folder = SYSFS_INTERFACES,
): Promise<InterfaceFacts | undefined> {
  const state = isInterfaceName(name) ? readInterface(name, folder) : undefined;
  if (state === undefined) return undefined;
  const word = (file: string): string => readWord(join(folder, name, file));
  const speed = Number(word("speed"));
  const duplex = word("duplex");
  const joining = joiningFeatures(await ask("ethtool", ["-k", name]));
  return {
    name,
    isUp: state.isUp,
    hasLink: state.hasLink,
    isPromiscuous: (Number(word("flags")) & IFF_PROMISC) !== 0,
    addresses: addressesOf(name),
    ...(speed > 0 && { speedMegabits: speed }),
    ...(duplex !== "" && duplex !== "unknown" && { duplex }),
    ...(joining && { joining }),
  };
}

/** Of the output of `ethtool -k`. */
export function joiningFeatures(output: string | undefined): string[] | undefined {
  if (output === undefined) return undefined;
  const isOn = (feature: string): boolean => new RegExp(`^\\s*${feature}: on\\b`, "m").test(output);
  return JOINING_FEATURES.filter(isOn);
}

function addressesOf(name: string): string[] {
  const all = networkInterfaces()[name] ?? [];
  return all
    .filter(({ scopeid, address }) => !scopeid && !address.startsWith("169.254."))
    .map(({ address }) => address);
}

/** "" when there is none, or the driver refuses (speed of an interface without a link: EINVAL). */
function readWord(path: string): string {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return "";
  }
}
