// The progress line: on terminals only, late, seldom, never wider than the terminal, and gone at the end.
import { describe, expect, it } from "vitest";
import { formatProgress, Progress } from "../../../device/console/progress.js";

class FakeTerminal {
  isTTY = true;
  columns = 120;
  written: string[] = [];
  write(text: string): void {
    this.written.push(text);
  }
}
function setUp(): { terminal: FakeTerminal; progress: Progress; at(nowMs: number): void } {
  const terminal = new FakeTerminal();
  let nowMs = 5000;
  const progress = new Progress(terminal, { monotonicMs: () => nowMs });
  return {
    terminal,
    progress,
    at: (sinceStartMs) => {
      nowMs = 5000 + sinceStartMs;
    },
  };
}

describe("Progress", () => {
  it("draws after a second, at most ten times a second, over the same line", () => {
    const { terminal, progress, at } = setUp();
    for (const sinceStartMs of [0, 500, 999]) {
      at(sinceStartMs);
      progress.update(1, 2);
    }
    expect(terminal.written).toEqual([]);
    for (const sinceStartMs of [1000, 1050, 1099, 1100]) {
      at(sinceStartMs);
      progress.update(10_000_000, 40_000_000);
    }
    expect(terminal.written).toEqual([
      "\r\x1b[K[######..................]  25%  10.0 of 40.0 MB  10.0 MB/s  0:03 left",
      "\r\x1b[K[######..................]  25%  10.0 of 40.0 MB  9.1 MB/s  0:04 left",
    ]);
  });

  it("takes itself away once, and only if it was there", () => {
    const { terminal, progress, at } = setUp();
    progress.clear();
    expect(terminal.written).toEqual([]);
    at(2000);
    progress.update(1, 0);
    progress.clear();
    progress.clear();
    expect(terminal.written.slice(1)).toEqual(["\r\x1b[K"]);
  });

  it("comes back at once after it made room for other output", () => {
    const { terminal, progress, at } = setUp();
    at(2000);
    progress.update(1, 2);
    progress.clear();
    progress.update(1, 2);
    expect(terminal.written).toHaveLength(3);
  });

  it("writes nothing where there is no terminal", () => {
    const { terminal, progress, at } = setUp();
    terminal.isTTY = false;
    at(9000);
    progress.update(1, 2);
    progress.clear();
    expect(terminal.written).toEqual([]);
  });

  it("never reaches the last column", () => {
    const { terminal, progress, at } = setUp();
    terminal.columns = 20;
    at(9000);
    progress.update(1, 2);
    expect(terminal.written[0]!.replace("\r\x1b[K", "")).toHaveLength(19);
  });

  it("turns when the total is unknown", () => {
    const { terminal, progress, at } = setUp();
    for (const sinceStartMs of [1000, 2000]) {
      at(sinceStartMs);
      progress.update(3_000_000, 0);
    }
    expect(terminal.written).toEqual(["\r\x1b[K| 3.0 MB  3.0 MB/s", "\r\x1b[K/ 3.0 MB  1.5 MB/s"]);
  });
});

describe("formatProgress", () => {
  it.each([
    [0, 10, 2000, "[........................]   0%  0.0 of 0.0 MB  0.0 MB/s"],
    [10e6, 10e6, 2000, "[########################] 100%  10.0 of 10.0 MB  5.0 MB/s  0:00 left"],
    [12e6, 10e6, 2000, "[########################] 100%  12.0 of 10.0 MB  6.0 MB/s  0:00 left"],
    [1e6, 7201e6, 1000, "[........................]   0%  1.0 of 7201.0 MB  1.0 MB/s  2:00:00 left"],
    [1e6, 2e6, 0, "[############............]  50%  1.0 of 2.0 MB  0.0 MB/s"],
  ])("%i of %i bytes after %i ms", (read, total, elapsedMs, text) => {
    expect(formatProgress(read, total, elapsedMs, "|")).toBe(text);
  });
});
