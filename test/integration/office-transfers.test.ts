// Transfers among real phones: the customer's recording goes on with the next agent, in the same file, and whoever comes
// in starts without anybody's consent. RFC 3515 (REFER), RFC 3891 (Replaces).
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Manifest } from "../../device/contract/manifest.js";
import { BaresipPhone } from "../fakes/baresip-phone.js";
import { PROXY_ADDRESS, PROXY_HOST } from "../fakes/kamailio.js";
import { LinphonePhone } from "../fakes/linphone-phone.js";
import { talk } from "../fakes/office-program.js";
import { type HeardRecording, type OfficeRecordings, RecordedOffice } from "../fakes/recorded-office.js";
import type { PhonePlace } from "../fakes/soft-phone.js";
import { expectAsOnTheWire, expectNotHeard, expectSilent, officeObstacle, only } from "./heard.js";

const obstacle = officeObstacle(["kamailio", "baresip", "linphonec"]);
if (obstacle) console.log(`skipped: transfers between phones: ${obstacle}`);

const TALK_MS = 1500;
const AGENTS = "10.77.1.0/24";

function place(user: string, toneHz: number): PhonePlace {
  const isAgent = user.startsWith("2");
  const address = `10.77.${isAgent ? 1 : 2}.${user}`;
  return { user, host: `p${user}`, address, toneHz, transport: "udp", answers: isAgent };
}

/** Customer, first agent, second agent of each conversation. */
const PLACES = {
  baresip: [place("41", 1000), place("21", 440), place("22", 600)],
  linphone: [place("42", 1100), place("23", 480), place("24", 640)],
  attended: [place("43", 1200), place("25", 520), place("26", 680)],
  failed: [place("48", 1600), place("28", 600), place("29", 720)],
  outward: [place("44", 1300), place("27", 560), { ...place("47", 1500), answers: true }],
} as const satisfies Record<string, readonly [PhonePlace, PhonePlace, PhonePlace]>;
type Conversation = keyof typeof PLACES;

/** Calls that each policy's recorder closes: one per conversation, and the consultation. */
const CLOSED_CALLS = Object.keys(PLACES).length + 1;

describe.skipIf(obstacle !== undefined)("office transfers", () => {
  let office: RecordedOffice;
  let heard: OfficeRecordings;

  beforeAll(async () => {
    const phones = Object.values(PLACES).flat();
    const hosts = Object.fromEntries(phones.map(({ host, address }) => [host, [address]]));
    office = new RecordedOffice("transfers", { [PROXY_HOST]: [PROXY_ADDRESS], ...hosts }, AGENTS);
    await office.open();
    await Promise.all([
      blindTransferByBaresip("baresip"),
      blindTransferByBaresip("outward"),
      refusedTransfer(),
      blindTransferByLinphone(),
      attendedTransfer(),
    ]);
    heard = await office.close(CLOSED_CALLS);
  }, 120_000);
  afterAll(() => office.remove());

  const baresip = (at: PhonePlace) => new BaresipPhone(office.network, office.folder, at);
  const linphone = (at: PhonePlace) => new LinphonePhone(office.network, office.folder, at);

  async function blindTransferByBaresip(conversation: "baresip" | "outward"): Promise<void> {
    const [customer, first, second] = PLACES[conversation].map(baresip) as [BaresipPhone, BaresipPhone, BaresipPhone];
    await Promise.all([customer.start(), first.start(), second.start()]);
    await customer.call(first.place.user);
    await talk(TALK_MS);
    await first.transfer(second.place.user);
    await Promise.all([customer.connected(2), second.connected(1)]);
    await talk(TALK_MS);
    await second.hangUp();
    await customer.disconnected(2);
    await first.disconnected(1);
  }

  async function refusedTransfer(): Promise<void> {
    const [customer, agent] = PLACES.failed.map(baresip) as [BaresipPhone, BaresipPhone, BaresipPhone];
    await Promise.all([customer.start(), agent.start()]);
    await customer.call("28");
    await talk(TALK_MS);
    // Nobody is registered there.
    await agent.transfer("29");
    // baresip gives up the call it meant to hand over, whatever became of it.
    await agent.transferRefused();
    await agent.disconnected(1);
    await customer.disconnected(1);
  }

  async function blindTransferByLinphone(): Promise<void> {
    const [at, firstAt, secondAt] = PLACES.linphone;
    const [customer, first, second] = [linphone(at), linphone(firstAt), baresip(secondAt)];
    await Promise.all([customer.start(), first.start(), second.start()]);
    await customer.call("23");
    await talk(TALK_MS);
    await first.transfer("24");
    await Promise.all([customer.connected(2), second.connected(1)]);
    await talk(TALK_MS);
    await second.hangUp();
    await customer.disconnected(2);
    await first.disconnected(1);
  }

  async function attendedTransfer(): Promise<void> {
    const [customer, first, second] = PLACES.attended.map(linphone) as [LinphonePhone, LinphonePhone, LinphonePhone];
    await Promise.all([customer.start(), first.start(), second.start()]);
    await customer.call("25");
    await talk(TALK_MS);
    await first.hold();
    await first.call("26");
    await talk(TALK_MS);
    await first.join(1, 2);
    await Promise.all([customer.connected(2), second.connected(2)]);
    await talk(TALK_MS);
    await customer.hangUp();
    await first.disconnected(2);
    await second.disconnected(2);
  }

  const isOf = (customer: PhonePlace) => (parties: readonly { number: string }[]) =>
    parties.some(({ number }) => number === customer.user);

  /** The conversation's one recording under a policy; its call log has one line as well. */
  function recordingOf(policy: "agent-only" | "both-parties", conversation: Conversation): HeardRecording {
    const isCustomers = isOf(PLACES[conversation][0]);
    only(heard.lines(policy, ({ parties }) => isCustomers(parties)));
    return only(heard.recordings(policy, ({ parties }) => isCustomers(parties)));
  }

  /** One recording over both dialogs: both agents one after the other on the left, the customer on the right. */
  function expectOneConversation(conversation: Conversation): void {
    const [customer, first, second] = PLACES[conversation];
    for (const policy of ["agent-only", "both-parties"] as const) {
      const recording = recordingOf(policy, conversation);
      const { manifest } = recording;
      expect(manifest.endReason).toBe("bye");
      expect(manifest.sipCallIds.length).toBe(2);
      expect(manifest.events.map(({ kind }) => kind)).toContain("transfer");
      expect(peopleOf(manifest)).toEqual([
        ["agent", 0, first.user],
        ["agent", 0, second.user],
        ["caller", 1, customer.user],
      ]);
      const firstSpans = expectAsOnTheWire(heard, recording, 0, first, customer.address);
      const secondSpans = expectAsOnTheWire(heard, recording, 0, second, customer.address);
      expect(firstSpans.at(-1)!.toMs).toBeLessThan(secondSpans[0]!.fromMs + TALK_MS / 2);
      if (policy === "agent-only") expectSilent(recording, 1);
      else expectAsOnTheWire(heard, recording, 1, customer);
    }
  }

  it("baresip sends its customer to another agent", () => expectOneConversation("baresip"));

  it("linphone sends its customer to another agent", () => expectOneConversation("linphone"));

  it("linphone asks another agent and hands its customer over", () => expectOneConversation("attended"));

  it("an agent sends its customer to somebody outside: nobody is recorded any more without consent", () => {
    const [customer, agent, outsider] = PLACES.outward;
    const quiet = recordingOf("agent-only", "outward");
    expectAsOnTheWire(heard, quiet, 0, agent);
    expectNotHeard(quiet, 0, outsider);
    expectSilent(quiet, 1);
    for (const { number, role, spans } of quiet.manifest.parties) {
      expect(role === "agent").toBe(number === agent.user);
      expect(spans.length > 0).toBe(number === agent.user);
    }
    const full = recordingOf("both-parties", "outward");
    expectAsOnTheWire(heard, full, 0, agent);
    expectAsOnTheWire(heard, full, 0, outsider);
    expectAsOnTheWire(heard, full, 1, customer);
  });

  it("a transfer to nobody adds nobody", () => {
    const [customer, agent] = PLACES.failed;
    for (const policy of ["agent-only", "both-parties"] as const) {
      const recording = recordingOf(policy, "failed");
      expectAsOnTheWire(heard, recording, 0, agent);
      if (policy === "agent-only") expectSilent(recording, 1);
      else expectAsOnTheWire(heard, recording, 1, customer);
      expect(recording.manifest.parties.filter(({ role }) => role === "agent").length).toBe(1);
      expect(recording.manifest.endReason).toBe("bye");
    }
  });

  it("the consultation between the agents is a call of its own", () => {
    const [customer, first, second] = PLACES.attended;
    const isConsultation = (parties: readonly { number: string }[]) =>
      parties.some(({ number }) => number === first.user) &&
      parties.some(({ number }) => number === second.user) &&
      !isOf(customer)(parties);
    const line = only(heard.lines("agent-only", ({ parties }) => isConsultation(parties)));
    expect(line.noAudio).toBe("agent-contradictory");
    const recording = only(heard.recordings("both-parties", ({ parties }) => isConsultation(parties)));
    expect(recording.manifest.sipCallIds.length).toBe(1);
    expectAsOnTheWire(heard, recording, 0, first, second.address);
    expectAsOnTheWire(heard, recording, 1, second, first.address);
  });
});

/** Role, channel and number of everybody who was in the call, sorted. */
function peopleOf({ parties }: Manifest): [string, number, string][] {
  const people = parties.map(({ role, channel, number }): [string, number, string] => [role, channel, number]);
  return people.sort((a, b) => a[1] - b[1] || a[2].localeCompare(b[2]));
}
