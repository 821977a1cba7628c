// Pauses, and recording on demand: what was ordered by whom, entered as evidence and event of the call and in the audit
// chain. Judges no gate.
import type { TimeUs } from "../base/ids.js";
import type { EvidenceSource, PauseRecord } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { AuditedEvent } from "../contract/engine-messages.js";
import type { CallConsent, Terms } from "./call-consent.js";

export interface Order {
  source: EvidenceSource;
  by: string;
  reason: string;
}

export class CallControl {
  private readonly isDemanded: boolean;
  private readonly audit: (event: AuditedEvent) => void;
  private readonly auditedTerms = new WeakMap<CallConsent, Terms>();

  constructor(config: Config, audit: (event: AuditedEvent) => void) {
    this.isDemanded = config.consent.onDemand.mode !== "off";
    this.audit = audit;
  }

  /** While paused, the pause's time begins anew. It ends by itself at `endsUs` at the latest. */
  pause(own: CallConsent, { source, by, reason }: Order, atUs: TimeUs, endsUs?: TimeUs): void {
    if (!own.pauses.begin(atUs, source, by, reason, endsUs)) return;
    own.log.note(atUs, source, "paused", { by, ...(reason && { reason }) });
    own.call.addEvent({ atUs, kind: "pause", detail: { state: "begin", source } });
    this.audit({ kind: "paused", atUs, call: own.call.id, source, by, reason });
  }

  resume(own: CallConsent, order: Order, atUs: TimeUs, endedBy: NonNullable<PauseRecord["endedBy"]>): void {
    const { source, by, reason } = order;
    if (!own.pauses.end(atUs, endedBy)) return;
    own.log.note(atUs, source, "resumed", { by, ...(reason && { reason }) });
    own.call.addEvent({ atUs, kind: "pause", detail: { state: "end", source } });
    this.audit({ kind: "resumed", atUs, call: own.call.id, source, by, reason });
  }

  setStarted(own: CallConsent, isStarted: boolean, { source, by }: Order, atUs: TimeUs): void {
    if (!this.isDemanded || own.isStarted === isStarted) return;
    own.isStarted = isStarted;
    own.hasStarted ||= isStarted;
    own.log.note(atUs, source, isStarted ? "started" : "stopped", { by });
    this.audit({ kind: isStarted ? "started" : "stopped", atUs, call: own.call.id, source, by });
  }

  /** The terms that an answered call is recorded on, whenever they have changed. */
  auditTerms(own: CallConsent, atUs: TimeUs): void {
    const { call, terms } = own;
    if (call.answeredAtUs === undefined) return;
    const known = this.auditedTerms.get(own);
    if (known && known.policy === terms.policy && known.rule === terms.rule && known.purpose === terms.purpose) return;
    this.auditedTerms.set(own, terms);
    const { policy, rule, purpose } = terms;
    const source = rule === "" ? "default" : "rule";
    this.audit({ kind: "policy", atUs, call: call.id, source, by: rule || "consent.policy", policy, rule, purpose });
  }
}
