// Live capture on two interfaces that see the same packets, a bridge's port and the bridge itself: one recording, each
// packet counted once and its copy as such.
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCall } from "../fakes/office-call.js";
import { logLines, makeFolder, RunningProgram, readCallLog, readRecordings, removeFolder } from "../fakes/program.js";
import { liveTestObstacle, VethPair } from "./veth-pair.js";

const obstacle = liveTestObstacle();
if (obstacle) console.log(`skipped: live capture on two interfaces: ${obstacle}`);

describe.skipIf(obstacle !== undefined)("two interfaces that see the same packets", () => {
  const pair = new VethPair("c");
  let folder: string;
  beforeEach(() => {
    folder = makeFolder();
    pair.create();
  });
  afterEach(() => {
    pair.remove();
    removeFolder(folder);
  });

  it("give one recording with every packet once", async () => {
    const bridge = pair.addBridge();
    const data = join(folder, "data");
    const interfaces = ["--interface", pair.near, "--interface", bridge];
    const recorder = new RunningProgram([...interfaces, "--data", data, "--agents", "10.0.0.0/24", "--json"]);
    try {
      await recorder.waitFor("capturing", (stderr) => logLines(stderr, "capturing")[0]);
      const frames = makeCall({ ringMs: 200, durationMs: 2000 });
      pair.replay(frames);
      await recorder.waitFor("the call", (stderr) => logLines(stderr, "call")[0]);
    } finally {
      expect(await recorder.stop()).toBe(0);
    }
    expect(readCallLog(data).length).toBe(1);
    const [agent, caller] = readRecordings(data)[0]!.manifest.parties;
    expect(agent.streams.map(({ packets }) => packets)).toMatchObject([
      { seen: 100, recorded: 100, discarded: 0, lost: 0, duplicate: 0, copies: 100 },
    ]);
    expect(caller.streams.map(({ packets }) => packets)).toMatchObject([
      { seen: 100, recorded: 0, discarded: 100, lost: 0, duplicate: 0, copies: 100 },
    ]);
  });
});
