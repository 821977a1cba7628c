// The packets that decide when a segment's RTP clock stands on the call's timeline. A bounded sample, chosen by RTP time
// so that the order of arrival does not matter, and an estimate that the order does not move.
//
// The estimate is a median of arrival time minus RTP time, so that late packets and bursts do not count. It is taken
// twice: of the packets as they came, which a late packet disturbs least, and with RTP times and arrival times sorted
// each for itself and paired by rank, which stays the same when packets change places among the same arrival times.
// The one that more packets agree with is believed.

/** 10 s of packets of 20 ms. */
const MAX_PACKETS = 512;
/** Most samples are begun for a stray packet and never grow. */
const FIRST_CAPACITY = 8;
const WINDOW_US = 10_000_000;
/** Half the grid that anchors stand on. */
const AGREEMENT_US = 2500;

export class AnchorSample {
  // Both sorted by RTP time; the rest of the arrays is unused.
  #rtpUs = new Float64Array(FIRST_CAPACITY);
  #arrivalUs = new Float64Array(FIRST_CAPACITY);
  #count = 0;

  /** RTP time of the earliest packet; only when `add` was called. */
  get firstRtpUs(): number {
    return this.#rtpUs[0]!;
  }

  /** True while a packet at `rtpUs` could still belong to the sample. */
  isOpenAt(rtpUs: number): boolean {
    if (this.#count === 0) return true;
    if (rtpUs - this.#rtpUs[0]! > WINDOW_US) return false;
    return this.#count < MAX_PACKETS || rtpUs < this.#rtpUs[MAX_PACKETS - 1]!;
  }

  /** Takes a packet in; when the sample is full the latest RTP time gives way. Of copies the earlier arrival counts. */
  add(rtpUs: number, arrivalUs: number): void {
    if (!this.isOpenAt(rtpUs)) return;
    let at = this.#count;
    while (at > 0 && this.#rtpUs[at - 1]! > rtpUs) at--;
    if (at > 0 && this.#rtpUs[at - 1] === rtpUs) {
      this.#arrivalUs[at - 1] = Math.min(this.#arrivalUs[at - 1]!, arrivalUs);
      return;
    }
    if (this.#count === this.#rtpUs.length && this.#count < MAX_PACKETS) this.#grow();
    if (this.#count < MAX_PACKETS) this.#count++;
    this.#rtpUs.copyWithin(at + 1, at, this.#count - 1);
    this.#arrivalUs.copyWithin(at + 1, at, this.#count - 1);
    this.#rtpUs[at] = rtpUs;
    this.#arrivalUs[at] = arrivalUs;
  }

  /** Arrival time minus RTP time, in µs, at which the segment's clock is held to stand. */
  delayUs(): number {
    const rtpUs = this.#rtpUs.subarray(0, this.#countInWindow());
    const arrivalUs = this.#arrivalUs.slice(0, rtpUs.length);
    const asCame = arrivalUs.map((atUs, index) => atUs - rtpUs[index]!).sort();
    // Packets that came in their order have the rank that they have.
    if (arrivalUs.every((atUs, index) => index === 0 || arrivalUs[index - 1]! <= atUs)) return medianOf(asCame);
    const byRank = arrivalUs
      .sort()
      .map((atUs, rank) => atUs - rtpUs[rank]!)
      .sort();
    return agreementOf(asCame) > agreementOf(byRank) ? medianOf(asCame) : medianOf(byRank);
  }

  #grow(): void {
    const rtpUs = new Float64Array(Math.min(MAX_PACKETS, this.#count * 4));
    const arrivalUs = new Float64Array(rtpUs.length);
    rtpUs.set(this.#rtpUs);
    arrivalUs.set(this.#arrivalUs);
    this.#rtpUs = rtpUs;
    this.#arrivalUs = arrivalUs;
  }

  #countInWindow(): number {
    const endUs = this.#rtpUs[0]! + WINDOW_US;
    let count = this.#count;
    while (count > 1 && this.#rtpUs[count - 1]! > endUs) count--;
    return count;
  }
}

function medianOf(sorted: Float64Array): number {
  return sorted[(sorted.length - 1) >> 1]!;
}

/** How many values lie next to the median. */
function agreementOf(sorted: Float64Array): number {
  const median = medianOf(sorted);
  let count = 0;
  for (const value of sorted) if (Math.abs(value - median) <= AGREEMENT_US) count++;
  return count;
}
