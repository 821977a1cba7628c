// Who a message says its sender and its addressee are: RFC 3323, RFC 3325, RFC 7315, Remote-Party-ID, and what hostile
// or careless senders make of those fields.
import { describe, expect, test } from "vitest";
import { addresseeUsers, isAnonymousForm, readIdentities, senderUsers } from "../../../device/sip/identity.js";
import type { SipMessage } from "../../../device/sip/message.js";
import { makeRandom } from "../../fakes/random.js";
import { accept, invite, inviteLines, messageText } from "./sip-text.js";

const inviteWith = (...further: string[]): SipMessage => accept(invite({}, further));
const answerWith = (...further: string[]): SipMessage =>
  accept(messageText("SIP/2.0 200 OK", [...inviteLines({ To: "To: <sip:bob@example.com>;tag=b" }), ...further]));
const within = (...further: string[]): SipMessage => accept(invite({ To: "To: <sip:bob@example.com>;tag=b" }, further));

describe("the sender", () => {
  test("is From in a request and To in a response when nothing else is said", () => {
    const request = readIdentities(inviteWith());
    expect(request.sender).toMatchObject({ name: "Alice", user: "alice", host: "example.com", source: "from" });
    expect(request.own).toBe(request.sender);
    expect(request.isWithheld).toBe(false);
    expect(addresseeUsers(request)).toEqual(["bob"]);
    const response = readIdentities(answerWith());
    expect(response.sender).toMatchObject({ user: "bob", source: "to" });
    expect(addresseeUsers(response)).toEqual([]);
  });

  test("is whom P-Asserted-Identity names, sip and tel, over lines and commas", () => {
    const identities = readIdentities(
      inviteWith(
        'P-Asserted-Identity: "Cullen, Jennings" <sip:fluffy@cisco.com>, <tel:+1-(408)-555.0100;phone-context=x>',
        "P-Asserted-Identity: sip:+4930123@example.com;user=phone",
        "P-Preferred-Identity: <sip:wish@example.com>",
      ),
    );
    expect(identities.sender).toEqual({
      name: "Cullen, Jennings",
      uri: "sip:fluffy@cisco.com",
      user: "fluffy",
      host: "cisco.com",
      source: "p-asserted-identity",
      isAnonymous: false,
    });
    expect(identities.asserted.map(({ user }) => user)).toEqual(["fluffy", "+14085550100", "+4930123"]);
    expect(senderUsers(identities)).toEqual(["alice", "fluffy", "+14085550100", "+4930123", "wish"]);
  });

  test("of a response is whom the called side's network asserts", () => {
    const identities = readIdentities(answerWith("P-Asserted-Identity: <sip:31@pbx>"));
    expect(identities.sender.user).toBe("31");
    expect(senderUsers(identities)).toEqual(["bob", "31"]);
  });

  test("behind an anonymous From is the asserted one, and marked as withheld", () => {
    const anonymous = 'From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag=1';
    const identities = readIdentities(
      accept(invite({ From: anonymous }, ["P-Asserted-Identity: <tel:+4930123456>", "Privacy: id;critical"])),
    );
    expect(identities.own).toMatchObject({ isAnonymous: true, user: "anonymous" });
    expect(identities.sender.user).toBe("+4930123456");
    expect(identities.privacy).toEqual(["id", "critical"]);
    expect(identities.isWithheld).toBe(true);
    expect(senderUsers(identities)).toEqual(["+4930123456"]);
    const alone = readIdentities(accept(invite({ From: anonymous })));
    expect(alone.sender).toMatchObject({ name: "Anonymous", isAnonymous: true });
    expect(senderUsers(alone)).toEqual([]);
  });
});

describe("Remote-Party-ID", () => {
  const rpid = (user: string, parameters: string): string => `Remote-Party-ID: "N" <sip:${user}@pbx>;${parameters}`;

  test("calling is the sender of an opening request, called the sender of its response", () => {
    const both = [rpid("31", "party=calling;screen=yes;privacy=off"), rpid("32", "party=called")];
    const request = readIdentities(inviteWith(...both));
    expect(request.asserted.map(({ user }) => user)).toEqual(["31"]);
    expect(addresseeUsers(request)).toEqual(["32", "bob"]);
    expect(request.isWithheld).toBe(false);
    const response = readIdentities(answerWith(...both));
    expect(response.asserted.map(({ user }) => user)).toEqual(["32"]);
    expect(addresseeUsers(response)).toEqual(["31"]);
  });

  test("within a dialog it counts only where the sender's side is known", () => {
    const message = within(rpid("31", "party=calling"), rpid("32", "party=called"));
    expect(readIdentities(message).asserted).toEqual([]);
    expect(addresseeUsers(readIdentities(message))).toEqual(["bob"]);
    expect(readIdentities(message, 0).asserted.map(({ user }) => user)).toEqual(["31"]);
    expect(readIdentities(message, 1).asserted.map(({ user }) => user)).toEqual(["32"]);
    expect(addresseeUsers(readIdentities(message, 1))).toEqual(["31", "bob"]);
  });

  test("without party it speaks of the sender; of any other party it says nothing", () => {
    expect(readIdentities(inviteWith(rpid("31", "screen=no"))).sender.user).toBe("31");
    expect(readIdentities(inviteWith(rpid("31", "party=connected"))).asserted).toEqual([]);
  });

  test.each([
    ["privacy=full", true],
    ['privacy="full,name"', true],
    ["privacy=uri-network", true],
    ["privacy=name", false],
    ["privacy=off", false],
    ["privacy=fully", false],
  ])("%s withholds the number: %s", (parameter, isWithheld) => {
    const identities = readIdentities(inviteWith(rpid("31", `party=calling;${parameter}`)));
    expect(identities.isWithheld).toBe(isWithheld);
    expect(identities.asserted[0]!.isAnonymous).toBe(isWithheld);
    expect(identities.sender.user).toBe(isWithheld ? "alice" : "31");
    // Whom it is to be shown to is one thing, who it is another.
    expect(senderUsers(identities)).toContain("31");
  });
});

test("P-Called-Party-ID names the addressee", () => {
  const identities = readIdentities(inviteWith("P-Called-Party-ID: sip:sales@example.com"));
  expect(addresseeUsers(identities)).toEqual(["sales", "bob"]);
  expect(senderUsers(identities)).toEqual(["alice"]);
});

test.each([
  ["anonymous", "anonymous.invalid", true],
  ["Anonymous", "pbx", true],
  ["x", "anonymous.invalid", true],
  ["unavailable", "unknown.invalid", true],
  ["Restricted", "", true],
  ["anonymous1", "pbx", false],
  ["", "pbx", false],
  ["21", "invalid.example", false],
])("%s@%s anonymous: %s", (user, host, isAnonymous) => expect(isAnonymousForm(user, host)).toBe(isAnonymous));

describe("display names stay text", () => {
  const nameOf = (octets: Buffer): string => {
    const text = invite({ From: 'From: "@@" <sip:a@b>;tag=1' });
    const [head, tail] = text.split("@@") as [string, string];
    const { sender } = readIdentities(accept(Buffer.concat([Buffer.from(head), octets, Buffer.from(tail)])));
    expect(sender.user).toBe("a");
    return sender.name;
  };

  test.each([
    ["quoted pairs", Buffer.from('a\\"b\\\\c\\d'), 'a"b\\cd'],
    ["UTF-8", Buffer.from("Jürgen 東京 😀"), "Jürgen 東京 😀"],
    ["octets that are no UTF-8", Buffer.from([0x4d, 0xfc, 0x6c, 0xff, 0x65]), "M�l�e"],
    ["a cut sequence", Buffer.from([0xf0, 0x9f, 0x98]), "�"],
    ["an overlong slash", Buffer.from([0xc0, 0xaf]), "��"],
    ["a surrogate", Buffer.from([0xed, 0xa0, 0x80]), "���"],
    ["RFC 2047", Buffer.from("=?utf-8?B?SsO8cmdlbg==?="), "=?utf-8?B?SsO8cmdlbg==?="],
    ["control characters", Buffer.from([0x61, 0, 0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x7f, 0x62]), "a  [31m b"],
    ["markup", Buffer.from("<img src=x onerror=alert(1)>"), "<img src=x onerror=alert(1)>"],
    ["an address in the name", Buffer.from("<sip:21@pbx>;tag=9"), "<sip:21@pbx>;tag=9"],
    ["percent escapes", Buffer.from("%3Cb%3E"), "%3Cb%3E"],
    ["object keys", Buffer.from("__proto__"), "__proto__"],
  ])("%s", (_, octets, name) => expect(nameOf(octets)).toBe(name));

  test("any octets, always text of at most 256 characters that survives UTF-8", () => {
    const random = makeRandom(7);
    for (let round = 0; round < 500; round++) {
      const octets = Buffer.from(Array.from({ length: round }, () => 1 + Math.floor(random() * 255)));
      const text = invite({ From: 'From: "@@" <sip:a@b>;tag=1' });
      const [head, tail] = text.split("@@") as [string, string];
      const data = Buffer.concat([
        Buffer.from(head),
        octets.map((o) => (o === 10 || o === 13 ? 32 : o)),
        Buffer.from(tail),
      ]);
      const { name, uri } = readIdentities(accept(data)).sender;
      expect(name.length).toBeLessThanOrEqual(256);
      for (const one of [name, uri]) expect(Buffer.from(one, "utf8").toString("utf8")).toBe(one);
    }
  });

  test("a long name is cut, never within a character", () => {
    expect(nameOf(Buffer.from("x".repeat(2000)))).toBe("x".repeat(256));
    expect(nameOf(Buffer.from(`x${"😀".repeat(300)}`))).toBe(`x${"😀".repeat(127)}`);
  });
});

describe("bounds", () => {
  test("of values and lengths", () => {
    const many = Array.from({ length: 100 }, (_, i) => `<sip:${i}@x>`).join(", ");
    const identities = readIdentities(
      inviteWith(
        `P-Asserted-Identity: ${many}`,
        `P-Preferred-Identity: <sip:${"9".repeat(3000)}@${"h".repeat(3000)}>`,
        `Remote-Party-ID: ${many}`,
        `Privacy: ${"id;".repeat(2000)}`,
      ),
    );
    expect(identities.asserted).toHaveLength(16);
    const [long] = identities.preferred;
    expect(long).toMatchObject({ user: "" });
    expect([long!.uri.length, long!.host.length]).toEqual([1024, 256]);
    expect(identities.privacy).toEqual(["id"]);
  });

  test.each([",,,,", "<", ">", '"', '"<sip:a@b', ";;;;", "<>", "tel:", "sip:", "@", "<sip:@>", "\\", "a, b, c"])(
    "%j in every field is survived",
    (value) => {
      const fields = ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "P-Called-Party-ID"];
      const more = ["Diversion", "History-Info", "Privacy"];
      const identities = readIdentities(inviteWith(...[...fields, ...more].map((field) => `${field}: ${value}`)));
      expect(senderUsers(identities)[0]).toBe("alice");
      expect(identities.own.user).toBe("alice");
    },
  );
});
