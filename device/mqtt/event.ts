// What the engine reports about calls in progress as it goes to `event/<kind>`: by side and role, never with a number.
import { isoUs } from "../base/clock.js";
import type { AuditedEvent } from "../contract/engine-messages.js";
import type { MqttEventKind, MqttEvents } from "../contract/mqtt.js";
import { withoutNumbers } from "../contract/shown-numbers.js";

export type MqttEvent = { [Kind in MqttEventKind]: { kind: Kind; payload: MqttEvents[Kind] } }[MqttEventKind];

const SIDES = ["originator", "answerer"] as const;

export function eventOf(event: AuditedEvent): MqttEvent {
  const { call, source } = event;
  const origin = { at: isoUs(event.atUs), call, source, by: withoutNumbers(event.by) };
  switch (event.kind) {
    case "consent": {
      const { role, from, to, notice } = event;
      const purpose = withoutNumbers(event.purpose);
      return { kind: "consent", payload: { ...origin, side: SIDES[event.side], role, purpose, from, to, notice } };
    }
    case "paused":
    case "resumed":
      return { kind: "pause", payload: { ...origin, state: event.kind, reason: withoutNumbers(event.reason) } };
    case "started":
    case "stopped":
      return { kind: "call", payload: { ...origin, change: event.kind } };
    case "erased":
      return {
        kind: "call",
        payload: { ...origin, change: "erased", side: SIDES[event.side], packets: event.packets },
      };
    case "policy": {
      const { policy, rule, purpose } = event;
      return { kind: "call", payload: { ...origin, change: "policy", policy, rule, purpose } };
    }
  }
}
