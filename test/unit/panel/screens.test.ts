// Every screen as the text that stands on the glass, on panels of three sizes, and the way through the menu by keys. Nothing
// of a caller is on any.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { StandingAlarm } from "../../../device/contract/alarms.js";
import type { ActiveCall } from "../../../device/contract/commands.js";
import type { PanelKey } from "../../../device/contract/panel.js";
import { SPAN_CHECK_IDS } from "../../../device/contract/span.js";
import { Chord, HOLD_MS } from "../../../device/panel/chord.js";
import { ledsOf, panelMarkdown } from "../../../device/panel/leds.js";
import { HOME, pressKey, withDialog } from "../../../device/panel/menu.js";
import { type PanelSize, type Place, rowsOf, SCREENS } from "../../../device/panel/screens.js";
import { type PanelSnapshot, panelCall } from "../../../device/panel/snapshot.js";

const LARGE: PanelSize = { columns: 20, rows: 4, hasFourKeys: false };
const SMALL: PanelSize = { columns: 16, rows: 2, hasFourKeys: false };
const FOUR_KEYS: PanelSize = { columns: 20, rows: 2, hasFourKeys: true };

const alarm = (code: StandingAlarm["code"], severity: StandingAlarm["severity"], title: string): StandingAlarm => ({
  code,
  severity,
  title,
  remedy: "Do something about it, soon.",
  since: "2026-11-28T09:55:00.000000Z",
  count: 1,
  detail: {},
});

function snapshot(overrides: Partial<PanelSnapshot> = {}): PanelSnapshot {
  const checks = Object.fromEntries(SPAN_CHECK_IDS.map((id) => [id, "pass"]));
  return {
    device: "box-7",
    version: "0.1.0",
    date: "2026-11-28",
    time: "12:04",
    engine: "reporting",
    isPaused: false,
    activeCalls: 3,
    disk: {
      level: "ok",
      freeMegabytes: 831_488,
      totalMegabytes: 900_000,
      megabytesPerDay: 3400,
      daysLeft: 240.7,
    },
    span: { at: "", state: "pass", checks: checks as NonNullable<PanelSnapshot["span"]>["checks"], faults: [] },
    alarms: [],
    addresses: [],
    api: "https port 8385",
    fingerprint: "",
    calls: undefined,
    canReset: false,
    hasSecret: false,
    ...overrides,
  };
}

const at = (screen: Place["screen"], place: Partial<Place> = {}): Place => ({ ...HOME, screen, ...place });
const rows = (place: Place, state: PanelSnapshot, size: PanelSize = LARGE): string[] =>
  rowsOf(state, place, size).map((row) => row.trimEnd());

describe("the screens", () => {
  it("show status", () => {
    expect(rows(HOME, snapshot())).toEqual(["RECORDING ON 12:04 >", "3 calls", "Disk 812 GB 240 days", "No alarm"]);
    expect(rows({ ...HOME, top: 9 }, snapshot())).toEqual([
      "RECORDING ON 12:04<",
      "2026-11-28 12:04",
      "box-7",
      "Sidetone 0.1.0",
    ]);
    expect(rows(HOME, snapshot(), SMALL)).toEqual(["RECORDING ON   >", "3 calls"]);
    expect(rows(HOME, snapshot({ isPaused: true }))[0]).toBe("PAUSED 12:04       >");
    expect(rows(HOME, snapshot({ engine: "stopping" }))[0]).toBe("STOPPING 12:04     >");
    expect(rows(HOME, snapshot({ engine: "silent" }))[0]).toBe("NOT RECORDING      >");
    expect(rows(HOME, snapshot({ engine: "starting", disk: undefined }))).toEqual([
      "STARTING 12:04     >",
      "3 calls",
      "Disk unknown",
      "No alarm",
    ]);
    const full = snapshot({
      activeCalls: 1,
      alarms: [alarm("disk-full", "critical", "Disk full")],
      disk: { level: "full", freeMegabytes: 0, totalMegabytes: 1, megabytesPerDay: null, daysLeft: null },
    });
    expect(rows(HOME, full)).toEqual(["NOT RECORDING      >", "1 call", "Disk FULL", "! Disk full"]);
  });

  it("show addresses, however long they are", () => {
    const state = snapshot({
      addresses: [
        { interface: "eth0", address: "192.168.178.123" },
        { interface: "eth0", address: "2001:db8:1234:5678:9abc:def0:1234:5678" },
      ],
    });
    expect(rows(at("addresses"), state)).toEqual([
      "Addresses          >",
      "eth0 192.168.178.123",
      "eth0",
      "2001:db8:1234:5678:9",
    ]);
    expect(rows(at("addresses", { top: 9 }), state)).toEqual([
      "Addresses         <",
      "2001:db8:1234:5678:9",
      "abc:def0:1234:5678",
      "API https port 8385",
    ]);
    const fingerprint = Buffer.from(Array.from({ length: 32 }, (_, at) => at + 0xc0))
      .toString("hex")
      .toUpperCase()
      .replaceAll(/..(?!$)/g, "$&:");
    expect(
      [0, 3, 6].flatMap((top) => rows(at("addresses", { top }), snapshot({ fingerprint }), LARGE).slice(1)),
    ).toEqual([
      "none",
      "API https port 8385",
      "API SHA-256",
      "C0C1 C2C3 C4C5",
      "C6C7 C8C9 CACB",
      "CCCD CECF D0D1",
      "D2D3 D4D5 D6D7",
      "D8D9 DADB DCDD",
      "DEDF",
    ]);
    expect(rows(at("addresses"), snapshot({ api: "off" }))).toEqual(["Addresses", "none", "API off", ""]);
  });

  it("show the mirror port's checks, the worst first", () => {
    expect(rows(at("mirror"), snapshot({ span: undefined }))).toEqual(["Mirror port", "Not checked yet", "", ""]);
    expect(rows(at("mirror"), snapshot())).toEqual([
      "Mirror port OK",
      `${SPAN_CHECK_IDS.length} pass, 0 unseen`,
      "",
      "",
    ]);
    const span = snapshot().span!;
    const bad = {
      ...span,
      state: "fail" as const,
      checks: { ...span.checks, "sip-directions": "fail" as const, loss: "warn" as const },
    };
    expect(rows(at("mirror"), snapshot({ span: bad }))).toEqual([
      "Mirror port WRONG",
      "FAIL sip-directions",
      "warn loss",
      `${SPAN_CHECK_IDS.length - 2} pass, 0 unseen`,
    ]);
  });

  it("show calls by consent and agent, and nothing of a caller", () => {
    const call = (number: string, consent: ActiveCall["parties"][number]["consent"], agent: string): ActiveCall =>
      ({
        startedAt: "2026-11-28T11:00:00Z",
        answeredAt: "2026-11-28T11:00:10Z",
        isPaused: false,
        sipCallIds: ["a1b2c3"],
        parties: [
          { role: "caller", side: "originator", number, consent, isRecorded: false },
          { role: "agent", side: "answerer", number: agent, consent: "not-required", isRecorded: true },
        ],
      }) as unknown as ActiveCall;
    const nowUs = Date.parse("2026-11-28T11:03:22Z") * 1000;
    const calls = [
      call("+49301234567", "granted", "21"),
      call("+4917699887766", "refused", "+493055512345"),
      call("anonymous", "granted", "22"),
    ].map((one) => panelCall(one, nowUs));
    expect(JSON.stringify(calls)).not.toMatch(/1234567|99887766|anonymous|a1b2c3|55512345/);
    const state = snapshot({ calls });
    expect(rows(at("calls"), state)).toEqual(["3 calls            >", "granted 2", "refused 1", "03:12 21 granted"]);
    expect(rows(at("calls", { top: 9 }), state).slice(1)).toEqual([
      "03:12 21 granted",
      "03:12 ...345 refused",
      "03:12 22 granted",
    ]);
    expect(rows(at("calls"), snapshot())).toEqual(["3 calls", "...", "", ""]);
    expect(rows(at("calls"), snapshot({ calls: [], activeCalls: 0 }))).toEqual([
      "0 calls",
      "Nobody on the line",
      "",
      "",
    ]);
  });

  it("show alarms one by one, and what to do", () => {
    const alarms = [
      alarm("disk-late", "error", "Disk almost full"),
      alarm("no-agents", "warning", "No agents configured"),
    ];
    expect(rows(at("alarms"), snapshot({ alarms }))).toEqual([
      "Alarm 1/2          >",
      "Disk almost full",
      "error 11-28",
      "since 09:55 UTC",
    ]);
    expect(rows(at("alarms", { alarm: 1, top: 9 }), snapshot({ alarms }))).toEqual([
      "Alarm 2/2         <",
      "since 09:55 UTC",
      "Do something about",
      "it, soon.",
    ]);
    expect(rows(at("alarms"), snapshot())).toEqual(["Alarms", "No alarm", "", ""]);
  });

  it("show the first token whole, on every panel, and questions", () => {
    const secret = "st_0123456789abcdefghijABCDEFGHIJ_-0123456789ab";
    const place = withDialog(HOME, { kind: "secret", secret });
    expect(rows(place, snapshot())).toEqual([
      secret.slice(0, 20),
      secret.slice(20, 40),
      secret.slice(40),
      "Exit: gone for good",
    ]);
    expect(rows(place, snapshot(), SMALL).join("")).toBe(secret.slice(0, 32));
    expect(rows({ ...place, top: 1 }, snapshot(), SMALL).join("")).toBe(secret.slice(16));
    expect(rows(at("token"), snapshot({ hasSecret: true }))).toEqual([
      "First token",
      "Press Enter to show",
      "it once.",
      "",
    ]);
    expect(rows(withDialog(HOME, { kind: "resume" }), snapshot())).toEqual([
      "Resume all?",
      "Enter: record again",
      "Exit: stay paused",
      "",
    ]);
  });

  it("fill every panel exactly, whatever there is to show", () => {
    for (const size of [LARGE, SMALL, FOUR_KEYS]) {
      for (const screen of SCREENS) {
        for (let top = 0; top < 8; top++) {
          const shown = rowsOf(
            snapshot({ alarms: [alarm("disk-full", "critical", "Disk full")] }),
            at(screen, { top }),
            size,
          );
          expect(shown.map(({ length }) => length)).toEqual(new Array(size.rows).fill(size.columns));
        }
      }
    }
  });
});

describe("the menu", () => {
  const walk = (keys: PanelKey[], state: PanelSnapshot, size = LARGE, from: Place = HOME): Place =>
    keys.reduce((place, key) => pressKey(place, key, state, size).place, from);

  it("goes round by left and right, and home by exit", () => {
    const right = SCREENS.map((_, count) => walk(new Array(count).fill("right"), snapshot()).screen);
    expect(right).toEqual(["status", "addresses", "mirror", "calls", "alarms", "status", "addresses", "mirror"]);
    expect(walk(["left"], snapshot()).screen).toBe("alarms");
    expect(walk(["left"], snapshot({ hasSecret: true })).screen).toBe("token");
    expect(walk(["right", "right", "down", "exit"], snapshot())).toEqual(HOME);
  });

  it("scrolls to the end and no further, and through the alarms", () => {
    expect(walk(new Array(20).fill("down"), snapshot()).top).toBe(3);
    expect(walk([...new Array(20).fill("down"), "up"], snapshot()).top).toBe(2);
    const alarms = [alarm("disk-late", "error", "Disk almost full"), alarm("no-agents", "warning", "No agents")];
    const state = snapshot({ alarms });
    expect(walk(["down", "down", "down"], state, LARGE, at("alarms"))).toEqual(at("alarms", { alarm: 1 }));
    expect(walk(["up"], state, LARGE, at("alarms", { alarm: 1 }))).toEqual(at("alarms"));
    expect(walk(new Array(20).fill("down"), state, LARGE, at("alarms")).alarm).toBe(1);
  });

  it("has a way to every screen on four keys", () => {
    const seen = new Set<string>();
    let place = HOME;
    for (let count = 0; count < 40; count++) {
      place = pressKey(place, "down", snapshot(), FOUR_KEYS).place;
      seen.add(place.screen);
    }
    expect([...seen].sort()).toEqual(["addresses", "alarms", "calls", "mirror", "status"]);
  });

  it("asks before it resumes, and asks nothing of the box but what is on the screen", () => {
    const paused = snapshot({ isPaused: true });
    const asked = pressKey(HOME, "enter", paused, LARGE);
    expect(asked).toEqual({ place: withDialog(HOME, { kind: "resume" }) });
    for (const key of ["left", "right"] as const)
      expect(pressKey(asked.place, key, paused, LARGE)).toEqual({ place: asked.place });
    expect(pressKey(asked.place, "exit", paused, LARGE)).toEqual({ place: HOME });
    expect(pressKey(asked.place, "enter", paused, LARGE)).toEqual({ place: HOME, wish: "resume-all" });
    for (const screen of SCREENS) expect(pressKey(at(screen), "enter", snapshot(), LARGE).wish).toBeUndefined();
    const full = snapshot({ hasSecret: true, alarms: [alarm("no-agents", "warning", "No agents")] });
    expect(pressKey(at("alarms"), "enter", full, LARGE).wish).toBe("acknowledge");
    expect(pressKey(at("token"), "enter", full, LARGE).wish).toBe("show-secret");
    // The reset is asked for twice, by different keys; anything else leaves it.
    const can = snapshot({ canReset: true });
    expect(walk(["left"], can).screen).toBe("reset");
    const first = pressKey(at("reset"), "enter", can, LARGE).place;
    expect(rows(first, can)).toEqual(["Revoke all tokens?", "Enter: yes", "Exit: leave it", ""]);
    const second = pressKey(first, "enter", can, LARGE);
    expect([second.wish, rows(second.place, can)]).toEqual([
      undefined,
      ["Press Up to do it", "Exit: leave it", "", ""],
    ]);
    expect(pressKey(second.place, "up", can, LARGE).wish).toBe("reset-access");
    for (const key of ["down", "left", "right", "enter", "exit"] as const)
      expect(pressKey(second.place, key, can, LARGE)).toEqual({ place: at("reset") });
    for (const key of ["up", "down", "left", "right", "exit"] as const)
      expect(pressKey(first, key, can, LARGE)).toEqual({ place: at("reset") });
    expect(walk(["left", "left"], can).screen).toBe("factory");
    const all = ["enter", "enter", "up"] as const;
    const last = all.slice(0, 2).reduce((place, key) => pressKey(place, key, can, LARGE).place, at("factory"));
    expect(rows(pressKey(at("factory"), "enter", can, LARGE).place, can)[0]).toBe("Forget all of it?");
    expect(pressKey(last, all[2], can, LARGE)).toEqual({ place: at("factory"), wish: "reset-all" });
    expect(pressKey(last, "enter", can, LARGE)).toEqual({ place: at("factory") });
    const secret = withDialog(HOME, { kind: "secret", secret: "st_x" });
    for (const key of ["left", "right", "enter", "exit"] as const)
      expect(pressKey(secret, key, snapshot(), LARGE)).toEqual({ place: HOME });
  });
});

describe("the combination of keys", () => {
  const event = (key: PanelKey, isPressed: boolean) => ({ key, isPressed });

  it("counts when it is held, alone, for a second, and once", () => {
    const chord = new Chord(["left", "right"]);
    expect(chord.take(event("left", true), 0)).toBe(true);
    expect(chord.wakeAtMs).toBeUndefined();
    // The second key is not for the menu.
    expect(chord.take(event("right", true), 100)).toBe(false);
    expect(chord.wakeAtMs).toBe(100 + HOLD_MS);
    expect([chord.isDue(99 + HOLD_MS), chord.isDue(100 + HOLD_MS), chord.isDue(200 + HOLD_MS)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(chord.take(event("right", false), 2000)).toBe(false);
    chord.take(event("right", true), 2100);
    chord.take(event("up", true), 2200);
    expect(chord.wakeAtMs).toBeUndefined();
  });

  it("is none where none is configured, and starts anew with another module", () => {
    const none = new Chord([]);
    none.take(event("left", true), 0);
    expect([none.wakeAtMs, none.isDue(10_000)]).toEqual([undefined, false]);
    const chord = new Chord(["left", "right"]);
    chord.take(event("left", true), 0);
    chord.clear();
    expect(chord.take(event("right", true), 1)).toBe(true);
    expect(chord.wakeAtMs).toBeUndefined();
  });
});

describe("the LEDs", () => {
  it("say health, capture, recording and alarm", () => {
    expect(ledsOf(snapshot())).toEqual(["green", "green", "green", "green"]);
    expect(ledsOf(snapshot({ engine: "starting", span: undefined }))).toEqual(["amber", "amber", "amber", "green"]);
    expect(ledsOf(snapshot({ engine: "silent" }))).toEqual(["red", "red", "red", "green"]);
    expect(ledsOf(snapshot({ engine: "stopping" }))).toEqual(["amber", "green", "red", "green"]);
    expect(ledsOf(snapshot({ isPaused: true }))).toEqual(["green", "green", "amber", "green"]);
    const critical = alarm("disk-full", "critical", "Disk full");
    expect(ledsOf(snapshot({ alarms: [critical] }))).toEqual(["green", "green", "red", "red"]);
    expect(ledsOf(snapshot({ alarms: [{ ...critical, acknowledged: { at: "", by: "" } }] }))[3]).toBe("amber");
    expect(ledsOf(snapshot({ alarms: [alarm("no-agents", "warning", "")] }))).toEqual([
      "green",
      "green",
      "amber",
      "amber",
    ]);
  });

  it("stand on one page as they are (compare with panelMarkdown)", () => {
    const page = readFileSync(new URL("../../../hardware/PANEL.md", import.meta.url), "utf8");
    expect(page).toContain(panelMarkdown());
  });
});
