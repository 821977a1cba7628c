#!/usr/bin/env node
// The command `sidetone`, for the computer of whoever installs, integrates or audits a box. Needs nothing of the box.
import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { EXIT, type ExitCode, SidetoneError } from "../device/base/errors.js";
import { readAuthorities, readStatements } from "./verify/anchors.js";
import { type FolderVerdict, verifyFolder } from "./verify/verify-folder.js";

const USAGE = "usage: sidetone verify FOLDER --public-key FILE [--anchor FILE]... [--tsa-ca FILE] [--json]";

interface Arguments {
  folder: string;
  keyFile: string;
  anchorFiles: string[];
  authorityFile: string | undefined;
  json: boolean;
}

function main(argv: readonly string[]): ExitCode {
  const { folder, keyFile, anchorFiles, authorityFile, json } = readArguments(argv);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new SidetoneError(
      "usage",
      `${folder} is no folder: name a copy of the box's data folder, or of its recordings`,
    );
  const verdict = verifyFolder(folder, readKey(keyFile), {
    anchors: anchorFiles.flatMap(readStatements),
    authorities: authorityFile === undefined ? undefined : readAuthorities(authorityFile),
  });
  process.stdout.write(json ? `${JSON.stringify(verdict)}\n` : describe(verdict));
  return verdict.isWhole ? EXIT.ok : EXIT.unproved;
}

function readArguments(argv: readonly string[]): Arguments {
  const options = {
    "public-key": { type: "string" },
    anchor: { type: "string", multiple: true },
    "tsa-ca": { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean" },
  } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const [verb, folder, extra] = positionals;
    const keyFile = values["public-key"];
    if (verb === "verify" && folder !== undefined && extra === undefined && keyFile !== undefined && !values.help)
      return {
        folder: resolve(folder),
        keyFile,
        anchorFiles: values.anchor ?? [],
        authorityFile: values["tsa-ca"],
        json: values.json ?? false,
      };
  } catch (cause) {
    throw new SidetoneError("usage", `${(cause as Error).message}; ${USAGE}`, { cause });
  }
  throw new SidetoneError("usage", USAGE);
}

function readKey(path: string): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (cause) {
    throw new SidetoneError("usage", `cannot read the public key ${path} (${(cause as NodeJS.ErrnoException).code})`);
  }
  try {
    const key = pem.includes("PRIVATE") ? undefined : createPublicKey(pem);
    if (key?.asymmetricKeyType === "ed25519") return key;
  } catch {
    // Falls through: whatever it is, it is no such key.
  }
  throw new SidetoneError("usage", `${path} is no Ed25519 public key: it is the box's keys/device.pub`);
}

/** One line a finding; ends with a newline. */
function describe({ scope, figures, findings, findingCount, unchecked, isWhole }: FolderVerdict): string {
  const { recordings, audioBytes, tombstones, auditEntries, stamps, anchors } = figures;
  const lines = [
    `${scope}: ${recordings} recordings with ${audioBytes} bytes of audio, ${tombstones} tombstones, ${auditEntries} audit entries, ${stamps} time stamps, ${anchors} statements`,
    ...findings.map(
      ({ kind, file, what, since }) => `  ${kind.toUpperCase()}  ${file}: ${what}${since && `; ${since}`}`,
    ),
    ...unchecked.map((what) => `  not checked: ${what}`),
    isWhole ? "Everything is as it was signed." : `NOT as it was signed: ${findingCount} findings.`,
  ];
  // File names may be anybody's.
  return `${lines.map((line) => line.replaceAll(/[\p{Cc}\p{Cf}]/gu, "?")).join("\n")}\n`;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  const isExpected = error instanceof SidetoneError;
  process.stderr.write(`sidetone: ${isExpected ? error.message : (error as Error).stack}\n`);
  process.exitCode = isExpected ? error.exitCode : EXIT.internal;
}
