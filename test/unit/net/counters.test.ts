import { describe, expect, it } from "vitest";
import { NetCounters } from "../../../device/net/counters.js";
import { TcpCounters } from "../../../device/net/tcp-counters.js";

describe("counters", () => {
  it("are exported flat, under names in kebab case", () => {
    const net = new NetCounters();
    net.frames = 3;
    net.unknownLinkType = 2;
    const record = net.toRecord();
    expect(record).toMatchObject({ "net.frames": 3, "net.unknown-link-type": 2, "net.fragment-timeout": 0 });
    expect(Object.keys(record).every((name) => /^net\.[a-z-]+$/.test(name))).toBe(true);
    expect(Object.keys(record)).toHaveLength(Object.keys(net).length);
  });

  it("of TCP stand below net.tcp-, beside the decoder's own", () => {
    const tcp = new TcpCounters().toRecord();
    expect(tcp).toMatchObject({ "net.tcp-segments": 0, "net.tcp-out-of-order": 0 });
    expect(Object.keys(tcp).filter((name) => name in new NetCounters().toRecord())).toEqual([]);
  });
});
