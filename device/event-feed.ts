// What a running box tells whoever follows its events over the API: out of the same facts as MQTT's events and states. Decides nothing;
// what cannot be told (an index that is being made anew) is left out.
import { EventHub } from "./api/event-hub.js";
import { storedCall } from "./api/listing-routes.js";
import { isoUs } from "./base/clock.js";
import type { CallId } from "./base/ids.js";
import type { EventData } from "./contract/api-events.js";
import type { CallRecord } from "./contract/call-record.js";
import type { AuditedEvent, CallProgress } from "./contract/engine-messages.js";
import type { HealthStatus } from "./contract/health.js";
import { outcomeOf } from "./contract/listing.js";
import { retainedAlarm } from "./contract/shown-answers.js";
import type { AlarmListener } from "./health/alarms.js";
import { eventOf } from "./mqtt/event.js";
import type { RecordingStore } from "./store/recordings.js";

export class EventFeed {
  readonly hub = new EventHub();

  readonly alarms: AlarmListener = {
    raised: (alarm) => this.hub.publish("alarm-raised", alarm, retainedAlarm(alarm)),
    acknowledged: (alarm) => this.hub.publish("alarm-acknowledged", alarm, retainedAlarm(alarm)),
    cleared: (alarm) => this.hub.publish("alarm-cleared", alarm),
  };

  audited(event: AuditedEvent): void {
    const { kind, payload } = eventOf(event);
    this.hub.publish(kind, payload as EventData[typeof kind]);
  }

  progressed(progress: CallProgress): void {
    const { call, atUs } = progress;
    const facts = { call, at: isoUs(atUs) };
    if (progress.kind === "joined") this.hub.publish("call-joined", { ...facts, into: progress.into });
    else this.hub.publish(`call-${progress.kind}`, facts);
  }

  ended({ id, endedAtUs, endReason, answeredAtUs }: CallRecord): void {
    const at = isoUs(endedAtUs);
    this.hub.publish("call-ended", { call: id, at, endReason, isAnswered: answeredAtUs !== undefined });
  }

  /** The call is stored; whether with audio, the index knows. */
  kept(id: CallId, store: RecordingStore): void {
    try {
      const call = store.index?.listing?.find(id);
      if (call === undefined || outcomeOf(call) !== "recorded") return;
      this.hub.publish("recording", storedCall(call, { rights: ["listen"] }), storedCall(call, { rights: ["see"] }));
    } catch {
      // The index says what is wrong with it itself.
    }
  }

  health(status: HealthStatus): void {
    this.hub.publish("health", status);
  }
}
