// What a recording must share with the wire: the same tones at the same times, on the right channel and on no other.
import { spawnSync } from "node:child_process";
import { expect } from "vitest";
import type { Manifest } from "../../device/contract/manifest.js";
import { type HeardRecording, type OfficeRecordings, toneHeard } from "../fakes/recorded-office.js";
import type { ToneSpan } from "../fakes/tone-spans.js";
import { liveTestObstacle } from "./veth-pair.js";

/** How far a span's ends may lie from where they were on the wire: tone windows, one packet, jitter. */
const TOLERANCE_MS = 100;

export interface Speaker {
  /** Where it sends from; several in the order of time. */
  address: string | readonly string[];
  toneHz: number;
}

/** Why tests with these programs cannot run here, or undefined. */
export function officeObstacle(commands: readonly string[]): string | undefined {
  const isMissing = (command: string) => spawnSync("sh", ["-c", `command -v ${command}`]).status !== 0;
  const missing = ["tcpdump", "tshark", ...commands].find(isMissing);
  return liveTestObstacle() ?? (missing && `${missing} is not installed`);
}

/** The one of a list. */
export function only<T>(list: readonly T[]): T {
  expect(list.length).toBe(1);
  return list[0]!;
}

/**
 * The speaker is heard on the channel exactly when the tone was on the wire, to anybody or to one listener's address,
 * and not at all on the other channel.
 */
export function expectAsOnTheWire(
  { wire }: OfficeRecordings,
  recording: HeardRecording,
  channel: 0 | 1,
  speaker: Speaker,
  listener?: string,
): ToneSpan[] {
  const onWire = [speaker.address].flat().flatMap((address) => wire.toneFrom(address, speaker.toneHz, listener));
  const onRecord = toneHeard(recording, channel, speaker.toneHz);
  const sent = joinNear(onWire, joinNear(onRecord));
  const heard = joinNear(onRecord, joinNear(onWire));
  const difference = `heard ${describeSpans(heard)}, on the wire ${describeSpans(sent)}`;
  expect(sent.length, difference).toBeGreaterThan(0);
  expect(heard.length, difference).toBe(sent.length);
  for (const [i, span] of heard.entries()) {
    expect(Math.abs(span.fromMs - sent[i]!.fromMs), difference).toBeLessThan(TOLERANCE_MS);
    expect(Math.abs(span.toMs - sent[i]!.toMs), difference).toBeLessThan(TOLERANCE_MS);
  }
  expectNotHeard(recording, channel === 0 ? 1 : 0, speaker);
  return heard;
}

/**
 * A pause shorter than the tolerance at both its ends is no pause to the ear that compares, nor is one that is a little
 * longer and is none for `other`.
 */
function joinNear(spans: readonly ToneSpan[], other: readonly ToneSpan[] = []): ToneSpan[] {
  const joined: ToneSpan[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    const pauseMs = last ? span.fromMs - last.toMs : Number.POSITIVE_INFINITY;
    const isNoneElsewhere = other.some(({ fromMs, toMs }) => fromMs < (last?.toMs ?? 0) && toMs > span.fromMs);
    if (last && (pauseMs < 2 * TOLERANCE_MS || (pauseMs < 4 * TOLERANCE_MS && isNoneElsewhere)))
      last.toMs = Math.max(last.toMs, span.toMs);
    else joined.push({ ...span });
  }
  return joined;
}

export function expectNotHeard(recording: HeardRecording, channel: 0 | 1, { toneHz }: Speaker): void {
  expect(toneHeard(recording, channel, toneHz), `${toneHz} Hz on channel ${channel}`).toEqual([]);
}

/** Digital silence from beginning to end. */
export function expectSilent(recording: HeardRecording, channel: 0 | 1): void {
  expect(recording.channels[channel]!.findIndex((sample) => sample !== 0)).toBe(-1);
}

/**
 * Every RTP packet that the address sent is counted on the channel. Refused, none of it is kept; else all that came
 * after the answer is.
 */
export function expectPacketCounts(
  { wire }: OfficeRecordings,
  manifest: Manifest,
  channel: 0 | 1,
  address: string,
  fate: "kept" | "refused",
): void {
  const streams = manifest.parties
    .filter((party) => party.channel === channel)
    .flatMap((party) => party.streams)
    .filter(({ source }) => source.startsWith(`${address}:`));
  const total = (count: "seen" | "recorded" | "discarded" | "lost") =>
    streams.reduce((sum, { packets }) => sum + packets[count], 0);
  const sent = wire.rtpFrom(address);
  expect(total("seen")).toBe(sent.length);
  expect(total("lost")).toBe(0);
  expect(total("recorded") + total("discarded")).toBe(sent.length);
  if (fate === "refused") {
    expect(total("recorded")).toBe(0);
  } else {
    const answeredAtMs = Date.parse(manifest.answeredAt);
    expect(total("recorded")).toBeGreaterThanOrEqual(sent.filter(({ atMs }) => atMs > answeredAtMs + 1).length);
  }
}

/** Milliseconds between one span and the next. */
export function gapsMs(spans: readonly ToneSpan[]): number[] {
  return spans.slice(1).map((span, i) => span.fromMs - spans[i]!.toMs);
}

function describeSpans(spans: readonly ToneSpan[]): string {
  return spans.map(({ fromMs, toMs }) => `${fromMs.toFixed(0)}…${toMs.toFixed(0)}`).join(" ") || "nothing";
}
