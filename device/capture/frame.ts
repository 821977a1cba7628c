// What capture hands to net: one link-layer frame, valid only during the call that hands it over.
import type { TimeUs } from "../base/ids.js";

/**
 * A captured frame. Sources reuse ONE Frame object and ONE buffer: whoever keeps bytes copies them.
 * `data[start..start+capturedLength)` are the frame's bytes.
 */
export interface Frame {
  data: Buffer;
  start: number;
  /** Bytes present in `data`. The one length to trust. */
  capturedLength: number;
  /** Bytes on the wire; smaller than capturedLength in some broken files, larger when the capture was snapped. */
  originalLength: number;
  capturedAtUs: TimeUs;
  /** LINKTYPE_ value (https://www.tcpdump.org/linktypes.html): 1 Ethernet, 113 SLL, 276 SLL2, 101 raw IP, 0 null, … */
  linkType: number;
  /** Index of the source's interface, 0 for plain pcap. */
  interfaceIndex: number;
}

export type FrameSink = (frame: Frame) => void;
