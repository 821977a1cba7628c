// The lines of the queue's files: a checksum (CRC-32 as eight hex digits), a space, one JSON object. Either an event that waits
// for the broker, or a mark of how far the queue has come. What is not such a line is damage: never an error, never an event.
import { crc32 } from "node:zlib";
import type { MqttEventKind } from "../contract/mqtt.js";

/** The kinds as a table, so that one that is added cannot be forgotten here. */
const KINDS: Record<MqttEventKind, true> = { consent: true, pause: true, call: true };

export interface QueuedEvent {
  /** From 1, one more for each event of the box. */
  seq: number;
  kind: MqttEventKind;
  /** As JSON, without its place in the queue. */
  body: string;
}

/** The newest one in the files is the one that counts. */
export interface QueueMark {
  /** Nothing up to here is owed to the broker any more. */
  done: number;
  /** Nothing beyond has been on its way to the broker. */
  sent: number;
  /** No sequence number from here on has been given away, even if the file's end is lost. */
  limit: number;
  /** Of the kernel that had the file in memory; "" = not known. */
  boot: string;
  /** Written at an orderly end, behind everything else. */
  isEnd: boolean;
}

export type QueueLine = { event: QueuedEvent } | { mark: QueueMark };

const LINE = /^([0-9a-f]{8}) (\{.*\})$/s;

export function formatEvent({ seq, kind, body }: QueuedEvent): string {
  return checked(`{"seq":${seq},"kind":${JSON.stringify(kind)},"event":${body}}`);
}

export function formatMark(mark: QueueMark): string {
  return checked(JSON.stringify(mark));
}

/** Without its newline. undefined = damaged. */
export function parseLine(line: string): QueueLine | undefined {
  const [, checksum, json] = LINE.exec(line) ?? [];
  if (json === undefined || checksum !== checksumOf(json)) return undefined;
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(json) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { seq, kind, event, done, sent, limit, boot, isEnd } = value;
  if (isCount(done) && isCount(sent) && isCount(limit) && typeof boot === "string")
    return { mark: { done, sent, limit, boot, isEnd: isEnd === true } };
  const isEvent = isCount(seq) && typeof kind === "string" && Object.hasOwn(KINDS, kind);
  if (!isEvent || typeof event !== "object" || event === null) return undefined;
  return { event: { seq, kind: kind as MqttEventKind, body: JSON.stringify(event) } };
}

function checked(json: string): string {
  return `${checksumOf(json)} ${json}\n`;
}

function checksumOf(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
