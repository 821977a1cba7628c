// What `sidetone watch` is told, whether over MQTT or by the box's API: one shape for both. Topics are those below
// sidetone/<device> (device/contract/mqtt-topics.ts); `calls/active` is the list of calls in progress.

export interface WatchMessage {
  device: string;
  topic: string;
  /** Undefined when the topic was emptied: an alarm has cleared. */
  payload: unknown;
  /** It stood already. */
  isRetained: boolean;
}

export interface WatchListener {
  message(message: WatchMessage): void;
  /** What stood may be over: all that stands comes again. */
  connected(): void;
  /** The source tries for ever to come back. */
  lost(why: string): void;
}
