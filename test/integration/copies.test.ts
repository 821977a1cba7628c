// The built program on captures in which the mirror port shows every packet several times: the same WAV to the byte, the
// same manifest and call log, but for the number of copies.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallLogLine, Manifest } from "../../device/contract/manifest.js";
import { CaptureFile } from "../fakes/capture-file.js";
import { LINK_TYPE } from "../fakes/frames.js";
import { MIRROR_KINDS, type MirrorKind, mirrored } from "../fakes/mirror.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, readCallLog, readRecordings, removeFolder, runProgram } from "../fakes/program.js";
import type { TimedFrame } from "../fakes/timed-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

interface Replay {
  wavs: Buffer[];
  manifests: Manifest[];
  log: CallLogLine[];
  counts: Record<string, number>;
}

async function replay(frames: readonly TimedFrame[], name: string, args: readonly string[] = []): Promise<Replay> {
  const capture = join(folder, `${name}.pcapng`);
  const interfaces = ["span0", "span1", "span2", "span3"].map((each) => ({ linkType: LINK_TYPE.ethernet, name: each }));
  new CaptureFile({ format: "pcapng", interfaces }).addAll(frames).write(capture);
  const data = join(folder, `data-${name}`);
  const command = ["--read", capture, "--data", data, "--json", "--agents", "10.0.0.0/24", ...args];
  const { exitCode, stdout, stderr } = await runProgram(command);
  expect([exitCode, stderr.includes('"error"')]).toEqual([0, false]);
  const recordings = readRecordings(data);
  return {
    wavs: recordings.map(({ wavPath }) => readFileSync(wavPath)),
    manifests: recordings.map(({ manifest }) => manifest),
    log: readCallLog(data),
    counts: (JSON.parse(stdout) as { counters: Record<string, number> }).counters,
  };
}

/** A manifest without what every run makes anew, and without the copies. */
function facts(manifest: Manifest): unknown {
  const { id: _id, previous: _previous, signature: _signature, audit: _audit, audio, parties, ...rest } = manifest;
  const { file: _file, ...sound } = audio;
  const withoutCopies = parties.map(({ streams, ...party }) => ({
    ...party,
    streams: streams.map(({ packets: { copies: _copies, ...packets }, ...stream }) => ({ ...stream, packets })),
  }));
  return { ...rest, audio: sound, parties: withoutCopies };
}

const line = ({ id: _id, file: _file, ...rest }: CallLogLine) => rest;
const copiesOf = ({ parties }: Manifest) =>
  parties.flatMap(({ streams }) => streams.map((one) => one.packets.copies ?? 0));

const CONSENT = { invite: [["X-Recording-Consent", "granted"]] as [string, string][] };

describe("a capture with copies", () => {
  it.each([
    ["a consenting caller", { headers: CONSENT }],
    ["a caller who does not consent", {}],
  ])(
    "gives the same recording: %s",
    async (_name, options) => {
      const frames = makeCall(options);
      const once = await replay(frames, "once");
      expect(once.wavs.length).toBe(1);
      const plans: MirrorKind[][] = [
        ...MIRROR_KINDS.map((kind) => [kind]),
        ["same", "vlan"],
        ["interface", "ttl", "vlan"],
      ];
      for (const [seed, kinds] of plans.entries()) {
        const many = await replay(mirrored(frames, { kinds, maximumDelayMs: 80, seed }), `many-${seed}`);
        expect(many.wavs).toEqual(once.wavs);
        for (const kind of kinds) expect(many.counts[`duplicates.rtp.${kind}`]).toBe(400);
        expect(many.manifests.map(facts)).toEqual(once.manifests.map(facts));
        expect(many.log.map(line)).toEqual(once.log.map(line));
        expect(many.manifests.flatMap(copiesOf)).toEqual([200 * kinds.length, 200 * kinds.length]);
      }
    },
    120_000,
  );

  it("keeps them in when told to", async () => {
    const shown = mirrored(makeCall(), { kinds: ["vlan"], maximumDelayMs: 5 });
    const kept = await replay(shown, "kept", ["--config", keepFile()]);
    expect([kept.counts["duplicates.rtp.vlan"], kept.counts["duplicates.sip.vlan"]]).toEqual([0, 0]);
    const [agent, caller] = kept.manifests[0]!.parties;
    expect(agent.streams[0]!.packets).toMatchObject({ seen: 400, recorded: 200, duplicate: 200 });
    expect(caller.streams[0]!.packets).toMatchObject({ seen: 400, discarded: 400 });
    expect(kept.wavs).toEqual((await replay(makeCall(), "once")).wavs);
  });
});

function keepFile(): string {
  const path = join(folder, "keep.yaml");
  writeFileSync(path, "capture: { duplicates: keep }\nagents: { match: [10.0.0.0/24] }\n");
  return path;
}
