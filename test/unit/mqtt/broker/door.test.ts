// Who comes in, and who is locked out.
import { describe, expect, it } from "vitest";
import { configSchema } from "../../../../device/contract/config.js";
import { Door } from "../../../../device/mqtt/broker/door.js";

let nowMs = 0;
const clock = { monotonicMs: () => nowMs, wallUs: () => 0 } as never;
const door = (broker: object) => new Door(configSchema.parse({ mqtt: { broker } }).mqtt.broker, clock);
const login = (at: Door, username?: string, password?: string, address = "192.0.2.1") =>
  at.login({ address, username, password: password === undefined ? undefined : Buffer.from(password) });
/** Made by mosquitto_passwd 2.0.11 of "correct horse". */
const HASH =
  "$7$101$IDS0ejO0uDsNHDI+$tMGcfXDuaD/UTA6saOc2AX0/kvzpNQ4J2GTfCY5SczL2ngyao8O7n0pVlTCYKzlJmraEOx6OvOCuNUtrW1M3JQ==";
const users = [
  { name: "desk", password: "battery staple", rights: "command" },
  { name: "view", password: "battery", rights: "read" },
];

describe("Door", () => {
  it("lets everybody read and nobody command where there are no users", async () => {
    expect(await login(door({}))).toEqual({ rights: "read", user: "" });
    expect(await login(door({}), "admin", "x")).toEqual({ rights: "read", user: "" });
  });

  it("knows users by their passwords", async () => {
    const own = door({ users });
    expect(await login(own, "desk", "battery staple")).toEqual({ rights: "command", user: "desk" });
    expect(await login(own, "view", "battery")).toEqual({ rights: "read", user: "view" });
    for (const [name, password] of [
      ["desk", "battery"],
      ["desk", ""],
      ["nobody", "battery"],
      ["__proto__", "battery"],
    ])
      expect(await login(own, name, password)).toMatchObject({ isCredentials: true });
    expect(await login(own)).toMatchObject({ isCredentials: false, refusal: { reason: "broker-no-login" } });
    expect(own.counters).toEqual({
      "broker-logins-refused": 5,
      "broker-wrong-passwords": 4,
      "broker-lock-outs": 0,
    });
  });

  it("locks an address out, the right password included, and lets it in again", async () => {
    const own = door({ users, badPasswordsPerMinute: 3, lockOutS: 10 });
    const reasons: string[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const verdict = await login(own, "desk", `guess ${attempt}`);
      reasons.push("refusal" in verdict ? verdict.refusal.reason : "");
    }
    expect(reasons).toEqual(["broker-wrong-password", "broker-wrong-password", "broker-locked-out"]);
    expect(own.isLocked("192.0.2.1")).toBe(true);
    expect(await login(own, "desk", "battery staple")).toMatchObject({ refusal: { reason: "broker-locked-out" } });
    expect(await login(own, "desk", "battery staple", "192.0.2.2")).toMatchObject({ user: "desk" });
    nowMs += 10_001;
    expect(await login(own, "desk", "battery staple")).toMatchObject({ user: "desk" });
  });

  it("takes a hash of mosquitto_passwd", async () => {
    const own = door({ users: [{ name: "desk", password: HASH, rights: "command" }] });
    expect(await login(own, "desk", "correct horse")).toMatchObject({ user: "desk" });
    expect(await login(own, "desk", "correct hors")).toMatchObject({ isCredentials: true });
    expect(await login(own, "desk", HASH)).toMatchObject({ isCredentials: true });
  });
});
