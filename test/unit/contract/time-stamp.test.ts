// Requests and responses of RFC 3161 beside OpenSSL's: it answers what we ask, and both take and refuse the same tokens.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { derInteger, derOf, TAG } from "../../../device/base/der.js";
import {
  isStampOf,
  isTimeStamp,
  nonceContent,
  readTimeStamp,
  type TimeStamp,
  type TimeStampHash,
  timeStampRequest,
} from "../../../device/contract/time-stamp.js";
import { certificatesOf, faultOfSignature } from "../../../device/contract/time-stamp-signature.js";
import { makeRandom } from "../../fakes/random.js";
import {
  type AuthorityOptions,
  authorityObstacle,
  openssl,
  opensslVerifies,
  TimeStampAuthority,
} from "../../fakes/time-stamp-authority.js";
import { makeFolder, removeFolder } from "../store/store-kit.js";

const obstacle = authorityObstacle();
if (obstacle) console.log(`skipped: time stamps with OpenSSL: ${obstacle}`);

const DATA = Buffer.from("what is stamped\n");
const NONCE = Buffer.from("00f1e2d3c4b5a697", "hex");

describe.skipIf(obstacle !== undefined)("time stamps", () => {
  let folder: string;
  let authority: TimeStampAuthority;
  let response: Buffer;
  let count = 0;
  beforeAll(async () => {
    folder = makeFolder();
    authority = TimeStampAuthority.make(join(folder, "plain"));
    response = await authority.reply(timeStampRequest(DATA, "sha256", NONCE));
  });
  afterAll(() => removeFolder(folder));

  const trusted = (one = authority) => certificatesOf(readFileSync(one.caFile, "utf8"));
  const stampIn = (bytes: Buffer): TimeStamp => {
    const reading = readTimeStamp(bytes);
    if (!isTimeStamp(reading)) expect.fail(reading.fault);
    return reading;
  };
  const faultIn = (bytes: Buffer): string => {
    const reading = readTimeStamp(bytes);
    return isTimeStamp(reading) ? (faultOfSignature(reading, trusted()) ?? "") : reading.fault;
  };
  const byOpenssl = (bytes: Buffer, one = authority): boolean => {
    const [data, answer] = [join(folder, `data-${++count}`), join(folder, `response-${count}`)];
    writeFileSync(data, DATA);
    writeFileSync(answer, bytes);
    return opensslVerifies(data, answer, one.caFile);
  };
  const make = (options: AuthorityOptions): TimeStampAuthority =>
    TimeStampAuthority.make(join(folder, `authority-${++count}`), options);

  /** A response with what a stamp says, signed by `openssl cms`, which signs in more ways than `openssl ts`, and with any certificate. */
  const signAgain = (one: TimeStampAuthority, content: Buffer, ...options: string[]): Buffer => {
    const file = (name: string): string => join(one.caFile, "..", name);
    writeFileSync(file("info"), content);
    const type = ["-econtent_type", "1.2.840.113549.1.9.16.1.4", "-outform", "DER", "-binary", "-nodetach"];
    const signer = ["-cades", "-nosmimecap", "-signer", file("own.pem"), "-inkey", file("own.key"), "-md", "sha256"];
    openssl("cms", "-sign", ...type, ...signer, ...options, "-in", file("info"), "-out", file("token"));
    const granted = derOf(TAG.sequence, derInteger(Buffer.from([0])));
    return derOf(TAG.sequence, granted, readFileSync(file("token")));
  };

  it.each(["sha256", "sha512"] as TimeStampHash[])("asks as OpenSSL understands it (%s)", (hash) => {
    const file = join(folder, "query");
    writeFileSync(file, timeStampRequest(DATA, hash, NONCE));
    const text = openssl("ts", "-query", "-in", file, "-text");
    expect(text).toContain(`Hash Algorithm: ${hash}`);
    expect(text).toContain("Nonce: 0xF1E2D3C4B5A697");
    expect(text).toContain("Certificate required: yes");
  });

  it("reads what OpenSSL answers, as OpenSSL reads it", () => {
    const stamp = stampIn(response);
    expect(Math.abs(Date.parse(stamp.at) - Date.now())).toBeLessThan(60_000);
    expect([stamp.hash, stamp.policy, stamp.certificates.length]).toEqual(["sha256", "1.3.6.1.4.1.99999.1", 2]);
    expect(stamp.nonce).toEqual(nonceContent(NONCE));
    expect([isStampOf(stamp, DATA), isStampOf(stamp, Buffer.from("other"))]).toEqual([true, false]);
    expect(faultIn(response)).toBe("");
    expect(byOpenssl(response)).toBe(true);
  });

  it.each<[string, AuthorityOptions]>([
    ["RSA", { key: ["rsa:2048"] }],
    [
      "P-384 with SHA-384",
      { key: ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"], lines: ["signer_digest = sha384"] },
    ],
    ["an authority in between", { hasIntermediate: true }],
    ["a certificate named by SHA-1", { lines: ["ess_cert_id_alg = sha1"] }],
    ["a chain of names", { lines: ["ess_cert_id_chain = yes"] }],
  ])("takes a token of %s, as OpenSSL does", async (_, options) => {
    const other = make(options);
    const answer = await other.reply(timeStampRequest(DATA, "sha512", NONCE));
    expect(faultOfSignature(stampIn(answer), trusted(other))).toBeUndefined();
    expect(byOpenssl(answer, other)).toBe(true);
    // And none by an authority that is not trusted.
    expect(faultOfSignature(stampIn(answer), trusted())).toMatch(/no authority that is trusted/);
    expect(byOpenssl(answer)).toBe(false);
    expect(faultOfSignature(stampIn(answer), [])).toMatch(/no authority that is trusted/);
  });

  it("refuses a certificate that is not for time stamps alone, as OpenSSL does", () => {
    for (const usage of ["timeStamping", "critical,timeStamping,clientAuth"]) {
      const other = make({ usage });
      const answer = signAgain(other, stampIn(response).content);
      const later = { ...stampIn(answer), at: new Date().toISOString() };
      expect(faultOfSignature(later, trusted(other)), usage).toBe("its certificate is not one for time stamps alone");
      expect(byOpenssl(answer, other), usage).toBe(false);
    }
  });

  it("judges certificates as of the time that was stamped", () => {
    const good = stampIn(response);
    for (const at of ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
      expect(faultOfSignature({ ...good, at }, trusted())).toMatch(/not valid at that time/);
  });

  it("takes a token that is signed with RSASSA-PSS, as `openssl cms` does; `openssl ts` knows none", async () => {
    const other = make({ key: ["rsa:2048"] });
    const { content } = stampIn(await other.reply(timeStampRequest(DATA, "sha256", NONCE)));
    for (const pss of [["rsa_padding_mode:pss", "rsa_pss_saltlen:32"], []]) {
      const answer = signAgain(other, content, ...pss.flatMap((option) => ["-keyopt", option]));
      expect(faultOfSignature(stampIn(answer), trusted(other))).toBeUndefined();
      const token = ["-inform", "DER", "-in", join(other.caFile, "..", "token"), "-out", join(folder, "content")];
      openssl("cms", "-verify", "-purpose", "timestampsign", "-CAfile", other.caFile, ...token);
      expect(readFileSync(join(folder, "content"))).toEqual(content);
    }
  });

  it("takes nothing that was changed after it was signed", () => {
    const flipped = (at: number): Buffer => {
      const bytes = Buffer.from(response);
      bytes[at] = bytes[at]! ^ 1;
      return bytes;
    };
    const { content, signature } = stampIn(response);
    const year = response.indexOf(content) + content.indexOf(String(new Date().getUTCFullYear()));
    expect(faultIn(flipped(year + 3))).toBe("its content is not what was signed");
    expect(faultIn(flipped(response.length - 1))).toMatch(
      /^its signature is wrong|^it is no time stamp|^its certificates/,
    );
    const attributes = response.indexOf(signature.attributes.subarray(-32));
    expect(faultIn(flipped(attributes + 31))).not.toBe("");
    const digestOnly = { ...stampIn(response), signature: { ...signature, attributes: derOf(TAG.set) } };
    expect(faultOfSignature(digestOnly, trusted())).toMatch(/^its signature cannot be read/);
  });

  it("says why the authority refuses", async () => {
    const other = make({ digests: "sha256" });
    const answer = await other.reply(timeStampRequest(DATA, "sha512", NONCE));
    expect(faultIn(answer)).toMatch(/^the time stamp authority refuses \(status 2\): badAlg/);
    expect(faultIn(await other.reply(Buffer.from("garbage")))).toMatch(/refuses \(status 2\): badDataFormat/);
  });

  it("takes no response that is cut off or longer, and of one with another bit nothing but what was signed", () => {
    for (let length = 0; length < response.length; length += 7)
      expect(faultIn(response.subarray(0, length))).toMatch(/^it is no time stamp response/);
    expect(faultIn(Buffer.concat([response, Buffer.from([0])]))).toMatch(/^it is no time stamp response/);
    const random = makeRandom(3161);
    const { content } = stampIn(response);
    let taken = 0;
    for (let i = 0; i < 200; i++) {
      const bytes = Buffer.from(response);
      const at = Math.floor(random() * bytes.length);
      bytes[at] = bytes[at]! ^ (1 << Math.floor(random() * 8));
      if (faultIn(bytes) !== "") continue;
      // A version that nobody signs, a certificate that is not needed.
      taken++;
      expect(stampIn(bytes).content.equals(content)).toBe(true);
    }
    expect(taken).toBeLessThan(100);
  });
});
