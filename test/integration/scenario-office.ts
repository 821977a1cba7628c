// An office in which SIPp plays many calls at once: each scenario has addresses of its own for its caller and its agents,
// so that what it sent is known by its address.
import { expect } from "vitest";
import { PROXY_ADDRESS, PROXY_HOST } from "../fakes/kamailio.js";
import { countSockets, waitUntil } from "../fakes/office-program.js";
import {
  type HeardRecording,
  type OfficeRecordings,
  RecordedOffice,
  type RecordedPolicy,
} from "../fakes/recorded-office.js";
import { AgentScript } from "../fakes/sipp-agent.js";
import { CallerScript } from "../fakes/sipp-caller.js";
import { SippParties } from "../fakes/sipp-party.js";
import { expectAsOnTheWire, expectPacketCounts, expectSilent, only } from "./heard.js";

const AGENTS = "10.77.1.0/24";
const CALLER_HZ = 1000;
const AGENT_HZ = 440;
const MAX_AGENTS = 4;

/** A party of a scenario: where it is and how it is known. */
export interface Place {
  user: string;
  address: string;
  toneHz: number;
}

/** What one scenario has to play with. */
export interface Stage {
  name: string;
  caller: Place;
  /** Agents of the number that is called; the first one is reached unless the scenario says otherwise. */
  agents: Place[];
  /** A further address of the agent's host, in the agents' network. */
  spare: string;
}

/** The scripts of one call; `agents` in the order of the stage's. */
export interface Scenario {
  caller: CallerScript;
  agents: AgentScript[];
  /** Contacts of the called number, by index of the agent; default the first agent only. */
  ringing?: number[];
}

export function makeStages(names: readonly string[]): Map<string, Stage> {
  const stages = names.map((name, i): Stage => {
    const number = String(i).padStart(2, "0");
    const agents = Array.from({ length: MAX_AGENTS }, (_, k) => ({
      user: `2${number}${k}`,
      address: `10.77.1.${1 + i * (MAX_AGENTS + 1) + k}`,
      toneHz: AGENT_HZ + 60 * k,
    }));
    const caller = { user: `4${number}0`, address: `10.77.2.${i + 1}`, toneHz: CALLER_HZ };
    return { name, caller, agents, spare: `10.77.1.${1 + i * (MAX_AGENTS + 1) + MAX_AGENTS}` };
  });
  return new Map(stages.map((stage) => [stage.name, stage]));
}

export function callerOf({ caller, agents }: Stage, peer: Place = agents[0]!): CallerScript {
  return new CallerScript({ user: caller.user, toneHz: caller.toneHz, peer: peer.user });
}

export function agentOf({ caller, agents }: Stage, index = 0): AgentScript {
  const { user, toneHz } = agents[index]!;
  return new AgentScript({ user, toneHz, peer: caller.user });
}

/** Plays every scenario at once and gives what was recorded. `answered`: how many of them lead to a conversation. */
export async function playScenarios(
  office: RecordedOffice,
  stages: ReadonlyMap<string, Stage>,
  scenarios: Readonly<Record<string, (stage: Stage) => Scenario>>,
  answered: number,
): Promise<OfficeRecordings> {
  await office.open();
  const parties = new SippParties(office.network, office.folder);
  const calls: { stage: Stage; scenario: Scenario }[] = [];
  for (const [name, write] of Object.entries(scenarios)) {
    const stage = stages.get(name)!;
    calls.push({ stage, scenario: write(stage) });
  }
  const contacts = calls.flatMap(({ stage: { agents }, scenario: { ringing = [0] } }) => {
    const called = ringing.map((index) => ({ user: agents[0]!.user, address: agents[index]!.address }));
    // The others are reached under their own numbers.
    const others = agents.filter((_, index) => index > 0 && !ringing.includes(index));
    return [...called, ...others.map(({ user, address }) => ({ user, address }))];
  });
  await parties.register("agents", contacts);
  const running = calls.flatMap(({ stage, scenario }) =>
    scenario.agents.map((script, index) => parties.agent("agents", stage.agents[index]!.address, script)),
  );
  await waitUntil("the agents to listen", async () =>
    (await countSockets(office.network, "agents", 5060)) >= running.length ? true : undefined,
  );
  for (const { stage, scenario } of calls) {
    running.push(parties.caller("callers", stage.caller.address, stage.name, scenario.caller));
  }
  await Promise.all(running);
  return office.close(answered);
}

export function makeOffice(name: string, stages: ReadonlyMap<string, Stage>): RecordedOffice {
  const all = [...stages.values()];
  const hosts = {
    [PROXY_HOST]: [PROXY_ADDRESS],
    callers: all.map(({ caller }) => caller.address),
    agents: all.flatMap(({ agents, spare }) => [...agents.map(({ address }) => address), spare]),
  };
  return new RecordedOffice(name, hosts, AGENTS);
}

/** Answers about one scenario's call. */
export class StageOutcome {
  readonly stage: Stage;
  private readonly heard: OfficeRecordings;

  constructor(heard: OfficeRecordings, stage: Stage) {
    this.heard = heard;
    this.stage = stage;
  }

  /** The one line of the call log under a policy. */
  line(policy: RecordedPolicy) {
    return only(this.heard.lines(policy, ({ sipCallIds }) => this.isIts(sipCallIds)));
  }

  /** The one recording under a policy; its call has one line in the log. */
  recording(policy: RecordedPolicy): HeardRecording {
    this.line(policy);
    return only(this.heard.recordings(policy, ({ sipCallIds }) => this.isIts(sipCallIds)));
  }

  /** RTP packets of the address on the wire. */
  sent(address: string): number {
    return this.heard.wire.rtpFrom(address).length;
  }

  /** Nothing was recorded under either policy; the call log says why. */
  expectNoAudio(expected: { endReason: string; rejectStatus: number }): void {
    for (const policy of ["agent-only", "both-parties"] as const) {
      expect(this.heard.recordings(policy, ({ sipCallIds }) => this.isIts(sipCallIds))).toEqual([]);
      expect(this.line(policy)).toMatchObject({ ...expected, noAudio: "not-answered", answeredAt: "", durationMs: 0 });
    }
  }

  /**
   * One recording under each policy with the agent on the left and the caller on the right as they were on the wire, the
   * caller silent under the default policy, every packet counted.
   */
  expectConversation(agentIndex = 0): void {
    const agent = this.stage.agents[agentIndex]!;
    const { caller } = this.stage;
    for (const policy of ["agent-only", "both-parties"] as const) {
      const recording = this.recording(policy);
      const { manifest } = recording;
      expect(manifest.endReason).toBe("bye");
      expect(manifest.sipCallIds.length).toBe(1);
      expect(manifest.parties.map(({ role, channel }) => [role, channel])).toEqual([
        ["agent", 0],
        ["caller", 1],
      ]);
      expectAsOnTheWire(this.heard, recording, 0, agent);
      expectPacketCounts(this.heard, manifest, 0, agent.address, "kept");
      if (policy === "agent-only") expectSilent(recording, 1);
      else expectAsOnTheWire(this.heard, recording, 1, caller);
      expectPacketCounts(this.heard, manifest, 1, caller.address, policy === "agent-only" ? "refused" : "kept");
    }
  }

  /** Kinds of the events, without those a test does not look at. */
  eventKinds(...wanted: string[]): string[] {
    const { events } = this.recording("both-parties").manifest;
    return events.map(({ kind }) => kind).filter((kind) => wanted.includes(kind));
  }

  private isIts(sipCallIds: readonly string[]): boolean {
    return sipCallIds[0]!.startsWith(`${this.stage.name}-`);
  }
}
