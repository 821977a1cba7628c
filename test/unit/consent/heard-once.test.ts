// What a dialog's messages say for the first time: copies of every kind say nothing, and what was overtaken cannot undo
// what is newer.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Side } from "../../../device/base/ids.js";
import { HeardOnce, Novelty } from "../../../device/consent/heard-once.js";
import type { SipMessage } from "../../../device/sip/message.js";
import { makeRandom, randomInteger } from "../../fakes/random.js";
import { accept, messageText } from "../sip/sip-text.js";

const START_US = 1_800_000_000_000_000;
const T1_US = 500_000;
/** RFC 3261 §17.1.2.2: 64 × T1. */
const SENT_AGAIN_US = 64 * T1_US;
const REMEMBERED = 128;

interface Wording {
  /** Via values: the message as seen behind so many proxies. */
  hops?: number;
  method?: string;
}

const headers = (cseq: number, { hops = 1, method = "INFO" }: Wording): string[] => [
  ...Array.from(
    { length: hops },
    (_, hop) => `Via: SIP/2.0/UDP 192.0.2.${hops - hop}:5060;branch=z9hG4bK${hops}${cseq}`,
  ),
  "From: <sip:alice@example.com>;tag=1",
  "To: <sip:bob@example.com>;tag=2",
  "Call-ID: a84b4c76e66710@192.0.2.1",
  `CSeq: ${cseq} ${method}`,
];
const request = (cseq: number, wording: Wording = {}): SipMessage =>
  accept(messageText(`${wording.method ?? "INFO"} sip:bob@example.com SIP/2.0`, headers(cseq, wording)));
const response = (cseq: number, status = 200, wording: Wording = {}): SipMessage =>
  accept(messageText(`SIP/2.0 ${status} Whatever`, headers(cseq, wording)));

/** A dialog that is told of every message, as the guard does it. */
class Listener {
  private readonly heard = new HeardOnce(START_US);
  private readonly fromMiddle: boolean;

  constructor(fromMiddle = false) {
    this.fromMiddle = fromMiddle;
  }

  hear(message: SipMessage, from: Side | undefined, says: string, atUs = START_US): Novelty {
    const novelty = this.heard.judge(message, from, says, atUs, this.fromMiddle);
    this.heard.note(message, from);
    return novelty;
  }

  /** A message that says nothing. */
  note(message: SipMessage, from: Side | undefined): void {
    this.heard.note(message, from);
  }
}

describe("what is said again", () => {
  it("is the same message sent again, at any time, from whichever hop it is seen", () => {
    for (const make of [request, (cseq: number, wording?: Wording) => response(cseq, 200, wording)]) {
      const dialog = new Listener();
      expect(dialog.hear(make(1), 0, "granted")).toBe(Novelty.first);
      for (const atUs of [START_US + 1000, START_US + T1_US, START_US + 3_600_000_000])
        for (const hops of [1, 2, 3]) expect(dialog.hear(make(1, { hops }), 0, "granted", atUs)).toBe(Novelty.again);
    }
  });

  it("is not the next message that says the same", () => {
    const dialog = new Listener();
    expect(dialog.hear(request(1), 0, "granted")).toBe(Novelty.first);
    expect(dialog.hear(request(2), 0, "granted")).toBe(Novelty.first);
  });

  it("is not what the other side says, nor what a response says, nor another status, method or wording", () => {
    const dialog = new Listener();
    for (const [message, from, says] of [
      [request(1), 0, "granted"],
      [request(1), 1, "granted"],
      [response(1), 1, "granted"],
      [response(1, 180), 1, "granted"],
      [request(1, { method: "UPDATE" }), 0, "granted"],
      [request(1), 0, "refused"],
    ] as const) {
      expect(dialog.hear(message, from, says)).toBe(Novelty.first);
      expect(dialog.hear(message, from, says)).toBe(Novelty.again);
    }
  });

  it("is remembered for so many messages; an older one that comes again opens nothing all the same", () => {
    const dialog = new Listener();
    for (let cseq = 1; cseq <= REMEMBERED; cseq++) expect(dialog.hear(request(cseq), 0, "said")).toBe(Novelty.first);
    expect(dialog.hear(request(1), 0, "said")).toBe(Novelty.again);
    dialog.hear(request(REMEMBERED + 1), 0, "said");
    expect(dialog.hear(request(1), 0, "said")).toBe(Novelty.overtaken);
  });
});

describe("what was overtaken", () => {
  it("is an older request of the same side that said something, after a newer one has", () => {
    const dialog = new Listener();
    dialog.hear(request(5), 0, "withdrawn");
    expect(dialog.hear(request(4), 0, "granted")).toBe(Novelty.overtaken);
    expect(dialog.hear(request(4), 0, "granted")).toBe(Novelty.again);
    expect(dialog.hear(request(6), 0, "granted")).toBe(Novelty.first);
  });

  it("is an older request's response as well: its number is the one of who asked", () => {
    const dialog = new Listener();
    dialog.hear(request(5), 0, "withdrawn");
    expect(dialog.hear(response(4), 1, "granted")).toBe(Novelty.overtaken);
    expect(dialog.hear(response(5), 1, "granted")).toBe(Novelty.first);
    expect(dialog.hear(response(4), 0, "granted")).toBe(Novelty.first);
  });

  it("is not what one side says with a lower number than the other's: each side counts on its own", () => {
    const dialog = new Listener();
    dialog.hear(request(5000), 0, "withdrawn");
    expect(dialog.hear(request(1), 1, "granted")).toBe(Novelty.first);
  });

  it("is not what comes after a newer message that said nothing", () => {
    const dialog = new Listener();
    dialog.note(request(5), 0);
    expect(dialog.hear(request(4), 0, "granted")).toBe(Novelty.first);
  });

  it("cannot be told of whom nobody knows on which side it is", () => {
    const dialog = new Listener();
    dialog.hear(request(5), undefined, "withdrawn");
    expect(dialog.hear(request(4), undefined, "granted")).toBe(Novelty.first);
    expect(dialog.hear(request(4), undefined, "granted")).toBe(Novelty.again);
  });
});

describe("in a dialog whose beginning was not seen", () => {
  it("the first request may be one that is sent again, for as long as it may be", () => {
    expect(new Listener(true).hear(request(7), 0, "granted")).toBe(Novelty.overtaken);
    expect(new Listener(true).hear(request(7), 0, "granted", START_US + SENT_AGAIN_US - 1)).toBe(Novelty.overtaken);
    expect(new Listener(true).hear(request(7), 0, "granted", START_US + SENT_AGAIN_US)).toBe(Novelty.first);
    expect(new Listener(false).hear(request(7), 0, "granted")).toBe(Novelty.first);
  });

  it("what follows a message of the same side is new, also when that one was doubtful", () => {
    const quiet = new Listener(true);
    quiet.note(request(6), 0);
    expect(quiet.hear(request(7), 0, "granted")).toBe(Novelty.first);
    const speaking = new Listener(true);
    expect(speaking.hear(request(6), 0, "withdrawn")).toBe(Novelty.overtaken);
    expect(speaking.hear(request(7), 0, "granted")).toBe(Novelty.first);
  });

  it("what is older than a message that was seen, or follows one of the other side only, is not", () => {
    const dialog = new Listener(true);
    dialog.note(request(6), 0);
    expect(dialog.hear(request(5), 0, "granted")).toBe(Novelty.overtaken);
    expect(dialog.hear(request(9), 1, "granted")).toBe(Novelty.overtaken);
  });

  it("a response is new when its request was seen", () => {
    const dialog = new Listener(true);
    expect(dialog.hear(response(6), 1, "granted")).toBe(Novelty.overtaken);
    dialog.note(request(7), 0);
    expect(dialog.hear(response(7), 1, "granted")).toBe(Novelty.first);
  });

  it("a copy stays a copy", () => {
    const dialog = new Listener(true);
    dialog.hear(request(7), 0, "granted");
    expect(dialog.hear(request(7), 0, "granted", START_US + SENT_AGAIN_US)).toBe(Novelty.again);
  });
});

it("however messages are copied and overtake each other, what each side said last is what counts last, once", () => {
  const sayings = fc.array(fc.constantFrom<Side>(0, 1), { minLength: 1, maxLength: 40 });
  const seen = { copies: 0, overtaken: 0 };
  fc.assert(
    fc.property(sayings, fc.integer(), (sides, seed) => {
      const random = makeRandom(seed);
      const numbers = [100, 7];
      const messages = sides.map((from) => {
        numbers[from]! += 1 + randomInteger(random, 3);
        return { from, cseq: numbers[from]! };
      });
      const arriving = messages
        .flatMap((one, i) => Array.from({ length: 1 + randomInteger(random, 3) }, () => ({ one, place: i })))
        .map(({ one, place }) => ({ ...one, place: place + 8 * random(), hops: 1 + randomInteger(random, 3) }))
        .sort((a, b) => a.place - b.place);
      const dialog = new Listener();
      const counted: [number[], number[]] = [[], []];
      const judged = new Map<string, Novelty>();
      for (const { from, cseq, hops } of arriving) {
        const novelty = dialog.hear(request(cseq, { hops }), from, `says ${cseq}`);
        const known = judged.has(`${from} ${cseq}`);
        expect(novelty === Novelty.again).toBe(known);
        judged.set(`${from} ${cseq}`, novelty);
        if (novelty === Novelty.first) counted[from].push(cseq);
        if (novelty === Novelty.again) seen.copies++;
        if (novelty === Novelty.overtaken) seen.overtaken++;
      }
      for (const from of [0, 1] as const) {
        expect(counted[from]).toEqual([...new Set(counted[from])].sort((a, b) => a - b));
        if (sides.includes(from)) expect(counted[from].at(-1)).toBe(numbers[from]);
      }
    }),
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100);
});
