// One good request for every route, for the tests that go through all of them: a new route is not forgotten, since it has none here
// and the type says so.
import { type Operation, ROUTES } from "../../../device/contract/api.js";
import { API_PREFIX, type Right } from "../../../device/contract/api-route.js";
import { idFor, STORED } from "./api-kit.js";

/** Names nothing. */
const NOBODY = "01KAJ5QX00ABCDEFGHJKMNPQRS";

export interface Example {
  /** What it needs, written down here once more so that a slip in the contract shows; undefined: no token. */
  right: Right | undefined;
  /** Of the path, beside the id of a call, or in place of it. */
  path?: Readonly<Record<string, string>>;
  query?: string;
  body?: unknown;
  /** Of its answer in a bench with the calls STORED; by default 200. */
  status?: number;
}

export const EXAMPLES: Readonly<Record<Operation, Example>> = {
  listActiveCalls: { right: "see" },
  setConsent: { right: "command", body: { effect: "granted", reason: "said so on the phone" } },
  pauseCall: { right: "command" },
  resumeCall: { right: "command" },
  startCall: { right: "command" },
  stopCall: { right: "command" },
  pauseAllCalls: { right: "command" },
  resumeAllCalls: { right: "command" },
  listRecordings: { right: "see" },
  getRecording: { right: "see" },
  listCalls: { right: "see" },
  getCall: { right: "see" },
  listenRecording: { right: "listen" },
  downloadRecording: { right: "download" },
  getManifest: { right: "download" },
  getVcon: { right: "download" },
  exportNumber: { right: "administer", query: "number=%2B4930123456789&reason=letter+of+the+3rd" },
  streamEvents: { right: "see", query: "follow=false" },
  getInfo: { right: "see" },
  getBoxHealth: { right: "see" },
  getSpan: { right: "see" },
  getCompleteness: { right: "see" },
  runSelfTest: { right: "command" },
  listAlarms: { right: "see" },
  acknowledgeAlarm: { right: "command", path: { code: "no-agents" } },
  getConfiguration: { right: "configure" },
  changeConfiguration: { right: "configure", body: { values: { "call.tailMs": 800 } } },
  restartService: { right: "administer" },
  listAudit: { right: "administer" },
  listTokens: { right: "administer" },
  createToken: { right: "administer", body: { name: "made", rights: ["administer"] } },
  revokeToken: { right: "administer", path: { token: "0123456789ab" }, status: 404 },
  tagRecording: { right: "command", body: { add: ["vip"] } },
  listNotes: { right: "listen" },
  addNote: { right: "command", body: { text: "Wants to be called back\non Monday" } },
  removeNote: { right: "command", path: { note: NOBODY }, status: 404 },
  acknowledgeRecording: { right: "download", body: { sha256: STORED[0]!.manifest!.audio.sha256 } },
  unacknowledgeRecording: { right: "download" },
  deleteRecording: { right: "delete", path: { id: STORED[1]!.line.id }, query: "reason=letter+of+the+3rd" },
  listHolds: { right: "delete" },
  addHold: { right: "delete", body: { covers: { number: "+4930123456789" }, reason: "court case" } },
  liftHold: { right: "delete", path: { hold: NOBODY }, query: "reason=over", status: 404 },
  getMetrics: { right: "see" },
  getHealth: { right: undefined },
  getDocument: { right: undefined },
};

/** As ApiBench asks it. */
export function exampleOf(operation: Operation): { method: string; url: string; body: unknown } {
  const { path, method } = ROUTES[operation];
  const { path: given = {}, query, body } = EXAMPLES[operation];
  const whole = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(given[name] ?? idFor(path)));
  return { method, url: `${API_PREFIX}${whole}${query === undefined ? "" : `?${query}`}`, body };
}

/** Of the path and the query by name, as a client takes them. */
export function parametersOf(operation: Operation): Record<string, string> {
  const { path } = ROUTES[operation];
  const { path: given = {}, query = "" } = EXAMPLES[operation];
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name!, given[name!] ?? idFor(path)]);
  return { ...Object.fromEntries(inPath), ...Object.fromEntries(new URLSearchParams(query)) };
}
