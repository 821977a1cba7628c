// The clockwork of a scripted office: what is to happen when, who speaks at each moment, and the packets that come of
// it. Deterministic. What people do with their phones is in office-model-calls.ts and its neighbours.
import { type MessageParts, requestText, ScriptedDialog, type Side } from "./office-model-dialog.js";
import type { Conversation, Effect, Reach, SipStep, Step, Trace } from "./office-model-effects.js";
import { type Person, type Phone, type Place, ScriptedLeg, speechPayload } from "./office-model-leg.js";
import type { SipRequest } from "./sip-messages.js";

export const OFFICE_START_US = Date.UTC(2026, 10, 21, 9, 0, 0) * 1000;
/** Longest way of a SIP message to the mirror port, and a little more: whoever waits for it sees the order kept. */
export const SETTLED_MS = 150;
const RELAY_DELAY_MS = 20;
/** Relayed packets after which the halves must have been recognised by their payload, and the time that takes. */
const RECOGNISED_AFTER = 400;
const RECOGNISED_LATER_US = 500_000;
const SIP_PORT = 5060;

export type ConsentWord = "granted" | "refused" | "withdrawn";

/** RTP of `leg` to wherever `to` receives. */
interface Voice {
  dialog: ScriptedDialog;
  leg: ScriptedLeg;
  to: ScriptedLeg;
  isEarly: boolean;
}

export class Office implements Trace {
  readonly steps: Step[] = [];
  readonly conversations: Conversation[] = [];
  readonly dialogs: ScriptedDialog[] = [];
  nowUs = OFFICE_START_US;
  readonly reach: Reach;
  private agenda: { atUs: number; run: () => void }[] = [];
  private voices: Voice[] = [];
  private readonly relayed = new Map<ScriptedLeg, number>();
  private readonly requests = new Map<SipRequest, SipStep>();
  private speech = 0;
  private ports = 20_000;

  constructor(reach: Reach) {
    this.reach = reach;
  }

  after(ms: number, run: () => void): void {
    this.agenda.push({ atUs: this.nowUs + ms * 1000, run });
  }

  /** Lets time pass: everything that is due happens in its order. */
  pass(ms: number): void {
    const endUs = this.nowUs + ms * 1000;
    for (;;) {
      const due = this.agenda.reduce((first, one) => (one.atUs < first.atUs ? one : first), NEVER);
      const voice = this.voices.reduce((first, one) => (nextOf(one) < nextOf(first) ? one : first), NOBODY);
      const atUs = Math.min(due.atUs, nextOf(voice));
      if (atUs > endUs) break;
      this.nowUs = atUs;
      if (due.atUs > atUs) {
        this.speak(voice);
        continue;
      }
      this.agenda.splice(this.agenda.indexOf(due), 1);
      due.run();
    }
    this.nowUs = endUs;
  }

  newConversation(name: string): Conversation {
    const callIds = new Set<string>();
    const conversation = { name, callIds, outsideLeg: undefined, relays: undefined, joinedAtUs: 0 };
    this.conversations.push(conversation);
    return conversation;
  }

  newPort(): number {
    this.ports += 2;
    return this.ports;
  }

  newLeg(phone: Phone, channel: Side, person = phone.person, ptimeMs = 40): ScriptedLeg {
    return new ScriptedLeg(phone, channel, this.newPort(), ptimeMs, person);
  }

  newDialog(conversation: Conversation, originator: ScriptedLeg, answerer: ScriptedLeg): ScriptedDialog {
    const dialog = new ScriptedDialog(`dialog-${this.dialogs.length + 1}`, conversation, [originator, answerer]);
    conversation.callIds.add(dialog.callId);
    this.dialogs.push(dialog);
    this.listen({ dialog, leg: originator, to: answerer, isEarly: false });
    this.listen({ dialog, leg: answerer, to: originator, isEarly: false });
    return dialog;
  }

  /** A voice that is heard before the answer. */
  speakEarly(dialog: ScriptedDialog, leg: ScriptedLeg): void {
    leg.nextPacketUs = this.nowUs + 5000;
    this.listen({ dialog, leg, to: dialog.legs[0], isEarly: true });
  }

  /** Both sides' media begins. */
  startVoices(dialog: ScriptedDialog): void {
    this.voices = this.voices.filter((voice) => !(voice.isEarly && voice.dialog === dialog));
    for (const [i, leg] of dialog.legs.entries()) leg.nextPacketUs = this.nowUs + 10_000 + i * 7000;
  }

  request(dialog: ScriptedDialog, by: Side, request: SipRequest, effects: readonly Effect[] = []): SipRequest {
    const { method } = request;
    this.requests.set(request, this.send(dialog, by, method, requestText(request), effects, undefined));
    return request;
  }

  respond(
    dialog: ScriptedDialog,
    to: SipRequest,
    status: number,
    parts: MessageParts = {},
    effects: readonly Effect[] = [],
    tag = dialog.answererTag,
  ): void {
    const text = dialog.response(to, status, parts, tag);
    this.send(dialog, dialog.responderTo(to), `${status} ${to.method}`, text, effects, this.requests.get(to));
  }

  /** RTP from `source` to where `to` receives, of a person who is on no leg. */
  intrude(dialog: ScriptedDialog, intruder: ScriptedLeg, to: ScriptedLeg): void {
    this.emit({ dialog, leg: intruder, to, isEarly: false }, intruder.person, ++this.speech, 0, false);
  }

  private send(
    dialog: ScriptedDialog,
    by: Side,
    label: string,
    text: string,
    effects: readonly Effect[],
    answers: SipStep | undefined,
  ): SipStep {
    const step: SipStep = {
      kind: "sip",
      atUs: this.nowUs,
      source: `${dialog.legs[by].phone.address}:${SIP_PORT}`,
      destination: `${dialog.legs[1 - by]!.phone.address}:${SIP_PORT}`,
      payload: Buffer.from(text),
      label,
      dialog,
      effects,
      answers,
    };
    this.steps.push(step);
    return step;
  }

  private listen(voice: Voice): void {
    this.voices.push(voice);
  }

  private speak(voice: Voice): void {
    const { dialog, leg } = voice;
    leg.nextPacketUs = this.nowUs + leg.now.ptimeMs * 1000;
    if (dialog.state === "over") {
      leg.nextPacketUs = Number.POSITIVE_INFINITY;
      return;
    }
    if (leg.passesOn) return;
    const isHeard = this.canSpeak(voice);
    const speech = isHeard ? ++this.speech : undefined;
    this.emit(voice, leg.person, speech, 0, false);
    for (const relay of this.voices) if (relay.leg.passesOn === leg) this.passOn(relay, leg, speech);
  }

  private passOn(relay: Voice, from: ScriptedLeg, speech: number | undefined): void {
    const { person } = from;
    const { ptimeMs } = from.now;
    this.after(RELAY_DELAY_MS, () => {
      if (relay.leg.passesOn !== from || !this.canSpeak(relay)) return;
      const { conversation } = relay.dialog;
      this.emit(relay, person, speech, conversation.relays === "bytes" ? 0 : 1, true, ptimeMs);
      if (speech === undefined || conversation.joinedAtUs < Number.POSITIVE_INFINITY) return;
      const count = (this.relayed.get(relay.leg) ?? 0) + 1;
      this.relayed.set(relay.leg, count);
      if (count >= RECOGNISED_AFTER) conversation.joinedAtUs = this.nowUs + RECOGNISED_LATER_US;
    });
  }

  private canSpeak({ dialog, leg, to, isEarly }: Voice): boolean {
    if (isEarly) return true;
    if (dialog.state !== "talking" || leg.isParked || this.nowUs < leg.silentUntilUs) return false;
    return to.now.holds === undefined && (leg.now.holds === undefined || leg.now.holds === "sendonly");
  }

  private emit(
    { dialog, leg, to }: Voice,
    person: Person,
    speech: number | undefined,
    variant: number,
    isRelay: boolean,
    ptimeMs = leg.now.ptimeMs,
  ): void {
    const payload = leg.rtp(speech === undefined ? undefined : speechPayload(speech, variant), ptimeMs);
    if (payload === undefined || speech === undefined) return;
    const [source, destination] = [textOf(leg.now.media), textOf(to.now.media)];
    const { nowUs: atUs } = this;
    this.steps.push({ kind: "rtp", atUs, source, destination, payload, dialog, leg, person, speech, isRelay });
  }
}

const NEVER = { atUs: Number.POSITIVE_INFINITY, run: () => {} };
const NOBODY = { leg: { nextPacketUs: Number.POSITIVE_INFINITY } } as Voice;

function nextOf(voice: Voice): number {
  return voice.leg.nextPacketUs;
}

function textOf({ address, port }: Place): string {
  return `${address}:${port}`;
}
