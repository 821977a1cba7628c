// Takes out RTP packets that the mirror port shows more than once, before they are counted as seen, judged by a gate or
// read for anything: a copy must not act twice nor make a leg's counts differ from what was sent. Hot path.
import { CopyCounters, CopyKind, packWay } from "../base/copies.js";
import type { Datagram } from "../net/datagram.js";
import type { RtpView } from "../rtp/packet.js";
import { digestPacket, RecentPackets } from "../rtp/recent-packets.js";
import type { Flow } from "./flow.js";

export class RtpCopies {
  readonly counters = new CopyCounters();
  private readonly windowUs: number;

  /** `windowMs` between a packet and its copy; 0 = copies are duplicates like the sender's own. */
  constructor(windowMs: number) {
    this.windowUs = windowMs * 1000;
  }

  /** True when the packet in `view`, `datagram`'s, was on the flow before; counted by kind and in its streams. */
  isCopy(flow: Flow, view: RtpView, datagram: Datagram): boolean {
    if (this.windowUs === 0) return false;
    flow.recent ??= new RecentPackets();
    const { link } = datagram;
    const kind = flow.recent.take(
      view.sequence,
      digestPacket(view, datagram.data),
      link.identification,
      packWay(link.vlan, link.hopLimit, link.encapsulation, datagram.interfaceIndex),
      datagram.capturedAtUs,
      this.windowUs,
    );
    if (kind === CopyKind.none) return false;
    this.counters.count(kind);
    countInStreams(flow, view.ssrc);
    return true;
  }
}

/** Nobody's stream has the copy of a packet that nobody got. */
function countInStreams(flow: Flow, ssrc: number): void {
  for (const { current, streams } of flow.bindings) {
    const stream = current?.ssrc === ssrc ? current : streams.findLast((one) => one.ssrc === ssrc);
    if (stream) stream.copies++;
  }
}
