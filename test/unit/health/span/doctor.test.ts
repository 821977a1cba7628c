// Made faults of a mirror port: each is named, by its code and with the figure that proves it, and nothing else is; a sound
// mirror passes every check.
import { afterEach, describe, expect, it } from "vitest";
import { SPAN_CHECK_IDS, SPAN_FAULTS, type SpanReport } from "../../../../device/contract/span.js";
import { type CallOptions, DEFAULT_START_US } from "../../../fakes/call-options.js";
import { mirrored } from "../../../fakes/mirror.js";
import { makeCall } from "../../../fakes/office-call.js";
import { officeConfig } from "../../../fakes/recorder-run.js";
import { faultsOf, figureOf, type LookOptions, SOUND_PORT, SpanLook } from "../../../fakes/span-look.js";
import { mergeCalls, type TimedFrame } from "../../../fakes/timed-frames.js";
import { overTls } from "../../../fakes/tls-call.js";

const SECOND_US = 1_000_000;
const looks: SpanLook[] = [];
afterEach(() => {
  for (const look of looks.splice(0)) look.remove();
});

function look(options: LookOptions = {}): SpanLook {
  const made = new SpanLook(options);
  looks.push(made);
  return made;
}

/** Calls that overlap, each with its own phones. */
function office(
  count: number,
  options: CallOptions = {},
  edit: (call: TimedFrame[], n: number) => TimedFrame[] = (x) => x,
) {
  return mergeCalls(
    ...Array.from({ length: count }, (_, n) =>
      edit(
        makeCall({
          durationMs: 8000,
          ...options,
          callId: `call-${n}-${options.startUs ?? 0}@office.example`,
          startUs: (options.startUs ?? DEFAULT_START_US) + n * 200_000,
          caller: { address: `198.51.100.${20 + n}`, user: `03012345${60 + n}`, ...options.caller },
          callee: { address: `10.0.0.${7 + n}`, user: String(21 + n), ...options.callee },
        }),
        n,
      ),
    ),
  );
}

const isRtp = ({ kind }: TimedFrame): boolean => kind === "rtp";

describe("a sound mirror", () => {
  it("passes every check", async () => {
    const report = await look().feed(office(4)).report();
    expect(report.checks.filter(({ state }) => state !== "pass")).toEqual([]);
    expect([report.state, report.checks.map(({ id }) => id)]).toEqual(["pass", SPAN_CHECK_IDS]);
    expect(figureOf(report, "media-directions")).toBe("both in 4 calls");
    expect(figureOf(report, "agents")).toBe("known in 4 of 4 calls");
    expect(figureOf(report, "link")).toBe("mirror0 up 1000 Mbit/s full duplex");
  });

  it("is not judged by what has not come yet", async () => {
    const report = await look().pass(5).report();
    expect(faultsOf(report)).toEqual([]);
    expect(report.checks.find(({ id }) => id === "media")!.state).toBe("not-seen");
    expect(report.checks.find(({ id }) => id === "sip")!.state).toBe("not-seen");
  });

  it("says what each address appears to be", async () => {
    const config = officeConfig({ trunks: { match: ["198.51.100.0/24"] } });
    const report = await look({ config }).feed(office(2)).report();
    const kinds = Object.fromEntries(
      report.endpoints.map(({ address, kind, evidence }) => [address, [kind, evidence]]),
    );
    expect(kinds["10.0.0.7"]).toEqual(["agent", "agents.match 10.0.0.0/24 on media 10.0.0.7"]);
    expect(kinds["198.51.100.21"]).toEqual(["trunk", "trunks.match 198.51.100.0/24 on address 198.51.100.21"]);
    expect(report.endpoints).toHaveLength(4);
  });
});

const FAULTS: [string, string[], () => Promise<SpanReport>][] = [
  ["no packet for a minute", ["packets: no-packets"], () => look().pass(70).report()],
  [
    "packets and none of them SIP",
    ["sip: no-sip"],
    () =>
      look()
        .feed(office(3, { durationMs: 130_000 }).filter(isRtp))
        .report(),
  ],
  [
    "the callers' side of the signalling missing",
    ["sip-directions: sip-one-way"],
    () =>
      look()
        .feed(office(1, {}).filter(({ kind, from }) => kind === "rtp" || from === "callee"))
        .report(),
  ],
  [
    "the agents' audio missing",
    ["media-directions: media-one-way"],
    () =>
      look()
        .feed(office(3).filter(({ kind, from }) => kind === "sip" || from === "caller"))
        .report(),
  ],
  [
    "media elsewhere",
    ["media: media-elsewhere"],
    () =>
      look()
        .feed(office(3).filter(({ kind }) => kind === "sip"))
        .report(),
  ],
  [
    "SRTP",
    ["media-encrypted: media-encrypted"],
    () =>
      look()
        .feed(office(2, { sdpLines: sdesLines() }))
        .report(),
  ],
  [
    "SRTP, where nothing is recorded anyway",
    ["media-encrypted: media-encrypted"],
    () =>
      look({ config: officeConfig({ consent: { policy: "none" } }) })
        .feed(office(2, { sdpLines: sdesLines() }))
        .report(),
  ],
  [
    "signalling over TLS only",
    ["sip-encrypted: sip-tls"],
    async () =>
      look()
        .feed(await overTls(office(1)))
        .report(),
  ],
  [
    "signalling over TLS of some",
    ["sip-encrypted: sip-partly-tls"],
    async () => {
      const hidden = await overTls(office(1, { startUs: DEFAULT_START_US + SECOND_US }));
      return look()
        .feed(mergeCalls(office(1), hidden))
        .report();
    },
  ],
  [
    "agents in another network",
    ["agents: agents-not-found"],
    () =>
      look({ config: officeConfig({ agents: { match: ["10.9.0.0/24"] } }) })
        .feed(office(3))
        .report(),
  ],
  [
    "no agents configured",
    ["agents: agents-not-configured"],
    () =>
      look({ config: officeConfig({ agents: { match: [] } }) })
        .feed(office(1))
        .report(),
  ],
  [
    "both sides agents'",
    ["agents: agents-contradictory"],
    () =>
      look({ config: officeConfig({ agents: { match: ["10.0.0.0/24", "198.51.100.0/24"] } }) })
        .feed(office(2))
        .report(),
  ],
  [
    "packets twice",
    ["copies: copies-same"],
    () =>
      look()
        .feed(mirrored(office(2), { kinds: ["same"] }))
        .report(),
  ],
  [
    "packets in two VLANs",
    ["copies: copies-vlan"],
    () =>
      look()
        .feed(mirrored(office(2), { kinds: ["vlan"] }))
        .report(),
  ],
  [
    "packets on both sides of a router",
    ["copies: copies-routed"],
    () =>
      look()
        .feed(mirrored(office(2), { kinds: ["ttl"] }))
        .report(),
  ],
  [
    "packets on two interfaces",
    ["copies: copies-interface"],
    () =>
      look()
        .feed(mirrored(office(2), { kinds: ["interface"] }))
        .report(),
  ],
  [
    "phones that moved to another VLAN",
    ["vlans: vlan-changed"],
    () =>
      look()
        .feed(office(2, { link: { vlan: [20] } }))
        .pass(40)
        .feed(office(2, { link: { vlan: [30] }, startUs: DEFAULT_START_US + 60 * SECOND_US }))
        .pass(30)
        .report(),
  ],
  [
    "an agents' VLAN that is not mirrored",
    ["vlans: agent-vlan-silent"],
    () =>
      look({ config: officeConfig({ agents: { match: ["10.0.0.0/24"], vlans: [40] } }) })
        .feed(office(2))
        .report(),
  ],
  [
    "a mirror that loses packets",
    ["loss: mirror-loss"],
    () =>
      look()
        .feed(office(5).filter((one, n) => !isRtp(one) || n % 40 > 1))
        .report(),
  ],
  [
    "a phone's link that loses packets",
    ["loss: network-loss"],
    () =>
      look()
        .feed(office(5, {}, (call, n) => (n === 2 ? dropSome(call, "callee") : call)))
        .report(),
  ],
  [
    "a link that is down",
    ["link: no-link"],
    () =>
      look({ interfaces: [{ ...SOUND_PORT, hasLink: false }] })
        .feed(office(1))
        .report(),
  ],
  [
    "an address on the capture port",
    ["address: capture-port-address"],
    () =>
      look({ interfaces: [{ ...SOUND_PORT, addresses: ["192.0.2.9"] }] })
        .feed(office(1))
        .report(),
  ],
  [
    "promiscuous mode off",
    ["promiscuous: not-promiscuous"],
    () =>
      look({ interfaces: [{ ...SOUND_PORT, isPromiscuous: false }] })
        .feed(office(1))
        .report(),
  ],
  [
    "an offload that is on",
    ["offload: packets-joined"],
    () =>
      look({ interfaces: [{ ...SOUND_PORT, joining: ["generic-receive-offload"] }] })
        .feed(office(1))
        .report(),
  ],
  [
    "packets that were joined",
    ["offload: packets-joined"],
    () =>
      look({ source: { joinedFrames: 3 } })
        .feed(office(1))
        .report(),
  ],
  [
    "kernel drops",
    ["drops: kernel-drops"],
    () =>
      look({ source: { kernelDrops: 12 } })
        .feed(office(1))
        .report(),
  ],
  [
    "card drops",
    ["drops: interface-drops"],
    () =>
      look({ source: { interfaceDrops: 12 } })
        .feed(office(1))
        .report(),
  ],
  ["no time server", ["clock: clock-unsynchronized"], () => look({ clock: false }).feed(office(1)).report()],
  ["a clock that was set", ["clock: clock-ahead"], () => look({ clockStepped: true }).feed(office(1)).report()],
  [
    "fragments missing",
    ["fragments: fragments-lost"],
    () =>
      look()
        .feed(withoutLastFragments(office(2, { mtu: 300 })))
        .pass(10)
        .report(),
  ],
];

describe("a mirror with", () => {
  it.each(FAULTS)("%s", async (_, faults, run) => {
    const report = await run();
    // One fault may hide what others are judged by, and never makes up another one.
    expect(faultsOf(report)).toEqual(faults);
    const [check] = report.checks.filter(({ findings }) => findings.length > 0);
    const [finding] = check!.findings;
    expect(check!.state).toBe(SPAN_FAULTS[finding!.code].state);
    expect(finding!.remedy).toBe(SPAN_FAULTS[finding!.code].remedy);
    expect(finding!.figure).not.toBe("");
  });

  it("a fault that was mended passes again", async () => {
    const one = look().feed(office(3).filter(({ kind, from }) => kind === "sip" || from === "caller"));
    const report = await one.feed(office(4, { startUs: DEFAULT_START_US + 30 * SECOND_US })).report();
    expect(faultsOf(report)).toEqual([]);
    expect(figureOf(report, "media-directions")).toContain("none of the last 3");
  });
});

function sdesLines(): NonNullable<CallOptions["sdpLines"]> {
  const line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
  return { caller: [line], callee: [line] };
}

function dropSome(call: readonly TimedFrame[], from: TimedFrame["from"]): TimedFrame[] {
  let packet = 0;
  return call.filter((one) => !isRtp(one) || one.from !== from || packet++ % 10 !== 5);
}

/** IPv4's "more fragments" flag is clear in the last one, whose offset is not zero. */
function withoutLastFragments(frames: readonly TimedFrame[]): TimedFrame[] {
  return frames.filter(({ frame }, n) => {
    const word = frame.readUInt16BE(20);
    return (word & 0x1fff) === 0 || (word & 0x2000) !== 0 || n % 2 === 0;
  });
}
