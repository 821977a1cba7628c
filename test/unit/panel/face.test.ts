// The front panel as a face: what the box is told shows on the glass, keys command, the port's troubles are its own. The port is
// a fake with a module behind it; time is the test's.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../../device/base/clock.js";
import { SidetoneError } from "../../../device/base/errors.js";
import { loadConfig } from "../../../device/config/load.js";
import type { ActiveCall, CallCommand, CommandResult } from "../../../device/contract/commands.js";
import { AlarmBook } from "../../../device/health/alarms.js";
import { PanelFace, type PanelFaceOptions } from "../../../device/panel/face.js";
import { type OpenPort, PortFault, type PortHandlers } from "../../../device/panel/port.js";
import { PanelModule } from "../../../host/panel/module.js";

const SECRET = "st_0123456789abcdefghijABCDEFGHIJ_-0123456789ab";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"] });
  vi.setSystemTime(new Date("2026-11-28T12:04:00Z"));
});
afterEach(() => vi.useRealTimers());

class Desk {
  readonly commands: CallCommand[] = [];
  calls: ActiveCall[] = [];
  error: string | undefined;

  /** Without the questions. */
  get orders(): CallCommand[] {
    return this.commands.filter(({ body }) => body.verb !== "calls");
  }

  submit(command: CallCommand): Promise<CommandResult> {
    this.commands.push(command);
    if (this.error !== undefined)
      return Promise.resolve({ ok: false, error: "engine-unavailable", message: this.error });
    return Promise.resolve({ ok: true, calls: this.calls });
  }
}

/** A box with a panel's port, into which a module can be plugged. */
class Box {
  readonly desk = new Desk();
  readonly alarms = new AlarmBook({ clock: systemClock });
  readonly log: string[] = [];
  engine: "starting" | "reporting" | "silent" = "reporting";
  isPaused = false;
  isDiskFull = false;
  resets = 0;
  readonly resetBy: string[] = [];
  module: PanelModule | undefined;
  /** The port is there, and nothing on it answers. */
  isDeaf = false;
  opened = 0;
  readonly face: PanelFace;
  private handlers: PortHandlers | undefined;

  constructor(panel: Record<string, unknown> = {}) {
    const { config } = loadConfig({
      environment: {},
      defaultFile: "/nowhere",
      flags: { panel: { port: "/dev/ttyPanel", ...panel } } as never,
    });
    const say = (message: string): void => void this.log.push(message);
    const options: PanelFaceOptions = {
      config: config.panel,
      timeZone: "Europe/Berlin",
      device: "box-7",
      version: "0.1.0",
      api: "off",
      desk: this.desk,
      resetAll: async (by) => {
        this.resetBy.push(by);
        return this.isDiskFull ? "no space" : "";
      },
      resetTokens: () => {
        if (this.isDiskFull) throw new SidetoneError("data-unwritable", "no space");
        this.resets++;
        return SECRET;
      },
      box: {
        submit: async ({ body, source, by }) => {
          if (body.verb !== "alarms" || body.action !== "acknowledge") throw new Error(`asked for ${body.verb}`);
          this.alarms.acknowledge(body.code, `${source}: ${by}`);
          return { ok: true, verb: "alarms", data: { standing: [], past: [] } };
        },
      },
      alarms: this.alarms,
      logger: { debug: say, info: say, warn: say, error: say },
      engine: () => this.engine,
      isAllPaused: () => this.isPaused,
      openPort: this.openPort,
    };
    this.face = new PanelFace(options);
  }

  private readonly openPort: OpenPort = async (path, _, handlers) => {
    this.opened++;
    const { module } = this;
    if (module === undefined && !this.isDeaf) throw new PortFault(`${path} is not there`, true);
    this.handlers = handlers;
    return {
      write: (bytes) => {
        const answer = module?.receive(bytes, performance.now());
        // As over a wire: later.
        if (answer !== undefined) setTimeout(() => this.handlers === handlers && handlers.bytes(answer), 1);
      },
      close: async () => {
        this.handlers = undefined;
      },
    };
  };

  async stop(): Promise<void> {
    const stopped = this.face.stop();
    await this.pass(1500);
    await stopped;
  }

  plug(name = "cfa635"): void {
    this.module = new PanelModule(name);
  }

  unplug(): void {
    this.module = undefined;
    const { handlers } = this;
    this.handlers = undefined;
    handlers?.gone("/dev/ttyPanel went away");
  }

  async pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      this.handlers!.bytes(Buffer.concat([this.module!.press(key), this.module!.release(key)]));
      await this.pass(200);
    }
  }

  hold(...keys: string[]): void {
    for (const key of keys) this.handlers!.bytes(this.module!.press(key));
  }

  letGo(...keys: string[]): void {
    for (const key of keys) this.handlers!.bytes(this.module!.release(key));
  }

  get rows(): string[] {
    return this.module!.picture.rows.map((row) => row.trimEnd());
  }
}

async function boxWithPanel(panel: Record<string, unknown> = {}): Promise<Box> {
  const box = new Box(panel);
  box.plug();
  box.face.start();
  await box.pass(200);
  return box;
}

describe("the panel face", () => {
  it("is off without a port, and opens nothing", async () => {
    const box = new Box({ port: "" });
    box.face.start();
    await box.pass(60_000);
    expect([box.face.state, box.opened, box.alarms.standing]).toEqual(["off", 0, []]);
    await box.stop();
  });

  it("shows what it is told, in the office's time, and says farewell", async () => {
    const box = await boxWithPanel();
    expect(box.face.state).toBe("ok");
    box.face.showCalls(2);
    await box.pass(100);
    expect(box.rows).toEqual(["RECORDING ON 13:04 >", "2 calls", "Disk unknown", "No alarm"]);
    expect(box.module!.picture.leds).toEqual(["green", "amber", "green", "green"]);
    const before = box.module!.textBytes;
    await box.pass(60_000);
    expect(box.rows[0]).toBe("RECORDING ON 13:05 >");
    // The minute on the first row, and nothing else.
    expect(box.module!.textBytes - before).toBe(1);
    await box.stop();
    expect(box.rows).toEqual(["Sidetone is stopped", "Nothing is recorded", "", ""]);
    expect(box.module!.picture.leds).toEqual(["off", "off", "off", "off"]);
  });

  it("comes back after it was unplugged, and raises and clears one alarm", async () => {
    const box = await boxWithPanel();
    box.unplug();
    expect(box.face.state).toBe("absent");
    await box.pass(4000);
    expect(box.alarms.standing).toEqual([]);
    await box.pass(2000);
    expect(box.alarms.standing).toMatchObject([
      { code: "panel-lost", count: 1, detail: { state: "absent", reason: "/dev/ttyPanel is not there" } },
    ]);
    const opened = box.opened;
    await box.pass(60_000);
    expect(box.opened - opened).toBeLessThanOrEqual(60);
    box.plug();
    await box.pass(3000);
    expect([box.face.state, box.alarms.standing]).toEqual(["ok", []]);
    expect(box.rows[0]).toBe("RECORDING ON 13:05 >");
    // Each trouble is one line of the log, however often it is tried again.
    expect(box.log.filter((line) => line === "no front panel")).toHaveLength(2);
    await box.stop();
  });

  it("says that something else is on the port, with growing patience", async () => {
    const box = new Box();
    box.isDeaf = true;
    box.face.start();
    await box.pass(6000);
    expect(box.face.state).toBe("failing");
    expect(box.alarms.standing[0]?.detail).toEqual({ state: "failing", reason: "nothing answers on the port" });
    const opened = box.opened;
    await box.pass(120_000);
    expect(box.opened - opened).toBeLessThanOrEqual(7);
    box.plug("cfa633");
    await box.pass(40_000);
    expect(box.face.state).toBe("failing");
    expect(box.log.filter((line) => line === "no front panel")).toHaveLength(2);
    await box.stop();
  });

  it("pauses all recording by the configured keys, and resumes after a question", async () => {
    const box = await boxWithPanel({ pauseKeys: ["left", "right"] });
    box.hold("left", "right");
    await box.pass(900);
    box.letGo("left", "right");
    await box.pass(2000);
    expect(box.desk.orders).toEqual([]);
    box.hold("left", "right");
    await box.pass(1100);
    box.letGo("left", "right");
    const by = { source: "panel", by: "front panel" };
    const reason = "keys at the front panel";
    expect(box.desk.orders).toEqual([{ body: { verb: "pause", call: "all", reason }, ...by }]);
    await box.pass(200);
    expect(box.rows.slice(0, 2)).toEqual(["All recording is", "paused"]);
    box.isPaused = true;
    await box.press("exit");
    await box.pass(1000);
    expect(box.rows[0]).toBe("PAUSED 13:04       >");
    expect(box.module!.picture.leds[2]).toBe("amber");
    await box.press("enter");
    expect(box.rows[0]).toBe("Resume all?");
    await box.press("exit");
    expect(box.desk.orders).toHaveLength(1);
    box.hold("right", "left");
    await box.pass(1100);
    box.letGo("left", "right");
    await box.pass(100);
    expect(box.rows[0]).toBe("Resume all?");
    box.desk.error = "the engine does not answer: try again";
    await box.press("enter");
    expect(box.desk.orders[1]).toEqual({ body: { verb: "resume", call: "all", reason }, ...by });
    expect(box.rows.join(" ")).toBe("Not done: the engine does not answer: try again ");
    await box.stop();
  });

  it("shows the first token once, after a key, and forgets it", async () => {
    const box = await boxWithPanel();
    box.face.offerSecret(SECRET);
    await box.press("left");
    expect(box.rows).toEqual(["First token", "Press Enter to show", "it once.", ""]);
    await box.press("enter");
    expect(box.rows.join("")).toBe(`${SECRET}Exit: gone for good`);
    await box.press("exit", "left");
    expect(box.rows[0]).toBe("Alarms");
    expect(box.log.join("\n")).not.toContain(SECRET);

    const left = await boxWithPanel();
    left.face.offerSecret(SECRET);
    await left.press("left", "enter");
    await left.pass(62_000);
    expect(left.rows[0]).toBe("RECORDING ON 13:05 >");
    await left.press("left");
    expect(left.rows[0]).toBe("Alarms");
    for (const one of [box, left]) await one.stop();
  });

  it("resets access only where that is allowed, after two answers, and shows the new token once", async () => {
    const box = await boxWithPanel({ allowReset: true });
    await box.press("left");
    expect(box.rows.slice(0, 1)).toEqual(["Reset access       >"]);
    await box.press("enter", "enter", "exit", "enter", "up");
    expect(box.resets).toBe(0);
    await box.press("enter", "enter", "up");
    expect([box.resets, box.rows.join("")]).toEqual([1, `${SECRET}Exit: gone for good`]);
    await box.press("exit");
    box.isDiskFull = true;
    await box.press("left", "enter", "enter", "up");
    expect(box.rows.join(" ").trim()).toBe("Not done: see the box's log");
    expect(box.log.join("\n")).not.toContain(SECRET);
    await box.stop();
    const not = await boxWithPanel();
    await not.press("left");
    expect(not.rows[0]).toBe("Alarms");
    await not.stop();
  });

  it("forgets settings and tokens only after two answers, and says what comes of it", async () => {
    const box = await boxWithPanel({ allowReset: true });
    await box.press("left", "left");
    expect(box.rows.slice(0, 3)).toEqual(["Factory reset", "Enter: all settings", "and tokens go."]);
    await box.press("enter", "enter", "exit", "enter", "up");
    expect(box.resetBy).toEqual([]);
    await box.press("enter", "enter", "up");
    expect([box.resetBy, box.rows[0]]).toEqual([["front panel"], "Starting anew"]);
    box.isDiskFull = true;
    await box.press("exit", "left", "left", "enter", "enter", "up");
    expect([box.resetBy.length, box.rows[0], box.resets]).toEqual([2, "Not done: no space", 0]);
    await box.stop();
  });

  it("acknowledges an alarm until it comes again", async () => {
    const box = await boxWithPanel();
    box.alarms.raise("disk-late");
    await box.pass(1200);
    expect([box.rows[3], box.module!.picture.leds[3]]).toEqual(["! Disk almost full", "red"]);
    await box.press("left", "enter");
    await box.pass(1000);
    expect([box.rows[0], box.module!.picture.leds[3]]).toEqual(["Alarm 1/1 seen     >", "amber"]);
    expect(box.alarms.standing[0]?.acknowledged?.by).toBe("panel: front panel");
    await box.press("exit");
    expect(box.rows[3]).toBe("1 alarm seen");
    box.alarms.clear("disk-late");
    await box.pass(1100);
    box.alarms.raise("disk-late");
    await box.pass(1200);
    expect(box.module!.picture.leds[3]).toBe("red");
    await box.stop();
  });

  it("asks for the calls while they are on the glass, and not otherwise", async () => {
    const box = await boxWithPanel();
    box.desk.calls = [
      {
        startedAt: "2026-11-28T12:03:00Z",
        answeredAt: "2026-11-28T12:03:10Z",
        isPaused: false,
        parties: [
          { role: "caller", side: "originator", number: "+49301234567", consent: "granted", isRecorded: true },
          { role: "agent", side: "answerer", number: "21", consent: "not-required", isRecorded: true },
        ],
      } as unknown as ActiveCall,
    ];
    box.face.showCalls(1);
    await box.pass(10_000);
    expect(box.desk.commands).toEqual([]);
    await box.press("right", "right", "right");
    await box.pass(100);
    expect(box.rows).toEqual(["1 call", "granted 1", "01:00 21 granted", ""]);
    await box.pass(10_000);
    expect(box.desk.commands.length).toBeGreaterThanOrEqual(4);
    expect(box.desk.commands.length).toBeLessThanOrEqual(7);
    await box.press("exit");
    const asked = box.desk.commands.length;
    await box.pass(10_000);
    expect(box.desk.commands).toHaveLength(asked);
    await box.stop();
  });

  it("feeds the watchdog while the engine reports, and disarms it when it stops", async () => {
    const box = await boxWithPanel({ watchdogS: 30 });
    await box.pass(120_000);
    expect([box.module!.watchdogTimeoutMs, box.module!.hostFate]).toEqual([30_000, ""]);
    await box.stop();
    expect(box.module!.watchdogTimeoutMs).toBeUndefined();

    // What is left is stored for minutes: the box is not reset for it.
    const busy = await boxWithPanel({ watchdogS: 30 });
    busy.face.stopping();
    busy.engine = "silent";
    await busy.pass(300_000);
    expect([busy.module!.hostFate, busy.rows[0]]).toEqual(["", "STOPPING 13:11     >"]);
    await busy.stop();

    const hung = await boxWithPanel({ watchdogS: 30 });
    hung.engine = "silent";
    await hung.pass(31_000);
    expect(hung.module!.hostFate).toBe("reset by the watchdog");
    await hung.stop();
  });
});
