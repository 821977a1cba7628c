// A recording that nobody touched is proved; whatever is changed afterwards, or was never right, fails the check that it
// concerns.
import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CallId } from "../../../device/base/ids.js";
import { proveRecording } from "../../../device/store/prove.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { ANSWERED_US } from "../seal/sealing.js";
import { editLines, openChain, problemsOf } from "./audit-kit.js";
import {
  changeManifest,
  changeSample,
  failuresOf,
  faultsOf,
  fullCall,
  makeRecording,
  makeRecordings,
  pathOf,
  prove,
  publishCall,
} from "./prove-kit.js";
import { makeFolder, publicKeyOf, removeFolder } from "./store-kit.js";

let folder: string;
let id: CallId;
beforeEach(async () => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const monthFile = () => readdirSync(join(folder, "audit")).find((name) => name.endsWith(".jsonl"))!;
const idOf = (number: number) => fullCall(number).record.id;
const figuresOf = (name: string, subject = "") =>
  prove(folder, id).checks.find((check) => check.name === name && check.subject.startsWith(subject))!.figures;

describe("of three recordings, the one in the middle", () => {
  beforeEach(async () => {
    id = await makeRecordings(folder);
  });

  test("is proved when nothing was touched, by the public key alone", () => {
    rmSync(join(folder, "keys/device.key"));
    const proof = prove(folder, id);
    expect(proof.checks.flatMap(({ faults }) => faults)).toEqual([]);
    expect(proof).toMatchObject({ schema: "sidetone.proof/1", id, proved: true });
    expect(proof.checks.map(({ name, subject }) => `${name} ${subject}`.trim())).toEqual([
      "signature",
      "audio",
      "previous",
      "next",
      "audit-recorded",
      "audit-head",
      "audit-consent",
      "audit-pauses",
      "streams",
      "packets party 0 (agent)",
      "packets party 1 (caller)",
      "silence left",
      "silence right",
      "extents",
      "pauses",
      "consent",
      "spans",
    ]);
    expect(figuresOf("streams")).toEqual({
      streams: 2,
      seen: 1027,
      recorded: 650,
      discarded: 374,
      duplicate: 3,
      undecoded: 0,
    });
    expect(figuresOf("packets", "party 1")).toEqual({ spans: 3, open: 250, closedSpans: 4, shut: 270 });
    expect(figuresOf("audit-consent")).toEqual({ changes: 3, entries: 3 });
    expect(figuresOf("audit-pauses")).toEqual({ pauses: 1, entries: 1 });
    expect(figuresOf("pauses")).toEqual({ pauses: 1, samples: 2 * 8000 });
    // Ten seconds and the 5 ms that the caller came later, less the five seconds in which it is there.
    expect(figuresOf("silence", "right")).toEqual({ samples: 5 * 8000 + 40, audible: 0 });
    expect(problemsOf(folder)).toEqual([]);
  });

  test("is not, with one sample that is not silent where the caller's gate was shut", () => {
    const frame = 4500 * 8;
    changeSample(folder, id, 1, frame, 1);
    expect(failuresOf(folder, id)).toEqual(["audio", "silence right"]);
    expect(faultsOf(folder, id)).toContain(`the first is sample ${frame} (4.5 s)`);
    changeSample(folder, id, 1, frame, 0);
    expect(failuresOf(folder, id)).toEqual([]);
    changeSample(folder, id, 0, 7000 * 8, -1);
    expect(failuresOf(folder, id)).toEqual(["audio", "silence left", "pauses"]);
  });

  test("is not, with a sample changed where somebody is heard: the audio is another", () => {
    changeSample(folder, id, 0, 1000 * 8, 77);
    expect(failuresOf(folder, id)).toEqual(["audio"]);
  });

  test("is not, with audio that is longer, shorter, no WAV, or gone", () => {
    const path = pathOf(folder, id, "wav");
    const bytes = readFileSync(path);
    appendFileSync(path, Buffer.alloc(4));
    expect(failuresOf(folder, id)).toEqual(["audio"]);
    truncateSync(path, bytes.length - 4000);
    expect(failuresOf(folder, id)).toEqual(["audio"]);
    for (let length = 0; length < 60; length += 3) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(failuresOf(folder, id)).toContain("audio");
    }
    writeFileSync(path, bytes.subarray(4));
    expect(failuresOf(folder, id)).toEqual(["audio", "silence left", "silence right", "extents", "pauses"]);
    rmSync(path);
    expect(failuresOf(folder, id)).toEqual(["audio", "silence left", "silence right", "extents", "pauses"]);
    expect(faultsOf(folder, id)).toContain(`there is no ${id}.wav beside the manifest`);
  });

  test("is not, with a manifest that somebody changed, even with the key", () => {
    const path = pathOf(folder, id, "json");
    const bytes = readFileSync(path);
    changeManifest(folder, id, (manifest) => {
      manifest.parties[1].number = "0";
    });
    // The manifest after it, and the audit chain, know the former one.
    expect(failuresOf(folder, id)).toEqual(["signature", "next", "audit-recorded"]);
    writeFileSync(path, bytes);
    changeManifest(
      folder,
      id,
      (manifest) => {
        manifest.parties[1].number = "0";
      },
      true,
    );
    expect(failuresOf(folder, id)).toEqual(["next", "audit-recorded"]);
    expect(failuresOf(folder, idOf(2))).toEqual(["previous"]);
  });

  test("is not, with a manifest of any other shape: no check throws", () => {
    const path = pathOf(folder, id, "json");
    const bytes = readFileSync(path);
    const manifest = JSON.parse(bytes.toString());
    for (const member of Object.keys(manifest)) {
      for (const value of [undefined, null, 5, "x", [], [null], {}, [{}, {}]]) {
        if (JSON.stringify(value) === JSON.stringify(manifest[member])) continue;
        writeFileSync(path, `${JSON.stringify({ ...manifest, [member]: value })}\n`);
        expect(failuresOf(folder, id), `${member} ${JSON.stringify(value)}`).toContain("signature");
      }
    }
    for (const text of ["", "{", "null", "[]"]) {
      writeFileSync(path, text);
      expect(failuresOf(folder, id)).toEqual(["signature"]);
    }
    writeFileSync(path, bytes);
    expect(failuresOf(folder, id)).toEqual([]);
  });

  test("is not, with the manifest of another in its place", () => {
    cpSync(pathOf(folder, idOf(0), "json"), pathOf(folder, id, "json"));
    expect(failuresOf(folder, id)).toContain("signature");
    expect(faultsOf(folder, id)).toContain(`the manifest is that of ${idOf(0)}`);
  });

  test("is not, when the one before it or after it is gone, or is another", () => {
    for (const [other, check] of [
      [idOf(0), "previous"],
      [idOf(2), "next"],
    ] as const) {
      const path = pathOf(folder, other, "json");
      const bytes = readFileSync(path);
      rmSync(path);
      expect(failuresOf(folder, id)).toEqual([check]);
      expect(faultsOf(folder, id)).toContain(other);
      writeFileSync(path, bytes.toString().replace('"channel":0', '"channel":1'));
      expect(failuresOf(folder, id)).toEqual(check === "previous" ? [check] : []);
      writeFileSync(path, bytes);
    }
  });

  test("is, when the others were deleted as the audit chain says", () => {
    const chain = openChain(folder);
    for (const call of [idOf(0), idOf(2)]) chain.append({ kind: "deleted", actor: "token a", call, detail: {} });
    chain.close();
    for (const other of [idOf(0), idOf(2)])
      for (const kind of ["wav", "json"] as const) rmSync(pathOf(folder, other, kind));
    expect(failuresOf(folder, id)).toEqual([]);
    expect([figuresOf("previous"), figuresOf("next")]).toEqual([
      { id: idOf(0), deleted: 1 },
      { id: idOf(2), deleted: 1 },
    ]);
  });

  test("is found in another day's folder, and its neighbours are", () => {
    const day = join(folder, "recordings/2026/11/21");
    renameSync(day, join(folder, "recordings/2026/11/23"));
    expect(proveRecording(folder, id, publicKeyOf(folder))!.proved).toBe(true);
  });

  test("an unknown id is no proof", () => {
    expect(proveRecording(folder, idOf(9), publicKeyOf(folder))).toBeUndefined();
  });

  test("is not, without its entry in the audit chain, nor with that of another manifest", () => {
    const file = monthFile();
    const whole = readFileSync(join(folder, "audit", file));
    editLines(folder, file, (lines) => lines.filter((line) => !(line.includes('"recorded"') && line.includes(id))));
    expect(failuresOf(folder, id)).toEqual(["audit-recorded"]);
    expect(problemsOf(folder).length).toBe(1);
    writeFileSync(join(folder, "audit", file), whole);
    editLines(folder, file, (lines) =>
      lines.map((line) =>
        line.includes('"recorded"') && line.includes(id) ? line.replace(/"manifest":"."/, '"manifest":"x') : line,
      ),
    );
    expect(failuresOf(folder, id)).toEqual([]);
    editLines(folder, file, (lines) =>
      lines.map((line) =>
        line.includes('"recorded"') && line.includes(id) ? line.replace("service", "nobody") : line,
      ),
    );
    expect(failuresOf(folder, id)).toEqual(["audit-recorded"]);
  });

  test("is not, without one of the entries of its ledger, or with one that was changed", () => {
    const file = monthFile();
    const whole = readFileSync(join(folder, "audit", file));
    for (const edit of ["", "nobody"]) {
      editLines(folder, file, (lines) =>
        lines.flatMap((line) => {
          const isMeant = line.includes(`"call":"${id}"`) && line.includes('"to":"withdrawn"');
          return isMeant ? (edit === "" ? [] : [line.replace("engine", edit)]) : [line];
        }),
      );
      expect(failuresOf(folder, id)).toEqual(["audit-consent"]);
      expect(faultsOf(folder, id)).toMatch(
        /^no entry for party 1 \(caller\): granted to withdrawn at 2026-11-21T09:00:04.123456Z by dtmf/,
      );
      writeFileSync(join(folder, "audit", file), whole);
    }
  });

  test("is not, when its manifest does not mark a pause that the audit chain has", () => {
    changeManifest(folder, id, (manifest) => manifest.pauses.splice(0), true);
    expect(failuresOf(folder, id)).toContain("audit-pauses");
    expect(faultsOf(folder, id)).toMatch(/was paused at 2026-11-21T09:00:06.123456Z by the chain/);
  });

  test("is not, with another audit chain than the one that it names, or none", () => {
    const other = makeFolder();
    try {
      cpSync(join(folder, "keys"), join(other, "keys"), { recursive: true });
      cpSync(join(folder, "audit"), join(other, "audit"), { recursive: true });
      rmSync(join(folder, "audit"), { recursive: true });
      expect(failuresOf(folder, id)).toEqual(["audit-recorded", "audit-head", "audit-consent"]);
      const chain = openChain(folder);
      for (let number = 0; number < 20; number++) chain.append({ kind: "started", actor: "service" });
      chain.close();
      expect(failuresOf(folder, id)).toEqual(["audit-recorded", "audit-head", "audit-consent"]);
      expect(faultsOf(folder, id)).toMatch(/entry \d+ is another than when the manifest was made/);
    } finally {
      removeFolder(other);
    }
  });
});

describe("the first and the newest", () => {
  test("are proved by what there is of the chain", async () => {
    await makeRecordings(folder);
    expect([failuresOf(folder, idOf(0)), failuresOf(folder, idOf(2))]).toEqual([[], []]);
    rmSync(join(folder, "chain.json"));
    expect(failuresOf(folder, idOf(2))).toEqual(["next"]);
  });

  test("one that names none before it is not the first when the audit chain has others", async () => {
    await makeRecordings(folder);
    rmSync(join(folder, "recordings"), { recursive: true });
    rmSync(join(folder, "chain.json"));
    const store = RecordingStore.open(folder, { gatherMs: 0 });
    id = await publishCall(store, fullCall(5));
    store.close();
    expect(failuresOf(folder, id)).toEqual(["previous"]);
  });
});

describe("what was never right fails, though the box signed it", () => {
  const after = (ms: number) => ANSWERED_US + ms * 1000;
  type Change = Parameters<typeof makeRecording>[1];
  const cases: [string, string[], RegExp, Change][] = [
    [
      "a stream's counts do not add up",
      ["streams"],
      /1000 packets|27[0-9] discarded, but 275 by their reasons/,
      ({ record }) => {
        record.streams[1]!.discardedBy["other-hop"] = 5;
      },
    ],
    [
      "the gate admitted more than the streams have",
      ["packets party 0 (agent)"],
      /the spans hold 401 admitted and 100 refused packets, the streams 400 and 100/,
      ({ record }) => {
        record.parties[0].spans[0]!.packets++;
      },
    ],
    [
      "the gate refused for another reason than the streams say",
      ["packets party 1 (caller)"],
      /150 packets were discarded for consent, the closed spans hold 149/,
      ({ record }) => {
        record.parties[1].closedSpans[1]!.packets--;
        record.parties[1].closedSpans[0]!.packets++;
      },
    ],
    [
      "packets of the caller were recorded a second after its gate shut",
      ["packets party 1 (caller)", "extents"],
      /3 packets were captured in no span/,
      ({ record, packets }) => {
        const late = packets.filter(({ side, capturedAtUs }) => side === 1 && capturedAtUs < after(2060));
        for (const each of late.slice(0, 3)) {
          packets.push({
            ...each,
            data: shifted(each.data, 160 * 137),
            capturedAtUs: each.capturedAtUs + 137 * 20_000,
          });
        }
        packets.sort((a, b) => a.capturedAtUs - b.capturedAtUs);
        record.streams[1]!.packets.recorded += 3;
        record.streams[1]!.packets.seen += 3;
      },
    ],
    [
      "a span was open in a pause",
      ["pauses"],
      /party 0 \(agent\): the span 0-7000 ms was open in the pause 6000-8000 ms/,
      ({ record }) => {
        record.parties[0].spans[0]!.toUs = after(7000);
      },
    ],
    [
      "consent is not what the ledger says",
      ["consent"],
      /party 1 \(caller\): consent is withdrawn, its ledger ends with granted/,
      ({ record }) => {
        record.parties[1].consent = "withdrawn";
      },
    ],
    [
      "consent is required of one who has none",
      ["consent"],
      /party 0 \(agent\): consent is granted, though none is required/,
      ({ record }) => {
        record.parties[0].consent = "granted";
      },
    ],
    [
      "the caller was recorded before consent",
      ["spans"],
      /party 1 \(caller\): the span 1900-4000 ms is not within a consent that was in force/,
      ({ record }) => {
        record.parties[1].spans[0]!.fromUs = after(1900);
      },
    ],
    [
      "the caller was recorded after withdrawing",
      ["spans"],
      /the span 2000-4100 ms is not within/,
      ({ record }) => {
        record.parties[1].spans[0]!.toUs = after(4100);
      },
    ],
    [
      "consent was for another purpose",
      ["consent", "spans"],
      /is not within a consent/,
      ({ record }) => {
        for (const change of record.ledger) change.purpose = "training";
      },
    ],
    [
      "a span was opened on evidence that is not there",
      ["spans"],
      /names evidence "e9", which is not there/,
      ({ record }) => {
        record.parties[1].spans[1]!.evidence = "e9";
      },
    ],
    [
      "the caller was recorded on evidence of a refusal",
      ["spans"],
      /was opened on evidence of withdrawn/,
      ({ record }) => {
        record.parties[1].spans[1]!.evidence = "e3";
      },
    ],
    [
      "anybody was recorded under the policy none",
      ["spans"],
      /under the policy none/,
      ({ record }) => {
        record.policy = "none";
      },
    ],
  ];
  test.each(cases)("%s", async (_, checks, fault, change) => {
    id = await makeRecording(folder, change);
    expect(failuresOf(folder, id)).toEqual(checks);
    expect(faultsOf(folder, id)).toMatch(fault);
  });

  /** RTP time moved on. */
  function shifted(data: Buffer, ticks: number): Buffer {
    const copy = Buffer.from(data);
    copy.writeUInt32BE(copy.readUInt32BE(4) + ticks, 4);
    return copy;
  }

  test("audio that stands beyond its span, or none of whose samples the file has", async () => {
    id = await makeRecording(
      folder,
      () => {},
      (sealed) => {
        sealed.extents[0]![0]!.toSample += 4200;
        sealed.extents[1]![2]!.toSample += 8000;
      },
    );
    expect(failuresOf(folder, id)).toEqual(["extents"]);
    expect(faultsOf(folder, id)).toMatch(/0-52200, 525 ms beyond it/);
    expect(faultsOf(folder, id)).toMatch(/samples 64\d+-8\d+, which the file has not/);
  });

  test("audio that no extent speaks of", async () => {
    id = await makeRecording(
      folder,
      () => {},
      (sealed) => {
        sealed.extents[1]![1] = null;
      },
    );
    expect(failuresOf(folder, id)).toEqual(["silence right"]);
  });
});

describe("other policies and fates", () => {
  test("both parties: no consent is asked, and evidence of the policy is", async () => {
    id = await makeRecording(folder, ({ record }) => {
      record.policy = "both-parties";
      record.parties[1].consent = "not-required";
      for (const entry of record.evidence) entry.effect = "not-required";
    });
    expect(failuresOf(folder, id)).toEqual([]);
  });

  test("consent first: the agent's spans are within the caller's consent", async () => {
    const change: Parameters<typeof makeRecording>[1] = ({ record }) => {
      record.policy = "consent-first";
      for (const span of record.parties[0].spans) span.evidence = "e2";
    };
    id = await makeRecording(folder, change);
    expect(failuresOf(folder, id)).toEqual(["spans"]);
    expect(faultsOf(folder, id)).toMatch(/party 0 \(agent\): the span 0-6000 ms is not within/);
  });

  test("who was held for the agent and is not any more is counted", async () => {
    id = await makeRecording(folder, ({ record }) => {
      record.parties[0].role = "originator";
      record.parties[0].consent = "unknown";
    });
    expect(failuresOf(folder, id)).toEqual([]);
    expect(figuresOf("spans")).toEqual({ spans: 5, formerAgents: 2, policy: "agent-only" });
  });

  test("packets lost, or given up for the other half, after they were admitted are in an open span", async () => {
    id = await makeRecording(folder, ({ record }) => {
      const { packets, discardedBy } = record.streams[0]!;
      packets.seen += 12;
      packets.discarded += 12;
      Object.assign(discardedBy, { journal: 7, "other-half": 5 });
      record.parties[0].spans[0]!.packets += 10;
      record.parties[0].closedSpans.push({ fromUs: after(10), toUs: after(10), reason: "journal", packets: 2 });
    });
    expect(failuresOf(folder, id)).toEqual([]);
  });

  test("what was erased is in no count but its own", async () => {
    id = await makeRecording(folder, ({ record }) => {
      const [erased, ...spans] = record.parties[1].spans;
      record.parties[1].spans = spans;
      record.parties[1].closedSpans.push({ fromUs: after(2000), toUs: after(4000), reason: "erased", packets: 100 });
      record.parties[1].erased = [{ fromUs: after(2000), toUs: after(4000), packets: 100, evidence: "e3" }];
      expect(erased!.packets).toBe(100);
      const { packets, discardedBy } = record.streams[1]!;
      packets.recorded -= 100;
      packets.discarded += 100;
      discardedBy.erased = 100;
    });
    expect(failuresOf(folder, id)).toEqual([]);
    expect(figuresOf("silence", "right")).toEqual({ samples: 7 * 8000 + 40, audible: 0 });
  });

  const after = (ms: number) => ANSWERED_US + ms * 1000;

  test("a change of consent in a half that became part of this call is in the chain under that half's id", async () => {
    id = await makeRecording(folder, () => {});
    const file = monthFile();
    rmSync(join(folder, "audit"), { recursive: true });
    expect(file).toMatch(/jsonl$/);
    const { record } = fullCall();
    const chain = openChain(folder);
    const manifest = createHash("sha256")
      .update(readFileSync(pathOf(folder, id, "json")))
      .digest("hex");
    for (const { party, atUs, evidence: _, ...change } of record.ledger) {
      const side = party === 1 ? "answerer" : "originator";
      const detail = { ...change, side: change.to === "granted" ? "originator" : side, role: "caller" };
      chain.append({ kind: "consent", actor: "engine", call: idOf(7), packetAtUs: atUs, detail });
    }
    chain.recorded(id, manifest);
    chain.close();
    // It is another chain than the one that the manifest names.
    expect(failuresOf(folder, id)).toEqual(["audit-head"]);
    expect(figuresOf("audit-consent")).toEqual({ changes: 3, entries: 3 });
    // A call that has a recording of its own is no half of this one.
    const next = openChain(folder);
    next.recorded(idOf(7), "of another");
    next.close();
    expect(failuresOf(folder, id)).toEqual(["next", "audit-head", "audit-consent"]);
  });
});

test("an hour's recording is proved in little memory", async () => {
  id = await makeRecording(folder, ({ record }) => {
    // The caller, discarded, stays for an hour.
    record.endedAtUs = ANSWERED_US + 3600e6;
    record.streams[1]!.lastAtUs = record.endedAtUs;
  });
  expect(prove(folder, id).proved).toBe(true);
  expect(figuresOf("audio")).toMatchObject({ seconds: 3600 });
  const before = process.memoryUsage().arrayBuffers;
  prove(folder, id);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20e6);
});
