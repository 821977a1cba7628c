// The 16-bit linear value of every A-law and µ-law code (ITU-T G.711 §4, tables 1a/b and 2a/b; RFC 3551 §4.5.14): one
// byte is one sample at 8 kHz. Table 1's 13-bit and table 2's 14-bit values are scaled to 16 bits, as ITU-T G.191 does
// it. Read-only.

const CODES = 256;
const SIGN_BIT = 0x80;
const SEGMENT_MASK = 0x70;
const SEGMENT_SHIFT = 4;
const STEP_MASK = 0x0f;

/** Even bits are inverted on the line (G.711 §4, table 1 note 2). */
const ALAW_LINE_MASK = 0x55;

/** The 16-bit value of an A-law code as it stands on the line; a set sign bit is positive. */
function alawSample(code: number): number {
  const plain = code ^ ALAW_LINE_MASK;
  const segment = (plain & SEGMENT_MASK) >> SEGMENT_SHIFT;
  // The middle of step `plain & 15`: the steps of segments 0 and 1 are 16 wide, of each further one twice as wide.
  const inSegment = ((plain & STEP_MASK) << 4) + 8;
  const magnitude = segment === 0 ? inSegment : (inSegment + 0x100) << (segment - 1);
  return (plain & SIGN_BIT) !== 0 ? magnitude : -magnitude;
}

/** 33 of table 2, scaled by four: what moves every segment's start to a power of two. */
const MULAW_BIAS = 33 << 2;

/** The 16-bit value of a µ-law code as it stands on the line: all bits are inverted, a set sign bit is positive. */
function mulawSample(code: number): number {
  const plain = ~code & 0xff;
  const segment = (plain & SEGMENT_MASK) >> SEGMENT_SHIFT;
  const magnitude = ((((plain & STEP_MASK) << 3) + MULAW_BIAS) << segment) - MULAW_BIAS;
  return (plain & SIGN_BIT) === 0 ? magnitude : -magnitude;
}

function samplesOf(sampleOf: (code: number) => number): Int16Array {
  return Int16Array.from({ length: CODES }, (_, code) => sampleOf(code));
}

/** 16-bit samples by A-law code. */
export const ALAW_SAMPLES: Int16Array = samplesOf(alawSample);
/** 16-bit samples by µ-law code. */
export const MULAW_SAMPLES: Int16Array = samplesOf(mulawSample);
