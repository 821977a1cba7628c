// Where sealing takes a call's admitted packets from: the journal's reader, or a list in a test.
import type { Side, TimeUs } from "../base/ids.js";

/** One admitted RTP packet, data[start, end), header and payload as captured. The object may be reused. */
export interface AdmittedPacket {
  side: Side;
  /** Index of the stream within the call: one SSRC on one flow. */
  stream: number;
  capturedAtUs: TimeUs;
  data: Buffer;
  start: number;
  end: number;
}

export interface RecordSource {
  /** Gives every packet in order of arrival, the same ones in the same order each time it is called. */
  visit(sink: (packet: AdmittedPacket) => void): void;
}
