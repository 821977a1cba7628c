// `sidetone boxes` and `sidetone logout`: what login has stored. A token is never shown.
import { keyFingerprint } from "../box-info.js";
import type { HostCommand } from "../command.js";
import { HOST_EXIT, HostError } from "../errors.js";
import { BoxStore } from "../profiles.js";
import { safeText } from "../safe-text.js";
import { textTable } from "../text-table.js";

export const boxesCommand: HostCommand = {
  name: "boxes",
  summary: "lists the boxes that login has stored",
  details: [
    "--json prints { file, boxes: [{ name, isCurrent, url, device, trust, fingerprint, publicKeySha256 }] };",
    "trust: pinned, signed or plain.",
  ],
  run: async (_given, host) => {
    const { output } = host;
    const store = new BoxStore(host);
    const { boxes, current } = store.read();
    const list = Object.entries(boxes).map(([name, { url, device, trust, publicKey }]) => ({
      name,
      isCurrent: name === current,
      url,
      device,
      trust: trust.kind,
      fingerprint: trust.kind === "pinned" ? trust.fingerprint : "",
      publicKeySha256: publicKey === "" ? "" : keyFingerprint(publicKey),
    }));
    if (output.isJson) output.json({ file: store.path, boxes: list });
    else if (list.length === 0) output.line("No boxes: sidetone login URL");
    else {
      const columns = ["", "name", "URL", "device", "trust"].map((title) => ({ title, maximum: 60 }));
      const rows = list.map(({ name, isCurrent, url, device, trust }) => [
        isCurrent ? "*" : "",
        name,
        url,
        device,
        trust,
      ]);
      output.lines(textTable(columns, rows, output.width));
    }
    return HOST_EXIT.ok;
  },
};

export const logoutCommand: HostCommand = {
  name: "logout",
  summary: "forgets a box and its token here; the token itself is revoked on the box",
  arguments: [{ name: "NAME" }],
  details: ["--json prints { name, forgotten: true }."],
  run: async (given, host) => {
    const name = given.arguments[0]!;
    if (!new BoxStore(host).remove(name))
      throw new HostError(
        "no-box",
        `there is no box ${safeText(name, 100)}: sidetone boxes lists those that there are`,
      );
    if (host.output.isJson) host.output.json({ name, forgotten: true });
    else host.output.line(`${name} is forgotten; sidetoned token revoke on the box makes its token worthless`);
    return HOST_EXIT.ok;
  },
};
