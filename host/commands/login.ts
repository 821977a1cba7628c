// `sidetone login URL`: looks at the box's certificate once, asks whether it is the right one, and keeps it, the token and the
// key that signs the box's recordings. The token is not sent before the certificate is trusted.
import { HOST_ENVIRONMENT } from "../../device/contract/host-environment.js";
import { fetchInfo, keyFingerprint, type ToldInfo } from "../box-info.js";
import { bareHost, fetchPins, fitsPin, shownFingerprint } from "../certificates.js";
import { BoxClient } from "../client.js";
import type { Given, Host, HostCommand } from "../command.js";
import { readBoxUrl, refuseOpenPlain, tokenOf, trustOf } from "../connection.js";
import { HOST_EXIT, HostError, usageError } from "../errors.js";
import { BOX_NAME_PATTERN, BoxStore, type StoredBox } from "../profiles.js";
import { askSecret, askYes, canAsk } from "../prompt.js";
import { safeText } from "../safe-text.js";

export const loginCommand: HostCommand = {
  name: "login",
  summary: "stores a box, its token, and the certificate and key by which it is known from then on",
  arguments: [{ name: "URL" }],
  flags: {
    "token-file": { value: "FILE", names: "file", summary: "file with the token, - for stdin; else it is asked for" },
    name: { value: "NAME", summary: "what the box is called here, else as it calls itself" },
    fingerprint: { value: "SHA256", summary: "of the certificate that the box must show, or sha256//... of its key" },
    ca: { value: "FILE", names: "file", summary: "authority that signed the box's certificate, PEM" },
    accept: { summary: "trust the certificate and the key that are shown, whatever they are, and do not ask" },
    plain: { summary: "speak to a box beyond this computer without TLS" },
  },
  details: [
    `The token may also stand in ${HOST_ENVIRONMENT.token}. Compare the fingerprint with the one that the box shows (its log at`,
    "start, its front panel). Stored in the user's configuration folder, for its owner only. The box stored last is the one",
    "that is meant where no --box is given.",
    "--json prints { name, url, device, version, fingerprint, publicKeySha256 }; empty = not told, or not pinned.",
  ],
  run: login,
};

async function login(given: Given, host: Host): Promise<typeof HOST_EXIT.ok> {
  const { output } = host;
  const url = readBoxUrl(given.arguments[0]!);
  const wantedName = given.text("name");
  if (wantedName !== undefined) checkName(wantedName);
  if (url.protocol === "http:") refuseOpenPlain(url, given);
  const store = new BoxStore(host);
  const before = wantedName === undefined ? undefined : boxOf(store, wantedName);
  const trust = await chooseTrust(url, given, host);
  const token = await findToken(given, host);
  const client = new BoxClient({ url, token, trust });
  let info: ToldInfo;
  try {
    info = await fetchInfo(client);
  } finally {
    client.close();
  }
  if (trust.kind === "pinned" && info.fingerprint !== "" && info.fingerprint !== trust.fingerprint)
    output.note(
      `something stands between: the box says that it shows the certificate ${safeText(info.fingerprint, 64)}, and another one is seen here`,
    );
  const name = wantedName ?? nameFor(info, url);
  await checkKey(info, before ?? boxOf(store, name), name, given, host);
  store.put(name, { url: url.href, token, trust, device: info.device, publicKey: info.publicKey });
  const shown = {
    name,
    url: url.href,
    device: info.device,
    version: info.version,
    fingerprint: trust.kind === "pinned" ? trust.fingerprint : "",
    publicKeySha256: info.publicKey === "" ? "" : keyFingerprint(info.publicKey),
  };
  if (output.isJson) {
    output.json(shown);
    return HOST_EXIT.ok;
  }
  output.line(
    `${name}: ${shown.device || url.host}, Sidetone ${shown.version || "of a version that it does not tell"}`,
  );
  if (shown.publicKeySha256 !== "")
    output.line(`its recordings are signed by the key ${shown.publicKeySha256} (SHA-256)`);
  output.line(`stored in ${store.path}; it is the box that is meant from now on`);
  return HOST_EXIT.ok;
}

/** By flags; else, for TLS, the certificate that is there, if a person says that it is the right one. */
async function chooseTrust(url: URL, given: Given, host: Host): Promise<StoredBox["trust"]> {
  if (url.protocol === "http:") return { kind: "plain" };
  const told = trustOf(given, host);
  if (told?.kind === "signed") return told;
  const pins = await fetchPins(url);
  const shown = shownFingerprint(pins.fingerprint);
  if (told?.kind === "pinned") {
    if (fitsPin(pins, told)) return { kind: "pinned", ...pins };
    throw new HostError("untrusted", `${url.host} shows the certificate ${shown}, not the one of --fingerprint`);
  }
  if (given.has("accept")) {
    host.output.note(`the certificate of ${url.host} is trusted from now on: SHA-256 ${shown}`);
    return { kind: "pinned", ...pins };
  }
  if (!canAsk(host))
    throw new HostError(
      "untrusted",
      `${url.host} shows the certificate ${shown}: give it as --fingerprint once it is known to be right, or --accept`,
    );
  host.output.note(`${url.host} shows a certificate with this SHA-256 fingerprint:`);
  host.output.note(`  ${shown}`);
  if (await askYes(host, "Is it the one that the box shows (log, front panel)?")) return { kind: "pinned", ...pins };
  throw new HostError("untrusted", "nothing was stored: the certificate is not trusted");
}

async function findToken(given: Given, host: Host): Promise<string> {
  const token = tokenOf(given, host);
  if (token !== undefined) return token;
  if (!canAsk(host))
    throw new HostError("unauthorised", `no token: give --token-file FILE, or set ${HOST_ENVIRONMENT.token}`);
  const typed = (await askSecret(host, "Token (it is not shown): ")).trim();
  if (!/^[\x21-\x7e]+$/.test(typed))
    throw usageError("that is no token: it is one word, as sidetoned token create showed it");
  return typed;
}

/** A key that is another one than before means another box, or one whose keys were lost. */
async function checkKey(
  { publicKey }: ToldInfo,
  before: StoredBox | undefined,
  name: string,
  given: Given,
  host: Host,
): Promise<void> {
  if (!before?.publicKey || before.publicKey === publicKey || given.has("accept")) return;
  const what = `${name} was known with the signing key ${keyFingerprint(before.publicKey)}, and now shows ${publicKey === "" ? "none" : keyFingerprint(publicKey)}`;
  host.output.note(what);
  if (canAsk(host) && (await askYes(host, "Is it another box on purpose, or one that was set up anew?"))) return;
  throw new HostError("untrusted", `nothing was stored: ${what}; another --name keeps both`);
}

function boxOf(store: BoxStore, name: string): StoredBox | undefined {
  const { boxes } = store.read();
  return Object.hasOwn(boxes, name) ? boxes[name] : undefined;
}

function checkName(name: string): void {
  if (!BOX_NAME_PATTERN.test(name))
    throw usageError(`--name ${name}: letters, digits and . _ - after the first, 64 at most`);
}

function nameFor({ device }: ToldInfo, url: URL): string {
  for (const candidate of [device, bareHost(url)]) {
    const name = candidate.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "");
    if (BOX_NAME_PATTERN.test(name)) return name;
  }
  return "box";
}
