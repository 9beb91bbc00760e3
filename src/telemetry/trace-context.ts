import { randomFillSync } from 'node:crypto';

/*
 * W3C trace context in its text form ("00-<32 hex>-<16 hex>-<2 hex>"), without an SDK: every admitted message
 * has a trace id, whether or not spans are exported. Random bytes are drawn in blocks.
 */

/** The parts of a traceparent. */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const traceParentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

// All zero means "no id" in the format.
const noTraceId = '0'.repeat(32);
const noSpanId = '0'.repeat(16);

/** The traceparent of a new trace. */
export function newTraceParent(): string {
  return `00-${randomTraceId()}-${randomSpanId()}-01`;
}

/** A traceparent in the same trace, with a span id of its own. Begins a new trace when the given one is not valid. */
export function childTraceParent(traceParent: string): string {
  const parent = parseTraceParent(traceParent);
  if (parent === undefined) return newTraceParent();
  return formatTraceParent({ ...parent, spanId: randomSpanId() });
}

/** The parts of a traceparent from anywhere, or undefined when it is not valid. A later version is read as this one. */
export function parseTraceParent(traceParent: string): TraceContext | undefined {
  const match = traceParentPattern.exec(traceParent);
  if (match === null) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', rest] = match;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (traceId === noTraceId || spanId === noSpanId) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The trace id of a traceparent, or undefined when it is not valid. */
export function traceIdOf(traceParent: string): string | undefined {
  return parseTraceParent(traceParent)?.traceId;
}

export function formatTraceParent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.sampled ? '01' : '00'}`;
}

/** 32 hex digits. */
export function randomTraceId(): string {
  return randomHex(16);
}

/** 16 hex digits. */
export function randomSpanId(): string {
  return randomHex(8);
}

const pool = Buffer.alloc(4096);
let poolOffset = pool.length;

function randomHex(bytes: number): string {
  if (poolOffset + bytes > pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const hex = pool.toString('hex', poolOffset, (poolOffset += bytes));
  return hex === noTraceId || hex === noSpanId ? randomHex(bytes) : hex;
}
