// A certificate of our own making as others read it: Node (OpenSSL) in every field, signed with its own key.
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeSelfSigned } from "../../../device/base/self-signed.js";

const { privateKey: key, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const [notBefore, notAfter] = [new Date("2024-01-01T00:00:00Z"), new Date("2036-11-25T10:20:30Z")];
const make = (names: string[], commonName = "office-1", until = notAfter): X509Certificate =>
  new X509Certificate(makeSelfSigned({ key, commonName, names, notBefore, notAfter: until }));

describe("a certificate", () => {
  it("says what it was told, and is signed with its own key", () => {
    const names = ["office-1", "office-1.local", "192.0.2.7", "2001:db8::7", "::ffff:192.0.2.8"];
    const certificate = make(names);
    expect(certificate.verify(publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(key)).toBe(true);
    expect(certificate.subject).toBe("O=Sidetone\nCN=office-1");
    expect(certificate.issuer).toBe(certificate.subject);
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect([certificate.validFrom, certificate.validTo].map((text) => new Date(text))).toEqual([notBefore, notAfter]);
    expect(certificate.subjectAltName).toBe(
      "DNS:office-1, DNS:office-1.local, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, IP Address:192.0.2.8",
    );
    expect(names.slice(0, 2).map((name) => certificate.checkHost(name))).toEqual(names.slice(0, 2));
    expect(names.slice(2, 4).map((name) => certificate.checkIP(name))).toEqual(names.slice(2, 4));
    expect([certificate.checkHost("office-2"), certificate.checkIP("192.0.2.9")]).toEqual([undefined, undefined]);
  });

  it("has another number each time, positive and of 16 bytes", () => {
    const serials = Array.from({ length: 20 }, () => make([]).serialNumber);
    expect(new Set(serials).size).toBe(20);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  it("ends after 2049 as well", () => {
    for (const until of ["2049-12-31T23:59:59.000Z", "2050-01-01T00:00:00.000Z", "2130-02-28T12:00:00.000Z"])
      expect(new Date(make([], "x", new Date(until)).validTo).toISOString()).toBe(until);
  });

  it("leaves out what is no name of a host, names each once, and no more than 64", () => {
    const odd = ["bad name", "", "-x", "a..b", "*.example", "a\u0000b", "ä.example", "fe80::1%eth0", "256.1.1.1/8"];
    expect(make([...odd, "good", "good"]).subjectAltName).toBe("DNS:good");
    expect(make(odd).subjectAltName).toBeUndefined();
    const many = make(Array.from({ length: 200 }, (_, at) => `h${at}`)).subjectAltName!;
    expect(many.split(", ")).toHaveLength(64);
  });

  it("takes any text for the box's name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (name) => {
        const certificate = make([], name);
        expect(certificate.verify(publicKey)).toBe(true);
        expect(certificate.raw.length).toBeLessThan(1000);
      }),
      { numRuns: 100 },
    );
    expect(make([], "Büro №1").subject).toBe("O=Sidetone\nCN=Büro №1");
  });
});
