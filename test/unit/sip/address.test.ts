// Addresses as phones write them: RFC 3261 §20.10, §19.1, §25.1; RFC 3966; RFC 4475's odd ones.
import { describe, expect, test } from "vitest";
import {
  cleanParameters,
  MAX_NAME_CHARACTERS,
  parameterOf,
  splitAddress,
  splitAddresses,
  splitUri,
  uriHeader,
  uriParameter,
} from "../../../device/sip/address.js";

describe("splitAddress", () => {
  test.each([
    ["sip:bob@example.com", "", "sip:bob@example.com", ""],
    ["<sip:bob@example.com>", "", "sip:bob@example.com", ""],
    ["sip:bob@example.com;tag=1", "", "sip:bob@example.com", ";tag=1"],
    ["<sip:bob@example.com;transport=udp>;tag=1", "", "sip:bob@example.com;transport=udp", ";tag=1"],
    ["Bob <sip:b@c>", "Bob", "sip:b@c", ""],
    ["Bell, Alexander <sip:b@c>;tag=43", "Bell, Alexander", "sip:b@c", ";tag=43"],
    ["caller<sip:b@c>;tag=3", "caller", "sip:b@c", ";tag=3"],
    ['"Watson, Thomas" < sip:b@c >', "Watson, Thomas", "sip:b@c", ""],
    ['"J Rosenberg \\\\\\"" <sip:b@c> ; tag = 98', 'J Rosenberg \\"', "sip:b@c", "; tag = 98"],
    ['"<sip:fake@x>" <sip:real@c>;tag=1', "<sip:fake@x>", "sip:real@c", ";tag=1"],
    ['"Mr. J. User <sip:b@c>', "Mr. J. User", "sip:b@c", ""],
    ["<sip:b@c", "", "sip:b@c", ""],
    ["<>", "", "", ""],
    ["", "", "", ""],
    ['"only a name"', "", "", ""],
    ["<sip:a@b>;q=1, <sip:c@d>;tag=2", "", "sip:a@b", ";q=1"],
    ["sip:a@b, sip:c@d", "", "sip:a@b", ""],
    ['"a\u0007b" <sip:b@c>', "a b", "sip:b@c", ""],
  ])("%j", (value, name, uri, parameters) => {
    expect(splitAddress(value)).toEqual({ name, uri, parameters });
  });

  test("a name is kept up to a length", () => {
    expect(splitAddress(`"${"n".repeat(5000)}" <sip:b@c>`).name).toBe("n".repeat(MAX_NAME_CHARACTERS));
    expect(splitAddress(`${"n ".repeat(5000)}<sip:b@c>`)).toMatchObject({ uri: "sip:b@c" });
  });
});

describe("splitAddresses", () => {
  test.each([
    [["<sip:a@b>;q=1, <sip:c@d>;tag=2"], ["sip:a@b", "sip:c@d"]],
    [
      ["sip:a@b;x=1, sip:c@d", "tel:1"],
      ["sip:a@b", "sip:c@d", "tel:1"],
    ],
    [['"a, <sip:x@y>" <sip:b@c>, <sip:d@e;p=",">'], ["sip:b@c", 'sip:d@e;p=","']],
    [["Bell, Alexander <sip:b@c>, Watson, Thomas <sip:d@e>"], ["sip:b@c", "sip:d@e"]],
    [["*"], []],
    [["", ",,", " , "], []],
    [["no address at all, none"], []],
    [["21@pbx"], ["21@pbx"]],
  ])("%j", (values, uris) => expect(splitAddresses(values, 8).map(({ uri }) => uri)).toEqual(uris));

  test("joins what an unquoted comma tore apart", () => {
    expect(splitAddresses(["Bell, Alexander <sip:b@c>"], 8)[0]!.name).toBe("Bell, Alexander");
  });

  test("stops at the maximum", () => {
    expect(splitAddresses([Array.from({ length: 50 }, (_, i) => `<sip:${i}@x>`).join(",")], 3)).toHaveLength(3);
    expect(
      splitAddresses(
        Array.from({ length: 50 }, (_, i) => `sip:${i}@x`),
        3,
      ),
    ).toHaveLength(3);
  });
});

describe("parameters and headers", () => {
  test.each([
    [";expires=60;q=0.5", "expires", "60"],
    [";EXPIRES = 60", "expires", "60"],
    [';reason="a;b\\"c"', "reason", 'a;b"c'],
    [";lr;x=1", "lr", ""],
    [";a=1;a=2", "a", "1"],
    [";ab=1", "a", undefined],
    ["", "a", undefined],
  ])("%j %s", (text, name, value) => expect(parameterOf(text, name)).toBe(value));

  test.each([
    ["sip:a@b;cause=302", "302"],
    ["sip:a;cause=1@b;cause=302?cause=3", "302"],
    ["sip:a@[2001:db8::1]:5060;cause=302", "302"],
    ["sip:a@b?x=;cause=302", undefined],
    ["sip:a;cause=1@b", undefined],
    ["tel:123;cause=302", "302"],
  ])("cause of %j", (uri, value) => expect(uriParameter(uri, "cause")).toBe(value));

  test.each([
    ["sip:a@b?Reason=SIP%3Bcause%3D302&Privacy=none", "SIP;cause=302"],
    ["sip:a@b;p=1?privacy=none&REASON=x%00y", "x y"],
    ["sip:a@b?Reason", undefined],
    ["sip:a@b", undefined],
  ])("Reason in %j", (uri, value) => expect(uriHeader(uri, "reason")).toBe(value));
});

describe("splitUri", () => {
  test.each([
    ["sip:alice@example.com", "alice", "example.com"],
    ["SIPS:Alice@EXAMPLE.com:5061;transport=tls?Subject=x", "Alice", "example.com"],
    ["sip:example.com", "", "example.com"],
    ["sip:alice:secret@example.com", "alice", "example.com"],
    ["sip:%75se%72@example.com", "user", "example.com"],
    ["sip:M%C3%BCller@example.com", "Müller", "example.com"],
    ["sip:M%FCller@example.com", "Müller", "example.com"],
    ["sip:bad%zz%4@example.com", "bad%zz%4", "example.com"],
    ["sip:null-%00-null@example.com", "null- -null", "example.com"],
    ["sip:+49301234;phone-context=x@example.com;user=phone", "+49301234", "example.com"],
    ["sip:user;par=u%40example.net@example.com", "user;par=u@example.net", "example.com"],
    ["sip:a@b@example.com", "a@b", "example.com"],
    ["sip:21@[2001:DB8::1]:5060;lr", "21", "2001:db8::1"],
    ["sip:[2001:db8::1]", "", "2001:db8::1"],
    ["tel:+1-201-555-0123;phone-context=example.com", "+12015550123", ""],
    ["tel:7042;phone-context=example.com", "7042", ""],
    ["TEL:(030)12.34", "0301234", ""],
    ["urn:service:sos", "", ""],
    ["http://www.example.com", "", ""],
    ["isbn:2983792873x", "", ""],
    ["21@10.0.0.1", "21", "10.0.0.1"],
    ["10.0.0.1:5060", "", "10.0.0.1"],
    ["gateway:5060", "", "gateway"],
    ["", "", ""],
    ["*", "", "*"],
    ["sip:+49-30-123:pw;x@example.com;user=phone", "+49-30-123", "example.com"],
    ["sip:21;tag=x:secret@example.com", "21", "example.com"],
    ["tel:%2B49-30-123;isub=1", "+4930123", ""],
  ])("%j", (uri, user, host) => expect(splitUri(uri)).toEqual({ user, host }));
});

describe("cleanParameters", () => {
  test.each([
    ["", ""],
    [";tag=1", ";tag=1"],
    ["; tag = 1 ;lr", ";tag=1;lr"],
    [";tag=a:b/c==", ';tag="a:b/c=="'],
    [';tag="quoted; \\" text"', ';tag="quoted; \\" text"'],
    [';tag=un"closed', ';tag="un\\"closed"'],
    [";;;=x;na me=1;ok", ";ok"],
    [";a=;b", ";a;b"],
  ])("%j", (text, clean) => expect(cleanParameters(text)).toBe(clean));

  test("keeps 64 pieces", () => {
    expect(cleanParameters(";a".repeat(1000))).toBe(";a".repeat(63));
  });
});
