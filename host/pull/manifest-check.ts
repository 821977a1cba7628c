// What a pull takes out of a manifest, once the box's key has signed exactly these bytes for exactly this recording.
import type { KeyObject } from "node:crypto";
import { type JsonObject, readSignedFile, text } from "../verify/signed-json.js";
import type { Described } from "./name-template.js";
import type { AudioEnding } from "./target-folder.js";

export interface CheckedManifest {
  ending: AudioEnding;
  bytes: number;
  /** Of the audio as stored. */
  sha256: string;
  durationMs: number;
  described: Omit<Described, "tags">;
}

/** Undefined when it is not that. */
export function checkManifest(bytes: Buffer, id: string, key: KeyObject): CheckedManifest | undefined {
  const manifest = readSignedFile(bytes, key);
  if (manifest === undefined || text(manifest, "schema") !== "sidetone.recording/1" || text(manifest, "id") !== id)
    return undefined;
  const audio = objectOf(manifest["audio"]);
  const ending = ([".wav", ".wav.age"] as const).find((each) => text(audio, "file") === `${id}${each}`);
  const [size, sha256] = [Number(audio?.["bytes"]), text(audio, "sha256")];
  if (ending === undefined || !Number.isSafeInteger(size) || size < 0 || !/^[0-9a-f]{64}$/.test(sha256))
    return undefined;
  const durationMs = Number(audio?.["durationMs"]);
  return { ending, bytes: size, sha256, durationMs: durationMs || 0, described: describe(id, manifest) };
}

function describe(id: string, manifest: JsonObject): CheckedManifest["described"] {
  const parties = Array.isArray(manifest["parties"]) ? manifest["parties"].map(objectOf) : [];
  const agent = parties.find((party) => text(party, "role") === "agent");
  // Where nobody is known as the agent, the one on the right is the other side.
  const other = parties.find((party) => party !== agent && (agent !== undefined || party?.["channel"] === 1));
  return {
    id,
    startedAt: text(manifest, "startedAt"),
    agent: text(agent, "number"),
    number: text(other, "number"),
    caller: text(other, "name"),
    device: text(manifest, "device"),
    policy: text(manifest, "policy"),
    purpose: text(manifest, "purpose"),
    retention: text(manifest, "retention"),
  };
}

function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}
