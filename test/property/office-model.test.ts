// A random day in a small office, recorded and judged twice: by the product and by an independent model of what may and
// what must be recorded. SIDETONE_MODEL_RUNS sets how many days (default 150), SIDETONE_MODEL_SEED which ones.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../device/contract/call-record.js";
import { judgeSightings, type Verdict } from "../fakes/office-model.js";
import { day, playDay } from "../fakes/office-model-days.js";
import type { Conversation } from "../fakes/office-model-effects.js";
import { speechOf } from "../fakes/office-model-leg.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { officeConfig, type Recorded, recordFrames } from "../fakes/recorded-frames.js";

const RUNS = Number(process.env["SIDETONE_MODEL_RUNS"] ?? 150);
const SEED = Number(process.env["SIDETONE_MODEL_SEED"] ?? 61);

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

describe("property: a day in the office", () => {
  it(
    "is recorded as the model says: nothing that may not be, everything that must be, once, as whose it is",
    async () => {
      const totals = { days: 0, packets: 0, barred: 0, demanded: 0, admitted: 0, joined: 0, transfers: 0 };
      await fc.assert(
        fc.asyncProperty(day, async (planned) => {
          const { policy } = planned;
          const { sightings, conversations } = playDay(planned);
          const config = officeConfig({ consent: { policy } });
          const recorded = await recordFrames(sightings, config, newFolder());
          const verdicts = judgeSightings(sightings, policy);
          checkUpperBound(recorded, verdicts);
          checkRecords(recorded, conversations);
          checkLowerBound(recorded, verdicts);
          const again = await recordFrames(sightings, config, newFolder());
          expect(again.records.map(withoutId)).toEqual(recorded.records.map(withoutId));
          expect(again.journalled).toEqual(recorded.journalled);
          totals.days++;
          totals.packets += verdicts.length;
          totals.barred += verdicts.filter(({ may }) => !may).length;
          totals.demanded += verdicts.filter(({ must }) => must).length;
          totals.admitted += recorded.journalled.flat().length;
          totals.joined += recorded.counts["call.halves-joined"]!;
          totals.transfers += recorded.counts["call.transfers"]!;
        }),
        { numRuns: RUNS, seed: SEED, endOnFailure: process.env["SIDETONE_MODEL_RAW"] !== undefined },
      );
      console.log(totals);
      // The days reach what the property speaks of.
      for (const [what, count] of Object.entries(totals)) expect(count, what).toBeGreaterThan(RUNS / 10);
    },
    RUNS * 2000 + 30_000,
  );
});

function newFolder(): string {
  return mkdtempSync(join(folder, "day-"));
}

function withoutId({ id: _id, ...record }: CallRecord): object {
  return record;
}

/** No packet is in any journal that may not be there, and each is in its own conversation's. */
function checkUpperBound({ records, journalled }: Recorded, verdicts: readonly Verdict[]): void {
  const bySighting = new Map(verdicts.map((verdict) => [nameOf(verdict.step.speech, verdict.sighting.atUs), verdict]));
  for (const [i, packets] of journalled.entries()) {
    for (const packet of packets) {
      const verdict = bySighting.get(nameOf(speechOf(packet.payload), packet.atUs));
      if (verdict?.may && records[i]!.sipCallIds.includes(verdict.step.dialog.callId)) continue;
      expect.fail(`admitted: ${verdict ? describeVerdict(verdict) : "a packet that was never sent"}`);
    }
  }
}

/** Every demanded piece of speech is there once, on its channel, as its party's. */
function checkLowerBound({ records, journalled }: Recorded, verdicts: readonly Verdict[]): void {
  const found = new Map<number, { record: CallRecord; stream: number; side: number }[]>();
  for (const [i, packets] of journalled.entries()) {
    for (const { payload, stream, side } of packets) {
      const speech = speechOf(payload);
      found.set(speech, [...(found.get(speech) ?? []), { record: records[i]!, stream, side }]);
    }
  }
  const persons = new Map<string, string>();
  for (const verdict of verdicts) {
    if (!verdict.must) continue;
    const { speech, leg, person } = verdict.step;
    const [one, ...more] = found.get(speech) ?? [];
    if (!one) expect.fail(`missing: ${describeVerdict(verdict)}`);
    if (more.length > 0) expect.fail(`recorded ${1 + more.length} times: ${describeVerdict(verdict)}`);
    const { record, stream, side } = one;
    const { party = -1, side: streamSide } = record.streams[stream]!;
    const seen = [side, streamSide, record.parties[party]?.side, record.parties[party]?.number];
    if (seen.join() !== [leg.channel, leg.channel, leg.channel, leg.phone.user].join())
      expect.fail(`recorded as ${seen.join()}: ${describeVerdict(verdict)}`);
    const place = `${record.id} ${party}`;
    const known = persons.get(place) ?? person.name;
    if (known !== person.name) expect.fail(`the party of ${known} is also: ${describeVerdict(verdict)}`);
    persons.set(place, known);
  }
}

/** One conversation is one record. */
function checkRecords({ records }: Recorded, conversations: readonly Conversation[]): void {
  const groups = records.map(({ sipCallIds }) => [...sipCallIds].sort().join(" "));
  for (const { callIds, joinedAtUs, relays } of conversations) {
    const group = [...callIds].sort().join(" ");
    if (joinedAtUs === Number.POSITIVE_INFINITY || groups.includes(group)) continue;
    if (relays !== undefined && !isWhole(callIds)) continue;
    expect.fail(`conversation ${group} is not one of the records ${groups.join(" | ")}`);
  }
}

function isWhole(_callIds: ReadonlySet<string>): boolean {
  return true;
}

function nameOf(speech: number, atUs: number): string {
  return `${speech} ${atUs}`;
}

function describeVerdict({ sighting, step, may, must }: Verdict): string {
  const { dialog, person, leg, isRelay, source, destination } = step;
  const at = ((sighting.atUs % 1e9) / 1e3).toFixed(1);
  const who = `${isRelay ? "relayed " : ""}${person.name} on ${leg.phone.user}`;
  return `${who} in ${dialog.callId} (${source} > ${destination}) at ${at} ms, may ${may}, must ${must}`;
}
