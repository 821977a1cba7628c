// How the box is: what is retained over MQTT as `health` and served as metrics. Figures about the box and its work; nothing about
// anybody's calls but how many there are.

import type { PanelState } from "./panel.js";

export const HEALTH_SCHEMA = "sidetone.health/1";

export interface HealthStatus {
  schema: typeof HEALTH_SCHEMA;
  /** ISO 8601 in UTC. */
  at: string;
  /** Of the service, s. */
  uptimeS: number;
  /** Of the whole box and of each process, percent of one core (a box of four cores has 400). */
  cpuPercent: { box: number; service: number; engine: number; cores: number };
  /** `available` as the kernel estimates it (MemAvailable). */
  memoryMegabytes: { total: number; available: number; service: number; engine: number };
  /** The hottest sensor, °C; null where there is none. */
  temperatureC: number | null;
  clock: { synchronised: boolean | "unknown"; offsetMs: number | null };
  /** Finished calls that wait for a sealing thread, are being sealed, or wait for a disk that refused them. */
  sealing: { waiting: number; running: number; refused: number };
  /** Calls in progress. */
  activeCalls: number;
  capture: {
    packetsPerSecond: number;
    /** Since the engine's start. */
    kernelDrops: number;
    interfaceDrops: number;
  };
  /** Longest time that the process's event loop was busy since the last report, ms. */
  eventLoopDelayMs: { service: number; engine: number };
  /** The front panel. */
  panel: PanelState;
  /** Codes of the alarms that stand. */
  alarms: string[];
}

/** `info`, retained: what does not change while the service runs. */
export interface BoxInfo {
  device: string;
  version: string;
  node: string;
  architecture: string;
  /** ISO 8601 in UTC. */
  startedAt: string;
  interfaces: string[];
  policy: string;
}
