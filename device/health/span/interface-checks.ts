// The doctor's checks on the capture ports themselves: link, packets, address, promiscuous mode, offloads, drops, clock.
import type { SpanFinding } from "../../contract/span.js";
import { counted, fine, type SpanInput, type SpanVerdict, unseen } from "./check.js";
import { grown, type SpanStretch } from "./window.js";

/** So long without a packet is a mirror that is off. */
const SILENCE_MS = 60_000;

export function checkLink({ interfaces, isLive, tenMinutes }: SpanInput): SpanVerdict {
  if (!isLive) return unseen("read from files");
  const faults = (tenMinutes?.now.counters.sources ?? []).flatMap(({ fault }) => (fault ? [fault] : []));
  const down = interfaces.filter(({ isUp, hasLink }) => !isUp || !hasLink);
  const findings: SpanFinding[] = down.map(({ name, isUp }) => ({
    code: "no-link",
    figure: `${name}: ${isUp ? "no link" : "down"}`,
  }));
  for (const fault of findings.length === 0 ? faults : []) findings.push({ code: "no-link", figure: fault });
  if (interfaces.length === 0 && findings.length === 0) return unseen("no interface tells");
  const figure = interfaces.map(({ name, speedMegabits, duplex, isUp, hasLink }) => {
    const speed = speedMegabits === undefined ? "" : ` ${speedMegabits} Mbit/s${duplex ? ` ${duplex} duplex` : ""}`;
    return `${name} ${isUp && hasLink ? "up" : "down"}${speed}`;
  });
  return { figure: figure.join(", "), findings };
}

export function checkPackets({ minute, isLive }: SpanInput): SpanVerdict {
  if (minute === undefined) return unseen("capture has not begun");
  const frames = total(minute, "frames");
  const seconds = minute.ms / 1000;
  if (!isLive) return fine(`${counted(frames, "frame")} read`);
  const megabits = (total(minute, "bytes") * 8) / 1e6 / seconds;
  const figure = `${Math.round(frames / seconds)} packets/s, ${megabits.toFixed(megabits < 10 ? 2 : 0)} Mbit/s`;
  if (frames > 0) return fine(figure);
  if (minute.ms < SILENCE_MS) return unseen(`no packet for ${Math.round(seconds)} s`);
  return { figure, findings: [{ code: "no-packets", figure: "no packet in the last minute" }] };
}

export function checkAddress({ interfaces }: SpanInput): SpanVerdict {
  if (interfaces.length === 0) return unseen("no interface tells");
  const findings: SpanFinding[] = interfaces
    .filter(({ addresses }) => addresses.length > 0)
    .map(({ name, addresses }) => ({ code: "capture-port-address", figure: `${name} has ${addresses.join(", ")}` }));
  return { figure: findings.length === 0 ? "none" : findings.map(({ figure }) => figure).join("; "), findings };
}

export function checkPromiscuous({ interfaces }: SpanInput): SpanVerdict {
  if (interfaces.length === 0) return unseen("no interface tells");
  const off = interfaces.filter(({ isPromiscuous }) => !isPromiscuous);
  const findings: SpanFinding[] = off.map(({ name }) => ({ code: "not-promiscuous", figure: `${name}: off` }));
  return { figure: findings.length === 0 ? "on" : findings.map(({ figure }) => figure).join(", "), findings };
}

/** What was seen counts more than what the driver says. */
export function checkOffload({ interfaces, tenMinutes, isLive }: SpanInput): SpanVerdict {
  if (!isLive || tenMinutes === undefined) return unseen("nothing captured live");
  const findings: SpanFinding[] = [];
  for (const { name, joinedFrames = 0 } of tenMinutes.now.counters.sources) {
    const before = tenMinutes.before.counters?.sources.find((one) => one.name === name)?.joinedFrames ?? 0;
    if (joinedFrames > before)
      findings.push({ code: "packets-joined", figure: `${name}: ${joinedFrames - before} packets were joined` });
  }
  const seen = findings.map(({ figure }) => figure.split(":")[0]);
  for (const { name, joining = [] } of interfaces)
    if (joining.length > 0 && !seen.includes(name))
      findings.push({ code: "packets-joined", figure: `${name}: ${joining.join(", ")} on` });
  const isKnown = interfaces.some(({ joining }) => joining !== undefined);
  return { figure: isKnown ? "off" : "no joined packet seen", findings, ...replaceFigure(findings) };
}

export function checkDrops({ tenMinutes, isLive }: SpanInput): SpanVerdict {
  if (!isLive || tenMinutes === undefined) return unseen("nothing captured live");
  const kernel = total(tenMinutes, "kernelDrops");
  const card = total(tenMinutes, "interfaceDrops");
  const findings: SpanFinding[] = [];
  if (kernel > 0) findings.push({ code: "kernel-drops", figure: `the kernel dropped ${counted(kernel, "packet")}` });
  if (card > 0) findings.push({ code: "interface-drops", figure: `the card dropped ${counted(card, "packet")}` });
  return { figure: `none of ${counted(total(tenMinutes, "frames"), "packet")}`, findings, ...replaceFigure(findings) };
}

export function checkCut({ tenMinutes }: SpanInput): SpanVerdict {
  if (tenMinutes === undefined) return unseen("capture has not begun");
  const cut = grown(tenMinutes, "net.truncated");
  const whole = grown(tenMinutes, "net.udp");
  if (whole === 0) return unseen("no packet yet");
  const findings: SpanFinding[] =
    cut > 0 ? [{ code: "packets-cut", figure: `${cut} of ${whole} datagrams are shorter than they were sent` }] : [];
  return { figure: `none of ${counted(whole, "datagram")}`, findings, ...replaceFigure(findings) };
}

export function checkClock({ clock, clockStepped, isLive }: SpanInput): SpanVerdict {
  if (!isLive) return unseen("read from files");
  const findings: SpanFinding[] = [];
  if (clock === false) findings.push({ code: "clock-unsynchronized", figure: "no time server sets it" });
  if (clockStepped) findings.push({ code: "clock-ahead", figure: "it was set in mid-call within the last day" });
  if (findings.length === 0 && clock === "unknown") return unseen("nobody here can say whether it is synchronised");
  return { figure: "synchronised", findings, ...replaceFigure(findings) };
}

/** With findings the figure says what they say. */
function replaceFigure(findings: readonly SpanFinding[]): { figure?: string } {
  return findings.length === 0 ? {} : { figure: findings.map(({ figure }) => figure).join("; ") };
}

function total({ before, now }: SpanStretch, field: "frames" | "bytes" | "kernelDrops" | "interfaceDrops"): number {
  const sum = (sources: readonly { [key in typeof field]: number }[]): number =>
    sources.reduce((all, source) => all + source[field], 0);
  return Math.max(0, sum(now.counters.sources) - sum(before.counters?.sources ?? []));
}
