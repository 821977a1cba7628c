// Calls between real phones behind a real PBX, recorded on the mirror port: who is on which channel, when, and when not.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BaresipPhone } from "../fakes/baresip-phone.js";
import { PROXY_ADDRESS, PROXY_HOST } from "../fakes/kamailio.js";
import { LinphonePhone } from "../fakes/linphone-phone.js";
import { talk } from "../fakes/office-program.js";
import { type HeardRecording, type OfficeRecordings, RecordedOffice } from "../fakes/recorded-office.js";
import type { PhonePlace } from "../fakes/soft-phone.js";
import { expectAsOnTheWire, expectPacketCounts, expectSilent, gapsMs, officeObstacle, only } from "./heard.js";

const obstacle = officeObstacle(["kamailio", "baresip", "linphonec"]);
if (obstacle) console.log(`skipped: calls between phones: ${obstacle}`);

const TALK_MS = 1500;
const HOLD_MS = 1500;
const AGENTS = "10.77.1.0/24";

function place(user: string, toneHz: number, more: Partial<PhonePlace> = {}): PhonePlace {
  const isAgent = user.startsWith("2");
  const address = `10.77.${isAgent ? 1 : 2}.${user}`;
  return { user, host: `p${user}`, address, toneHz, transport: "udp", answers: isAgent, ...more };
}

/** Agents are 2x, customers 4x; each pair has one call. */
const PLACES = {
  plain: [place("41", 1000), place("21", 440)],
  linphone: [place("42", 1100), place("22", 520)],
  held: [place("43", 1200), place("23", 600)],
  tcp: [place("44", 1300, { transport: "tcp" }), place("24", 680, { transport: "tcp" })],
  outward: [place("45", 1400, { answers: true }), place("25", 760, { answers: false })],
} as const satisfies Record<string, readonly [PhonePlace, PhonePlace]>;
type Pair = keyof typeof PLACES;

describe.skipIf(obstacle !== undefined)("office", () => {
  let office: RecordedOffice;
  let heard: OfficeRecordings;

  beforeAll(async () => {
    const phones = Object.values(PLACES).flat();
    const hosts = Object.fromEntries(phones.map(({ host, address }) => [host, [address]]));
    office = new RecordedOffice("office", { [PROXY_HOST]: [PROXY_ADDRESS], ...hosts }, AGENTS);
    await office.open();
    await Promise.all([plainCall(), linphoneCall(), heldCall(), tcpCall(), outwardCall()]);
    heard = await office.close(Object.keys(PLACES).length);
  }, 120_000);
  afterAll(() => office.remove());

  async function startPhones(pair: Pair): Promise<[BaresipPhone, BaresipPhone]> {
    const [customer, agent] = PLACES[pair].map((at) => new BaresipPhone(office.network, office.folder, at));
    await Promise.all([customer!.start(), agent!.start()]);
    return [customer!, agent!];
  }

  async function plainCall(): Promise<void> {
    const [customer, agent] = await startPhones("plain");
    await customer.call("21");
    await talk(2 * TALK_MS);
    await customer.hangUp();
    await agent.disconnected(1);
  }

  async function linphoneCall(): Promise<void> {
    const [at, agentAt] = PLACES.linphone;
    const customer = new LinphonePhone(office.network, office.folder, at);
    const agent = new BaresipPhone(office.network, office.folder, agentAt);
    await Promise.all([customer.start(), agent.start()]);
    await customer.call("22");
    await talk(TALK_MS);
    await customer.hold();
    await talk(HOLD_MS);
    await customer.resume();
    await talk(TALK_MS);
    await agent.hangUp();
    await customer.disconnected(1);
  }

  async function heldCall(): Promise<void> {
    const [customer, agent] = await startPhones("held");
    await customer.call("23");
    await talk(TALK_MS);
    for (const holder of [agent, customer]) {
      await holder.hold();
      await talk(HOLD_MS);
      await holder.resume();
      await talk(TALK_MS);
    }
    await customer.hangUp();
    await agent.disconnected(1);
  }

  async function tcpCall(): Promise<void> {
    const [customer, agent] = await startPhones("tcp");
    await customer.call("24");
    await talk(TALK_MS);
    await agent.hold();
    await talk(HOLD_MS);
    await agent.resume();
    await talk(TALK_MS);
    await agent.hangUp();
    await customer.disconnected(1);
  }

  async function outwardCall(): Promise<void> {
    const [customer, agent] = await startPhones("outward");
    await agent.call("45");
    await talk(2 * TALK_MS);
    await agent.hangUp();
    await customer.disconnected(1);
  }

  /** The pair's one recording under a policy. */
  function recordingOf(policy: "agent-only" | "both-parties", pair: Pair): HeardRecording {
    const [customer] = PLACES[pair];
    return only(heard.recordings(policy, ({ parties }) => parties.some(({ number }) => number === customer.user)));
  }

  /** Agent left and faithful under both policies, customer right and only where it may be. Gives the spans of both. */
  function expectBothPolicies(pair: Pair): { agentGapsMs: number[]; customerGapsMs: number[] } {
    const [customer, agent] = PLACES[pair];
    const quiet = recordingOf("agent-only", pair);
    expectAsOnTheWire(heard, quiet, 0, agent);
    expectSilent(quiet, 1);
    expectCounts(quiet, agent, customer);
    const full = recordingOf("both-parties", pair);
    const agentSpans = expectAsOnTheWire(heard, full, 0, agent);
    const customerSpans = expectAsOnTheWire(heard, full, 1, customer);
    expectCounts(full, agent, customer);
    return { agentGapsMs: gapsMs(agentSpans), customerGapsMs: gapsMs(customerSpans) };
  }

  /** Every packet of the wire is accounted for, and every one after the answer is kept where it may be. */
  function expectCounts({ manifest }: HeardRecording, agent: PhonePlace, customer: PhonePlace): void {
    expect(manifest.endReason).toBe("bye");
    expect(manifest.warnings).toEqual([]);
    expect(manifest.parties.map(({ role, number }) => [role, number])).toEqual([
      ["agent", agent.user],
      ["caller", customer.user],
    ]);
    expectPacketCounts(heard, manifest, 0, agent.address, "kept");
    const isKept = manifest.policy === "both-parties";
    expectPacketCounts(heard, manifest, 1, customer.address, isKept ? "kept" : "refused");
  }

  function expectHolds(gaps: readonly number[], holds: number): void {
    expect(gaps.length).toBe(holds);
    for (const gapMs of gaps) expect(gapMs).toBeGreaterThan(HOLD_MS - 200);
  }

  const eventsOf = (pair: Pair) => recordingOf("both-parties", pair).manifest.events.map(({ kind }) => kind);

  it("baresip calls baresip", () => {
    const { agentGapsMs, customerGapsMs } = expectBothPolicies("plain");
    expect(agentGapsMs).toEqual([]);
    expect(customerGapsMs).toEqual([]);
  });

  it("linphone calls baresip, holds and resumes; the agent hangs up", () => {
    expectHolds(expectBothPolicies("linphone").agentGapsMs, 1);
    expect(eventsOf("linphone").filter((kind) => kind === "hold" || kind === "resume")).toEqual(["hold", "resume"]);
  });

  it("the agent holds and resumes, then the customer does", () => {
    // baresip says nothing while it is on hold, and nothing while it holds.
    const { agentGapsMs, customerGapsMs } = expectBothPolicies("held");
    expectHolds(agentGapsMs, 2);
    expectHolds(customerGapsMs, 2);
    const holds = eventsOf("held").filter((kind) => kind === "hold" || kind === "resume");
    expect(holds).toEqual(["hold", "resume", "hold", "resume"]);
  });

  it("a call over TCP with a hold", () => {
    expectHolds(expectBothPolicies("tcp").customerGapsMs, 1);
    expect(heard.wire.count(`tcp && ip.addr == ${PLACES.tcp[0].address} && sip.Method == "INVITE"`)).toBeGreaterThan(0);
    expect(heard.wire.count(`udp && ip.addr == ${PLACES.tcp[0].address} && sip`)).toBe(0);
  });

  it("the agent calls out: still on the left", () => {
    expectBothPolicies("outward");
    const { manifest } = recordingOf("both-parties", "outward");
    expect(manifest.parties[0].side).toBe("originator");
  });
});
