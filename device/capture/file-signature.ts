// Recognises by its first bytes what a file is that is not a capture, so that the user is told what to do with it.
// Never decides whether a file is a capture.

export interface FileSignature {
  /** Completes "starts with …". */
  what: string;
  /** Completes the sentence with what to do. */
  advice: string;
}

interface KnownStart {
  magic: string;
  what: string;
  advice: string;
}

const UNPACK = "unpack it first";
const CONVERT = "convert it to pcap first, e.g. with editcap";

const KNOWN_STARTS: readonly KnownStart[] = [
  { magic: "\x1f\x8b", what: "gzip data", advice: UNPACK },
  { magic: "\x28\xb5\x2f\xfd", what: "zstd data", advice: UNPACK },
  { magic: "\xfd7zXZ\x00", what: "xz data", advice: UNPACK },
  { magic: "BZh", what: "bzip2 data", advice: UNPACK },
  { magic: "\x04\x22\x4d\x18", what: "lz4 data", advice: UNPACK },
  { magic: "PK\x03\x04", what: "a zip archive", advice: UNPACK },
  { magic: "7z\xbc\xaf\x27\x1c", what: "a 7-Zip archive", advice: UNPACK },
  { magic: "snoop\x00\x00\x00", what: "a snoop capture", advice: CONVERT },
  { magic: "GMBU", what: "a Network Monitor capture", advice: CONVERT },
  { magic: "RTSS", what: "a Network Monitor capture", advice: CONVERT },
  { magic: "TRSNIFF data", what: "a Sniffer capture", advice: CONVERT },
  { magic: "iptrace ", what: "an iptrace capture", advice: CONVERT },
  { magic: "#!rtpplay1.0", what: "an rtpdump file", advice: "only pcap and pcapng captures can be read" },
  { magic: "RIFF", what: "a RIFF (WAV) file", advice: "name the capture, not the recording" },
];

/** What `head` (the first two dozen bytes of a file, or fewer) looks like, or undefined when it is nothing well known. */
export function recognise(head: Buffer): FileSignature | undefined {
  const text = head.toString("latin1");
  const known = KNOWN_STARTS.find((start) => text.startsWith(start.magic));
  if (known) return known;
  if (looksLikeErf(head)) return { what: "what looks like an Endace ERF record", advice: CONVERT };
  if (head.length > 0 && head.every((byte) => byte === 0)) {
    return { what: "zero bytes", advice: "the copy or the disk is damaged: fetch it again" };
  }
  if (looksLikeText(head)) return { what: "text", advice: "only pcap and pcapng captures can be read" };
  return undefined;
}

function looksLikeText(head: Buffer): boolean {
  const hasUtf16Mark =
    head.length >= 2 && ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff));
  if (hasUtf16Mark) return true;
  return head.length > 0 && head.every((byte) => (byte >= 0x20 && byte !== 0x7f) || (byte >= 0x09 && byte <= 0x0d));
}

/**
 * An ERF record header: 64-bit little-endian time whose upper half is seconds, type, flags, then big-endian record
 * length, loss counter and wire length (Endace "ERF Types Reference Guide").
 */
function looksLikeErf(head: Buffer): boolean {
  if (head.length < 16) return false;
  const seconds = head.readUInt32LE(4);
  const type = head[8]! & 0x7f;
  const recordLength = head.readUInt16BE(10);
  const wireLength = head.readUInt16BE(14);
  const isPlausibleTime = seconds > 631_152_000 && seconds < 4_102_444_800;
  return isPlausibleTime && type >= 1 && type <= 27 && recordLength >= 16 && recordLength <= wireLength + 64;
}
