// What the live source says without capturing: link types, defaults, interfaces that are not there.
import { describe, expect, it } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { defaultInterfaces, LiveSource, linkTypeOf, listInterfaces } from "../../../device/capture/live-source.js";

function startOn(name: string): unknown {
  const options = { bufferMegabytes: 1, snapLengthBytes: 65535, timeoutMs: 10, promiscuous: true, tcpPorts: [5060] };
  const source = new LiveSource({ interface: name, ...options }, () => {}, 0);
  try {
    source.start();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    source.stop();
  }
}

describe("a link type of node-pcap", () => {
  it.each([
    ["LINKTYPE_ETHERNET", 1],
    ["LINKTYPE_NULL", 0],
    ["LINKTYPE_RAW", 101],
    ["LINKTYPE_LINUX_SLL", 113],
    ["LINKTYPE_IEEE802_11_RADIO", 127],
    ["Unknown linktype 276", 276],
    ["Unknown linktype 12", 101],
  ])("%s is %i", (text, expected) => {
    expect(linkTypeOf(text)).toBe(expected);
  });
});

describe("live capture", () => {
  it.each(["nope0", "", "a/b", "../lo"])("on %j, which is not there, says what is", (name) => {
    const error = startOn(name);
    expect(error).toBeInstanceOf(SidetoneError);
    expect(error).toMatchObject({ code: "interface-not-found", exitCode: 3 });
    expect((error as Error).message).toContain(`there is no network interface ${JSON.stringify(name)}; there`);
    for (const { name: known } of listInterfaces()) expect((error as Error).message).toContain(known);
  });

  it("takes by default what is up, loopback only when there is nothing else", () => {
    const up = listInterfaces().filter((entry) => entry.up);
    const names = defaultInterfaces();
    const real = up.filter((entry) => !entry.loopback).map((entry) => entry.name);
    expect(names).toEqual(real.length > 0 ? real : up.map((entry) => entry.name));
  });
});
