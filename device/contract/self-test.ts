// The self-test: a made call that the box puts through its own engine, seals, indexes and deletes again, and what it found. Retained
// over MQTT as `self-test`, answered to whoever asks for one. Holds nothing of anybody: the call's people do not exist.

/** What is proved, in this order. */
export const SELF_TEST_STEPS = {
  decode: "every frame that was put in at the capture boundary became one call with both its streams",
  gate: "the agent's packets were all admitted, the caller's all refused for want of consent",
  journal: "the journal's files hold the agent's packets byte for byte, and none of the caller's",
  seal: "the recording is signed, its hashes fit, the agent's channel is what was said, the caller's is digital silence",
  index: "the index takes the call, finds it, and writes to the disk",
  delete: "nothing of it is left",
} as const;
export type SelfTestStep = keyof typeof SELF_TEST_STEPS;

export interface SelfTestStepResult {
  step: SelfTestStep;
  ok: boolean;
  /** One line: the figures, or what is wrong. */
  detail: string;
}

export interface SelfTestReport {
  /** When it began, ISO 8601 in UTC. */
  at: string;
  /** `skipped`: nothing was tried, `reason` says why; such a report is answered and not retained. */
  result: "pass" | "fail" | "skipped";
  reason?: string;
  /** Up to the first that failed, and `delete`, which is always tried; none when it was skipped. */
  steps: SelfTestStepResult[];
  durationMs: number;
}

/** Where a self-test is asked for. */
export interface SelfTestDesk {
  /** Never rejects; takes some five seconds. Asked while one runs, it answers with that one's report. */
  selfTest(): Promise<SelfTestReport>;
}
