// Where somebody is in the panel's menu, and what a key does there. A pure state machine: keys in, place and wishes out.
import type { PanelKey } from "../contract/panel.js";
import { type Dialog, lastTop, type PanelSize, type Place, pageOf, screensOf } from "./screens.js";
import type { PanelSnapshot } from "./snapshot.js";

/** What a key asks of the box. */
export type Wish = "resume-all" | "acknowledge" | "show-secret" | "reset-access" | "reset-all";

export interface Step {
  place: Place;
  wish?: Wish;
}

export const HOME: Place = { screen: "status", top: 0, alarm: 0, dialog: undefined };

export function pressKey(place: Place, key: PanelKey, snapshot: PanelSnapshot, size: PanelSize): Step {
  if (place.dialog !== undefined) return answerDialog(place, place.dialog, key, snapshot, size);
  switch (key) {
    case "left":
    case "right":
      return { place: turn(place, key === "right" ? 1 : -1, snapshot) };
    case "up":
    case "down":
      return { place: scroll(place, key === "down" ? 1 : -1, snapshot, size) };
    case "enter":
      return enter(place, snapshot);
    case "exit":
      return { place: HOME };
  }
}

export function withDialog(place: Place, dialog: Dialog | undefined): Place {
  return { ...place, top: 0, dialog };
}

function answerDialog(place: Place, dialog: Dialog, key: PanelKey, snapshot: PanelSnapshot, size: PanelSize): Step {
  if (dialog.kind === "reset") return answerReset(place, dialog, key);
  if (key === "up" || key === "down") return { place: scrollLines(place, key === "down" ? 1 : -1, snapshot, size) };
  if (dialog.kind === "resume" && key !== "enter" && key !== "exit") return { place };
  const closed = dialog.kind === "secret" ? HOME : withDialog(place, undefined);
  return { place: closed, ...(dialog.kind === "resume" && key === "enter" && { wish: "resume-all" as const }) };
}

/** Enter, then up; whatever else is pressed leaves everything as it is. */
function answerReset(place: Place, dialog: Extract<Dialog, { kind: "reset" }>, key: PanelKey): Step {
  if (!dialog.isSure && key === "enter") return { place: withDialog(place, { ...dialog, isSure: true }) };
  const closed = withDialog(place, undefined);
  if (!dialog.isSure || key !== "up") return { place: closed };
  return { place: closed, wish: dialog.what === "access" ? "reset-access" : "reset-all" };
}

function turn(place: Place, by: 1 | -1, snapshot: PanelSnapshot): Place {
  const screens = screensOf(snapshot);
  const index = Math.max(0, screens.indexOf(place.screen));
  return { ...HOME, screen: screens[(index + by + screens.length) % screens.length]! };
}

/** Panels without left and right go on to the next screen at a page's end. */
function scroll(place: Place, by: 1 | -1, snapshot: PanelSnapshot, size: PanelSize): Place {
  const scrolled = scrollLines(place, by, snapshot, size);
  if (scrolled.top !== place.top) return scrolled;
  if (place.screen !== "alarms") return size.hasFourKeys ? turn(place, by, snapshot) : place;
  const alarm = place.alarm + by;
  if (alarm >= 0 && alarm < snapshot.alarms.length) return { ...place, top: 0, alarm };
  return size.hasFourKeys ? turn(place, by, snapshot) : place;
}

function scrollLines(place: Place, by: 1 | -1, snapshot: PanelSnapshot, size: PanelSize): Place {
  const { title, lines } = pageOf(snapshot, place, size);
  const end = lastTop(lines.length, size.rows - (title === "" ? 0 : 1));
  return { ...place, top: Math.max(0, Math.min(Math.min(place.top, end) + by, end)) };
}

function enter(place: Place, snapshot: PanelSnapshot): Step {
  if (place.screen === "alarms" && snapshot.alarms.length > 0) return { place, wish: "acknowledge" };
  if (place.screen === "token" && snapshot.hasSecret) return { place, wish: "show-secret" };
  if (place.screen === "reset" || place.screen === "factory") {
    const what = place.screen === "reset" ? "access" : "factory";
    return { place: withDialog(place, { kind: "reset", what, isSure: false }) };
  }
  if (place.screen === "status" && snapshot.isPaused) return { place: withDialog(place, { kind: "resume" }) };
  return { place };
}
