// Reading capture files: results and faults as values, chunks, back-pressure, progress, standard input.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHUNK_BYTES, FileSource } from "../../../device/capture/file-source.js";
import { type KeptFrame, keep, parse, pcapFile, someRecords } from "./capture-builder.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-file-source-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, bytes: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const nothing = (): void => {};
/** Three and a half chunks. */
const large = pcapFile(
  Array.from({ length: 2500 }, (_, i) => ({ seconds: 1_700_000_000, fraction: i, data: Buffer.alloc(1450, i) })),
);
const LARGE_CHUNKS = Math.ceil(large.length / CHUNK_BYTES);

describe("a capture file", () => {
  it("is delivered as its parser sees it", async () => {
    const frames: KeptFrame[] = [];
    const source = new FileSource(write("large.pcap", large), (frame) => frames.push(keep(frame)));
    const result = await source.run();
    expect(frames).toEqual(parse(large).frames);
    expect(result).toMatchObject({ frames: 2500, bytes: large.length, isStopped: false });
    expect(result.fault).toBeUndefined();
  });

  it("reports its progress and lets the event loop turn between chunks", async () => {
    const progress: [number, number][] = [];
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    const source = new FileSource(write("large.pcap", large), nothing);
    await source.run({ onProgress: (read, total) => progress.push([read, total]) });
    isDone = true;
    expect(progress).toHaveLength(LARGE_CHUNKS);
    expect(progress[0]).toEqual([CHUNK_BYTES, large.length]);
    expect(progress.at(-1)).toEqual([large.length, large.length]);
    expect(turns).toBeGreaterThanOrEqual(LARGE_CHUNKS - 1);
  });

  it("waits for its consumer before each chunk", async () => {
    const source = new FileSource(write("large.pcap", large), nothing);
    const framesAtPause: number[] = [];
    const pause = async (): Promise<void> => {
      const before = source.counters.frames;
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(source.counters.frames).toBe(before);
      framesAtPause.push(before);
    };
    await source.run({ pause });
    expect(framesAtPause).toHaveLength(LARGE_CHUNKS + 1);
    expect(framesAtPause[0]).toBe(0);
    expect(new Set(framesAtPause).size).toBe(LARGE_CHUNKS + 1);
  });

  it("can be stopped between two chunks, which is no fault", async () => {
    const abort = new AbortController();
    const source = new FileSource(write("large.pcap", large), nothing);
    const result = await source.run({ signal: abort.signal, onProgress: () => abort.abort() });
    expect(result).toMatchObject({ isStopped: true, bytes: CHUNK_BYTES });
    expect(result.fault).toBeUndefined();
    expect(result.frames).toBeGreaterThan(0);
  });

  it("whose consumer throws rejects", async () => {
    const source = new FileSource(write("one.pcap", pcapFile(someRecords(1))), () => {
      throw new Error("broken invariant");
    });
    await expect(source.run()).rejects.toThrow("broken invariant");
  });
});

describe("a file that cannot be used", () => {
  async function faultOf(path: string): Promise<unknown> {
    return (await new FileSource(path, nothing).run()).fault;
  }

  it("does not exist", async () => {
    const path = join(folder, "missing.pcap");
    expect(await faultOf(path)).toEqual({
      code: "capture-not-found",
      message: `${path}: there is no such file; check the path`,
    });
    expect(await faultOf(join(write("file", Buffer.alloc(1)), "below"))).toMatchObject({ code: "capture-not-found" });
  });

  it("is a folder", async () => {
    expect(await faultOf(folder)).toEqual({
      code: "capture-not-found",
      message: `${folder}: is a folder; name the capture files in it`,
    });
  });

  it("is empty", async () => {
    const path = write("empty.pcap", Buffer.alloc(0));
    expect(await faultOf(path)).toEqual({
      code: "capture-empty",
      message: `${path}: the file is empty; capture again, or fetch it again`,
    });
  });

  it("is packed", async () => {
    const path = write("packed.pcap.gz", gzipSync(pcapFile(someRecords(1))));
    expect(await faultOf(path)).toEqual({
      code: "capture-format",
      message: `${path}: not a capture file (starts with gzip data); unpack it first`,
    });
  });

  it("is cut off: its packets were delivered", async () => {
    const path = write("cut.pcap", pcapFile(someRecords(3)).subarray(0, -1));
    const result = await new FileSource(path, nothing).run();
    expect(result.frames).toBe(2);
    expect(result.fault?.code).toBe("capture-cut");
    expect(result.fault?.message).toMatch(
      /cut\.pcap: is cut off inside the record at byte \d+; the 2 packets before it/,
    );
  });

  it("has a name that would break a log line", async () => {
    const fault = await faultOf(join(folder, "two\nlines"));
    expect((fault as { message: string }).message).not.toContain("\n");
  });
});

describe("standard input", () => {
  const file = pcapFile(someRecords(200));
  const asStream = (chunks: Iterable<Buffer>): Readable => Readable.from(chunks, { objectMode: false });

  it("is read like a file, of unknown length", async () => {
    const frames: KeptFrame[] = [];
    const progress: [number, number][] = [];
    const chunks = [file.subarray(0, 7), file.subarray(7, 3000), file.subarray(3000)];
    const source = new FileSource(
      "-",
      (frame) => frames.push(keep(frame)),
      () => asStream(chunks),
    );
    const result = await source.run({ onProgress: (read, total) => progress.push([read, total]) });
    expect(source.name).toBe("standard input");
    expect(frames).toEqual(parse(file).frames);
    expect(result).toMatchObject({ frames: 200, bytes: file.length });
    expect(result.fault).toBeUndefined();
    expect(progress.at(-1)).toEqual([file.length, 0]);
  });

  it("may be empty or fail", async () => {
    const empty = await new FileSource("-", nothing, () => asStream([])).run();
    expect(empty.fault).toEqual({
      code: "capture-empty",
      message: "standard input: the file is empty; capture again, or fetch it again",
    });
    const failing = new Readable({ read: () => failing.destroy(Object.assign(new Error("x"), { code: "EIO" })) });
    const failed = await new FileSource("-", nothing, () => failing).run();
    expect(failed.fault?.code).toBe("capture-cut");
    expect(failed.fault?.message).toContain("EIO");
  });

  it("that sends nothing more can be stopped", async () => {
    const abort = new AbortController();
    const silent = new Readable({ read: nothing });
    silent.push(file);
    const source = new FileSource("-", nothing, () => silent);
    const running = source.run({ signal: abort.signal, onProgress: () => setImmediate(() => abort.abort()) });
    expect(await running).toMatchObject({ isStopped: true, frames: 200 });
    expect(silent.destroyed).toBe(true);
  });

  it("is not read on after a fault", async () => {
    function* endless(): Iterable<Buffer> {
      for (;;) yield Buffer.alloc(4096, 0x20);
    }
    const result = await new FileSource("-", nothing, () => asStream(endless())).run();
    expect(result.fault?.code).toBe("capture-format");
    expect(result.bytes).toBeLessThan(CHUNK_BYTES);
  });
});
