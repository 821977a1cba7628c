// The panel's screens as text: a snapshot of the box and the place in the menu become rows of the panel's width. Pure; what
// does not fit is wrapped or scrolled, never lost.
import type { StandingAlarm } from "../contract/alarms.js";
import { CONSENT_STATES, type ConsentState } from "../contract/call-record.js";
import { SPAN_CHECK_IDS } from "../contract/span.js";
import { type RecordingState, recordingState } from "./leds.js";
import type { PanelCall, PanelSnapshot } from "./snapshot.js";

export interface PanelSize {
  columns: number;
  rows: number;
  /** It lacks left and right. */
  hasFourKeys: boolean;
}

export const SCREENS = ["status", "addresses", "mirror", "calls", "alarms", "token", "factory", "reset"] as const;
export type ScreenName = (typeof SCREENS)[number];

/** The API's tokens, or settings as well. */
export type Reset = "access" | "factory";

/** What is asked, or said, over whatever screen there is. */
export type Dialog =
  | { kind: "resume" }
  /** Asked twice, by two different keys. */
  | { kind: "reset"; what: Reset; isSure: boolean }
  | { kind: "notice"; text: string }
  /** Gone for good once it is left. */
  | { kind: "secret"; secret: string };

export interface Place {
  screen: ScreenName;
  /** First line that is shown. */
  top: number;
  /** Which of the alarms. */
  alarm: number;
  dialog: Dialog | undefined;
}

export interface Page {
  /** "" = none: its row is the lines'. */
  title: string;
  lines: string[];
}

const STATE_TEXT: Record<RecordingState, string> = {
  starting: "STARTING",
  on: "RECORDING ON",
  paused: "PAUSED",
  off: "NOT RECORDING",
  stopping: "STOPPING",
};
const CONSENT_TEXT: Record<ConsentState, string> = {
  granted: "granted",
  refused: "refused",
  withdrawn: "withdrawn",
  unknown: "unknown",
  "not-required": "not needed",
};

/** The screens there are at the moment, in order. */
export function screensOf({ hasSecret, canReset }: PanelSnapshot): ScreenName[] {
  const isThere = { token: hasSecret, factory: canReset, reset: canReset } as Partial<Record<ScreenName, boolean>>;
  return SCREENS.filter((screen) => isThere[screen] ?? true);
}

export function pageOf(snapshot: PanelSnapshot, place: Place, size: PanelSize): Page {
  const { title, lines } =
    place.dialog === undefined ? screenOf(snapshot, place, size) : dialogPage(place.dialog, size.columns);
  return { title, lines: lines.flatMap((line) => wrap(line, size.columns)) };
}

/** Exactly as many rows as the panel has, each as long as it is wide. */
export function rowsOf(snapshot: PanelSnapshot, place: Place, size: PanelSize): string[] {
  const { title, lines } = pageOf(snapshot, place, size);
  const room = size.rows - (title === "" ? 0 : 1);
  const top = Math.min(place.top, lastTop(lines.length, room));
  const shown = lines.slice(top, top + room);
  const isMore = top + room < lines.length;
  const head = title === "" ? [] : [withMark(title, top > 0 || isMore ? mark(top > 0, isMore) : "", size.columns)];
  return [...head, ...shown, ...new Array<string>(Math.max(0, room - shown.length)).fill("")].map((row) =>
    row.slice(0, size.columns).padEnd(size.columns),
  );
}

/** How far a page can be scrolled. */
export function lastTop(lines: number, room: number): number {
  return Math.max(0, lines - room);
}

function screenOf(snapshot: PanelSnapshot, place: Place, size: PanelSize): Page {
  switch (place.screen) {
    case "status":
      return statusPage(snapshot, size.columns);
    case "addresses":
      return addressPage(snapshot);
    case "mirror":
      return mirrorPage(snapshot);
    case "calls":
      return callsPage(snapshot);
    case "alarms":
      return alarmPage(snapshot, place.alarm);
    case "token":
      return { title: "First token", lines: ["Press Enter to show", "it once."] };
    case "factory":
      return { title: "Factory reset", lines: ["Enter: all settings and tokens go.", "Recordings stay."] };
    case "reset":
      return { title: "Reset access", lines: ["Enter: all tokens go, a new one is shown.", "Recordings stay."] };
  }
}

function statusPage(snapshot: PanelSnapshot, columns: number): Page {
  const { activeCalls, disk, alarms, date, time, device, version } = snapshot;
  const state = STATE_TEXT[recordingState(snapshot)];
  // A mark of what can be scrolled takes the last two columns.
  const title = state.length + 1 + time.length + 2 <= columns ? `${state} ${time}` : state;
  return {
    title,
    lines: [
      activeCalls === 1 ? "1 call" : `${activeCalls} calls`,
      disk === undefined ? "Disk unknown" : diskLine(disk),
      alarmLine(alarms),
      `${date} ${time}`,
      device,
      `Sidetone ${version}`,
    ],
  };
}

function diskLine({ level, freeMegabytes, daysLeft }: NonNullable<PanelSnapshot["disk"]>): string {
  if (level === "full") return "Disk FULL";
  const free = freeMegabytes >= 10_240 ? `${Math.floor(freeMegabytes / 1024)} GB` : `${freeMegabytes} MB`;
  return daysLeft === null ? `Disk ${free} free` : `Disk ${free} ${Math.floor(daysLeft)} days`;
}

function alarmLine(alarms: readonly StandingAlarm[]): string {
  const [first] = alarms.filter(({ acknowledged }) => acknowledged === undefined);
  if (alarms.length === 0) return "No alarm";
  if (first === undefined) return alarms.length === 1 ? "1 alarm seen" : `${alarms.length} alarms seen`;
  return `! ${first.title}`;
}

function addressPage({ addresses, api, fingerprint }: PanelSnapshot): Page {
  const lines = addresses.map((entry) => `${entry.interface} ${entry.address}`);
  return {
    title: "Addresses",
    lines: [...(lines.length === 0 ? ["none"] : lines), `API ${api}`, ...fingerprintLines(fingerprint)],
  };
}

/** Three groups of four digits fit on every panel. */
function fingerprintLines(fingerprint: string): string[] {
  const groups = fingerprint.replaceAll(":", "").match(/.{1,4}/g) ?? [];
  const lines = Array.from({ length: Math.ceil(groups.length / 3) }, (_, at) =>
    groups.slice(at * 3, at * 3 + 3).join(" "),
  );
  return lines.length === 0 ? [] : ["API SHA-256", ...lines];
}

function mirrorPage({ span }: PanelSnapshot): Page {
  if (span === undefined) return { title: "Mirror port", lines: ["Not checked yet"] };
  const of = (state: string): string[] => SPAN_CHECK_IDS.filter((id) => span.checks[id] === state);
  const [failed, warned, unseen, passed] = [of("fail"), of("warn"), of("not-seen"), of("pass")];
  const words = {
    pass: "Mirror port OK",
    warn: "Mirror port: look",
    fail: "Mirror port WRONG",
    "not-seen": "Mirror port",
  };
  return {
    title: words[span.state],
    lines: [
      ...failed.map((id) => `FAIL ${id}`),
      ...warned.map((id) => `warn ${id}`),
      `${passed.length} pass, ${unseen.length} unseen`,
      ...unseen.map((id) => `? ${id}`),
    ],
  };
}

function callsPage({ activeCalls, calls }: PanelSnapshot): Page {
  const title = activeCalls === 1 ? "1 call" : `${activeCalls} calls`;
  if (calls === undefined) return { title, lines: ["..."] };
  const states = calls.flatMap(({ consents }) => consents);
  const counts = CONSENT_STATES.flatMap((state) => {
    const count = states.filter((other) => other === state).length;
    return count === 0 ? [] : [`${CONSENT_TEXT[state]} ${count}`];
  });
  return { title, lines: [...(counts.length === 0 ? ["Nobody on the line"] : counts), ...calls.map(callLine)] };
}

function callLine({ seconds, agent, isPaused, consents }: PanelCall): string {
  const minutes = Math.floor(seconds / 60);
  const clock = `${String(minutes).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
  const [first] = consents;
  const isOne = consents.every((state) => state === first);
  const consent = first === undefined ? "" : isOne ? CONSENT_TEXT[first] : "several";
  return [clock, agent === "" ? "?" : agent, isPaused ? "paused" : consent].join(" ").trimEnd();
}

function alarmPage({ alarms }: PanelSnapshot, index: number): Page {
  const alarm = alarms[Math.min(index, alarms.length - 1)];
  if (alarm === undefined) return { title: "Alarms", lines: ["No alarm"] };
  const place = alarms.indexOf(alarm) + 1;
  const { title, severity, since, remedy, acknowledged } = alarm;
  return {
    title: `Alarm ${place}/${alarms.length}${acknowledged === undefined ? "" : " seen"}`,
    lines: [title, `${severity} ${since.slice(5, 10)}`, `since ${since.slice(11, 16)} UTC`, remedy],
  };
}

function dialogPage(dialog: Dialog, columns: number): Page {
  switch (dialog.kind) {
    case "resume":
      return { title: "Resume all?", lines: ["Enter: record again", "Exit: stay paused"] };
    case "reset":
      return dialog.isSure
        ? { title: "Press Up to do it", lines: ["Exit: leave it"] }
        : {
            title: dialog.what === "access" ? "Revoke all tokens?" : "Forget all of it?",
            lines: ["Enter: yes", "Exit: leave it"],
          };
    case "notice":
      return { title: "", lines: [dialog.text] };
    case "secret":
      return { title: "", lines: [...chunks(dialog.secret, columns), "Exit: gone for good"] };
  }
}

function mark(isAbove: boolean, isBelow: boolean): string {
  return `${isAbove ? "<" : " "}${isBelow ? ">" : " "}`;
}

function withMark(title: string, sign: string, columns: number): string {
  return sign === "" ? title : `${title.slice(0, columns - sign.length).padEnd(columns - sign.length)}${sign}`;
}

/** At spaces where there are any; longer words are cut. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").flatMap((part) => (part === "" ? [""] : chunks(part, columns)))) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length > columns) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

function chunks(text: string, length: number): string[] {
  return Array.from({ length: Math.ceil(text.length / length) }, (_, index) =>
    text.slice(index * length, (index + 1) * length),
  );
}
