// The packet filters against libpcap itself: tcpdump reads a built capture through them.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { anyLinkFilter, captureFilter } from "../../../device/capture/filter.js";
import { parse, pcapFile } from "./capture-builder.js";
import { ETHERNET_ONLY, type FilterCase, PACKETS, TAGS, TCP_PORTS } from "./filter-cases.js";
import { ethernet, ipv4, linkFrame, ports } from "./packet-builder.js";

const IPV4 = 0x0800;
const TCP = 6;
const UDP = 17;
/** What the kernel takes as a filter by default: net.core.optmem_max is 20 KiB, an instruction 8 bytes, and the kernel's
 * own form of a program is up to twice as long. */
const MAX_INSTRUCTIONS = 1200;
/** As many as sip.tcpPorts may have, none next to another. */
const MANY_PORTS = Array.from({ length: 64 }, (_, i) => 1000 + i * 977);

const tcpdump = spawnSync("tcpdump", ["--version"]);
const hasTcpdump = tcpdump.error === undefined;
if (!hasTcpdump) console.log("skipped: tcpdump is not installed");

/** Which of the frames pass, by index: their index is their time. */
function passing(filter: string, linkType: number, frames: readonly Buffer[]): number[] {
  const records = frames.map((data, i) => ({ seconds: 1, fraction: i, data }));
  const input = pcapFile(records, { linkType });
  const run = spawnSync("tcpdump", ["-r", "-", "-w", "-", filter], { input, maxBuffer: 16 * 1024 * 1024 });
  if (run.status !== 0) throw new Error(`tcpdump: ${run.stderr.toString()}`);
  return parse(run.stdout).frames.map((frame) => frame.capturedAtUs - 1_000_000);
}

function expectCases(filter: string, linkType: number, cases: readonly FilterCase[], frames: readonly Buffer[]): void {
  const passed = new Set(passing(filter, linkType, frames));
  const got = cases.map(({ name }, i) => `${name}: ${passed.has(i)}`);
  expect(got).toEqual(cases.map(({ name, passes }) => `${name}: ${passes}`));
}

describe.skipIf(!hasTcpdump)("the Ethernet filter", () => {
  it.each(TAGS.map((tags) => ({ tags, name: tags.map((tag) => tag.toString(16)).join(" ") || "none" })))(
    "behind VLAN tags: $name",
    ({ tags }) => {
      const cases = [...PACKETS, ...ETHERNET_ONLY];
      expectCases(
        captureFilter(TCP_PORTS),
        1,
        cases,
        cases.map(({ type, packet }) => ethernet(type, packet, tags)),
      );
    },
  );

  it("passes deeper stacks of tags whole", () => {
    const frame = ethernet(IPV4, ipv4(UDP, ports(1, 2)), [0x88a8, 0x8100, 0x8100]);
    expect(passing(captureFilter(TCP_PORTS), 1, [frame])).toEqual([0]);
  });

  it("passes UDP of a frame that was cut right behind what the filter looks at", () => {
    const frame = ethernet(IPV4, ipv4(UDP, ports(1, 2))).subarray(0, 24);
    expect(passing(captureFilter(TCP_PORTS), 1, [frame, frame.subarray(0, 13)])).toEqual([0]);
  });
});

describe.skipIf(!hasTcpdump)("the filter for other link layers", () => {
  it.each([
    ["raw IP", 101],
    ["Linux cooked", 113],
    ["Linux cooked 2", 276],
    ["Ethernet", 1],
  ])("on %s", (_name, linkType) => {
    const frames = PACKETS.map(({ type, packet }) =>
      linkType === 1 ? ethernet(type, packet) : linkFrame(linkType, type, packet),
    );
    expectCases(anyLinkFilter(TCP_PORTS), linkType, PACKETS, frames);
  });

  it("passes tagged and tunnelled cooked frames whole", () => {
    const frames = [0x8100, 0x88a8, 0x8864, 0x8847, 0x0806].map((type) => linkFrame(113, type, Buffer.alloc(60)));
    expect(passing(anyLinkFilter(TCP_PORTS), 113, frames)).toEqual([0, 1, 2, 3]);
  });
});

describe.skipIf(!hasTcpdump)("the list of TCP ports", () => {
  it("may be as long as the configuration allows", () => {
    for (const filter of [captureFilter(MANY_PORTS), anyLinkFilter(MANY_PORTS)]) {
      const compiled = spawnSync("tcpdump", ["-y", "EN10MB", "-ddd", filter], { encoding: "utf8" });
      expect(compiled.status, compiled.stderr).toBe(0);
      expect(Number(compiled.stdout.split("\n")[0])).toBeLessThan(MAX_INSTRUCTIONS);
      const frames = [...MANY_PORTS, 443].map((port) => ethernet(IPV4, ipv4(TCP, ports(80, port)), []));
      expect(passing(filter, 1, frames)).toEqual(MANY_PORTS.map((_, i) => i));
    }
  });

  it("may be empty: no TCP then", () => {
    const packets = [ipv4(TCP, ports(5060, 5060)), ipv4(UDP, ports(5060, 5060)), ipv4(TCP, ports(80, 443))];
    const frames = packets.map((packet) => ethernet(IPV4, packet, []));
    expect(passing(captureFilter([]), 1, frames)).toEqual([1]);
    expect(passing(anyLinkFilter([]), 1, frames)).toEqual([1]);
  });
});
