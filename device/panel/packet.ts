// Packets of the Crystalfontz CFA635 family, as they are on the wire, and the commands that are sent:
//
//   type, length, data[length], CRC (low byte first)      type: two bits kind, six bits code; length at most 22
//
// Knows no port and no answer. The two commands 5 that reset the host or cut its power cannot be made.
import { crc16 } from "./crc.js";

export const MAX_DATA_BYTES = 22;
/** Type, length and CRC. */
export const OVERHEAD_BYTES = 4;
export const MAX_PACKET_BYTES = MAX_DATA_BYTES + OVERHEAD_BYTES;

/** By the type's upper two bits; `refusal`: a well-formed command whose content the module does not take. */
const KINDS = ["command", "response", "report", "refusal"] as const;
export type PacketKind = (typeof KINDS)[number];

export interface Packet {
  kind: PacketKind;
  /** 0 to 63; of a response or refusal, the command's. */
  code: number;
  data: Uint8Array;
}

export interface CommandPacket extends Packet {
  kind: "command";
}

export const COMMAND = {
  ping: 0,
  version: 1,
  restart: 5,
  clear: 6,
  cursorStyle: 12,
  contrast: 13,
  backlight: 14,
  keyMasks: 23,
  watchdog: 29,
  text: 31,
  output: 34,
} as const;

/** The report of a key; its one byte of data says which, and whether it was pressed or released. */
export const KEY_REPORT = 0;

export function kindOf(type: number): PacketKind {
  return KINDS[(type >>> 6) & 3]!;
}

/** Throws RangeError for what no module takes, and for what would restart the box or switch it off. */
export function encodePacket({ kind, code, data }: Packet): Uint8Array {
  if (data.length > MAX_DATA_BYTES) throw new RangeError(`${data.length} bytes of data > ${MAX_DATA_BYTES}`);
  if (!(code >= 0 && code <= 63)) throw new RangeError(`code ${code} > 63`);
  if (kind === "command" && code === COMMAND.restart)
    throw new RangeError("command 5 may reset the host or power it off");
  const bytes = new Uint8Array(data.length + OVERHEAD_BYTES);
  bytes[0] = (KINDS.indexOf(kind) << 6) | code;
  bytes[1] = data.length;
  bytes.set(data, 2);
  const crc = crc16(bytes, 0, data.length + 2);
  bytes[data.length + 2] = crc & 0xff;
  bytes[data.length + 3] = crc >>> 8;
  return bytes;
}

export function command(code: number, ...data: number[]): CommandPacket {
  return { kind: "command", code, data: Uint8Array.from(data) };
}

/** `bytes` in the module's character set, from a column of a row on, both from 0. */
export function textCommand(column: number, row: number, bytes: Uint8Array): CommandPacket {
  return { kind: "command", code: COMMAND.text, data: Uint8Array.from([column, row, ...bytes]) };
}

export function isAnswerTo(packet: Packet, sent: Packet): boolean {
  return (packet.kind === "response" || packet.kind === "refusal") && packet.code === sent.code;
}
