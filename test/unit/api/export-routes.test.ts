// Recordings as vCons and everything about a number, over the API: what is given, to whom it is entered, and what is refused.
import { truncateSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { originOf } from "../../../device/api/origin.js";
import { vconSchema } from "../../../device/contract/vcon.js";
import { readAudit } from "../store/audit-kit.js";
import { ApiBench, CALL_ID, STORED, STORED_ID } from "./api-kit.js";

let bench: ApiBench;
let download: string;
let administer: string;
beforeEach(() => {
  bench = new ApiBench({ stored: STORED });
  download = bench.token("crm", "download");
  administer = bench.token("boss", "administer");
});
afterEach(() => bench.close());

const vcon = (id: string = STORED_ID, headers: Record<string, string> = {}, method = "GET") =>
  bench.ask(method, `/api/v1/recordings/${id}/vcon`, download, undefined, headers);
const exported = (query: string, method = "GET") => bench.ask(method, `/api/v1/export?${query}`, administer);
const entries = () => readAudit(bench.folder).filter(({ kind }) => kind === "exported");

it("gives a vCon with addresses as whoever asks has named the box, and enters that before", async () => {
  const { status, text, headers } = await vcon(STORED_ID, { host: "box.example:8385" });
  expect([status, headers["content-type"]]).toEqual([200, "application/vcon"]);
  expect(headers["content-disposition"]).toBe(`attachment; filename="${STORED_ID}.vcon.json"`);
  const parsed = vconSchema.parse(JSON.parse(text));
  expect(parsed.dialog[0]).toMatchObject({ url: `http://box.example:8385/api/v1/recordings/${STORED_ID}/file` });
  expect(entries()).toMatchObject([{ actor: "token crm", call: STORED_ID, detail: { form: "vcon" } }]);
  await vcon(STORED_ID, {}, "HEAD");
  expect(entries()).toHaveLength(1);
});

it("has no vCon of what is no recording", async () => {
  const unrecorded = STORED.find(({ manifest }) => manifest === undefined)!.line.id;
  for (const id of [CALL_ID, unrecorded, "..%2f..%2fetc%2fpasswd", "%00", STORED_ID.toLowerCase()]) {
    const { status, body } = await vcon(id);
    expect([id, status, body.code]).toEqual([id, 404, "recording-not-found"]);
  }
  expect(entries()).toEqual([]);
});

it("gives nothing while the audit chain takes no entry", async () => {
  vi.spyOn(bench.store!.audit, "flush").mockRejectedValue(Object.assign(new Error("full"), { code: "ENOSPC" }));
  for (const answer of [await vcon(), await exported("number=030123456&reason=letter")])
    expect([answer.status, answer.body.code]).toEqual([503, "data-unwritable"]);
});

it("gives everything about a number as a tar, under a name without it", async () => {
  const { status, headers, text } = await exported("number=%2B4930123456&reason=letter");
  expect([status, headers["content-type"]]).toEqual([200, "application/x-tar"]);
  expect(headers["content-disposition"]).toMatch(/^attachment; filename="sidetone-export-\d{14}\.tar"$/);
  expect(text).toContain("contents.json");
  expect(entries()[0]).toMatchObject({ actor: "token boss", detail: { state: "begun", reason: "letter" } });
  const head = await exported("number=%2B4930123456&reason=letter", "HEAD");
  expect([head.status, head.text]).toEqual([200, ""]);
});

it.each([
  ["reason=letter", "number"],
  ["number=030123456", "reason"],
  ["number=anonymous&reason=letter", "number"],
  ["number=030123456&reason=of+0+30-123456", "reason"],
  ["number=1%0a2&reason=letter", "number"],
  [`number=${"1".repeat(65)}&reason=letter`, "number"],
  ["number=1&number=2&reason=letter", "number"],
  ["number=030123456&reason=letter&format=zip", ""],
])("refuses %s", async (query, field) => {
  const { status, body } = await exported(query);
  expect([status, body.code]).toEqual([422, "invalid"]);
  expect(body.errors[0].field).toBe(field);
  expect(entries()).toEqual([]);
});

it("gives one archive at a time", async () => {
  const order = { number: "030123456", reason: "letter", by: "token boss", address: "" };
  const stream = await bench.exports!.begin(order);
  const { status, body } = await exported("number=030123456&reason=letter");
  expect([status, body.code]).toEqual([409, "export-running"]);
  stream.destroy();
});

it("stops when whoever asked goes away in the middle", async () => {
  const { line } = STORED[0]!;
  truncateSync(join(bench.folder, line.file), 64 << 20);
  await bench.server.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = bench.server.app.server.address() as AddressInfo;
  const query = new URLSearchParams({
    number: line.parties.find(({ role }) => role === "caller")!.number,
    reason: "letter",
  });
  const gone = new AbortController();
  const { body } = await fetch(`http://127.0.0.1:${port}/api/v1/export?${query}`, {
    headers: { authorization: `Bearer ${administer}` },
    signal: gone.signal,
  });
  await body!.getReader().read();
  expect(bench.exports!.isRunning).toBe(true);
  gone.abort();
  await vi.waitFor(() => expect(bench.exports!.isRunning).toBe(false), { timeout: 5000 });
  await bench.store!.audit.flush();
  expect(entries().map(({ detail }) => detail["state"])).toEqual(["begun", "stopped"]);
});

it("names itself by the header Host where that is a host, else by its own address", () => {
  const socket = { localAddress: "10.0.0.5", localPort: 8385 } as Socket;
  const origin = (host: string | undefined, more: object = {}) =>
    originOf({ headers: { host }, socket: { ...socket, ...more } as Socket });
  expect(origin("box.example")).toBe("http://box.example");
  expect(origin("[fd00::1]:443", { encrypted: true })).toBe("https://[fd00::1]:443");
  for (const bad of [undefined, "", "a/b", "a@b", "a b", `a"b`, "<b>", "x:99999999", ":80", "a".repeat(300)])
    expect(origin(bad)).toBe("http://10.0.0.5:8385");
  expect(origin("", { localAddress: "::1" })).toBe("http://[::1]:8385");
});
