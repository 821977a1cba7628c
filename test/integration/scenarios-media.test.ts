// What happens to the audio of a call under way: SIPp on both sides of a record-routing proxy changes addresses, codecs
// and directions, and the recording follows packet by packet. RFC 3264 §8, RFC 3311, RFC 4028.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OfficeRecordings, RecordedOffice } from "../fakes/recorded-office.js";
import type { ScriptDescription } from "../fakes/sipp-script.js";
import { toneLevel } from "../fakes/tone.js";
import { expectAsOnTheWire, expectPacketCounts, expectSilent, gapsMs, officeObstacle } from "./heard.js";
import {
  agentOf,
  callerOf,
  makeOffice,
  makeStages,
  playScenarios,
  type Scenario,
  type Stage,
  StageOutcome,
} from "./scenario-office.js";

const obstacle = officeObstacle(["kamailio", "sipp", "ffmpeg"]);
if (obstacle) console.log(`skipped: SIPp scenarios: ${obstacle}`);

const TALK_MS = 1200;
const HOLD_MS = 1000;
/** What ffmpeg may take to begin. */
const STARTUP_MS = 2500;
const MOVED_PORT = 40_000;

/** ffmpeg speaks a tone in PCMA to the peer, in packets of 20 ms. */
function speakFrom(address: string, toneHz: number, to: string, durationMs: number): string {
  const input = `sine=frequency=${toneHz}:sample_rate=8000:duration=${durationMs / 1000}`;
  const audio = "-af volume=4,asetnsamples=n=160 -ac 1 -c:a pcm_alaw";
  const target = `rtp://${to}:$1?localaddr=${address}&localrtpport=${MOVED_PORT}&pkt_size=172`;
  return `ffmpeg -nostdin -loglevel error -re -f lavfi -i ${input} ${audio} -f rtp "${target}"`;
}

/** The agent puts the caller on hold and takes the call back; both are silent in between. */
function holdByAgent(hold: ScriptDescription, answer: ScriptDescription, method: "INVITE" | "UPDATE" = "INVITE") {
  return (stage: Stage): Scenario => {
    const agent = agentOf(stage).take().pause(TALK_MS).quiet().request(method, { sdp: hold }).receive(200);
    const caller = callerOf(stage).call().receiveRequest(method).quiet().respond("200 OK", { sdp: answer });
    if (method === "INVITE") {
      agent.acknowledge();
      caller.receiveRequest("ACK");
    }
    agent.pause(HOLD_MS).request(method, { sdp: {} }).receive(200);
    caller.receiveRequest(method).respond("200 OK", { sdp: {} });
    if (method === "INVITE") {
      agent.acknowledge();
      caller.receiveRequest("ACK");
    }
    return {
      agents: [agent.speakAgain().untilHungUp()],
      caller: caller.speakAgain().pause(TALK_MS).hangUp(),
    };
  };
}

const SCENARIOS: Record<string, (stage: Stage) => Scenario> = {
  moved: (stage) => ({
    caller: callerOf(stage)
      .call()
      .receiveRequest("INVITE")
      .respond("200 OK", { sdp: {} })
      .receiveRequest("ACK")
      .pause(TALK_MS + STARTUP_MS)
      .hangUp(),
    agents: [
      agentOf(stage)
        .take()
        .pause(TALK_MS)
        .quiet()
        .request("INVITE", { sdp: { address: stage.spare, port: String(MOVED_PORT) } })
        .receiveDescription(200)
        .acknowledge()
        .run(speakFrom(stage.spare, stage.agents[0]!.toneHz, stage.caller.address, TALK_MS))
        .untilHungUp(),
    ],
  }),
  port: (stage) => ({
    caller: callerOf(stage)
      .invite({ sdp: { port: "[media_port]" } })
      .receive(200)
      .acknowledge()
      .play({ durationMs: TALK_MS })
      .pause(TALK_MS)
      .request("INVITE", { sdp: { port: "[media_port+2]" } })
      .receive(200)
      .acknowledge()
      .play({ durationMs: TALK_MS })
      .pause(TALK_MS)
      .request("BYE")
      .receive(200),
    agents: [
      agentOf(stage).take().receiveRequest("INVITE").respond("200 OK", { sdp: {} }).receiveRequest("ACK").untilHungUp(),
    ],
  }),
  codec: (stage) => ({
    caller: callerOf(stage)
      .call()
      .pause(TALK_MS)
      .request("INVITE", { sdp: { codec: "PCMU" } })
      .receive(200)
      .acknowledge()
      .speak("PCMU")
      .pause(TALK_MS)
      .hangUp(),
    agents: [
      agentOf(stage)
        .take()
        .receiveRequest("INVITE")
        .respond("200 OK", { sdp: { codec: "PCMU" } })
        .receiveRequest("ACK")
        .speak("PCMU")
        .untilHungUp(),
    ],
  }),
  ptime: (stage) => ({
    caller: callerOf(stage)
      .call()
      .receiveRequest("INVITE")
      .respond("200 OK", { sdp: { ptimeMs: 40 } })
      .receiveRequest("ACK")
      .pause(TALK_MS)
      .hangUp(),
    agents: [
      agentOf(stage)
        .receiveInvite()
        .ring()
        .answer("200 OK", { sdp: { port: "[media_port]", ptimeMs: 20 } })
        .receiveRequest("ACK")
        .play({ durationMs: TALK_MS })
        .pause(TALK_MS)
        .request("INVITE", { sdp: { port: "[media_port]", ptimeMs: 40 } })
        .receive(200)
        .acknowledge()
        .play({ durationMs: TALK_MS, ptimeMs: 40 })
        .receiveRequest("BYE")
        .respond("200 OK"),
    ],
  }),
  glare: (stage) => ({
    caller: callerOf(stage)
      .call()
      .pause(TALK_MS)
      .request("INVITE", { sdp: { direction: "inactive" } })
      .mayTry()
      .receiveRequest("INVITE")
      .respond("491 Request Pending")
      .receiveRequest("ACK")
      .receive(491)
      .acknowledgeFailure()
      .pause(TALK_MS)
      .quiet()
      .request("INVITE", { sdp: { direction: "sendonly" } })
      .receive(200)
      .acknowledge()
      .pause(HOLD_MS)
      .request("BYE")
      .receive(200),
    agents: [
      agentOf(stage)
        .take()
        .keepRequest("INVITE")
        .request("INVITE", { sdp: { direction: "sendonly" } })
        .receive(491)
        .acknowledgeFailure()
        .respondLater("491 Request Pending")
        .receiveRequest("ACK")
        .receiveRequest("INVITE")
        .quiet()
        .respond("200 OK", { sdp: { direction: "recvonly" } })
        .receiveRequest("ACK")
        .receiveRequest("BYE")
        .respond("200 OK"),
    ],
  }),
  sendonly: holdByAgent({ direction: "sendonly" }, { direction: "recvonly" }),
  inactive: holdByAgent({ direction: "inactive" }, { direction: "inactive" }),
  zero: holdByAgent({ address: "0.0.0.0" }, {}),
  zeroend: (stage) => ({
    caller: callerOf(stage)
      .call()
      .receiveRequest("INVITE")
      .quiet()
      .respond("200 OK", { sdp: { direction: "recvonly" } })
      .receiveRequest("ACK")
      .pause(HOLD_MS)
      .request("BYE")
      .receive(200),
    agents: [
      agentOf(stage)
        .take()
        .pause(TALK_MS)
        .request("INVITE", { sdp: { address: "0.0.0.0", direction: "sendonly" } })
        .receive(200)
        .acknowledge()
        .untilHungUp(),
    ],
  }),
  updated: holdByAgent({ direction: "sendonly" }, { direction: "recvonly" }, "UPDATE"),
  refreshed: (stage) => ({
    caller: callerOf(stage)
      .call({ headers: ["Supported: timer", "Session-Expires: 90;refresher=uac"] })
      .pause(TALK_MS)
      .request("UPDATE", { headers: ["Supported: timer", "Session-Expires: 90;refresher=uac"] })
      .receive(200)
      .pause(TALK_MS)
      .hangUp(),
    agents: [
      agentOf(stage)
        .take({ sdp: {}, headers: ["Require: timer", "Session-Expires: 90;refresher=uac"] })
        .receiveRequest("UPDATE")
        .respond("200 OK", { headers: ["Require: timer", "Session-Expires: 90;refresher=uac"] })
        .untilHungUp(),
    ],
  }),
};

describe.skipIf(obstacle !== undefined)("SIPp: calls under way", () => {
  const stages = makeStages(Object.keys(SCENARIOS));
  let office: RecordedOffice;
  let heard: OfficeRecordings;

  beforeAll(async () => {
    office = makeOffice("media", stages);
    heard = await playScenarios(office, stages, SCENARIOS, stages.size);
  }, 120_000);
  afterAll(() => office.remove());

  const outcome = (name: string) => new StageOutcome(heard, stages.get(name)!);

  it("re-INVITE moves the agent to another address and port", () => {
    const { agents, caller, spare } = stages.get("moved")!;
    const [agent] = agents;
    for (const policy of ["agent-only", "both-parties"] as const) {
      const recording = outcome("moved").recording(policy);
      const { manifest } = recording;
      expect(manifest.parties.map(({ role, channel }) => [role, channel])).toEqual([
        ["agent", 0],
        ["caller", 1],
      ]);
      for (const address of [agent!.address, spare]) {
        expect(heard.wire.toneFrom(address, agent!.toneHz).length).toBe(1);
      }
      expectAsOnTheWire(heard, recording, 0, { toneHz: agent!.toneHz, address: [agent!.address, spare] });
      for (const address of [agent!.address, spare]) expectPacketCounts(heard, manifest, 0, address, "kept");
      if (policy === "agent-only") expectSilent(recording, 1);
      else expectAsOnTheWire(heard, recording, 1, caller);
    }
  });

  it("re-INVITE moves the caller to another port", () => {
    outcome("port").expectConversation();
    const [, caller] = outcome("port").recording("both-parties").manifest.parties;
    expect(new Set(caller.streams.map(({ source }) => source)).size).toBe(2);
  });

  it("re-INVITE changes the codec", () => {
    outcome("codec").expectConversation();
    const { channels, manifest, sampleRateHz } = outcome("codec").recording("both-parties");
    const { agents, caller } = stages.get("codec")!;
    for (const [channel, { toneHz }] of [agents[0]!, caller].entries()) {
      const samples = channels[channel]!;
      const [early, late] = [0.5, TALK_MS / 1000 + 0.5].map((at) =>
        samples.subarray(at * sampleRateHz).subarray(0, 4000),
      );
      // Decoded by the wrong law it would be far louder or softer.
      expect(toneLevel(early!, toneHz, sampleRateHz)).toBeCloseTo(0.5, 1);
      expect(toneLevel(late!, toneHz, sampleRateHz)).toBeCloseTo(0.5, 1);
    }
    const codecs = outcome("codec")
      .line("both-parties")
      .parties.map((party) => [...party.codecs].sort());
    expect(codecs).toEqual([
      ["PCMA", "PCMU"],
      ["PCMA", "PCMU"],
    ]);
    expect(manifest.warnings).toEqual([]);
  });

  it("re-INVITE changes the packet time", () => {
    outcome("ptime").expectConversation();
    const sizes = heard.wire.rtpFrom(stages.get("ptime")!.agents[0]!.address).map(({ payload }) => payload.length);
    expect([...new Set(sizes)]).toEqual([160, 320]);
  });

  it("two re-INVITEs cross and are refused with 491, a later one succeeds", () => {
    outcome("glare").expectConversation();
    const { events } = outcome("glare").recording("both-parties").manifest;
    const [hold, ...more] = events.filter(({ kind }) => kind === "hold" || kind === "resume");
    expect(more).toEqual([]);
    expect(hold!.kind).toBe("hold");
    expect(hold!.atMs).toBeGreaterThan(2 * TALK_MS - 200);
  });

  it.each([
    ["a=sendonly", "sendonly"],
    ["a=inactive", "inactive"],
    ["c=0.0.0.0", "zero"],
    ["a=sendonly in an UPDATE", "updated"],
  ])("the agent holds with %s and resumes", (_how, name) => {
    outcome(name).expectConversation();
    expect(outcome(name).eventKinds("hold", "resume")).toEqual(["hold", "resume"]);
    const { agents, caller } = stages.get(name)!;
    for (const { address, toneHz } of [agents[0]!, caller]) {
      const gaps = gapsMs(heard.wire.toneFrom(address, toneHz));
      expect(gaps.length).toBe(1);
      expect(gaps[0]).toBeGreaterThan(HOLD_MS - 200);
    }
  });

  it("the agent plays music while it holds with c=0.0.0.0, and the caller hangs up", () => {
    outcome("zeroend").expectConversation();
    expect(outcome("zeroend").eventKinds("hold", "resume")).toEqual(["hold"]);
  });

  it("a session timer's UPDATE without a description changes nothing", () => {
    outcome("refreshed").expectConversation();
    expect(outcome("refreshed").eventKinds("hold", "resume", "codec")).toEqual([]);
  });
});
