// `sidetone verify`: a copy of a box's data folder, or of its recordings, against the box's public key. Needs no box.
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { SidetoneError } from "../../device/base/errors.js";
import type { HostCommand } from "../command.js";
import { HOST_EXIT } from "../errors.js";
import { readAuthorities, readStatements } from "../verify/anchors.js";
import { readPublicKey } from "../verify/public-key.js";
import { type FolderVerdict, verifyFolder } from "../verify/verify-folder.js";

export const verifyCommand: HostCommand = {
  name: "verify",
  summary: "checks a copy of the box's data folder, or of recordings, against what the box has signed",
  arguments: [{ name: "FOLDER", names: "folder" }],
  flags: {
    "public-key": { value: "FILE", summary: "the box's keys/device.pub", isRequired: true, names: "file" },
    anchor: { value: "FILE", summary: "a statement of the box kept elsewhere", isRepeatable: true, names: "file" },
    "tsa-ca": { value: "FILE", summary: "authorities of time stamps, PEM", names: "file" },
  },
  details: [
    "--json prints one document: { scope, figures, findings: [{ kind, file, what, since }], findingCount, unchecked, isWhole }.",
    "Ends with 5 unless everything is as it was signed.",
  ],
  run: async (given, { output }) => {
    const folder = resolve(given.arguments[0]!);
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
      throw new SidetoneError(
        "usage",
        `${folder} is no folder: name a copy of the box's data folder, or of its recordings`,
      );
    const authorityFile = given.text("tsa-ca");
    const verdict = verifyFolder(folder, readPublicKey(resolve(given.text("public-key")!)), {
      anchors: given
        .texts("anchor")
        .map((path) => resolve(path))
        .flatMap(readStatements),
      authorities: authorityFile === undefined ? undefined : readAuthorities(resolve(authorityFile)),
    });
    if (output.isJson) output.json(verdict);
    else for (const line of describe(verdict)) output.line(line);
    return verdict.isWhole ? HOST_EXIT.ok : HOST_EXIT.unproved;
  },
};

/** One line a finding. File names may be anybody's. */
function describe({ scope, figures, findings, findingCount, unchecked, isWhole }: FolderVerdict): string[] {
  const { recordings, audioBytes, tombstones, auditEntries, stamps, anchors } = figures;
  return [
    `${scope}: ${recordings} recordings with ${audioBytes} bytes of audio, ${tombstones} tombstones, ${auditEntries} audit entries, ${stamps} time stamps, ${anchors} statements`,
    ...findings.map(
      ({ kind, file, what, since }) => `  ${kind.toUpperCase()}  ${file}: ${what}${since && `; ${since}`}`,
    ),
    ...unchecked.map((what) => `  not checked: ${what}`),
    isWhole ? "Everything is as it was signed." : `NOT as it was signed: ${findingCount} findings.`,
  ];
}
