// A whole telephone call as the mirror port of an office sees it: the SIP ladder over UDP (RFC 3261 §13, §15) and RTP
// both ways, as timed frames. Deterministic: the same options give the same bytes.
import { type CallOptions, type CallParty, type CallPlan, type Participant, planCall } from "./call-options.js";
import { CallSignalling } from "./call-signalling.js";
import { endpointText } from "./frames.js";
import { randomInteger } from "./random.js";
import { rtpStream } from "./rtp-stream.js";
import { mergeCalls, type TimedFrame } from "./timed-frames.js";

/** All frames of the call in the order of their times. */
export function makeCall(options: CallOptions = {}): TimedFrame[] {
  const plan = planCall(options);
  const media = plan.outcome === "answered" ? [mediaFrom(plan, "caller"), mediaFrom(plan, "callee")] : [];
  const signalling = new CallSignalling(plan).frames();
  return mergeCalls(options.onlyResponses ? signalling.filter((one) => /^\d/.test(one.label)) : signalling, ...media);
}

function mediaFrom(plan: CallPlan, from: Participant): TimedFrame[] {
  const sender = plan[from];
  const receiver = plan[from === "caller" ? "callee" : "caller"];
  // Drawn even for the mute, so that one party's options do not change the other's numbers.
  const drawn = {
    ssrc: randomInteger(plan.random, 2 ** 32),
    firstSequence: randomInteger(plan.random, 2 ** 16),
    firstTimestamp: randomInteger(plan.random, 2 ** 32),
  };
  if (sender.isMute) return [];
  const earlyMs = from === "callee" ? plan.earlyMediaMs : 0;
  const startUs = plan.answerUs - earlyMs * 1000 + (sender.mediaOffsetMs ?? 10) * 1000;
  const lastUs = plan.endUs + (plan.rtpAfterByeMs ?? 0) * 1000;
  return rtpStream({
    ...drawn,
    ...sender,
    source: mediaEndpoint(sender),
    destination: mediaEndpoint(receiver),
    from,
    startUs,
    packets: Math.max(0, Math.ceil((lastUs - startUs) / (plan.ptimeMs * 1000))),
    codec: plan.codec,
    ptimeMs: plan.ptimeMs,
    ...(plan.link ? { link: plan.link } : {}),
  });
}

function mediaEndpoint(party: CallParty): string {
  return party.natRtpEndpoint ?? endpointText(party.mediaAddress ?? party.address, party.rtpPort);
}
