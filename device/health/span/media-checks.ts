// The doctor's checks on calls and their media: there, from both sides, readable, with a known agent, complete.
import { namesAgents } from "../../contract/config.js";
import type { SpanFinding } from "../../contract/span.js";
import type { CallSight } from "./call-sights.js";
import { counted, fine, type SpanInput, type SpanVerdict, share, unseen } from "./check.js";

/** A fault that none of the newest calls shows any more is mended. */
const NEWEST = 3;
/** Calls that must be without an agent before agents.match is wrong: a stranger may call a stranger. */
const LEAST_WITHOUT_AGENT = 2;
const NO_CALL = "no answered call of two seconds yet";
const MAX_NAMED = 5;
/** Loss below this is what telephony bears (G.711 with concealment, ITU-T G.113 Appendix I). */
const LEAST_LOSS_SHARE = 0.001;
/** What a mirror drops is lost to the recording alone: a tenth of it is worth a word. */
const LEAST_MIRROR_LOSS_SHARE = 0.0001;

export function checkMedia({ calls }: SpanInput): SpanVerdict {
  // Who encrypts signalling shows nothing here; who encrypts media shows packets.
  const bad = (sight: CallSight): boolean => sight.media === "none" && !sight.hasPackets;
  return judgeCalls(calls, bad, "media-elsewhere", (count, all) => `${count} of ${all} without media`, "all of");
}

export function checkMediaDirections({ calls }: SpanInput): SpanVerdict {
  const withMedia = calls.filter(({ media }) => media !== "none");
  const bad = ({ media }: CallSight): boolean => media === "one";
  return judgeCalls(
    withMedia,
    bad,
    "media-one-way",
    (count, all, found) => `${count} of ${all}: ${namesOf(found)} only`,
    "both in",
  );
}

export function checkMediaEncrypted({ calls }: SpanInput): SpanVerdict {
  return judgeCalls(
    calls.filter(({ hasPackets }) => hasPackets),
    ({ isEncrypted }) => isEncrypted,
    "media-encrypted",
    (count, all, found) => `${count} of ${all} use SRTP: ${namesOf(found)}`,
    "all of",
  );
}

export function checkCodecs({ calls }: SpanInput): SpanVerdict {
  return judgeCalls(
    calls.filter(({ hasPackets, isEncrypted }) => hasPackets && !isEncrypted),
    ({ codec }) => codec !== "",
    "codec-unsupported",
    (count, all, found) => `${count} of ${all}: ${[...new Set(found.map(({ codec }) => codec))].join(", ")}`,
    "all of",
  );
}

export function checkAgents({ calls, config }: SpanInput): SpanVerdict {
  const { policy } = config.consent;
  if (policy === "none") return fine("nothing is recorded: consent.policy is none");
  if (!namesAgents(config)) {
    if (policy === "both-parties") return fine("not needed: consent.policy is both-parties");
    return { figure: "agents.match is empty", findings: [{ code: "agents-not-configured", figure: seenAt(calls) }] };
  }
  const judged = calls.filter(({ hasPackets }) => hasPackets);
  if (judged.length === 0) return unseen(NO_CALL);
  const known = judged.filter(({ agent }) => agent === "known").length;
  const figure = `known in ${known} of ${counted(judged.length, "call")}`;
  const findings: SpanFinding[] = [];
  const newest = judged.slice(-NEWEST);
  const strangers = newest.filter(({ agent }) => agent === "unknown");
  if (strangers.length >= LEAST_WITHOUT_AGENT || (strangers.length > 0 && strangers.length === judged.length))
    findings.push({ code: "agents-not-found", figure: seenAt(strangers) });
  const torn = newest.filter(({ agent }) => agent === "contradictory");
  if (torn.length > 0) findings.push({ code: "agents-contradictory", figure: `media ${namesOf(torn)}` });
  return { figure, findings };
}

export function checkLoss({ tenMinutes }: SpanInput): SpanVerdict {
  if (tenMinutes === undefined) return unseen("capture has not begun");
  const { now, before } = tenMinutes;
  const packets = (now.counters.counts["rtp.packets"] ?? 0) - (before.counters?.counts["rtp.packets"] ?? 0);
  if (packets <= 0) return unseen("no RTP yet");
  const grownBy = (field: "everywhere" | "somewhere" | "undecided"): number =>
    Math.max(0, now.figures.gaps[field] - before.figures.gaps[field]);
  const [everywhere, somewhere, undecided] = [grownBy("everywhere"), grownBy("somewhere"), grownBy("undecided")];
  const lost = everywhere + somewhere + undecided;
  const sent = packets + lost;
  const findings: SpanFinding[] = [];
  if (everywhere > 0 && everywhere / sent >= LEAST_MIRROR_LOSS_SHARE)
    findings.push({
      code: "mirror-loss",
      figure: `${counted(everywhere, "packet")} (${share(everywhere, sent)}) missing in most streams at once`,
    });
  if ((somewhere + undecided) / sent >= LEAST_LOSS_SHARE)
    findings.push({
      code: "network-loss",
      figure: `${counted(somewhere + undecided, "packet")} (${share(somewhere + undecided, sent)}) missing in single streams`,
    });
  return { figure: `${share(lost, sent)} of ${counted(sent, "RTP packet")}`, findings };
}

function judgeCalls(
  calls: readonly CallSight[],
  isBad: (sight: CallSight) => boolean,
  code: SpanFinding["code"],
  describe: (count: number, all: string, found: readonly CallSight[]) => string,
  good: string,
): SpanVerdict {
  if (calls.length === 0) return unseen(NO_CALL);
  const all = counted(calls.length, "call");
  const found = calls.filter(isBad);
  if (found.length === 0) return fine(`${good} ${all}`);
  const figure = describe(found.length, all, found);
  if (!calls.slice(-NEWEST).some(isBad)) return fine(`${figure}, none of the last ${NEWEST}`);
  return { figure, findings: [{ code, figure }] };
}

/** Where the media of these calls came from. */
function namesOf(calls: readonly CallSight[]): string {
  const all = [...new Set(calls.flatMap(({ addresses }) => addresses))];
  const more = all.length > MAX_NAMED ? ` and ${all.length - MAX_NAMED} more` : "";
  return all.length === 0 ? "from nowhere" : `from ${all.slice(0, MAX_NAMED).join(", ")}${more}`;
}

function seenAt(calls: readonly CallSight[]): string {
  return calls.length === 0 ? "no call seen yet" : `calls ${namesOf(calls)}`;
}
