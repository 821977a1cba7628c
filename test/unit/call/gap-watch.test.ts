// Where lost packets were lost, by which streams miss some within the same seconds.
import { describe, expect, it } from "vitest";
import { GapWatch } from "../../../device/call/gap-watch.js";
import { Party } from "../../../device/call/party.js";
import { CallStream } from "../../../device/call/stream.js";
import { Arrival } from "../../../device/rtp/stream-statistics.js";

const PTIME_US = 20_000;

/** So many streams that are heard from the same moment on. */
class Wire {
  private readonly streams: CallStream[];
  readonly watch: GapWatch;
  private nowUs = 0;

  constructor(count: number) {
    this.streams = Array.from(
      { length: count },
      (_, n) => new CallStream(n, party(), n, "10.0.0.1:4000", "10.0.0.2:4000"),
    );
    this.watch = new GapWatch((sinceUs) => this.streams.filter(({ lastAtUs }) => lastAtUs >= sinceUs).length);
  }

  /** The packets of all streams, but those that `isLost`. */
  send(from: number, to: number, isLost: (stream: number, packet: number) => boolean = () => false): this {
    for (let packet = from; packet < to; packet++) {
      this.nowUs = packet * PTIME_US;
      for (const [n, stream] of this.streams.entries()) if (!isLost(n, packet)) this.take(stream, packet);
      this.watch.sweep(this.nowUs);
    }
    return this;
  }

  take(stream: CallStream | number, packet: number): void {
    const one = typeof stream === "number" ? this.streams[stream]! : stream;
    one.lastAtUs = this.nowUs;
    const { statistics } = one;
    const arrival = statistics.update(packet & 0xffff, packet * 160, this.nowUs, 8000, 200);
    if (arrival === Arrival.gap) this.watch.note(one, statistics.missingBefore, this.nowUs);
  }

  end(): GapWatch["figures"] {
    this.watch.sweep(this.nowUs + 10_000_000);
    return this.watch.figures;
  }
}

function party(): Party {
  return new Party(0, "start", 0);
}

describe("lost packets", () => {
  it("of most streams within seconds were lost on the way to the recorder", () => {
    const figures = new Wire(6).send(0, 400, (stream, packet) => stream < 5 && packet === 100 + stream).end();
    expect(figures).toEqual({ everywhere: 5, somewhere: 0, undecided: 0 });
  });

  it("of a few of many were lost in the network", () => {
    const figures = new Wire(6).send(0, 400, (stream, packet) => stream < 3 && packet % 50 === 7).end();
    expect(figures).toEqual({ everywhere: 0, somewhere: 24, undecided: 0 });
  });

  it("of one call prove nothing", () => {
    const figures = new Wire(2).send(0, 400, (_, packet) => packet === 20).end();
    expect(figures).toEqual({ everywhere: 0, somewhere: 0, undecided: 2 });
  });

  it("that only came late were not lost", () => {
    const wire = new Wire(5)
      .send(0, 100)
      .send(100, 101, () => true)
      .send(101, 103);
    for (let stream = 0; stream < 5; stream++) wire.take(stream, 100);
    expect(wire.send(103, 700).end()).toEqual({ everywhere: 0, somewhere: 0, undecided: 0 });
  });

  it("of another time are another moment", () => {
    const lossy = (stream: number, packet: number): boolean => packet === 50 + stream * 400;
    expect(new Wire(5).send(0, 2500, lossy).end()).toEqual({ everywhere: 0, somewhere: 5, undecided: 0 });
  });

  it("that were lost before the first gap in a moment are of that moment", () => {
    const figures = new Wire(4).send(0, 300, (_, packet) => packet >= 40 && packet < 45).end();
    expect(figures).toEqual({ everywhere: 20, somewhere: 0, undecided: 0 });
  });
});
