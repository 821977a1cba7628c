// The operations of which a scripted office's day is made, as small values that a property test can draw and shrink, and
// what each of them does. What does not fit the moment (no such dialog, an exchange under way) does nothing.
import { exchange, hangUp, type Outcome, placeCall, type Saying, speaks } from "./office-model-calls.js";
import type { ScriptedDialog, Side } from "./office-model-dialog.js";
import type { Reach } from "./office-model-effects.js";
import type { Hold, Person, Phone, ScriptedLeg } from "./office-model-leg.js";
import { type ConsentWord, Office, SETTLED_MS } from "./office-model-office.js";
import { bridge, callIn, callOut, dispatch, hangUpHalf, type PbxCall } from "./office-model-pbx.js";
import { transferAttended, transferBlind } from "./office-model-transfers.js";

/** Indexes are taken modulo what there is. `ms` passes after each. */
export type Operation = { ms: number } & (
  | {
      kind: "call";
      from: number;
      to: number;
      /** Between an agent and somebody outside. */
      isAcross: boolean;
      ringMs: number;
      outcome: Outcome;
      forks: number[];
      isEarly: boolean;
      isLate: boolean;
      say: Saying | undefined;
    }
  | {
      kind: "pbx";
      outside: number;
      agent: number;
      relays: "bytes" | "audio";
      form: "in" | "queue" | "out";
      say: Saying | undefined;
    }
  | { kind: "dispatch"; call: number; agent: number }
  | {
      kind: "change";
      dialog: number;
      by: Side;
      /** Who holds already resumes. */
      change: "port" | "address" | "codec" | "ptime" | Hold;
      method: "INVITE" | "UPDATE";
      status: 200 | 488 | 491;
      say: Saying | undefined;
    }
  | { kind: "say"; dialog: number; by: Side; word: ConsentWord }
  | { kind: "replace"; dialog: number; isReturn: boolean; isEager: boolean; status: 200 | 488; say: Saying | undefined }
  | { kind: "reseed"; dialog: number; by: Side }
  | { kind: "pause"; dialog: number; by: Side; pauseMs: number }
  | { kind: "intrude"; dialog: number; to: Side; isInside: boolean; packets: number }
  | {
      kind: "transfer";
      dialog: number;
      by: Side;
      to: number;
      outcome: "answered" | 486 | "refused";
      isByeFirst: boolean;
      hasReferredBy: boolean;
    }
  | { kind: "attended"; dialog: number; by: Side; to: number; isReferSeen: boolean }
  | { kind: "hangup"; dialog: number; by: Side; lingerMs: number; say: Saying | undefined }
);

export type WithinDialog = Extract<Operation, { dialog: number }>;

export const AGENTS: readonly Phone[] = [1, 2, 3, 4, 5].map((n) => phone(`2${n}`, `10.0.0.1${n}`, "agent"));
export const OUTSIDERS: readonly Phone[] = [1, 2, 3, 4].map((n) =>
  phone(`030111110${n}`, `198.51.100.1${n}`, "outside"),
);
const EVERYBODY = [...AGENTS, ...OUTSIDERS];
const END_MS = 800;

function phone(user: string, address: string, kind: Person["kind"]): Phone {
  return { user, address, person: { name: user, kind } };
}

/** Plays the operations one after the other; what is under way at the end is cut off there. */
export function playOperations(operations: readonly Operation[], reach: Reach): Office {
  const day = new Day(reach);
  for (const operation of operations) {
    day.play(operation);
    day.office.pass(operation.ms);
  }
  day.office.pass(END_MS);
  return day.office;
}

class Day {
  readonly office: Office;
  private readonly pbxCalls: PbxCall[] = [];
  private strangers = 0;

  constructor(reach: Reach) {
    this.office = new Office(reach);
  }

  play(operation: Operation): void {
    switch (operation.kind) {
      case "call":
        this.call(operation);
        break;
      case "pbx":
        this.throughPbx(operation);
        break;
      case "dispatch":
        this.dispatch(operation);
        break;
      default: {
        const dialog = pick(this.idle(), operation.dialog);
        if (dialog) this.playWithin(dialog, operation);
      }
    }
  }

  private playWithin(dialog: ScriptedDialog, operation: WithinDialog): void {
    switch (operation.kind) {
      case "change":
        this.change(dialog, operation);
        break;
      case "say":
        exchange(this.office, dialog, {
          by: operation.by,
          method: "INFO",
          say: { in: "request", word: operation.word },
        });
        break;
      case "replace":
        this.replace(dialog, operation);
        break;
      case "reseed":
        dialog.legs[operation.by].reseed();
        break;
      case "pause":
        dialog.legs[operation.by].silentUntilUs = this.office.nowUs + operation.pauseMs * 1000;
        break;
      case "intrude":
        this.intrude(dialog, operation);
        break;
      case "transfer":
        this.transfer(dialog, operation);
        break;
      case "attended":
        this.attended(dialog, operation);
        break;
      case "hangup":
        this.hangUp(dialog, operation);
        break;
    }
  }

  /** Dialogs in conversation without an exchange under way. */
  private idle(): ScriptedDialog[] {
    const { nowUs, dialogs } = this.office;
    return dialogs.filter((one) => one.state === "talking" && !one.isReserved && one.busyUntilUs <= nowUs);
  }

  private call({ from, to, isAcross, forks, ...plan }: Extract<Operation, { kind: "call" }>): void {
    const free = EVERYBODY.filter((one) => this.isFree(one));
    const caller = pick(free, from);
    const callee = pick(
      free.filter((one) => one !== caller && (!isAcross || isInside(one) !== isInside(caller!))),
      to,
    );
    if (!caller || !callee) return;
    const { office } = this;
    const conversation = office.newConversation("call");
    const dialog = office.newDialog(conversation, office.newLeg(caller, 0), office.newLeg(callee, 1));
    const others = EVERYBODY.filter((one) => one !== caller && one !== callee && isInside(one) === isInside(callee));
    placeCall(office, dialog, { ...plan, forks: forks.map((i) => pick(others, i)!) });
  }

  private throughPbx({ outside, agent, form, ...plan }: Extract<Operation, { kind: "pbx" }>): void {
    const caller = pick(
      OUTSIDERS.filter((one) => this.isFree(one) && this.pbxCalls.every((call) => call.outside.phone !== one)),
      outside,
    );
    const callee = pick(
      AGENTS.filter((one) => this.isFree(one)),
      agent,
    );
    if (!caller || !callee) return;
    const full = { ...plan, outside: caller, agent: callee, isQueue: form === "queue" };
    this.pbxCalls.push(form === "out" ? callOut(this.office, full) : callIn(this.office, full));
  }

  private dispatch({ call, agent }: Extract<Operation, { kind: "dispatch" }>): void {
    const waiting = pick(
      this.pbxCalls.filter(({ phone, trunk, isQueue }) => isQueue && !phone && this.idle().includes(trunk)),
      call,
    );
    const callee = pick(
      AGENTS.filter((one) => this.isFree(one)),
      agent,
    );
    if (waiting && callee) dispatch(this.office, waiting, callee);
  }

  private change(dialog: ScriptedDialog, operation: Extract<Operation, { kind: "change" }>): void {
    const { by, method, status, change, say } = operation;
    const { now } = dialog.legs[by];
    const port = this.office.newPort();
    const offers = {
      port: { media: { address: now.media.address, port } },
      address: { media: { address: this.neighbour(now.media.address), port } },
      codec: { codec: now.codec === "PCMA" ? ("PCMU" as const) : ("PCMA" as const) },
      ptime: { ptimeMs: now.ptimeMs === 40 ? 20 : 40 },
    };
    const hold = { holds: now.holds === undefined ? (change as Hold) : undefined };
    const offer = change in offers ? offers[change as keyof typeof offers] : hold;
    exchange(this.office, dialog, { by, method, status, say, offer });
  }

  /** Somebody else takes the outside party's place by a re-INVITE, or the first one comes back. */
  private replace(dialog: ScriptedDialog, operation: Extract<Operation, { kind: "replace" }>): void {
    const leg = dialog.legs.find(({ phone }) => phone.person.kind === "outside");
    if (!leg) return;
    const { office } = this;
    const n = ++this.strangers;
    const { address } = leg.phone;
    const port = office.newPort();
    const stranger: Person = { name: `stranger ${n}`, kind: "outside" };
    const [person, origin, media] = operation.isReturn
      ? [leg.firstPerson, leg.firstOrigin, { address, port }]
      : [stranger, { id: n, address: `203.0.113.${n}` }, { address: `203.0.113.${n}`, port }];
    exchange(office, dialog, {
      by: dialog.sideOf(leg),
      method: "INVITE",
      status: operation.status,
      say: operation.say,
      offer: { origin, media },
      onAccepted: () => {
        leg.reseed();
        if (!operation.isEager) leg.silentUntilUs = office.nowUs + SETTLED_MS * 1000;
        return speaks(office, leg, person);
      },
    });
  }

  private intrude(dialog: ScriptedDialog, operation: Extract<Operation, { kind: "intrude" }>): void {
    const n = ++this.strangers;
    const address = operation.isInside ? `10.0.0.${100 + n}` : `192.0.2.${n}`;
    const intruder = this.office.newLeg({ user: "", address, person: { name: "intruder", kind: "nobody" } }, 0);
    const to = dialog.legs[operation.to];
    for (let i = 0; i < operation.packets; i++)
      this.office.after(5 + 20 * i, () => this.office.intrude(dialog, intruder, to));
  }

  private transfer(dialog: ScriptedDialog, operation: Extract<Operation, { kind: "transfer" }>): void {
    const { to, ...plan } = operation;
    const call = this.pbxCallOf(dialog);
    const isByAgent = isInside(dialog.legs[operation.by].phone);
    if (call && (call.phone !== dialog || !isByAgent || !this.office.reach.transfersBehindPbx)) return;
    const target = pick(this.targets(dialog, call !== undefined), to);
    if (!target) return;
    const onAnswered = (staying: ScriptedLeg, newcomer: ScriptedLeg) => bridge(this.office, call!, staying, newcomer);
    transferBlind(this.office, dialog, { ...plan, target, ...(call ? { onAnswered } : {}) });
  }

  private attended(dialog: ScriptedDialog, operation: Extract<Operation, { kind: "attended" }>): void {
    const target = pick(this.targets(dialog, false), operation.to);
    if (target && !this.pbxCallOf(dialog))
      transferAttended(this.office, dialog, operation.by, target, operation.isReferSeen);
  }

  private hangUp(dialog: ScriptedDialog, operation: Extract<Operation, { kind: "hangup" }>): void {
    const call = this.pbxCallOf(dialog);
    if (call?.phone && !this.idle().includes(call.phone)) return;
    if (call && !this.idle().includes(call.trunk)) return;
    if (call) hangUpHalf(this.office, call, isInside(dialog.legs[operation.by].phone));
    else hangUp(this.office, dialog, operation.by, operation.lingerMs, operation.say);
  }

  private targets(dialog: ScriptedDialog, isAgentOnly: boolean): Phone[] {
    return EVERYBODY.filter((one) => {
      const isThere = dialog.legs.some((leg) => leg.phone === one);
      return !isThere && this.isFree(one) && (isInside(one) || !isAgentOnly);
    });
  }

  private pbxCallOf(dialog: ScriptedDialog): PbxCall | undefined {
    return this.pbxCalls.find(({ conversation }) => conversation === dialog.conversation);
  }

  /** Agents take two calls at a time, everybody else one; nobody who is being transferred takes another. */
  private isFree(phone: Phone): boolean {
    const { nowUs } = this.office;
    const own = this.office.dialogs.filter(
      ({ state, legs }) => state !== "over" && legs.some((leg) => leg.phone === phone),
    );
    return own.length < (isInside(phone) ? 2 : 1) && own.every((one) => !one.isReserved && one.busyUntilUs <= nowUs);
  }

  private neighbour(address: string): string {
    return address.replace(/\d+$/, String(50 + ++this.strangers));
  }
}

function isInside({ person }: Phone): boolean {
  return person.kind === "agent";
}

function pick<T>(list: readonly T[], index: number): T | undefined {
  return list[index % Math.max(1, list.length)];
}
