import { describe, expect, it } from "vitest";
import { isoUs } from "../../../device/base/clock.js";
import { callIdFromBytes, callIdToBytes, isCallId, makeCallId } from "../../../device/base/ids.js";

describe("call ids", () => {
  it("sort by packet time and go to bytes and back", () => {
    const early = makeCallId(1_700_000_000_000_000);
    const late = makeCallId(1_700_000_000_001_000);
    expect(early < late).toBe(true);
    expect(callIdFromBytes(callIdToBytes(early))).toBe(early);
    expect(isCallId(early)).toBe(true);
  });

  it("are the ULID specification's example layout", () => {
    expect(callIdFromBytes(Buffer.alloc(16))).toBe("00000000000000000000000000");
    expect(callIdFromBytes(Buffer.alloc(16, 0xff))).toBe("7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  });

  it("refuse text that is none", () => {
    expect(() => callIdToBytes("../../etc/passwd" as never)).toThrow(RangeError);
    expect(isCallId("8ZZZZZZZZZZZZZZZZZZZZZZZZZ")).toBe(false);
  });
});

describe("isoUs", () => {
  it("keeps microseconds", () => {
    expect(isoUs(1_763_715_600_123_456)).toBe("2025-11-21T09:00:00.123456Z");
    expect(isoUs(0)).toBe("1970-01-01T00:00:00.000000Z");
  });
});
