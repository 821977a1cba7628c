// What is known of the boxes that are watched, and how it looks on a terminal. Holds the newest of everything, and a bounded
// number of it. Pure: has no timer and no terminal.
import { ACTIVE_COLUMNS, activeRow, type ShownActiveCall } from "../call-rows.js";
import type { Colour } from "../output.js";
import { columnsOf, firstColumns, safeText } from "../safe-text.js";
import { textTable } from "../text-table.js";
import { shownSpan } from "../times.js";
import type { WatchListener, WatchMessage } from "./message.js";

const MAX_DEVICES = 64;
const MAX_ALARMS = 64;
const MAX_CALLS = 500;
const MAX_EVENTS = 200;
const MAX_EVENT_COLUMNS = 200;
const COLOURS: Readonly<Record<string, Colour>> = {
  critical: "red",
  error: "red",
  warning: "yellow",
  fail: "red",
  warn: "yellow",
  pass: "green",
  online: "green",
  offline: "red",
};

type Fields = Readonly<Record<string, unknown>>;
type Paint = (colour: Colour, text: string) => string;

interface Device {
  /** The newest payload by topic, of those that are shown. */
  states: Map<string, Fields>;
  alarms: Map<string, Fields>;
  calls: ShownActiveCall[];
}

export class WatchView implements WatchListener {
  /** Devices, alarms or calls beyond what is held. */
  dropped = 0;
  readonly #devices = new Map<string, Device>();
  readonly #events: string[] = [];
  #trouble = "";

  message({ device, topic, payload }: WatchMessage): void {
    const known = this.#device(device);
    if (known === undefined) return;
    const [kind, name = ""] = topic.split("/");
    const fields = isFields(payload) ? payload : undefined;
    if (kind === "alarm") this.#takeAlarm(known, name, fields);
    else if (kind === "event" && fields) this.#takeEvent(device, name, fields);
    else if (topic === "calls/active") this.#takeCalls(known, fields);
    else if (fields) this.#takeState(known, topic, fields);
  }

  connected(): void {
    this.#trouble = "";
    for (const device of this.#devices.values()) {
      device.alarms.clear();
      device.calls = [];
    }
  }

  lost(why: string): void {
    this.#trouble = why;
  }

  /** At most `height` lines of at most `width` columns. */
  lines(width: number, height: number, paint: Paint): string[] {
    const fit = (line: string): string => (columnsOf(line) > width ? firstColumns(line, width) : line);
    const heads = [...this.#devices].flatMap(([name, device]) => deviceLines(name, device, width, paint));
    const top = [
      ...(this.#trouble === "" ? [] : [paint("red", fit(safeText(this.#trouble)))]),
      ...(this.#devices.size === 0 ? [fit("Nothing seen of a box yet.")] : heads),
    ];
    const room = height - top.length - 2;
    const events = room > 0 ? this.#events.slice(-room).map(fit) : [];
    return [...top, ...(events.length > 0 ? ["", paint("bold", fit("events")), ...events] : [])].slice(0, height);
  }

  #device(name: string): Device | undefined {
    const known = this.#devices.get(name);
    if (known) return known;
    if (this.#devices.size >= MAX_DEVICES) {
      this.dropped++;
      return undefined;
    }
    const fresh: Device = { states: new Map(), alarms: new Map(), calls: [] };
    this.#devices.set(name, fresh);
    return fresh;
  }

  #takeAlarm({ alarms }: Device, code: string, fields: Fields | undefined): void {
    if (fields === undefined) alarms.delete(code);
    else if (alarms.has(code) || alarms.size < MAX_ALARMS) alarms.set(code, fields);
    else this.dropped++;
  }

  #takeCalls(device: Device, fields: Fields | undefined): void {
    const calls = Array.isArray(fields?.["calls"]) ? (fields["calls"] as unknown[]).filter(isFields) : [];
    this.dropped += Math.max(0, calls.length - MAX_CALLS);
    device.calls = calls
      .slice(0, MAX_CALLS)
      .map((call) => ({ ...call, parties: partiesOf(call) })) as unknown as ShownActiveCall[];
  }

  #takeState({ states }: Device, topic: string, fields: Fields): void {
    if ((SHOWN_STATES as readonly string[]).includes(topic)) states.set(topic, fields);
  }

  #takeEvent(device: string, kind: string, fields: Fields): void {
    const at = textOf(fields["at"]) || textOf(fields["since"]) || textOf(fields["startedAt"]);
    this.#events.push(safeText(`${at.slice(11, 19)} ${device} ${kind} ${eventText(kind, fields)}`, MAX_EVENT_COLUMNS));
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
  }
}

const SHOWN_STATES = ["state", "info", "health", "calls", "disk", "span"] as const;

/** A piece of a line with its colour. */
type Piece = readonly [text: string, colour?: Colour | undefined];

function deviceLines(name: string, { states, alarms, calls }: Device, width: number, paint: Paint): string[] {
  const state = textOf(states.get("state")?.["state"]) || "?";
  const info = states.get("info");
  const health = states.get("health");
  const disk = states.get("disk");
  const span = textOf(states.get("span")?.["state"]);
  const packets = numberOf((health?.["capture"] as Fields | undefined)?.["packetsPerSecond"]);
  const daysLeft = numberOf(disk?.["daysLeft"]);
  const days = Number.isFinite(daysLeft) ? `, ${Math.floor(daysLeft)} days left` : "";
  const pieces: Piece[] = [
    [safeText(name, 40), "bold"],
    [safeText(state, 12), COLOURS[state]],
    ...(info ? [[safeText(`Sidetone ${textOf(info["version"])}`, 20)] as const] : []),
    ...(health ? [[`up ${shownSpan(numberOf(health["uptimeS"]))}`] as const] : []),
    [`${shownCount(states.get("calls")?.["active"] ?? health?.["activeCalls"] ?? calls.length)} calls`],
    ...(Number.isFinite(packets) ? [[`${Math.round(packets)} packets/s`] as const] : []),
    ...(disk ? [[safeText(`disk ${textOf(disk["level"])}${days}`, 40)] as const] : []),
    ...(span === "" ? [] : [[`mirror port ${safeText(span, 12)}`, COLOURS[span]] as const]),
  ];
  const table = calls.length === 0 ? [] : textTable(ACTIVE_COLUMNS, calls.map(activeRow), width - 2);
  return [
    painted(pieces, width, paint),
    ...[...alarms].map(([code, alarm]) => alarmLine(code, alarm, width, paint)),
    ...table.map((line) => firstColumns(`  ${line}`, width)),
  ];
}

/** Cut to the width, then coloured: what colours takes no columns. */
function painted(pieces: readonly Piece[], width: number, paint: Paint, gap = "  "): string {
  let left = width;
  const shown: string[] = [];
  for (const [text, colour] of pieces) {
    const before = shown.length === 0 ? "" : firstColumns(gap, left);
    left -= before.length;
    const fit = firstColumns(text, left);
    left -= columnsOf(fit);
    shown.push(before + (colour && fit !== "" ? paint(colour, fit) : fit));
  }
  return shown.join("");
}

function alarmLine(code: string, { severity, title, since }: Fields, width: number, paint: Paint): string {
  const word = safeText(textOf(severity).toUpperCase(), 8).padEnd(8);
  const rest = safeText(`${textOf(title)} (${code}) since ${textOf(since).slice(0, 19)}`);
  return painted([["", undefined], [word, COLOURS[textOf(severity)]], [rest]], width, paint);
}

/** By kind the members that tell it, over MQTT and of the API's own. */
const EVENT_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  consent: ["call", "role", "from", ">to"],
  pause: ["call", "state", "reason"],
  call: ["call", "change"],
  "call-started": ["call"],
  "call-answered": ["call"],
  "call-joined": ["call", ">into"],
  "call-ended": ["call", "endReason"],
  recording: ["id", "outcome"],
  "alarm-raised": ["code", "title"],
  "alarm-acknowledged": ["code", "title"],
  "alarm-cleared": ["code"],
};

function eventText(kind: string, fields: Fields): string {
  const members = Object.hasOwn(EVENT_MEMBERS, kind) ? EVENT_MEMBERS[kind] : undefined;
  if (members === undefined) return JSON.stringify(fields);
  const words = members.flatMap((member) => {
    const text = textOf(fields[member.replace(">", "")]);
    return text === "" ? [] : [member.startsWith(">") ? `-> ${text}` : text];
  });
  const by = textOf(fields["by"]);
  return `${words.join(" ")}${by === "" ? "" : ` (${by})`}`;
}

function partiesOf({ parties }: Fields): Fields[] {
  return Array.isArray(parties) ? parties.filter(isFields) : [];
}

function shownCount(value: unknown): string {
  return Number.isFinite(value) ? String(value) : "?";
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : Number.NaN;
}
