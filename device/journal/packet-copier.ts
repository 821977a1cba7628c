// Copies packets between buffers without allocating. Buffer.copy and TypedArray.set make a temporary view per call when
// only a part of the source is copied, which costs more than the copy of a 172-byte packet and feeds the collector.

export class PacketCopier {
  #source: Buffer | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /**
   * Copies source[start..end) to `target` from `at` on; both ranges must lie within their buffers. The view of the
   * source is kept for the next call, because capture hands over one buffer again and again.
   */
  copy(source: Buffer, start: number, end: number, target: DataView, at: number): void {
    if (source !== this.#source) {
      this.#source = source;
      this.#view = new DataView(source.buffer, source.byteOffset, source.length);
    }
    const view = this.#view;
    let from = start;
    let to = at;
    // Integers, not floats: a float copy may alter the bits of a NaN.
    for (; from + 16 <= end; from += 16, to += 16) {
      target.setInt32(to, view.getInt32(from, true), true);
      target.setInt32(to + 4, view.getInt32(from + 4, true), true);
      target.setInt32(to + 8, view.getInt32(from + 8, true), true);
      target.setInt32(to + 12, view.getInt32(from + 12, true), true);
    }
    for (; from + 4 <= end; from += 4, to += 4) target.setInt32(to, view.getInt32(from, true), true);
    for (; from < end; from++, to++) target.setUint8(to, view.getUint8(from));
  }
}
