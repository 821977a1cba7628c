// Routes that give out what is stored in forms for others. Every answer is in the audit chain, durably, before it is sent.
import { createHash } from "node:crypto";
import { isoUs } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import { isCallId } from "../base/ids.js";
import { type EXPORT_ROUTES, TAR_MEDIA_TYPE } from "../contract/api-export.js";
import { VCON_MEDIA_TYPE } from "../contract/vcon.js";
import { readManifest } from "../store/recording-audio.js";
import { parseManifest } from "../store/signature.js";
import { absent } from "./absent.js";
import { type ApiParts, type ApiReply, type ApiRequest, type Handlers, nameOf } from "./handler.js";
import { invalidField, problem } from "./problems.js";
import { buildVcon } from "./vcon.js";

export function exportHandlers(parts: ApiParts): Handlers<keyof typeof EXPORT_ROUTES> {
  return {
    getVcon: (request) => orRefusal(() => giveVcon(parts, request)),
    exportNumber: (request) => orRefusal(() => giveEverything(parts, request)),
  };
}

async function giveVcon({ store }: ApiParts, request: ApiRequest<"getVcon">): Promise<ApiReply> {
  const { path, token, method, address, origin } = request;
  const id = path["id"] ?? "";
  if (!isCallId(id)) return { problem: problem("recording-not-found") };
  const open = store();
  if (open === undefined) return { problem: problem("unavailable") };
  const bytes = await readManifest(open.paths, id);
  const manifest = bytes && parseManifest(bytes);
  if (manifest === undefined) return { problem: absent(open, id) };
  const headers = {
    "content-type": VCON_MEDIA_TYPE,
    "content-disposition": `attachment; filename="${id}.vcon.json"`,
  };
  if (method === "HEAD") return { raw: null, status: 200, headers };
  const detail = { form: "vcon", tokenId: token.id, address };
  await open.audit.enterDurably({ kind: "exported", actor: nameOf(token), call: id, detail });
  const manifestSha512 = createHash("sha512").update(bytes!).digest();
  const text = JSON.stringify(buildVcon({ manifest, manifestSha512, baseUrl: origin }));
  return { raw: Buffer.from(text, "utf8"), status: 200, headers };
}

async function giveEverything(
  { exports, clock }: ApiParts,
  { query, token, address, method }: ApiRequest<"exportNumber">,
): Promise<ApiReply> {
  const all = exports();
  if (all === undefined) return { problem: problem("unavailable") };
  const stamp = isoUs(clock.nowUs()).slice(0, 19).replaceAll(/\D/g, "");
  const headers = {
    "content-type": TAR_MEDIA_TYPE,
    // The number stays out of names.
    "content-disposition": `attachment; filename="sidetone-export-${stamp}.tar"`,
  };
  if (method === "HEAD") return { raw: null, status: 200, headers };
  if (all.isRunning) return { problem: problem("export-running") };
  try {
    return { raw: await all.begin({ ...query, by: nameOf(token), address }), status: 200, headers };
  } catch (error) {
    if (!(error instanceof SidetoneError) || error.code !== "usage") throw error;
    return { problem: invalidField(/reason/.test(error.message) ? "reason" : "number", error.message) };
  }
}

async function orRefusal(give: () => Promise<ApiReply>): Promise<ApiReply> {
  try {
    return await give();
  } catch (error) {
    if (!(error instanceof SidetoneError) || error.code !== "data-unwritable") throw error;
    return { problem: problem("data-unwritable") };
  }
}
