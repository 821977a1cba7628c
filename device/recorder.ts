// The engine's pipeline as one object: frames in, journal and call events out. No process, no IPC, no timers: engine.ts
// drives it from live or file sources, tests drive it directly. Time is packet time, but for the journal's flushing.
import { type Clock, systemClock } from "./base/clock.js";
import type { CallId, TimeUs } from "./base/ids.js";
import type { Call } from "./call/call.js";
import { CallTable } from "./call/call-table.js";
import { describeCall } from "./call/describe.js";
import type { MovedStream } from "./call/halves.js";
import type { Frame } from "./capture/frame.js";
import { AgentsRegister } from "./consent/agents-register.js";
import { ConsentGuard } from "./consent/guard.js";
import type { Registers } from "./consent/on-file.js";
import { ConsentRegister } from "./consent/register.js";
import type { CallRecord } from "./contract/call-record.js";
import type { CallCommand, CommandResult } from "./contract/commands.js";
import type { Config } from "./contract/config.js";
import { copyWindowMs } from "./contract/copy-window.js";
import type {
  AuditedEvent,
  CallProgress,
  CarriedCall,
  CarriedPause,
  CarriedState,
  EncapsulationStatus,
  JournalPosition,
  TlsEndpointStatus,
} from "./contract/engine-messages.js";
import type { SpanFigures } from "./contract/span.js";
import type { FileOperations } from "./journal/file-operations.js";
import { moveRecords } from "./journal/move.js";
import { type CallJournal, JOURNAL_BLOCK_BYTES, JournalWriter } from "./journal/writer.js";
import type { Datagram } from "./net/datagram.js";
import { NetDecoder } from "./net/decoder.js";
import { classifyMedia, MediaKind } from "./rtp/packet.js";
import { SignallingPath } from "./signalling.js";
import type { SipArrival } from "./sip/arrival.js";
import type { SipMessage } from "./sip/message.js";
import { SipPeers } from "./sip/peers.js";

/** Sweeps run when packet time has moved on by this much. */
const TICK_US = 20_000;
/** A step back in packet time of more than this is a new clock, not disorder. */
const CLOCK_STEP_US = 2_000_000;
/** Steps of the clock that are remembered for calls in progress, the newest. */
const MAX_CLOCK_STEPS = 64;
/** Calls that have ended while the disk refused their last blocks; a further one ends with what is in the files. */
const MAX_UNWRITTEN = 1024;
/** Of what the doctor is told. */
const MAX_SIP_PEERS = 128;
const MAX_VLANS = 64;

const TRANSPORT_FIGURES = { UDP: "udp", TCP: "tcp", WS: "ws" } as const;

export interface RecorderEvents {
  ended(record: CallRecord, journal: JournalPosition | undefined): void;
  journalFault(error: Error): void;
  /** Something that belongs into the audit chain. */
  audited(event: AuditedEvent): void;
  /** For whoever follows calls as they go on. */
  progressed?(progress: CallProgress): void;
  /** Something that an installer should know: one line. */
  notice(message: string): void;
  /** What the engine after this one has to know of the call: undefined = nothing. */
  carried(call: CallId, state: CarriedCall | undefined): void;
  pausedAll(pause: CarriedPause | undefined): void;
}

export interface RecorderFolders {
  journal: string;
  /** Of the registers; "" = there are none. */
  registers: string;
}

export interface RecorderEdges {
  /** What the engine before this one left. */
  before?: CarriedState;
  /** Seals the journal; of this run only. */
  journalKey?: Uint8Array;
  /** How the journal's files are made; default nodeFileOperations. */
  files?: FileOperations;
  clock?: Clock;
  /** It follows the self-test's call, and writes it to the journal of this one. */
  besides?: Recorder;
}

export class Recorder {
  readonly table: CallTable;
  readonly journal: JournalWriter;
  private readonly net: NetDecoder;
  private readonly signalling: SignallingPath;
  private readonly guard: ConsentGuard;
  private readonly events: RecorderEvents;
  private readonly folders: RecorderFolders;
  private readonly config: Config;
  private registers: Registers;
  private readonly clock: Clock;
  private readonly journalKey: Uint8Array | undefined;
  private readonly journals = new Map<CallId, CallJournal>();
  private readonly isSelfTest: boolean;
  private nowUs: TimeUs = 0;
  private tickedAtUs: TimeUs = 0;
  /** In the engine's time, which has none of them. */
  private clockSteps: { atUs: TimeUs; offsetUs: number }[] = [];
  /** Ended, and some of what was admitted is in memory only. */
  private readonly unwritten: { record: CallRecord; journal: CallJournal }[] = [];
  private readonly peers = new SipPeers(MAX_SIP_PEERS);
  private readonly sipMessages = { udp: 0, tcp: 0, ws: 0 };
  private otherDatagrams = 0;
  private dtlsDatagrams = 0;

  constructor(config: Config, folders: RecorderFolders, events: RecorderEvents, edges: RecorderEdges = {}) {
    this.config = config;
    this.events = events;
    this.folders = folders;
    this.clock = edges.clock ?? systemClock;
    this.journalKey = edges.journalKey;
    this.registers = this.readRegisters();
    this.isSelfTest = edges.besides !== undefined;
    this.journal = edges.besides?.journal ?? this.makeJournal(edges.files);
    this.guard = new ConsentGuard(config, {
      sinkFor: (call) => this.journalOf(call),
      audit: (event) => events.audited(event),
      erased: (call, atUs) => this.keepErasure(call, atUs),
      decided: (call, atUs) => this.snapshot(call, atUs),
      registers: () => this.registers,
      before: edges.before ?? { calls: [] },
      carried: (call, state) => events.carried(call, state),
      pausedAll: (pause) => events.pausedAll(pause),
    });
    this.table = new CallTable(config, this.guard, {
      started: (call, atUs) => events.progressed?.({ kind: "started", call: call.id, atUs }),
      answered: (call) => {
        events.progressed?.({ kind: "answered", call: call.id, atUs: call.answeredAtUs ?? this.nowUs });
        this.snapshot(call, this.nowUs);
      },
      changed: (call, nowUs) => this.snapshot(call, nowUs),
      absorbed: (call, other, moved) => {
        events.progressed?.({ kind: "joined", call: other.id, into: call.id, atUs: this.nowUs });
        this.moveJournal(call, other, moved);
      },
      separated: (call, former, moved) => this.splitJournal(call, former, moved),
      ended: (call, record) => this.finish(call, record),
    });
    this.signalling = new SignallingPath(config, (message, arrival) => this.handleMessage(message, arrival));
    const net = { ...config.net, copyWindowMs: copyWindowMs(config) };
    this.net = new NetDecoder(net, (datagram) => this.handleDatagram(datagram), this.signalling.segmentSink());
  }

  /**
   * A recorder for the self-test's call: with decoder, calls, gate and counters of its own, so that nothing of it meets anything real;
   * with the journal of this one, which is what real calls are written to. All its records say that they are the self-test's.
   */
  forSelfTest(config: Config, ended: RecorderEvents["ended"]): Recorder {
    const nothing = (): void => {};
    const events: RecorderEvents = {
      ended,
      journalFault: nothing,
      audited: nothing,
      notice: nothing,
      carried: nothing,
      pausedAll: nothing,
    };
    const { clock, journalKey, folders } = this;
    const edges = { besides: this, clock, ...(journalKey && { journalKey }) };
    return new Recorder(config, { journal: folders.journal, registers: "" }, events, edges);
  }

  /** Newest packet time seen, µs; 0 before the first packet. */
  get packetTimeUs(): TimeUs {
    return this.nowUs;
  }

  handleFrame(frame: Frame): void {
    const atUs = frame.capturedAtUs;
    if (atUs > this.nowUs || this.nowUs - atUs > CLOCK_STEP_US) this.nowUs = atUs;
    if (this.nowUs - this.tickedAtUs >= TICK_US || this.tickedAtUs > this.nowUs) this.tick(this.nowUs);
    this.net.decode(frame);
  }

  /** Lets time pass without packets (live capture only). `nowUs` must not run ahead of packets still to come. */
  idle(nowUs: TimeUs): void {
    if (nowUs <= this.nowUs) {
      this.tickJournal();
      return;
    }
    this.nowUs = nowUs;
    this.tick(nowUs);
  }

  /** Carries out a command about calls in progress, in force with the next packet. */
  command(command: CallCommand): CommandResult {
    return this.guard.command(command, this.nowUs);
  }

  /** The clock that stamps packets was set; the times that are handed in have nothing of it. */
  noteClockStep(offsetUs: number): void {
    this.clockSteps = [...this.clockSteps, { atUs: this.nowUs, offsetUs }].slice(-MAX_CLOCK_STEPS);
  }

  /** Times jump with the next one that is handed in: nothing is in progress that has any of before. */
  beginNewTime(): void {
    this.clockSteps = [];
    this.nowUs = 0;
    this.tickedAtUs = 0;
  }

  /** Whether there is room for recordings that have not begun. In force with the next packet. */
  setRoom(takesNewCalls: boolean): void {
    this.guard.setRoom(takesNewCalls, this.nowUs);
  }

  /** The registers have changed. */
  reloadRegisters(): void {
    this.registers = this.readRegisters();
    this.guard.registersChanged(this.nowUs);
  }

  /** Closes every call with what it has and puts everything admitted into files. */
  closeAll(): void {
    this.signalling.finish();
    this.table.closeAll(this.nowUs);
    this.journal.flush();
    this.endWritten(0);
  }

  exportCounters(): Record<string, number> {
    return {
      ...this.net.counters.toRecord(),
      ...this.signalling.exportCounters(),
      ...this.table.exportCounters(),
      ...this.journal.counters,
      ...this.guard.exportCounters(),
      "media.other": this.otherDatagrams,
      "media.dtls": this.dtlsDatagrams,
      "span.sip-peers-evicted": this.peers.evicted,
      "span.gaps-overlooked": this.table.gaps.overlooked,
    };
  }

  /** Servers to which TLS was seen, at most 256. */
  tlsEndpoints(): TlsEndpointStatus[] {
    return this.signalling.tlsEndpoints();
  }

  /** What the datagrams and segments came wrapped in. */
  encapsulations(): EncapsulationStatus[] {
    return this.net.encapsulations();
  }

  /** What the mirror port shows, for the doctor. */
  spanFigures(): SpanFigures {
    return {
      atUs: this.nowUs,
      peers: this.peers.figures(),
      sip: { ...this.sipMessages },
      vlans: this.net.vlans(MAX_VLANS),
      gaps: { ...this.table.gaps.figures },
    };
  }

  private handleMessage(message: SipMessage, arrival: SipArrival): void {
    this.peers.note(message, arrival);
    this.sipMessages[TRANSPORT_FIGURES[arrival.transport]]++;
    this.table.handleMessage(message, arrival);
  }

  private handleDatagram(datagram: Datagram): void {
    switch (classifyMedia(datagram.data, datagram.start, datagram.end)) {
      case MediaKind.rtp:
        this.table.media.handle(datagram);
        return;
      case MediaKind.rtcp:
        this.table.handleRtcp(datagram);
        return;
      case MediaKind.dtls:
        this.dtlsDatagrams++;
        this.signalling.noteDtls(datagram);
        return;
      default:
        if (!this.signalling.handleDatagram(datagram)) this.otherDatagrams++;
    }
  }

  private tick(nowUs: TimeUs): void {
    this.tickedAtUs = nowUs;
    this.signalling.advance(nowUs);
    this.table.tick(nowUs);
    this.tickJournal();
  }

  /**
   * How long admitted audio may stay in memory is a promise about a killed process, so the wall clock counts it: a replay runs
   * through hours of packet time in seconds, and when no packet comes packet time stands still.
   */
  private tickJournal(): void {
    this.journal.tick(this.clock.monotonicMs() * 1000);
    this.endWritten(MAX_UNWRITTEN);
  }

  /** Reports the calls whose last blocks have come into a file, and the oldest beyond so many as they are. */
  private endWritten(most: number): void {
    while (this.unwritten.length > 0) {
      const { record, journal } = this.unwritten[0]!;
      if (journal.isWaiting && this.unwritten.length <= most) return;
      this.unwritten.shift();
      this.events.ended(record, journal.lastPosition);
    }
  }

  private makeJournal(files: FileOperations | undefined): JournalWriter {
    const { journal } = this.config;
    return new JournalWriter(
      {
        folder: this.folders.journal,
        segmentBytes: journal.segmentMegabytes * 1024 * 1024,
        maxBlocks: Math.floor((journal.memoryMegabytes * 1024 * 1024) / JOURNAL_BLOCK_BYTES),
        flushMs: journal.flushMs,
        syncMs: journal.syncMs,
        key: this.journalKey,
      },
      { onFault: (error) => this.events.journalFault(error) },
      { ...(files && { files }) },
    );
  }

  private readRegisters(): Registers {
    const { numbers, consent, agents } = this.config;
    const folder = this.folders.registers;
    const isNeeded = folder !== "" && consent.register.enabled;
    const found = {
      consent: isNeeded
        ? ConsentRegister.read(folder, numbers, { maxEntries: consent.register.maxEntries })
        : ConsentRegister.empty(),
      agents:
        folder !== "" && agents.register === "required"
          ? AgentsRegister.read(folder, numbers, { maxEntries: consent.register.maxEntries })
          : AgentsRegister.empty(),
    };
    for (const { fault, badLines } of [found.consent, found.agents]) {
      if (fault !== "") this.events.notice(fault);
      else if (badLines > 0)
        this.events.notice(`a register holds ${badLines} lines that cannot be read: they count for nothing`);
    }
    return found;
  }

  /** Killed from now on, the box must not bring back what was erased. */
  private keepErasure(call: Call, atUs: TimeUs): void {
    this.snapshot(call, atUs);
    void this.journal.sync();
  }

  private journalOf(call: Call): CallJournal {
    const journal = this.journal.begin(call.id);
    this.journals.set(call.id, journal);
    return journal;
  }

  /** What a recovery would need to know; calls that were never answered leave nothing to recover. */
  private snapshot(call: Call, nowUs: TimeUs): void {
    if (call.answeredAtUs === undefined && !call.streams.some((stream) => stream.recorded > 0)) return;
    this.journals.get(call.id)?.snapshot(this.complete(describeCall(call, this.guard.report(call, nowUs))));
  }

  /** What a half admitted before it was recognised follows it into the journal of its call. */
  private moveJournal(call: Call, other: Call, moved: readonly MovedStream[]): void {
    const source = this.journals.get(other.id);
    const target = this.journals.get(call.id);
    this.journals.delete(other.id);
    if (source === undefined || target === undefined) return;
    this.moveAudio(source, other.id, target, moved);
    this.journal.flush();
    source.end({ ...describeCall(call, this.guard.report(call, this.nowUs)), id: other.id, absorbedBy: call.id });
    this.journal.release(other.id);
  }

  /** `id` is the call of `source`. */
  private moveAudio(source: CallJournal, id: CallId, target: CallJournal, moved: readonly MovedStream[]): void {
    this.journal.flush();
    if (source.lastPosition === undefined || moved.length === 0) return;
    moveRecords(this.folders.journal, { id, position: source.lastPosition }, target, moved, this.journalKey);
  }

  /** What a half admitted goes with it; the former call's record says that there it is erased. */
  private splitJournal(call: Call, former: Call, moved: readonly MovedStream[]): void {
    const source = this.journals.get(former.id);
    const target = this.journals.get(call.id);
    if (source !== undefined && target !== undefined) this.moveAudio(source, former.id, target, moved);
    for (const one of [former, call]) this.keepErasure(one, this.nowUs);
  }

  /** With what only the recorder knows. */
  private complete(record: CallRecord): CallRecord {
    const clockSteps = this.clockSteps.filter(({ atUs }) => atUs >= record.startedAtUs && atUs <= record.endedAtUs);
    return {
      ...record,
      ...(clockSteps.length > 0 && { clockSteps }),
      ...(this.isSelfTest && { isSelfTest: true as const }),
    };
  }

  private finish(call: Call, plain: CallRecord): void {
    const record = this.complete(plain);
    const journal = this.journals.get(call.id);
    this.journals.delete(call.id);
    const isWritten = journal?.lastPosition !== undefined || record.noAudio === undefined;
    const position = isWritten ? journal?.end(record) : undefined;
    // What the disk refuses is in memory, and may come into the file yet.
    if (isWritten && position === undefined && journal?.isWaiting) {
      this.unwritten.push({ record, journal });
      return;
    }
    if (!isWritten) this.journal.release(call.id);
    this.events.ended(record, position ?? journal?.lastPosition);
  }
}
