// Whatever a mirror port makes of a call's packets within its window, the call's record is that of the packets sent.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../device/contract/call-record.js";
import { copyOf, MIRROR_KINDS, type MirrorKind } from "../fakes/mirror.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { officeConfig, RecorderRun } from "../fakes/recorder-run.js";
import { mergeCalls, type TimedFrame } from "../fakes/timed-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const AFTERWARDS_US = 3_000_000;
const CONSENT: [string, string][] = [["X-Recording-Consent", "granted"]];

interface Sighting {
  kind: MirrorKind;
  delayMs: number;
}
const sighting = fc.record({ kind: fc.constantFrom(...MIRROR_KINDS), delayMs: fc.nat(80) });
/** What is made of the frames in turn, from the start again at the end. */
const pattern = fc.array(fc.array(sighting, { maxLength: 4 }), { minLength: 1, maxLength: 40 });

async function record(frames: readonly TimedFrame[]): Promise<{ record: CallRecord; counts: Record<string, number> }> {
  const run = new RecorderRun(folder, officeConfig());
  const lastUs = Math.max(...frames.map((one) => one.atUs));
  run.feed(frames).recorder.idle(Math.ceil(lastUs / 1e6) * 1e6 + AFTERWARDS_US);
  const counts = await run.end();
  expect(run.records.length).toBe(1);
  return { record: run.records[0]!, counts };
}

function copiesOf(frames: readonly TimedFrame[], plan: readonly (readonly Sighting[])[]): TimedFrame[] {
  return frames.flatMap((one, i) =>
    plan[i % plan.length]!.map(({ kind, delayMs }, index) => copyOf(one, kind, delayMs * 1000, index)),
  );
}

const withoutCopies = ({ id: _id, streams, ...rest }: CallRecord) => ({
  ...rest,
  streams: streams.map(({ packets: { copies: _copies, ...packets }, ...stream }) => ({ ...stream, packets })),
});
const copyCount = ({ streams }: CallRecord) => streams.reduce((sum, { packets }) => sum + (packets.copies ?? 0), 0);
const counted = (counts: Record<string, number>, prefix: string) =>
  MIRROR_KINDS.reduce((sum, kind) => sum + counts[`${prefix}.${kind}`]!, 0);
const isRtp = (one: TimedFrame) => one.kind === "rtp";

describe("property: copies by the mirror port", () => {
  it("change nothing but their own count, for a consenting and a silent caller", async () => {
    for (const headers of [{}, { invite: CONSENT }]) {
      const frames = makeCall({ durationMs: 600, headers });
      const once = await record(frames);
      await fc.assert(
        fc.asyncProperty(pattern, async (plan) => {
          const copies = copiesOf(frames, plan);
          const many = await record(mergeCalls(frames, copies));
          expect(withoutCopies(many.record)).toEqual(withoutCopies(once.record));
          expect(copyCount(many.record)).toBe(copies.filter(isRtp).length);
          expect(counted(many.counts, "duplicates.rtp")).toBe(copies.filter(isRtp).length);
          expect(counted(many.counts, "duplicates.sip")).toBe(copies.filter((one) => !isRtp(one)).length);
        }),
        { seed: 30, numRuns: 60 },
      );
    }
  });

  it("are told from the sender's own duplicates and from other packets, whichever sighting comes first", async () => {
    const frames = makeCall({
      durationMs: 600,
      caller: { isDuplicated: (i) => i % 5 === 2, isLost: (i) => i % 11 === 4 },
      callee: { isDuplicated: (i) => i % 3 === 1, isLost: (i) => i % 7 === 5 },
    });
    const signalling = frames.filter((one) => !isRtp(one));
    const sent = frames.filter(isRtp);
    const ways = fc.array(fc.constantFrom(...MIRROR_KINDS), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(ways, fc.array(fc.nat(80), { minLength: 7, maxLength: 97 }), async (kinds, delaysMs) => {
        // Every packet comes by the same ways, each as late as it likes: which way is first differs from packet to packet.
        const shown = sent.flatMap((one, i) =>
          kinds.map((kind, way) =>
            copyOf(one, kind, delaysMs[(i * kinds.length + way) % delaysMs.length]! * 1000, way),
          ),
        );
        const { record: many } = await record(mergeCalls(signalling, shown));
        for (const { side, packets } of many.streams) {
          const own = sent.filter((one) => one.from === (side === 0 ? "caller" : "callee"));
          expect(packets.seen).toBe(own.length);
          expect(packets.copies ?? 0).toBe(own.length * (kinds.length - 1));
          const distinct = new Set(own.map((one) => one.frame.readUInt16BE(44))).size;
          if (side === 0) expect(packets).toMatchObject({ recorded: 0, discarded: own.length, duplicate: 0 });
          else expect(packets).toMatchObject({ recorded: distinct, discarded: 0, duplicate: own.length - distinct });
        }
      }),
      { seed: 31, numRuns: 100 },
    );
  });
});
