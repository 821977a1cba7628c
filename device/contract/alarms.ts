// The alarm catalogue: everything that can be wrong with a box for longer than a moment. One table out of which the README, the
// log, `sidetoned alarms`, MQTT (`alarm/<code>`), the API and the panel are fed. Codes never change their meaning.

/** `critical`: audio is being lost or its proof cannot be written; `error`: it will be unless somebody acts; `warning`: look at it. */
export const ALARM_SEVERITIES = ["critical", "error", "warning"] as const;
export type AlarmSeverity = (typeof ALARM_SEVERITIES)[number];

export interface AlarmMeaning {
  severity: AlarmSeverity;
  /** A few words for a display of one line. */
  title: string;
  meaning: string;
  /** What an installer can do, one sentence. */
  remedy: string;
  /** What makes it go away by itself. */
  clears: string;
  /** It stands until the cause is gone for certain: it outlives a restart of the service. */
  outlivesRestart?: true;
}

/** By code, in the order in which they are shown: the documentation's one source. */
export const ALARMS = {
  "disk-full": {
    severity: "critical",
    title: "Disk full",
    meaning:
      "free space is down to the reserve: no new recordings are begun, calls in progress go on out of the reserve",
    remedy: "Free space or put in a larger disk, or let the oldest recordings go (disk.atLimit: delete-oldest).",
    clears: "enough space is free again",
  },
  "disk-late": {
    severity: "error",
    title: "Disk almost full",
    meaning: "at the measured load the disk is full within disk.lateDays, or less than disk.lateMegabytes are free",
    remedy: "Free space now: shorten retention, or move recordings off the box.",
    clears: "the forecast and the free space are above their limits again",
  },
  "disk-early": {
    severity: "warning",
    title: "Disk fills up",
    meaning: "at the measured load the disk is full within disk.earlyDays",
    remedy: "Plan for it: shorten retention, move recordings off the box, or order a larger disk.",
    clears: "the forecast is above disk.earlyDays again",
  },
  "disk-read-only": {
    severity: "critical",
    title: "Disk read-only",
    meaning: "the data folder's file system takes no writes: nothing new is stored",
    remedy:
      "Look at the kernel's log (dmesg) for the disk's errors, check the file system, and mount it for writing again.",
    clears: "a file can be written again",
  },
  "disk-failing": {
    severity: "critical",
    title: "Disk failing",
    meaning: "the disk answers writes with errors (EIO)",
    remedy: "Save what is on the disk and replace it.",
    clears: "a file can be written again",
  },
  "journal-unwritable": {
    severity: "critical",
    title: "Journal not written",
    meaning:
      "audio of calls in progress cannot be written: it is kept in memory as long as that lasts, then lost and counted",
    remedy: "Make the data folder writable: free space, check the disk and the folder's owner.",
    clears: "the journal has been written again",
  },
  "journal-damaged": {
    severity: "warning",
    title: "Journal damaged",
    meaning: "a journal holds damaged blocks: the rest of it was used, and what nobody can read any more is kept",
    remedy: "Check the disk's health (smartctl, dmesg); the calls concerned say so in their manifests.",
    clears: "the service is started again",
  },
  "journals-locked": {
    severity: "warning",
    title: "Locked journals",
    meaning: "journals lie on the box that only a recipient's secret key opens: calls are in them and in no recording",
    remedy: "Open them with sidetoned journal open, and take them away with sidetoned journal remove then.",
    clears: "there is none any more",
  },
  "seal-failed": {
    severity: "error",
    title: "Recordings not stored",
    meaning: "finished calls could not be turned into recordings: they wait in the journal and are tried again",
    remedy: "Free space or make the data folder writable; the waiting calls are stored by themselves then.",
    clears: "no call waits to be stored again",
  },
  "audit-unwritable": {
    severity: "critical",
    title: "Audit chain not written",
    meaning: "entries of the audit chain wait in memory because the disk refuses them",
    remedy: "Make the data folder writable: free space, check the disk and the folder's owner.",
    clears: "the chain has been written again",
  },
  "carried-unwritable": {
    severity: "error",
    title: "Pauses not secured",
    meaning: "pauses and refusals of calls in progress cannot be written: a restart would not know of them",
    remedy: "Make the data folder writable; do not restart the box while pauses are in force.",
    clears: "they have been written again",
  },
  "index-unusable": {
    severity: "error",
    title: "Index unusable",
    meaning: "the index of recordings cannot be read or written: recording goes on, listings do not",
    remedy: "Free space, then rebuild it out of the manifests with sidetoned reindex.",
    clears: "the index can be used again",
  },
  "integrity-failed": {
    severity: "critical",
    title: "Recordings changed",
    meaning:
      "the box's check of itself (integrity.checkHours), or the start, found recordings or entries that were changed, removed, added or moved",
    remedy: "Run sidetoned verify, keep its report, and find out who had access to the data folder.",
    clears: "a whole check finds nothing wrong",
    outlivesRestart: true,
  },
  "anchor-failed": {
    severity: "warning",
    title: "No time stamps",
    meaning: "the time stamp authority or the anchor for the chain's head cannot be reached",
    remedy: "Check the configured address and the network; what waits is stamped by itself then.",
    clears: "a time stamp or an anchor was taken again",
  },
  "encryption-failed": {
    severity: "critical",
    title: "Encryption impossible",
    meaning: "recordings are to be encrypted and no recipient can be used: nothing is written in clear instead",
    remedy: "Correct the configured recipients.",
    clears: "something was encrypted again",
  },
  "retention-failed": {
    severity: "error",
    title: "Deletion failed",
    meaning: "recordings whose time is over could not be deleted",
    remedy: "Make the data folder writable; what is due is tried again.",
    clears: "what is due has been deleted",
  },
  "retention-waits": {
    severity: "warning",
    title: "Deletion waits",
    meaning: "nothing is deleted by age as long as the clock, or what recordings were promised, cannot be trusted",
    remedy: "Synchronise the clock (NTP); where the log names retention/terms.jsonl, restore that from a backup.",
    clears: "deletion goes on",
  },
  "engine-lost": {
    severity: "critical",
    title: "Capture restarting",
    meaning: "the capture process ended unasked and is being started again: calls are not seen meanwhile",
    remedy: "If it comes again, send the log lines around it to support.",
    clears: "the capture process has run for a minute",
  },
  "interface-down": {
    severity: "critical",
    title: "Mirror port down",
    meaning: "a capture interface is down or went away: no calls are seen on it",
    remedy: "Check the cable and the switch's mirror port.",
    clears: "the interface delivers again",
  },
  "capture-drops": {
    severity: "error",
    title: "Packets dropped",
    meaning: "the kernel dropped packets before they were read: recordings have gaps",
    remedy: "Mirror fewer ports, raise capture.bufferMegabytes, or use a faster box.",
    clears: "none was dropped for ten minutes",
  },
  "span-fault": {
    severity: "error",
    title: "Mirror port wrong",
    meaning: "a check of the mirror port fails: calls, or sides of calls, are not seen or cannot be recorded",
    remedy: "Run `sidetoned doctor`: it names what is wrong and what to do, check by check.",
    clears: "no check fails any more",
  },
  "self-test-failed": {
    severity: "critical",
    title: "Self-test failed",
    meaning:
      "a made call did not come through the box as it has to: what the alarm names does not work, or not as promised",
    remedy: "See the step that the alarm names; other alarms that stand are the likeliest cause.",
    clears: "a self-test passes; after a failure one is made every ten minutes or so",
  },
  "no-agents": {
    severity: "warning",
    title: "No agents configured",
    meaning: "nobody is known as an agent, so that nothing is recorded under this policy",
    remedy: "Name the agents with agents.match, for example the phones' network.",
    clears: "agents are configured and the service is started again",
  },
  "api-off": {
    severity: "error",
    title: "API off",
    meaning: "the HTTP API could not be started; recording goes on",
    remedy: "Correct the api settings that the log names.",
    clears: "the API listens",
  },
  "api-certificate": {
    severity: "warning",
    title: "API certificate",
    meaning:
      "the API's certificate ends within three weeks, or the one that is to take its place cannot be used: the one before is still shown",
    remedy: "Give api.certFile and api.keyFile a good certificate; it is taken over without a restart.",
    clears: "a good certificate is shown",
  },
  "mqtt-off": {
    severity: "error",
    title: "MQTT off",
    meaning: "the connection to the broker, or the box's own broker, could not be prepared; recording goes on",
    remedy: "Correct the mqtt settings that the log names.",
    clears: "it is started",
  },
  "mqtt-broker-lost": {
    severity: "warning",
    title: "No MQTT broker",
    meaning:
      "the box has had no connection to its broker for a minute: nobody sees it over MQTT; recording goes on and events wait",
    remedy: "Bring the broker back, or correct what the log says about it (lines that begin MQTT:).",
    clears: "the broker is there again",
  },
  "mqtt-events-lost": {
    severity: "error",
    title: "MQTT events lost",
    meaning: "the broker was away for so long that the oldest events that waited for it had to go; recording goes on",
    remedy: "Bring the broker back, or raise mqtt.queueMegabytes; the gap in `seq` says which events were lost.",
    clears: "none was lost for an hour",
  },
  "panel-lost": {
    severity: "warning",
    title: "Front panel lost",
    meaning: "the configured front panel is not on its port, or something else is; recording goes on",
    remedy: "Check the panel's cable, and panel.port and panel.model.",
    clears: "the panel answers",
  },
  "clock-unsynchronized": {
    severity: "warning",
    title: "Clock not synchronised",
    meaning: "the box's clock is not set by a time server: recordings may carry a wrong time, and say so",
    remedy: "Let the box reach a time server (NTP, UDP port 123), or configure one.",
    clears: "the clock is synchronised",
  },
  "clock-stepped": {
    severity: "warning",
    title: "Clock stepped",
    meaning:
      "the box's clock jumped while calls were in progress: their durations are right, their manifests name the step",
    remedy: "If it comes again, check the time server and the box's battery.",
    clears: "no further step for a day",
  },
} as const satisfies Record<string, AlarmMeaning>;
export type AlarmCode = keyof typeof ALARMS;
export const ALARM_CODES = Object.keys(ALARMS) as AlarmCode[];

/** What goes with an alarm: figures and names, never numbers of people. */
export type AlarmDetail = Readonly<Record<string, string | number | boolean>>;

/** An alarm that stands, as MQTT (`alarm/<code>`, retained), the API and the panel show it. */
export interface StandingAlarm {
  code: AlarmCode;
  severity: AlarmSeverity;
  title: string;
  remedy: string;
  /** ISO 8601 UTC, wall clock. */
  since: string;
  /** How often it was raised since then. */
  count: number;
  detail: AlarmDetail;
  /** Absent until somebody says that it was seen. */
  acknowledged?: AlarmAcknowledgement;
}

export interface AlarmAcknowledgement {
  /** ISO 8601 UTC, wall clock. */
  at: string;
  /** "mqtt client node-red-7". */
  by: string;
}

/** One that stood. */
export interface PastAlarm extends Omit<StandingAlarm, "remedy" | "title" | "acknowledged"> {
  clearedAt: string;
  /** By itself, or because the service was started anew and found nothing yet. */
  clearedBy: "condition" | "restart";
}

/** Raises and clears alarms; whoever finds a fault holds one. */
export interface AlarmDesk {
  /** Again with another detail: the alarm stands on with the new one. */
  raise(code: AlarmCode, detail?: AlarmDetail): void;
  /** Does nothing when it does not stand. */
  clear(code: AlarmCode): void;
}
