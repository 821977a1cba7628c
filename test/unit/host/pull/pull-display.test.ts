// What a person and what a program see of a pull.
import { expect, test } from "vitest";
import { Output, type TextSink } from "../../../../host/output.js";
import { formatPull, PullDisplay } from "../../../../host/pull/pull-display.js";
import type { PullEvent } from "../../../../host/pull/pull-events.js";

class Sink implements TextSink {
  text = "";
  constructor(
    readonly isTTY: boolean,
    readonly columns = 60,
  ) {}
  write(text: string): boolean {
    this.text += text;
    return true;
  }
}

const ID = "01J0000000ABCDEFGHJKMNPQRS";
const STORED: PullEvent = {
  ...{ event: "stored", id: ID, file: `2026/11/28/${ID}.wav`, manifest: `2026/11/28/${ID}.json` },
  ...{ bytes: 2_500_000, sha256: "00", durationMs: 63_280 },
};
const END: PullEvent = {
  ...{ event: "end", stored: 1, found: 2, bytes: 2_500_000, acknowledged: 1, deleted: 0, kept: 0, gone: 0, faults: 1 },
};

function show(isTTY: boolean, isJson = false) {
  const [stdout, stderr] = [new Sink(isTTY), new Sink(isTTY)];
  let nowMs = 0;
  const display = new PullDisplay(new Output({ stdout, stderr, environment: {}, isJson }), () => nowMs);
  return { display, stdout, stderr, pass: (ms: number) => (nowMs += ms) };
}

test("one line for each recording, the rest on the other channel", () => {
  const { display, stdout, stderr } = show(false);
  display.tell({ event: "listed", recordings: 2, bytes: 5_000_000 });
  display.progress(ID, 1000);
  display.tell(STORED);
  display.tell({ event: "fault", id: "X", fault: "audio", detail: "a \x1b[31mred\u202e line" });
  display.tell(END);
  expect(stdout.text).toBe(`2026/11/28/${ID}.wav  1:04  2.5 MB\n`);
  expect(stderr.text).toBe(
    "X NOT pulled: a ?[31mred? line\n1 recordings pulled, 2.5 MB, 2 were here already, 1 acknowledged, 1 NOT pulled\n",
  );
});

test("on a terminal a line that is drawn over itself, never wider, gone at the end", () => {
  const { display, stderr, pass } = show(true);
  display.tell({ event: "listed", recordings: 2, bytes: 5_000_000 });
  pass(1000);
  display.progress(ID, 0);
  pass(1000);
  display.progress(ID, 1_250_000);
  expect(stderr.text.split("\r\x1b[K").at(-1)).toBe("[#####...............]  0 of 2  1.3 of 5.0 MB  0.6 MB/s  0:");
  pass(50);
  const before = stderr.text;
  display.progress(ID, 1_300_000);
  expect(stderr.text).toBe(before);
  display.tell(STORED);
  display.tell(END);
  expect(stderr.text).toMatch(/\r\x1b\[K1 recordings pulled[^\r]*\n$/);
});

test("JSON lines have every event as it is, and nothing else is said", () => {
  const { display, stdout, stderr } = show(true, true);
  for (const event of [STORED, END]) display.tell(event);
  display.progress(ID, 1);
  expect(
    stdout.text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  ).toEqual([STORED, END]);
  expect(stderr.text).toBe("");
});

test("how far it is without sizes, and when all is done", () => {
  const none = { doneRecordings: 1, recordings: 4, doneBytes: 0, bytes: 0, bytesPerSecond: 0 };
  expect(formatPull(none)).toBe("[#####...............]  1 of 4  0.0 of 0.0 MB  0.0 MB/s");
  const all = { doneRecordings: 4, recordings: 4, doneBytes: 9e6, bytes: 9e6, bytesPerSecond: 1e6 };
  expect(formatPull(all)).toBe(`[${"#".repeat(20)}]  4 of 4  9.0 of 9.0 MB  1.0 MB/s`);
});
