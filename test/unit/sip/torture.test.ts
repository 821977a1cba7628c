// RFC 4475's messages, valid and invalid, libosip2's collection, and the cases of RFC 5118 (IPv6): what a recorder makes
// of each. Invalid ones are accepted where deployed phones go on with the call, since then there is a call to record.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { formatAddress } from "../../../device/base/address.js";
import { parseSdp } from "../../../device/sip/sdp.js";
import { startSession, stepSession } from "../../../device/sip/session.js";
import { looksLikeSip } from "../../../device/sip/start-line.js";
import { eventText } from "./session-script.js";
import { accept, invite, inviteLines, LIMITS, messageText, parse } from "./sip-text.js";

const FOLDER = fileURLToPath(new URL("../../../../shared/captures/torture/", import.meta.url));
const isThere = existsSync(FOLDER);
if (!isThere) console.log(`torture messages: skipped, there is no ${FOLDER}`);

/** Per file: "from user;tag > to user;tag cseq", or the refusal. `body`: media sections, or the body's fault. */
const RFC4475: readonly (readonly [file: string, outcome: string, body?: string | number])[] = [
  // §3.1.1 Valid
  ["wsinv", "jdrosen;98asjd8 > vivekg;1918181833n 9", 2],
  ["intmeth", "mundane;_token~1'+`*%!-. > 1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*; 139122385"],
  ["esc01", "I have spaces;938 > user; 234234", 2],
  ["escnull", "null- -null;839923423 > null- -null; 14398234"],
  ["esc02", "resource;f232jadfj23 > resource; 29344"],
  ["lwsdisp", "caller;323 > user; 60"],
  ["longreq", `amazinglylongcallername`, 2],
  ["dblreq", "j.user;43251j3j324 > j.user; 8"],
  ["semiuri", "caller;33242 > j_user; 8"],
  ["transports", "caller;323 > user; 60"],
  ["mpart01", "fluffy;2fb0dcc9 > kumiko; 1", "no-sdp"],
  ["unreason", "user;11141343 > user;2229 35", 2],
  ["noreason", "user;39ansfi3 > user;902jndnke3 35"],
  // §3.1.2 Invalid
  ["badinv01", "caller;134161461246 > j.user; 8", 2],
  ["clerr", "caller;93942939o2 > j.user; 8", "truncated"],
  ["ncl", "caller;32394234 > j.user; 0", "content-length"],
  ["scalar02", "cseq"],
  ["scalarlg", "cseq"],
  ["quotbal", "caller;93334 > j.user; 8", 2],
  ["ltgtruri", "caller;39291 > user; 1", 2],
  ["lwsruri", "caller;231413434 > user;3xfe-9921883-z9f 2130706432", 2],
  ["lwsstart", "caller;8814 > user; 1893884", 2],
  ["trws", "local-resource;329429089 > remote-target; 238923"],
  ["escruri", "caller;341518 > user; 149209342", 2],
  ["baddate", "caller;2234923 > user; 1392934", 2],
  ["regbadct", "user;998332 > user; 1"],
  ["badaspec", "a.g.bell;433423 > t.watson; 3923239"],
  ["baddn", "a.g.bell;43 > t.watson; 3923239"],
  ["badvers", "start-line"],
  ["mismatch01", "cseq"],
  ["mismatch02", "cseq"],
  ["bigcode", "status"],
  // §3.2 Transaction layer, §3.3 Application layer
  ["badbranch", "caller;33242 > user; 8"],
  ["insuf", "missing-header"],
  ["unkscm", "caller;384 > user; 3923423"],
  ["novelsc", "caller;384 > user; 3923423"],
  ["unksm2", ";3234233 > ; 234902"],
  ["bext01", "caller;242etr > j_user; 8"],
  ["invut", "caller;8392034 > j.user; 235448", "no-sdp"],
  ["regaut01", "j.user;87321hj23128 > j.user; 9338"],
  ["multi01", "duplicate-header"],
  ["mcl01", "other;3923942 > user; 15932", "no-sdp"],
  ["bcast", "user;11141343 > user;2229 35", 2],
  ["zeromf", "caller;3ghsd41 > user; 39234321"],
  ["cparam01", "watson;DkfVgjkrtMwaerKKpe > watson; 2"],
  ["cparam02", "watson;838293 > watson; 3"],
  ["regescrt", "user;8 > user; 14398234"],
  ["sdp01", "caller;234 > j_user; 8", 2],
  // §3.4 Backward compatibility
  ["inv2543", "+13035551111; > +16505552222; 56", 1],
];

/** What the session machine makes of those that open a session; of the others it makes nothing. */
const SESSIONS: Readonly<Record<string, string>> = {
  wsinv: "answered, reinvite0, offered0 mhandley",
  esc01: "offered0 early mhandley",
  longreq: "offered0 early mhandley",
  unreason: "answered, answered1 mhandley",
  // 100 Trying
  noreason: "",
  badinv01: "offered0 early mhandley",
  clerr: "offered0 early mhandley",
  ncl: "offered0 early mhandley",
  quotbal: "offered0 early mhandley",
  ltgtruri: "offered0 early mhandley",
  lwsruri: "answered, reinvite0, offered0 mhandley",
  lwsstart: "offered0 early mhandley",
  escruri: "offered0 early mhandley",
  baddate: "offered0 early mhandley",
  // A body of unknown type is no offer.
  invut: "",
  bcast: "answered, answered1 mhandley",
  sdp01: "offered0 early mhandley",
  inv2543: "offered0 early mhandley",
};

/** Per file what the start line says: escapes in it mean themselves, white space in it is tolerated. */
const START_LINES: Readonly<Record<string, string>> = {
  intmeth: "!interesting-Method0123456789_*+`.%indeed'~",
  esc01: "INVITE sip:sips%3Auser%40example.com@example.net",
  esc02: "RE%47IST%45R sip:registrar.example.com",
  dblreq: "REGISTER sip:example.com",
  semiuri: "OPTIONS sip:user;par=u%40example.net@example.com",
  unreason: "200 = 2**3 * 5**2 но сто девяносто девять - простое",
  noreason: "100 ",
  ltgtruri: "INVITE <sip:user@example.com>",
  lwsruri: "INVITE sip:user@example.com; lr",
  lwsstart: "INVITE sip:user@example.com",
  trws: "OPTIONS sip:remote-target@example.com",
  escruri: "INVITE sip:user@example.com?Route=%3Csip:example.com%3E",
  unkscm: "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent",
  novelsc: "OPTIONS soap.beep://192.0.2.103:3002",
  bcast: "200 OK",
};

describe.skipIf(!isThere)("RFC 4475", () => {
  test.each(RFC4475.map(([name]) => name))("%s: its session", (name) => {
    const result = parse(readFileSync(`${FOLDER}rfc4475/${name}.dat`));
    const start = result.ok ? startSession(result.message) : undefined;
    expect(start?.events.map(eventText).join(", ")).toBe(SESSIONS[name]);
    if (!result.ok || !start) return;
    expect(stepSession(start.state, result.message)).toMatchObject({ events: [], from: start.from, foreign: false });
  });

  test.each(Object.entries(START_LINES))("%s: %s", (name, expected) => {
    const { kind, method, requestUri, status, reason } = accept(readFileSync(`${FOLDER}rfc4475/${name}.dat`));
    expect(kind === "request" ? `${method} ${requestUri}` : `${status} ${reason}`).toContain(expected);
  });

  test("every message of the folder is in the table", () => {
    const files = readdirSync(`${FOLDER}rfc4475`).filter((name) => name.endsWith(".dat"));
    expect(files.sort()).toEqual(RFC4475.map(([name]) => `${name}.dat`).sort());
  });

  test.each(RFC4475)("%s: %s", (name, outcome, body) => {
    const data = readFileSync(`${FOLDER}rfc4475/${name}.dat`);
    const result = parse(data);
    expect(looksLikeSip(data, 0, data.length)).toBe(name !== "badvers");
    if (!result.ok) {
      expect(result.reject).toBe(outcome);
      return;
    }
    const { from, to, cseq, callId, sdp, bodyFault } = result.message;
    expect(`${from.user};${from.tag} > ${to.user};${to.tag} ${cseq}`).toContain(outcome);
    expect(callId.startsWith(name === "mpart01" ? "3d9485ad0c49859b@" : `${name}.`)).toBe(true);
    expect(bodyFault).toBe(typeof body === "string" ? body : "");
    if (typeof body === "number") expect(sdp?.media).toHaveLength(body);
  });

  test("details that a recorder builds on", () => {
    const message = (name: string) => {
      const result = parse(readFileSync(`${FOLDER}rfc4475/${name}.dat`));
      if (!result.ok) throw new Error(result.reject);
      return result.message;
    };
    // Trailing octets of a datagram are no second message (RFC 3261 §18.3).
    expect(message("dblreq")).toMatchObject({ method: "REGISTER", bodyFault: "" });
    expect(message("badbranch").branch).toBe("z9hG4bK");
    expect(message("inv2543").branch).toBe("");
    expect(message("unreason").sdp?.media[0]).toMatchObject({ addressText: "192.0.2.198", port: 49217 });
    expect(message("clerr").sdp?.media[0]).toMatchObject({ port: 49217 });
    expect(message("wsinv")).toMatchObject({ viaCount: 3, branch: "390skdjuw", from: { name: 'J Rosenberg \\"' } });
    expect(message("longreq")).toMatchObject({ viaCount: 34 });
    expect(message("longreq").from.tag).toHaveLength(155);
    expect(message("esc01").contact).toContain("cal%6Cer@host5.example.net");
    expect(message("esc02").headers.get("contact")).toHaveLength(2);
    expect(message("transports").viaCount).toBe(5);
    expect(message("baddn").from.name).toBe("Bell, Alexander");
    expect(message("sdp01").sdp?.media.map((media) => media.kind)).toEqual(["audio", "video"]);
  });
});

describe("RFC 5118: IPv6", () => {
  const register = (uri: string, replace: Readonly<Record<string, string>> = {}) => {
    const lines = inviteLines({
      From: "From: <sip:user@example.com>;tag=81x2",
      To: "To: <sip:user@example.com>",
      Via: "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111",
      CSeq: "CSeq: 98176 REGISTER",
      Contact: 'Contact: "Caller" <sip:caller@[2001:db8::1]>',
      ...replace,
    });
    return accept(messageText(`REGISTER ${uri} SIP/2.0`, lines));
  };

  test("§4.1 a reference where a host may stand", () => {
    expect(register("sip:[2001:db8::10]")).toMatchObject({
      requestUri: "sip:[2001:db8::10]",
      branch: "z9hG4bKas3-111",
      viaCount: 1,
      contact: "sip:caller@[2001:db8::1]",
    });
  });

  test("§4.2 without brackets it is none, and still a message", () => {
    expect(register("sip:2001:db8::10").requestUri).toBe("sip:2001:db8::10");
  });

  test.each([
    ["§4.3 the port inside the brackets belongs to the address", "sip:user@[2001:db8::10:5070]", "2001:db8::10:5070"],
    ["§4.4 the port behind them does not", "sip:user@[2001:db8::10]:5070", "2001:db8::10"],
    ["§4.9 an IPv4-mapped address", "sip:user@[::ffff:192.0.2.10]", "::ffff:192.0.2.10"],
    ["§4.10 three colons, as the ABNF once had it", "sip:user@[2001:db8:::192.0.2.1]", "2001:db8:::192.0.2.1"],
  ])("%s", (_, uri, host) => {
    const { from } = register("sip:example.com", { From: `From: <${uri}>;tag=1` });
    expect([from.user, from.host, from.tag]).toEqual(["user", host, "1"]);
  });

  test.each(["[2001:db8::9:255]", "2001:db8::9:255"])("§4.5 received=%s hides no branch behind it", (received) => {
    const via = `Via: SIP/2.0/UDP [2001:db8::9:1]:5060;received=${received};branch=z9hG4bKas3-111`;
    expect(register("sip:[2001:db8::10]", { Via: via }).branch).toBe("z9hG4bKas3-111");
  });

  test("§4.7 both families in one head", () => {
    const via =
      "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij";
    expect(register("sip:example.com", { Via: via })).toMatchObject({ viaCount: 2, branch: "z9hG4bKas3" });
  });

  test("§4.6, §4.8 both families in one description", () => {
    const lines = [
      "v=0",
      "o=assistant 971731711378798081 0 IN IP6 2001:db8::20",
      "s=Live video feed for today's meeting",
      "c=IN IP6 2001:db8::20",
      "t=3338481189 3370017201",
      "m=audio 6000 RTP/AVP 2",
      "a=rtpmap:2 G726-32/8000",
      "m=video 6024 RTP/AVP 107",
      "c=IN IP4 192.0.2.1",
      "a=rtpmap:107 H263-1998/90000",
      "",
    ];
    const { sdp } = accept(invite({}, ["Content-Type: application/sdp"], lines.join("\r\n")));
    expect(sdp).toMatchObject({ originUser: "assistant", originAddress: "2001:db8::20" });
    expect(sdp?.media.map(({ address }) => formatAddress(address!))).toEqual(["2001:db8::20", "192.0.2.1"]);
  });
});

describe.skipIf(!isThere)("libosip2's collection", () => {
  const files = isThere ? readdirSync(`${FOLDER}libosip2`) : [];

  test("no message and no description throws, whole or cut anywhere", () => {
    for (const name of files) {
      const data = readFileSync(`${FOLDER}libosip2/${name}`);
      const message = withoutNote(data);
      for (const truncated of [false, true]) {
        const step = Math.max(1, Math.floor(message.length / 100));
        for (let end = 0; end <= message.length; end += step) {
          const result = parse(message.subarray(0, end), { truncated });
          if (!result.ok) expect(result.detail).not.toBe("");
        }
      }
      expect(() => parseSdp(data.toString("latin1"))).not.toThrow();
    }
  });

  test("descriptions are read", () => {
    const descriptions = files.filter((name) => /^sdp\d+$/.test(name));
    expect(descriptions).toHaveLength(16);
    for (const name of descriptions)
      expect(parseSdp(readFileSync(`${FOLDER}libosip2/${name}`, "latin1"))).toBeDefined();
  });

  test("of the messages at least nine in ten are read", () => {
    const messages = files.filter((name) => /^sip\d+$/.test(name));
    const refused = messages.filter((name) => !parse(withoutNote(readFileSync(`${FOLDER}libosip2/${name}`))).ok);
    expect(messages.length).toBe(98);
    expect(refused.length).toBeLessThanOrEqual(10);
  });

  test("the largest is refused by its size", () => {
    const data = readFileSync(`${FOLDER}libosip2/sip87`);
    expect(data.length).toBeGreaterThan(LIMITS.maxMessageBytes);
    expect(parse(data)).toMatchObject({ ok: false, reject: "too-long" });
  });
});

/** Some files open with a line on what libosip2 itself returns. */
function withoutNote(data: Buffer): Buffer {
  return data.toString("latin1", 0, 15) === "expected_error:" ? data.subarray(data.indexOf(10) + 1) : data;
}
