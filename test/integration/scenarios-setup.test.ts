// How calls begin and fail to: SIPp on both sides of a record-routing proxy plays what networks do before an answer, and
// each attempt leaves exactly one recording, or one line that says why there is none.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OfficeRecordings, type RecordedOffice, toneHeard } from "../fakes/recorded-office.js";
import { officeObstacle } from "./heard.js";
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

const obstacle = officeObstacle(["kamailio", "sipp"]);
if (obstacle) console.log(`skipped: SIPp scenarios: ${obstacle}`);

const TALK_MS = 1500;
const EARLY_MS = 1000;

/** Rings until the proxy takes the call back. */
const loser = (stage: Stage, index: number) =>
  agentOf(stage, index)
    .receiveInvite()
    .ring()
    .receiveRequest("CANCEL")
    .respond("200 OK")
    .answer("487 Request Terminated")
    .receiveRequest("ACK");

const SCENARIOS: Record<string, (stage: Stage) => Scenario> = {
  fork: (stage) => ({
    caller: callerOf(stage).call().pause(TALK_MS).hangUp(),
    agents: [
      loser(stage, 0),
      loser(stage, 1),
      agentOf(stage, 2)
        .receiveInvite()
        .ring()
        .pause(300)
        .answer("200 OK", { sdp: {} })
        .receiveRequest("ACK")
        .speak()
        .untilHungUp(),
    ],
    ringing: [0, 1, 2],
  }),
  provisional: (stage) => ({
    caller: callerOf(stage).call().pause(TALK_MS).hangUp(),
    agents: [
      agentOf(stage)
        .receiveInvite()
        .ring()
        .answer("183 Session Progress")
        .ring()
        .answer("200 OK", { sdp: {} })
        .receiveRequest("ACK")
        .speak()
        .untilHungUp(),
    ],
  }),
  cancelled: (stage) => ({
    caller: callerOf(stage).invite().receive(180).pause(300).cancel().receive(200).receive(487).acknowledgeRefusal(),
    agents: [loser(stage, 0)],
  }),
  unanswered: (stage) => ({
    caller: callerOf(stage).invite().receive(408).acknowledgeRefusal(),
    agents: [loser(stage, 0)],
  }),
  busy: (stage) => ({
    caller: callerOf(stage).invite().receive(486).acknowledgeRefusal(),
    agents: [agentOf(stage).receiveInvite().answer("486 Busy Here").receiveRequest("ACK")],
  }),
  redirected: (stage) => ({
    caller: callerOf(stage).invite().receive(302).acknowledgeRefusal(),
    agents: [
      agentOf(stage)
        .receiveInvite()
        .answer("302 Moved Temporarily", { contact: stage.agents[1]!.user })
        .receiveRequest("ACK"),
    ],
  }),
  followed: (stage) => {
    const target = stage.agents[1]!.user;
    return {
      caller: callerOf(stage)
        .invite()
        .receive(302)
        .acknowledgeRefusal()
        .invite({}, target)
        .receive(200)
        .acknowledge()
        .speak()
        .pause(TALK_MS)
        .hangUp(),
      agents: [
        agentOf(stage).receiveInvite().answer("302 Moved Temporarily", { contact: target }).receiveRequest("ACK"),
        agentOf(stage, 1).take().untilHungUp(),
      ],
    };
  },
  hangup: (stage) => ({
    caller: callerOf(stage).call().receiveRequest("BYE").quiet().respond("200 OK"),
    agents: [agentOf(stage).take().pause(TALK_MS).quiet().request("BYE").receive(200)],
  }),
  early: (stage) => ({
    caller: callerOf(stage).call().pause(TALK_MS).hangUp(),
    agents: [
      agentOf(stage)
        .receiveInvite()
        .answer("183 Session Progress", { sdp: {} })
        .speak()
        .pause(EARLY_MS)
        .answer("200 OK", { sdp: {} })
        .receiveRequest("ACK")
        .untilHungUp(),
    ],
  }),
  lateoffer: (stage) => ({
    caller: callerOf(stage)
      .invite({ sdp: false })
      .receive(200)
      .acknowledge({ sdp: {} })
      .speak()
      .pause(TALK_MS)
      .hangUp(),
    agents: [agentOf(stage).take().untilHungUp()],
  }),
  update: (stage) => ({
    // What the INVITE offers is a port that nobody sends from: the UPDATE tells the right one.
    caller: callerOf(stage)
      .invite({ sdp: { port: "[media_port]" }, headers: ["Supported: 100rel"] })
      .receive(183)
      .request("PRACK", { headers: ["RAck: 1 1 INVITE"] })
      .receive(200)
      .request("UPDATE", { sdp: {} })
      .receive(200)
      .receive(200)
      .acknowledge()
      .speak()
      .pause(TALK_MS)
      .hangUp(),
    agents: [
      agentOf(stage)
        .receiveInvite()
        .answer("183 Session Progress", { sdp: {}, headers: ["Require: 100rel", "RSeq: 1"] })
        .receiveRequest("PRACK")
        .respond("200 OK")
        .receiveRequest("UPDATE")
        .respond("200 OK", { sdp: {} })
        .pause(200)
        .answer("200 OK")
        .receiveRequest("ACK")
        .speak()
        .untilHungUp(),
    ],
  }),
};
const REFUSED = ["cancelled", "unanswered", "busy", "redirected"];

describe.skipIf(obstacle !== undefined)("SIPp: how calls begin", () => {
  const stages = makeStages(Object.keys(SCENARIOS));
  let office: RecordedOffice;
  let heard: OfficeRecordings;

  beforeAll(async () => {
    office = makeOffice("setup", stages);
    heard = await playScenarios(office, stages, SCENARIOS, stages.size - REFUSED.length);
  }, 120_000);
  afterAll(() => office.remove());

  const outcome = (name: string) => new StageOutcome(heard, stages.get(name)!);

  it("three agents ring, one answers, the others' branches are cancelled", () => {
    outcome("fork").expectConversation(2);
    const onTheWire = (what: string) => heard.wire.count(`sip.Call-ID contains "fork-" && ${what}`);
    for (const { address } of stages.get("fork")!.agents.slice(0, 3)) {
      expect(onTheWire(`sip.Method == "INVITE" && ip.dst == ${address}`)).toBeGreaterThan(0);
    }
    expect(onTheWire('sip.Method == "CANCEL"')).toBeGreaterThanOrEqual(2);
  });

  it("several provisional responses", () => outcome("provisional").expectConversation());

  it("CANCEL before the answer", () => {
    outcome("cancelled").expectNoAudio({ endReason: "cancelled", rejectStatus: 487 });
  });

  it("rings until the proxy gives up", () => {
    outcome("unanswered").expectNoAudio({ endReason: "rejected", rejectStatus: 408 });
  });

  it("486", () => outcome("busy").expectNoAudio({ endReason: "rejected", rejectStatus: 486 }));

  it("302 that nobody follows", () => {
    outcome("redirected").expectNoAudio({ endReason: "rejected", rejectStatus: 302 });
  });

  it("302 that the caller follows under the same Call-ID", () => outcome("followed").expectConversation(1));

  it("BYE from the agent", () => outcome("hangup").expectConversation());

  it("early media is not part of the recording", () => {
    const early = outcome("early");
    const agent = early.stage.agents[0]!;
    for (const policy of ["agent-only", "both-parties"] as const) {
      const recording = early.recording(policy);
      const { manifest } = recording;
      const [stream, ...others] = manifest.parties[0].streams;
      expect(others).toEqual([]);
      expect(stream!.packets.seen).toBe(early.sent(agent.address));
      expect(stream!.discardedBy["early-media"]).toBeGreaterThan(30);
      const [span, ...further] = toneHeard(recording, 0, agent.toneHz);
      expect(further).toEqual([]);
      // What overtakes the answer by at most 200 ms belongs to the call.
      const answeredAtMs = Date.parse(manifest.answeredAt);
      expect(span!.fromMs).toBeGreaterThan(answeredAtMs - 250);
      expect(span!.fromMs).toBeLessThan(answeredAtMs + 50);
      const [sent] = heard.wire.toneFrom(agent.address, agent.toneHz);
      expect(Math.abs(span!.toMs - sent!.toMs)).toBeLessThan(100);
    }
  });

  it("late offer: the answer makes it, the ACK answers it", () => outcome("lateoffer").expectConversation());

  it("UPDATE before the answer moves the caller's media", () => outcome("update").expectConversation());
});
