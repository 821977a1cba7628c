// The index page of an export, README.txt, in plain words for the person whom it is about and whoever hands it over.
import { isoUs } from "../../base/clock.js";
import type { About } from "./about.js";
import { MEMBER_KINDS, type MemberKind } from "./members.js";

export interface ReadmeFacts {
  about: About;
  /** The box's name. */
  device: string;
  /** "cli root". */
  by: string;
  reason: string;
  atUs: number;
  /** Files of each kind that are in the archive. */
  counts: ReadonlyMap<MemberKind, number>;
  /** Files that went while it was written. */
  gone: readonly string[];
}

export function readmeText(facts: ReadmeFacts): string {
  const { about, device, by, reason, atUs, counts, gone } = facts;
  const kinds = (Object.keys(MEMBER_KINDS) as MemberKind[]).filter((kind) => counts.has(kind));
  const contents = kinds.map(
    (kind) => `${kind} (${filesText(counts.get(kind)!)})\n${wrap(MEMBER_KINDS[kind], "  ")}\n`,
  );
  const calls = about.calls.size === 1 ? "1 call" : `${about.calls.size} calls`;
  return `What the recorder ${device} has about the number ${about.number}

Made on ${isoUs(atUs)} by ${by}.
Reason: ${reason}
${wrap(`It is about ${calls}, ${about.recordings.length} of them with a recording. A call counts when the number, however it is written, is a party's, passed the call on, or is one to whom it was transferred.`)}

WHAT IS IN HERE

${contents.length > 0 ? contents.join("\n") : "Nothing: the recorder has nothing about this number.\n"}
contents.json
  every file in here with its length and its SHA-256

WHAT IS NOT IN HERE

${missing(about, gone)
  .map((text) => wrap(`- ${text}`))
  .join("\n")}

OTHER PEOPLE

${wrap(OTHER_PEOPLE)}

HOW TO CHECK IT

${wrap(CHECKING)}
`;
}

const OTHER_PEOPLE =
  "Recordings are here as they were made: with both sides of the call, the left channel the agent (or who called), the right one the caller (or who was called). Call log, manifests and audit entries name the other side as well, and who at the recorder did something. What of that may be handed over, and what has to be left out because it would touch the rights of others (GDPR art. 15(4)), whoever hands it over has to decide: the recorder does not.";
const CHECKING =
  "Each file's SHA-256 stands in contents.json, that of the whole archive in the recorder's audit chain. Manifests, certificates (.deleted) and audit entries are signed (Ed25519): device.pub is the key. An excerpt of the audit chain is not the chain: that nothing was left out of it can be checked on the recorder only (sidetoned audit verify, sidetoned verify). Recordings that end with .age are encrypted: age -d -i KEY FILE opens them for who holds a recipient's key.";

function missing({ locked, nameless }: About, gone: readonly string[]): string[] {
  const texts = [
    "Calls that were in progress when this was made.",
    "Recordings that were deleted before, by their age, by order or for the disk's sake: what stays of them names nobody, so nobody can say whose they were. Of those that an erasure of this number took, the certificates are here, as far as no other number was erased by the same person in the same words.",
    "What was delivered to other systems, or is in backups.",
  ];
  if (locked.length > 0)
    texts.push(
      `The audio of ${locked.length} calls in journals that the recorder itself cannot read (sidetoned journal open).`,
    );
  for (const { run, calls } of nameless)
    texts.push(`${calls} calls in the journal ${run}, of which the recorder cannot say whose they are.`);
  if (gone.length > 0)
    texts.push(
      `Files that were deleted while this was written: ${gone.slice(0, 100).join(", ")}${gone.length > 100 ? ` and ${gone.length - 100} more` : ""}.`,
    );
  return texts;
}

function filesText(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

const WIDTH = 100;

function wrap(text: string, indent = ""): string {
  const lines = [indent];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line.trim() !== "" && line.length + word.length >= WIDTH) lines.push(`${indent}${word}`);
    else lines[lines.length - 1] = line.trim() === "" ? `${line}${word}` : `${line} ${word}`;
  }
  return lines.join("\n");
}
