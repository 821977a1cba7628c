// A panel's time on the port, against a module that was written from the data sheet apart from it: identified, set up, shown
// what changed and no more, watched, lost. Time is a number here.
import { describe, expect, it } from "vitest";
import { PANEL_MODEL_NAMES, type PanelModelName } from "../../../device/contract/panel.js";
import { encodeText } from "../../../device/panel/characters.js";
import type { LedColour, PanelFrame } from "../../../device/panel/frame.js";
import { ANSWER_MS, MAX_ATTEMPTS, PanelLink } from "../../../device/panel/link.js";
import { PANEL_MODELS } from "../../../device/panel/models.js";
import { COMMAND, command, encodePacket } from "../../../device/panel/packet.js";
import { PanelSession, type SessionOptions, type SessionOutput } from "../../../device/panel/session.js";
import { PanelModule } from "../../../host/panel/module.js";

const ping = command(COMMAND.ping);
const PONG = Buffer.from("40002149", "hex");
const KEY = Buffer.from("80010171c2", "hex");

describe("the link", () => {
  it("has one packet outstanding and takes reports at any time", () => {
    const link = new PanelLink();
    expect(link.send(ping, 0)).toEqual([{ kind: "write", bytes: encodePacket(ping) }]);
    expect(() => link.send(ping, 1)).toThrow("a packet is outstanding");
    expect(link.receive(KEY).map(({ kind }) => kind)).toEqual(["report"]);
    expect(link.isIdle).toBe(false);
    // The report between the two halves of the answer cannot be; before and after it, it can.
    expect(link.receive(Buffer.concat([KEY, PONG, KEY])).map(({ kind }) => kind)).toEqual([
      "report",
      "answered",
      "report",
    ]);
    expect([link.isIdle, link.wakeAtMs]).toEqual([true, undefined]);
  });

  it("repeats what is not answered in time, and gives up", () => {
    const link = new PanelLink();
    link.send(ping, 0);
    let nowMs = 0;
    for (let attempt = 2; attempt <= MAX_ATTEMPTS; attempt++) {
      expect(link.wake(nowMs + ANSWER_MS - 1)).toEqual([]);
      nowMs += ANSWER_MS;
      expect(link.wake(nowMs)).toEqual([{ kind: "write", bytes: encodePacket(ping) }]);
    }
    expect(link.wake(nowMs + ANSWER_MS)).toEqual([{ kind: "lost", sent: ping, echoes: 0 }]);
    expect(link.isIdle).toBe(true);
    // What comes later answers nothing.
    expect(link.receive(PONG)).toEqual([]);
    expect(link.counters).toEqual({ sent: 1, repeated: MAX_ATTEMPTS - 1, refused: 0, strays: 1 });
  });

  it("is not held up by a length that was noise", () => {
    const link = new PanelLink();
    link.send(ping, 0);
    expect(link.receive(Buffer.concat([Buffer.of(0x40, 22), PONG]))).toEqual([]);
    expect(link.wake(ANSWER_MS).map(({ kind }) => kind)).toEqual(["answered"]);
  });
});

/** A session and a module, joined without a wire. */
class Bench {
  readonly model;
  readonly module: PanelModule;
  readonly session: PanelSession;
  nowMs = 1000;
  seen: SessionOutput[] = [];
  written = 0;
  isHealthy = true;
  isDeaf = false;

  constructor(name: PanelModelName = "cfa635", options: Partial<SessionOptions> = {}) {
    this.model = PANEL_MODELS[name];
    this.module = new PanelModule(name);
    this.session = new PanelSession({
      model: this.model,
      brightness: 70,
      contrast: 0,
      watchdogS: 0,
      isHealthy: () => this.isHealthy,
      ...options,
    });
  }

  start(): this {
    this.carry(this.session.start(this.nowMs));
    return this;
  }

  carry(outputs: SessionOutput[]): void {
    for (const output of outputs) {
      this.seen.push(output);
      if (output.kind !== "write") continue;
      this.written++;
      const answer = this.isDeaf ? Buffer.alloc(0) : this.module.receive(output.bytes, this.nowMs);
      this.carry(this.session.receive(answer, this.nowMs));
    }
  }

  show(rows: string[], leds: LedColour[] = []): void {
    this.carry(this.session.show(this.frame(rows, leds), this.nowMs));
  }

  frame(rows: string[], leds: LedColour[] = []): PanelFrame {
    const { columns, rows: height } = this.model;
    const text = Array.from({ length: height }, (_, row) => (rows[row] ?? "").padEnd(columns));
    return { rows: text.map((row) => encodeText(this.model, row)), leds };
  }

  /** Lets time pass as a timer would; the number of wake-ups. */
  pass(ms: number): number {
    const endMs = this.nowMs + ms;
    let wakes = 0;
    for (; this.session.wakeAtMs <= endMs && wakes < 10_000; wakes++) {
      this.nowMs = Math.max(this.nowMs, this.session.wakeAtMs);
      this.module.passTime(this.nowMs);
      this.carry(this.session.wake(this.nowMs));
    }
    this.nowMs = endMs;
    this.module.passTime(endMs);
    return wakes;
  }

  get failure(): string | undefined {
    return this.seen.find((output) => output.kind === "failed")?.reason;
  }
}

describe("a session", () => {
  it.each(PANEL_MODEL_NAMES)("identifies, sets up and shows every model: %s", (name) => {
    const bench = new Bench(name, { contrast: 16 }).start();
    expect(bench.seen.find((output) => output.kind === "ready")).toEqual({
      kind: "ready",
      version: bench.module.kind.version,
    });
    const text = "st_Ab-9@$[]^{|}";
    bench.show([text, "x"]);
    const { rows, backlight, contrast } = bench.module.picture;
    expect(rows.slice(0, 2).map((row) => row.trimEnd())).toEqual([text, "x"]);
    expect(rows.every((row) => row.length === bench.model.columns)).toBe(true);
    expect([backlight, contrast]).toEqual([70, 16]);
    expect(bench.session.link.counters.refused).toBe(0);
    for (const key of Object.keys(bench.module.kind.keys)) {
      bench.carry(bench.session.receive(Buffer.concat([bench.module.press(key), bench.module.release(key)]), 0));
      expect(bench.seen.slice(-2)).toEqual([
        { kind: "key", event: { key, isPressed: true } },
        { kind: "key", event: { key, isPressed: false } },
      ]);
    }
  });

  it("sends what has changed and nothing else", () => {
    const bench = new Bench().start();
    bench.show(["RECORDING ON   12:04", "3 calls"], ["green", "amber", "red", "off"]);
    expect(bench.module.picture.leds).toEqual(["green", "amber", "red", "off"]);
    const before = { written: bench.written, text: bench.module.textBytes };
    bench.show(["RECORDING ON   12:04", "3 calls"], ["green", "amber", "red", "off"]);
    expect(bench.written).toBe(before.written);
    // One digit in each of two rows, one LED from amber to green: three packets.
    bench.show(["RECORDING ON   12:05", "4 calls"], ["green", "green", "red", "off"]);
    expect([bench.written - before.written, bench.module.textBytes - before.text]).toEqual([3, 2]);
    // Both ends of a row: two parts, the middle stays.
    bench.show(["recording ON   12:06", "4 calls"], ["green", "green", "red", "off"]);
    expect([bench.written - before.written, bench.module.textBytes - before.text]).toEqual([4 + 1, 2 + 9 + 1]);
    expect(bench.module.picture.rows[0]).toBe("recording ON   12:06");
  });

  it("refuses another model than the configured one, and what sends back what it is sent", () => {
    const bench = new Bench("cfa635");
    const other = new PanelModule("cfa633");
    const [first] = bench.session.start(0);
    bench.carry(bench.session.receive(other.receive((first as { bytes: Uint8Array }).bytes, 0), 0));
    expect(bench.failure).toBe('panel.model is cfa635, and the port has "CFA633:h1.5,k1.7"');

    const echo = new Bench();
    let outputs = echo.session.start(echo.nowMs);
    for (let round = 0; round < 10 && echo.failure === undefined; round++) {
      for (const output of outputs) {
        echo.seen.push(output);
        if (output.kind === "write") echo.seen.push(...echo.session.receive(output.bytes, echo.nowMs));
      }
      echo.nowMs += ANSWER_MS;
      outputs = echo.session.wake(echo.nowMs);
      echo.seen.push(...outputs.filter(({ kind }) => kind === "failed"));
    }
    expect(echo.failure).toMatch(/^the port sends back what it is sent/);
  });

  it("notices silence within its attempts, at the start and later, and noise at once", () => {
    const silent = new Bench();
    silent.isDeaf = true;
    silent.start().pass(ANSWER_MS * MAX_ATTEMPTS);
    expect(silent.failure).toBe("nothing answers on the port");

    const gone = new Bench().start();
    gone.show(["x"]);
    gone.isDeaf = true;
    gone.pass(5000 + ANSWER_MS * MAX_ATTEMPTS);
    expect(gone.failure).toBe("the panel does not answer any more");

    const noise = new Bench();
    noise.isDeaf = true;
    noise.start();
    noise.seen.push(...noise.session.receive(Buffer.alloc(5000, 0xff), noise.nowMs));
    expect(noise.failure).toBe("what comes from the port is no panel's");
    const chatter = new Bench().start();
    chatter.seen.push(
      ...chatter.session.receive(Buffer.concat(new Array(5000).fill(KEY) as Buffer[]), chatter.nowMs).slice(-1),
    );
    expect(chatter.failure).toBe("what comes from the port is no panel's");
  });

  it("asks a module that has nothing to do whether it is there, now and then", () => {
    const bench = new Bench().start();
    bench.show(["x"]);
    const before = bench.written;
    expect(bench.pass(60_000)).toBeLessThanOrEqual(13);
    expect(bench.written - before).toBeLessThanOrEqual(12);
    expect(bench.module.counts[COMMAND.ping]).toBeGreaterThanOrEqual(11);
  });

  it("feeds the watchdog while the engine is healthy, and not a moment longer than it is", () => {
    const bench = new Bench("cfa635", { watchdogS: 30 });
    bench.isHealthy = false;
    bench.start().show(["x"]);
    bench.pass(60_000);
    // An engine that was never healthy arms nothing.
    expect([bench.module.hostFate, bench.module.watchdogTimeoutMs]).toEqual(["", undefined]);
    bench.isHealthy = true;
    bench.pass(600_000);
    expect([bench.module.hostFate, bench.module.watchdogTimeoutMs]).toEqual(["", 30_000]);
    bench.isHealthy = false;
    // It was fed within the last quarter of its time.
    expect(bench.pass(22_000)).toBeLessThan(60);
    expect(bench.module.hostFate).toBe("");
    bench.pass(10_000);
    expect(bench.module.hostFate).toBe("reset by the watchdog");
  });

  it("switches the watchdog off when the service goes on purpose", () => {
    const bench = new Bench("cfa635", { watchdogS: 30 }).start();
    bench.show(["x"]);
    expect(bench.module.watchdogTimeoutMs).toBe(30_000);
    bench.carry(bench.session.leave(bench.frame(["stopped"]), bench.nowMs));
    expect([bench.module.watchdogTimeoutMs, bench.session.isSettled]).toEqual([undefined, true]);
    bench.pass(120_000);
    expect([bench.module.hostFate, bench.module.picture.rows[0]!.trim()]).toEqual(["", "stopped"]);
  });
});
