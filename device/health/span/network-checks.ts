// The doctor's checks on how packets come: once or several times, in which VLANs and tunnels, whole or in fragments.
import type { SpanFaultCode, SpanFinding, VlanFigures } from "../../contract/span.js";
import { counted, fine, type SpanInput, type SpanVerdict, share, unseen } from "./check.js";
import { grown, type SpanStretch } from "./window.js";

/** A few copies come with every reconvergence of a network. */
const LEAST_COPIES = 10;
const LEAST_COPIES_SHARE = 0.01;
/** Single broken packets come out of scans. */
const LEAST_UNDECODABLE_SHARE = 0.01;
/** A VLAN that carried something and then nothing for so long, while another one began. */
const SILENT_US = 60_000_000;
/** An hour later it is how the office is. */
const CHANGE_US = 3_600_000_000;
const LEAST_VLAN_FRAMES = 100;
const MAX_NAMED = 6;

const COPY_FAULTS: Readonly<Record<string, SpanFaultCode>> = {
  same: "copies-same",
  vlan: "copies-vlan",
  ttl: "copies-routed",
  encapsulation: "copies-tunnel",
  interface: "copies-interface",
};

export function checkCopies({ tenMinutes }: SpanInput): SpanVerdict {
  if (tenMinutes === undefined) return unseen("capture has not begun");
  const all = grown(tenMinutes, "rtp.packets") + grown(tenMinutes, "sip.messages");
  if (all === 0) return unseen("no call yet");
  const findings: SpanFinding[] = [];
  for (const [kind, code] of Object.entries(COPY_FAULTS)) {
    const copies = grown(tenMinutes, `duplicates.rtp.${kind}`) + grown(tenMinutes, `duplicates.sip.${kind}`);
    if (copies >= LEAST_COPIES && copies / all >= LEAST_COPIES_SHARE)
      findings.push({ code, figure: `${share(copies, all)} of what came (${counted(copies, "packet")})` });
  }
  return { figure: findings.length === 0 ? "each packet once" : findings[0]!.figure, findings };
}

export function checkVlans({ tenMinutes, config }: SpanInput): SpanVerdict {
  if (tenMinutes === undefined) return unseen("capture has not begun");
  const { vlans, atUs } = tenMinutes.now.figures;
  if (vlans.length === 0) return unseen("no packet yet");
  const recent = recentOf(tenMinutes);
  const findings: SpanFinding[] = [];
  const wanted = config.agents.vlans;
  const seen = new Set(recent.map(({ vlan }) => vlan));
  if (wanted.length > 0 && !wanted.some((vlan) => seen.has(vlan)))
    findings.push({
      code: "agent-vlan-silent",
      figure: `agents.vlans has ${wanted.join(", ")}, seen: ${listOf(recent)}`,
    });
  const gone = vlans.filter(({ frames, lastAtUs }) => {
    const silentUs = atUs - lastAtUs;
    return frames >= LEAST_VLAN_FRAMES && silentUs >= SILENT_US && silentUs < CHANGE_US;
  });
  for (const { vlan, lastAtUs } of gone) {
    const heir = vlans.find(({ firstAtUs, frames }) => frames >= LEAST_VLAN_FRAMES && firstAtUs >= lastAtUs);
    if (heir)
      findings.push({ code: "vlan-changed", figure: `${nameOf(vlan)} fell silent, ${nameOf(heir.vlan)} began` });
  }
  return { figure: listOf(recent.length > 0 ? recent : vlans), findings };
}

export function checkTunnels({ tenMinutes }: SpanInput): SpanVerdict {
  if (tenMinutes === undefined) return unseen("capture has not begun");
  const all = grown(tenMinutes, "net.frames");
  if (all === 0) return unseen("no packet yet");
  const findings: SpanFinding[] = [];
  const unlisted = grown(tenMinutes, "net.encapsulation-unlisted");
  if (unlisted > 0)
    findings.push({ code: "too-many-tunnels", figure: `${counted(unlisted, "packet")} of unlisted kinds` });
  const bad = grown(tenMinutes, "net.bad-tunnel-header") + grown(tenMinutes, "net.too-deep");
  if (bad / all >= LEAST_UNDECODABLE_SHARE)
    findings.push({ code: "tunnel-undecodable", figure: `${share(bad, all)} of the packets (${bad})` });
  const kinds = [...new Set(tenMinutes.now.counters.encapsulations.map(({ layers }) => layers))];
  return { figure: kinds.length === 0 ? "none" : shortList(kinds), findings };
}

export function checkFragments({ tenMinutes }: SpanInput): SpanVerdict {
  if (tenMinutes === undefined) return unseen("capture has not begun");
  const whole = grown(tenMinutes, "net.reassembled");
  const lost = ["timeout", "evicted", "overlap", "truncated"]
    .map((reason) => grown(tenMinutes, `net.fragment-${reason}`))
    .reduce((a, b) => a + b);
  if (grown(tenMinutes, "net.fragments") === 0) return fine("none");
  const figure = `${counted(whole, "datagram")} put together, ${lost} incomplete`;
  return { figure, findings: lost > 0 ? [{ code: "fragments-lost", figure: `${lost} incomplete` }] : [] };
}

/** With what came within the time. */
function recentOf({ before, now }: SpanStretch): VlanFigures[] {
  const known = new Map(before.figures.vlans.map(({ vlan, frames }) => [vlan, frames]));
  return now.figures.vlans
    .map((one) => ({ ...one, frames: one.frames - (known.get(one.vlan) ?? 0) }))
    .filter(({ frames }) => frames > 0);
}

function listOf(vlans: readonly VlanFigures[]): string {
  const all = vlans.reduce((sum, { frames }) => sum + frames, 0);
  const names = vlans
    .toSorted((a, b) => b.frames - a.frames)
    .map(({ vlan, frames }) => (vlans.length === 1 ? nameOf(vlan) : `${nameOf(vlan)} ${share(frames, all)}`));
  return names.length === 0 ? "none" : shortList(names);
}

function nameOf(vlan: number): string {
  return vlan < 0 ? "no tag" : `VLAN ${vlan}`;
}

function shortList(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  return names.slice(0, MAX_NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
