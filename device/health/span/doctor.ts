// The SPAN doctor: puts the checks together into a report on the mirror port. Keeps what the checks look back on; asks nobody
// and knows no timer, so that a running box, a captured file and a test drive it alike.
import type { Clock } from "../../base/clock.js";
import { isoUs } from "../../base/clock.js";
import type { InterfaceFacts } from "../../capture/interface-facts.js";
import type { CallRecord } from "../../contract/call-record.js";
import type { Config } from "../../contract/config.js";
import type { EngineCounters } from "../../contract/engine-messages.js";
import type { ClockState } from "../../contract/manifest.js";
import {
  SPAN_CHECK_IDS,
  SPAN_CHECK_STATES,
  SPAN_FAULTS,
  type SpanCheck,
  type SpanCheckId,
  type SpanCheckState,
  type SpanFigures,
  type SpanReport,
} from "../../contract/span.js";
import { CallSights } from "./call-sights.js";
import type { SpanInput, SpanJudge } from "./check.js";
import { SpanEndpoints } from "./endpoints.js";
import {
  checkAddress,
  checkClock,
  checkCut,
  checkDrops,
  checkLink,
  checkOffload,
  checkPackets,
  checkPromiscuous,
} from "./interface-checks.js";
import {
  checkAgents,
  checkCodecs,
  checkLoss,
  checkMedia,
  checkMediaDirections,
  checkMediaEncrypted,
} from "./media-checks.js";
import { checkCopies, checkFragments, checkTunnels, checkVlans } from "./network-checks.js";
import { checkSip, checkSipDirections, checkSipEncrypted } from "./signalling-checks.js";
import { SpanWindow } from "./window.js";

const JUDGES: Readonly<Record<SpanCheckId, SpanJudge>> = {
  link: checkLink,
  packets: checkPackets,
  address: checkAddress,
  promiscuous: checkPromiscuous,
  offload: checkOffload,
  drops: checkDrops,
  cut: checkCut,
  sip: checkSip,
  "sip-directions": checkSipDirections,
  "sip-encrypted": checkSipEncrypted,
  media: checkMedia,
  "media-directions": checkMediaDirections,
  "media-encrypted": checkMediaEncrypted,
  codecs: checkCodecs,
  agents: checkAgents,
  copies: checkCopies,
  vlans: checkVlans,
  tunnels: checkTunnels,
  fragments: checkFragments,
  loss: checkLoss,
  clock: checkClock,
};

export interface SpanSurroundings {
  interfaces: readonly InterfaceFacts[];
  clock: ClockState;
  clockStepped: boolean;
}

export class SpanDoctor {
  private readonly config: Config;
  private readonly clock: Clock;
  private readonly isLive: boolean;
  private readonly window = new SpanWindow();
  private readonly sights = new CallSights();
  private readonly endpoints: SpanEndpoints;
  private peers: SpanFigures["peers"] = [];
  /** In the time of packets. */
  private nowUs = 0;

  constructor(config: Config, clock: Clock, isLive: boolean) {
    this.config = config;
    this.clock = clock;
    this.isLive = isLive;
    this.endpoints = new SpanEndpoints(config);
  }

  noteFigures(figures: SpanFigures): void {
    this.window.noteFigures(figures);
    this.peers = figures.peers;
  }

  /** Every second or so. */
  noteCounters(counters: EngineCounters): void {
    this.nowUs = Math.max(this.nowUs, counters.atUs);
    this.window.note(counters, this.clock.monotonicMs());
  }

  noteCall(record: CallRecord): void {
    this.nowUs = Math.max(this.nowUs, record.endedAtUs);
    this.sights.note(record);
    this.endpoints.note(record);
  }

  report({ interfaces, clock, clockStepped }: SpanSurroundings): SpanReport {
    const input: SpanInput = {
      config: this.config,
      isLive: this.isLive,
      tenMinutes: this.window.tenMinutes,
      minute: this.window.minute,
      interfaces,
      calls: this.sights.recent(this.nowUs),
      clock,
      clockStepped,
    };
    const checks = SPAN_CHECK_IDS.map((id) => judge(id, input));
    return {
      at: isoUs(this.clock.nowUs()),
      state: worstOf(checks.map(({ state }) => state)),
      checks,
      endpoints: this.endpoints.list(this.peers),
    };
  }
}

function judge(id: SpanCheckId, input: SpanInput): SpanCheck {
  const { figure, isUnseen, findings } = JUDGES[id](input);
  const states = findings.map(({ code }): SpanCheckState => SPAN_FAULTS[code].state);
  const state = findings.length === 0 && isUnseen ? "not-seen" : worstOf(["pass", ...states]);
  return { id, state, figure, findings: findings.map((one) => ({ ...one, remedy: SPAN_FAULTS[one.code].remedy })) };
}

function worstOf(states: readonly SpanCheckState[]): SpanCheckState {
  return states.reduce<SpanCheckState>(
    (worst, state) => (SPAN_CHECK_STATES.indexOf(state) > SPAN_CHECK_STATES.indexOf(worst) ? state : worst),
    "pass",
  );
}
