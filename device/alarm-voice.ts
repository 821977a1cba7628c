// Where alarms are said besides the faces: one log line for each that begins or ends, an entry in the audit chain for the critical
// ones. The chain's own alarm is not entered in it.
import type { Logger } from "./base/logger.js";
import { ALARMS, type AlarmCode } from "./contract/alarms.js";
import type { AuditEntryInput } from "./contract/audit.js";
import type { AlarmListener } from "./health/alarms.js";

export function alarmVoice(logger: Logger, audit: (entry: AuditEntryInput) => void): AlarmListener {
  const enter = (code: AlarmCode, state: "raised" | "cleared"): void => {
    if (ALARMS[code].severity !== "critical" || code === "audit-unwritable") return;
    audit({ kind: "alarm", actor: "service", detail: { code, state } });
  };
  return {
    raised: ({ code, title, remedy, detail }, isNew) => {
      if (!isNew) return;
      const level = ALARMS[code].severity === "warning" ? "warn" : "error";
      logger[level](`alarm ${code}: ${title}. ${remedy}`, { ...detail });
      enter(code, "raised");
    },
    cleared: ({ code, since, count }) => {
      logger.info(`alarm ${code} is over`, { since, count });
      enter(code, "cleared");
    },
  };
}
