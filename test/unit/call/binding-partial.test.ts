// Calls of which the mirror shows only part of the signalling: media is bound by what is left of the descriptions, by
// either side's, and never by who signals.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";
import {
  AGENT,
  bothParties,
  byNetwork,
  byNumber,
  CALLER,
  fates,
  media,
  record,
  signalling,
  withHostName,
  without,
  withoutSdp,
} from "./binding-scene.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const MEDIA = mergeCalls(media("caller", CALLER, AGENT), media("agent", AGENT, CALLER));
const WHOLE = [`${AGENT} > ${CALLER}: answerer 200/200`, `${CALLER} > ${AGENT}: originator 200/200`];
const NO_CONSENT = [
  `${AGENT} > ${CALLER}: answerer 0/200 role-unknown`,
  `${CALLER} > ${AGENT}: originator 0/200 role-unknown`,
];

const told = (sip: readonly TimedFrame[], config = byNumber()) => fates(mergeCalls(sip, MEDIA), config, folder);

describe("with one side's description", () => {
  it.each([
    ["the answer's lost", withoutSdp(signalling(), "200 INVITE")],
    ["the offer's lost", withoutSdp(signalling(), "INVITE")],
    ["the offer's by host name", withHostName(signalling(), "phone.example.net", "INVITE")],
    ["the answer's by host name", withHostName(signalling(), "phone.example.net", "200 INVITE")],
    ["the INVITE not captured", without(signalling(), "INVITE", "100 INVITE")],
    ["only responses captured", signalling({ onlyResponses: true })],
  ])("both sides' media is bound, %s", async (_name, sip) => {
    expect(await told(sip)).toEqual(WHOLE);
    expect(await told(sip, bothParties())).toEqual(WHOLE);
  });

  it("an agent known by its address needs its own", async () => {
    expect(await told(withoutSdp(signalling(), "INVITE"), byNetwork())).toEqual(WHOLE);
    expect(await told(withoutSdp(signalling(), "200 INVITE"), byNetwork())).toEqual(NO_CONSENT);
  });

  it("a source that comes after the first is refused all the same", async () => {
    const frames = mergeCalls(
      withoutSdp(signalling(), "200 INVITE"),
      MEDIA,
      media("stranger", "10.0.0.9:40000", CALLER, { fromMs: 1010 }),
    );
    expect(await fates(frames, byNumber(), folder)).toContain(
      `10.0.0.9:40000 > ${CALLER}: answerer 0/150 source-changed`,
    );
  });

  it("the last fragment of the INVITE may be lost", async () => {
    const sip = signalling({ mtu: 576, headers: { invite: [["X-Long", "x".repeat(1200)]] } });
    const invite = sip.filter(({ label }) => label === "INVITE");
    expect(invite.length).toBeGreaterThan(2);
    expect(await told(sip.filter((one) => one !== invite.at(-1)))).toEqual(WHOLE);
  });
});

describe("without any description", () => {
  it.each([
    ["between the signalling hosts", CALLER, AGENT],
    ["between their signalling ports", "198.51.100.20:5060", "10.0.0.7:5060"],
  ])("nothing is guessed %s", async (_name, caller, agent) => {
    const sip = withoutSdp(signalling(), "INVITE", "200 INVITE");
    const frames = mergeCalls(sip, media("caller", caller, agent), media("agent", agent, caller));
    const { records, counts } = await record(frames, bothParties(), folder);
    expect(records).toMatchObject([{ streams: [], noAudio: "no-media" }]);
    expect(counts["rtp.unbound"]).toBe(400);
  });

  it("nothing is guessed when both name hosts", async () => {
    const sip = withHostName(signalling(), "phone.example.net", "INVITE", "200 INVITE");
    const { records } = await record(mergeCalls(sip, MEDIA), bothParties(), folder);
    expect(records).toMatchObject([{ streams: [], noAudio: "no-media" }]);
  });
});

describe("media and answer out of order", () => {
  it("the answer is seen up to 200 ms after the first packets of both sides", async () => {
    for (const lateMs of [20, 100, 190]) {
      const frames = mergeCalls(
        signalling(),
        media("caller", CALLER, AGENT, { fromMs: -lateMs }),
        media("agent", AGENT, CALLER, { fromMs: -lateMs }),
      );
      const packets = Math.ceil((4000 + lateMs) / 20);
      for (const config of [byNumber, bothParties]) {
        expect(await fates(frames, config(), folder)).toEqual([
          `${AGENT} > ${CALLER}: answerer ${packets}/${packets}`,
          `${CALLER} > ${AGENT}: originator ${packets}/${packets}`,
        ]);
      }
      // Before its address is described nobody is the agent: not only the answer is missing.
      expect(await fates(frames, byNetwork(), folder)).toEqual([
        `${AGENT} > ${CALLER}: answerer 200/${packets} role-unknown`,
        `${CALLER} > ${AGENT}: originator 200/${packets} role-unknown`,
      ]);
    }
  });

  it("the answer is seen after the first packets of a caller behind NAT", async () => {
    const nat = "203.0.113.5:61000";
    const frames = mergeCalls(
      signalling({ caller: { address: "192.168.7.2" } }),
      media("agent", AGENT, nat, { fromMs: -150 }),
      media("caller", nat, AGENT, { fromMs: -150 }),
    );
    // Neither end of these is described yet; with the answer both are bound.
    const { records, counts } = await record(frames, byNumber(), folder);
    expect(records[0]!.streams.map(({ packets }) => [packets.recorded, packets.seen])).toEqual([
      [200, 200],
      [200, 200],
    ]);
    expect(counts["rtp.unbound"]).toBe(16);
  });

  it("an answer that is never seen opens nothing", async () => {
    // An acknowledgement without a description may be a refusal's.
    for (const lost of [["200 INVITE"], ["200 INVITE", "ACK"]]) {
      const { records } = await record(mergeCalls(without(signalling(), ...lost), MEDIA), bothParties(), folder);
      expect(records).toMatchObject([{ noAudio: "not-answered", endReason: "bye" }]);
      expect(records[0]!.streams.map(({ packets }) => packets.recorded)).toEqual([0, 0]);
    }
  });
});
