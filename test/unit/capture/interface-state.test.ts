// Interfaces as sysfs tells them, from a folder made for the test; and the live source's answers that need no packet.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isInterfaceName, readInterface, readInterfaces } from "../../../device/capture/interface-state.js";

let folder = "";
function add(name: string, files: Record<string, string>): void {
  mkdirSync(join(folder, name));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), `${text}\n`);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-sysfs-"));
  add("lo", { flags: "0x9", operstate: "unknown", type: "772", ifindex: "1" });
  add("span0", { flags: "0x1103", operstate: "up", type: "1", ifindex: "7" });
  add("span1", { flags: "0x1003", operstate: "down", type: "1", ifindex: "3" });
  add("off0", { flags: "0x1002", operstate: "down", type: "1", ifindex: "4" });
  add("tun0", { flags: "0x10d1", operstate: "unknown", type: "65534", ifindex: "5" });
  add("half0", { flags: "0x1003" });
  writeFileSync(join(folder, "bonding_masters"), "\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("an interface", () => {
  it("is read with its state", () => {
    expect(readInterface("span0", folder)).toEqual({
      name: "span0",
      isUp: true,
      hasLink: true,
      isLoopback: false,
      isEthernet: true,
      index: 7,
    });
    expect(readInterface("span1", folder)).toMatchObject({ isUp: true, hasLink: false });
    expect(readInterface("off0", folder)).toMatchObject({ isUp: false });
    expect(readInterface("lo", folder)).toMatchObject({ isLoopback: true, isEthernet: true, hasLink: true });
    expect(readInterface("tun0", folder)).toMatchObject({ isEthernet: false, hasLink: true });
  });

  it("that is not there, or no longer whole, is none", () => {
    for (const name of ["nope0", "half0", "bonding_masters"]) expect(readInterface(name, folder)).toBeUndefined();
  });

  it("is listed by index, without files that are no interfaces", () => {
    expect(readInterfaces(folder).map((state) => state.name)).toEqual(["lo", "span1", "off0", "tun0", "span0"]);
  });

  it("has a name that cannot form a path", () => {
    for (const name of ["", ".", "..", "a/b", "../lo", "a b", "a\0", "sixteen-letters0"]) {
      expect(isInterfaceName(name)).toBe(false);
      expect(readInterface(name, folder)).toBeUndefined();
    }
    for (const name of ["eth0", "enp3s0f1.100", "fifteen-letters"]) expect(isInterfaceName(name)).toBe(true);
  });

  it("is asked of Node where there is no sysfs", () => {
    const missing = join(folder, "missing");
    for (const state of readInterfaces(missing)) {
      expect(state).toMatchObject({ isUp: true, index: 0 });
      expect(readInterface(state.name, missing)).toEqual(state);
    }
    expect(readInterface("nope0", missing)).toBeUndefined();
  });
});
