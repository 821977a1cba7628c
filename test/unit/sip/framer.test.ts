// SIP over a byte stream: RFC 3261 §18.3. Whole, two at once, split at every byte, junk, gaps, endless noise.
import { describe, expect, test } from "vitest";
import { ByteBudget } from "../../../device/sip/byte-budget.js";
import { SipStreamFramer } from "../../../device/sip/framer.js";
import { invite, LIMITS, messageText, SDP } from "./sip-text.js";

const WITH_BODY = invite({}, ["Content-Type: application/sdp", `Content-Length: ${SDP.length}`], SDP);
const WITHOUT_BODY = messageText("BYE sip:a SIP/2.0", ["Via: SIP/2.0/TCP h", "l : 0"]);
const FOLDED = messageText("SIP/2.0 200 OK", ["Via: SIP/2.0/TCP h", "Content-Length:\r\n 3"], "abc");

function collect(limits = LIMITS) {
  const messages: string[] = [];
  const budget = new ByteBudget(1_000_000);
  const framer = new SipStreamFramer(limits, budget, (data, start, end, truncated) =>
    messages.push(`${data.toString("latin1", start, end)}${truncated ? "<cut" : ""}`),
  );
  const push = (text: string) => {
    const data = Buffer.from(`??${text}??`, "latin1");
    framer.push(data, 2, data.length - 2);
  };
  return { framer, messages, push, budget };
}

describe("messages", () => {
  test("whole, several in one piece, and with keep-alives between", () => {
    const { framer, messages, push } = collect();
    push(WITH_BODY);
    push(`\r\n\r\n${WITHOUT_BODY}\r\n${FOLDED}${WITH_BODY}`);
    expect(messages).toEqual([WITH_BODY, WITHOUT_BODY, FOLDED, WITH_BODY]);
    expect(framer.counters).toEqual({ messages: 4, discardedBytes: 0, keepAliveBytes: 6, tooLong: 0 });
  });

  test("split at every byte, and byte by byte", () => {
    const stream = `${WITH_BODY}\r\n${FOLDED}${WITHOUT_BODY}`;
    for (let at = 0; at <= stream.length; at++) {
      const { messages, push } = collect();
      push(stream.slice(0, at));
      push(stream.slice(at));
      expect(messages).toEqual([WITH_BODY, FOLDED, WITHOUT_BODY]);
    }
    const { messages, push } = collect();
    for (const character of stream) push(character);
    expect(messages).toEqual([WITH_BODY, FOLDED, WITHOUT_BODY]);
  });

  test("bare line feeds; no Content-Length means no body", () => {
    const { messages, push } = collect();
    push("BYE sip:a SIP/2.0\nVia: x\n\nOPTIONS sip:a SIP/2.0\nl: 2\n\nxyjunk\n");
    expect(messages).toEqual(["BYE sip:a SIP/2.0\nVia: x\n\n", "OPTIONS sip:a SIP/2.0\nl: 2\n\nxy"]);
  });

  test("a message larger than the first buffer", () => {
    const body = "b".repeat(60000);
    const large = messageText("MESSAGE sip:a SIP/2.0", [`Content-Length: ${body.length}`], body);
    const { messages, push } = collect();
    for (let at = 0; at < large.length * 3; at += 1000) push((large + large + large).slice(at, at + 1000));
    expect(messages).toEqual([large, large, large]);
  });
});

describe("finding the start again", () => {
  test("junk in front, between and unterminated", () => {
    const { framer, messages, push } = collect();
    push(`junk\r\n\0\x80\n${WITHOUT_BODY}more junk\r\n${WITH_BODY}`);
    expect(messages).toEqual([WITHOUT_BODY, WITH_BODY]);
    expect(framer.counters.discardedBytes).toBe("junk\r\n\0\x80\nmore junk\r\n".length);
  });

  test("a gap anywhere: what was begun is handed on as cut, and the next message whole", () => {
    const startLineEnd = WITH_BODY.indexOf("\n") + 1;
    // Not at 0: "E sip:…" is a start line, and the parser's affair (its CSeq says INVITE).
    for (let cut = 1; cut <= WITH_BODY.length; cut++) {
      const { framer, messages, push } = collect();
      push(WITH_BODY.slice(0, cut));
      framer.gap();
      expect(framer.isInsideMessage).toBe(false);
      push(`${WITH_BODY.slice(cut + 5)}${WITHOUT_BODY}`);
      const isWhole = cut === WITH_BODY.length;
      const first = isWhole ? [WITH_BODY] : cut < startLineEnd ? [] : [`${WITH_BODY.slice(0, cut)}<cut`];
      expect(messages).toEqual([...first, WITHOUT_BODY]);
    }
  });

  test("keep-alives are counted apart from junk", () => {
    const { framer, push } = collect();
    for (let i = 0; i < 100; i++) push("\r\n\r\n");
    push("junk\r\n");
    expect(framer.counters).toEqual({ messages: 0, discardedBytes: 6, keepAliveBytes: 400, tooLong: 0 });
  });

  test("a start line inside an unfinished head begins a new message", () => {
    const { messages, push } = collect();
    push(`INVITE sip:a SIP/2.0\r\nVia: x\r\n${WITHOUT_BODY}`);
    expect(messages).toEqual([WITHOUT_BODY]);
  });

  test("heads, lines and bodies beyond the limits are given up", () => {
    const limits = { maxMessageBytes: 2000, maxLineBytes: 300, maxHeaderLines: 20 };
    for (const overlong of [
      `INVITE sip:a SIP/2.0\r\n${"X: y\r\n".repeat(500)}\r\n`,
      `INVITE sip:a SIP/2.0\r\nX: ${"y".repeat(400)}\r\n\r\n`,
      "INVITE sip:a SIP/2.0\r\nl: 100000\r\n\r\n",
    ]) {
      const { framer, messages, push } = collect(limits);
      push(`${overlong}\r\n${WITHOUT_BODY}`);
      expect(messages).toEqual([WITHOUT_BODY]);
      expect(framer.counters.tooLong).toBe(1);
    }
    const { framer, messages, push } = collect(limits);
    push(`INVITE sip:a SIP/2.0\r\n${"X: y\r\n".repeat(21)}\r\n${WITHOUT_BODY}`);
    expect(messages).toEqual([WITHOUT_BODY]);
    expect(framer.counters.discardedBytes).toBeGreaterThan(0);
  });

  test("the rest of an overlong line is no line of its own", () => {
    const { messages, push } = collect({ maxMessageBytes: 2000, maxLineBytes: 300, maxHeaderLines: 20 });
    push(`${"x".repeat(301)}${WITHOUT_BODY}`);
    push(WITHOUT_BODY);
    expect(messages).toEqual([WITHOUT_BODY]);
  });

  test("a Content-Length that contradicts itself counts as none", () => {
    const { messages, push } = collect();
    push(`INVITE sip:a SIP/2.0\r\nl: 3\r\nl: 4\r\n\r\n${WITHOUT_BODY}`);
    expect(messages).toHaveLength(2);
  });
});

test("endless noise leaves nothing behind", () => {
  for (const unit of ["a", "\n", "\r\n ", "INVITE sip:a SIP/2.0\n", "INVITE : SIP/2.0\n", "\0\xff"]) {
    const { framer, messages, push } = collect();
    push(unit.repeat(Math.ceil(300_000 / unit.length)));
    framer.gap();
    push(`\r\n${WITH_BODY}`);
    expect(messages.filter((message) => !message.endsWith("<cut"))).toEqual([WITH_BODY]);
  }
});

describe("memory", () => {
  const large = messageText(
    "MESSAGE sip:a SIP/2.0",
    ["Content-Length: 50000"],
    "b\r\n".repeat(20_000).slice(0, 50_000),
  );

  test("beyond a first buffer is taken from the budget and given back with each message", () => {
    const { messages, push, budget } = collect();
    for (let i = 0; i < 3; i++) {
      push(large.slice(0, 30_000));
      expect(budget.usedBytes).toBeGreaterThan(20_000);
      push(large.slice(30_000));
      expect(budget.usedBytes).toBe(0);
    }
    expect(messages).toEqual([large, large, large]);
  });

  test("is given back at a gap and at the end", () => {
    const { framer, push, budget } = collect();
    push(large.slice(0, 30_000));
    framer.gap();
    expect(budget.usedBytes).toBe(0);
    push(large.slice(0, 30_000));
    framer.close();
    expect(budget.usedBytes).toBe(0);
  });

  test("that is not to be had costs the long message only", () => {
    const { framer, messages, push, budget } = collect();
    budget.take(budget.maxBytes - 1000);
    push(`${WITH_BODY}${large}\r\n${WITHOUT_BODY}`);
    for (let at = 0; at < large.length; at += 999) push(large.slice(at, at + 999));
    push(`\r\n${WITH_BODY}${FOLDED}`);
    expect(messages).toEqual([WITH_BODY, WITHOUT_BODY, WITH_BODY, FOLDED]);
    expect(framer.counters).toMatchObject({ messages: 4, tooLong: 2 });
    expect(budget.refusals).toBeGreaterThan(0);
    // What follows on the line that found no room is no line of its own.
    push("MESSAGE sip:a SIP/2.0\r\nl: 9000\r\n\r\n".padEnd(4096, "b"));
    push(`${WITHOUT_BODY}${WITH_BODY}`);
    expect(messages.slice(4)).toEqual([WITH_BODY]);
    expect(budget.usedBytes).toBe(budget.maxBytes - 1000);
  });
});
