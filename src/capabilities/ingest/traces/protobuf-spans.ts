import { invalidRequest } from '../../../http/request-faults.ts';
import {
  type Attributes,
  type AttributeValue,
  isReadAttribute,
  maxAttributes,
  maxSpans,
  maxTextLength,
  type ReceivedSpan,
} from './received-span.ts';

/*
 * The binary form of OTLP's ExportTraceServiceRequest (opentelemetry-proto 1, protocol buffers 3). Only the messages on the way to spans and the fields that are read of them
 * are decoded; every other field is passed over by its length. Nesting is that of these messages: nothing recursive is followed.
 */

/** The spans of a request. Throws MILLRACE_REQUEST_INVALID for bytes that are none, or too many spans. */
export function spansOfProtobuf(bytes: Uint8Array): readonly ReceivedSpan[] {
  const spans: ReceivedSpan[] = [];
  for (const resourceSpans of messagesIn(bytes, 1)) {
    const resource = attributesIn(joined(messagesIn(resourceSpans, 1)), 1);
    for (const scopeSpans of messagesIn(resourceSpans, 2)) {
      const scope = textIn(joined(messagesIn(scopeSpans, 1)), 1);
      for (const span of messagesIn(scopeSpans, 2)) {
        if (spans.length === maxSpans) throw invalidBytes(`has more than ${maxSpans} spans`);
        spans.push(spanOf(span, resource, scope));
      }
    }
  }
  return spans;
}

function spanOf(bytes: Uint8Array, resource: Attributes, scope: string): ReceivedSpan {
  const fields = {
    traceId: '',
    spanId: '',
    parentSpanId: '',
    traceState: '',
    name: '',
    startMs: 0,
    endMs: 0,
  };
  let isError = false;
  for (const { field, value } of fieldsOf(bytes)) {
    if (value instanceof Uint8Array) {
      if (field === 1) fields.traceId = hex(value);
      else if (field === 2) fields.spanId = hex(value);
      else if (field === 3) fields.traceState = text(value);
      else if (field === 4) fields.parentSpanId = hex(value);
      else if (field === 5) fields.name = text(value);
      else if (field === 15)
        isError = fieldsOf(value).some(({ field: of, value: code }) => of === 3 && code === 2n);
    } else if (field === 7) fields.startMs = Number(value / 1_000_000n);
    else if (field === 8) fields.endMs = Number(value / 1_000_000n);
  }
  return { ...fields, isError, attributes: attributesIn(bytes, 9), resource, scope };
}

function attributesIn(bytes: Uint8Array, field: number): Attributes {
  const read = new Map<string, AttributeValue>();
  for (const entry of messagesIn(bytes, field)) {
    const key = textIn(entry, 1);
    if (!isReadAttribute(key)) continue;
    const value = valueOf(joined(messagesIn(entry, 2)));
    if (value !== undefined) read.set(key, value);
    if (read.size === maxAttributes) break;
  }
  return read;
}

/** Of AnyValue: a text, a flag, a whole number or a double. */
function valueOf(bytes: Uint8Array): AttributeValue | undefined {
  for (const { field, value } of fieldsOf(bytes)) {
    if (field === 1 && value instanceof Uint8Array)
      return value.length > maxTextLength ? undefined : text(value);
    if (value instanceof Uint8Array) continue;
    if (field === 2) return value !== 0n;
    if (field === 3) return Number(BigInt.asIntN(64, value));
    if (field === 4) return doubleOf(value);
  }
  return undefined;
}

/** An ExportTraceServiceResponse: empty where everything was taken. */
export function protobufReceipt(rejected: number, reason: string): Buffer {
  if (rejected === 0) return Buffer.alloc(0);
  const message = Buffer.from(reason.slice(0, 1_000));
  const partial = Buffer.concat([
    Buffer.from([0x08]),
    varintOf(rejected),
    Buffer.from([0x12]),
    varintOf(message.length),
    message,
  ]);
  return Buffer.concat([Buffer.from([0x0a]), varintOf(partial.length), partial]);
}

function varintOf(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Buffer.from([...bytes, left]);
}

interface Field {
  readonly field: number;
  /** Bytes of a field with a length; the bits of any other. */
  readonly value: Uint8Array | bigint;
}

/** The fields of a message, in their order. */
function fieldsOf(bytes: Uint8Array): readonly Field[] {
  const reader = new WireReader(bytes);
  const fields: Field[] = [];
  while (!reader.isAtEnd) fields.push(reader.next());
  return fields;
}

function messagesIn(bytes: Uint8Array, field: number): readonly Uint8Array[] {
  return fieldsOf(bytes).flatMap((one) =>
    one.field === field && one.value instanceof Uint8Array ? [one.value] : [],
  );
}

/** A message that came in parts is one with the fields of all. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] ?? new Uint8Array()) : Buffer.concat(parts);
}

function textIn(bytes: Uint8Array, field: number): string {
  const value = messagesIn(bytes, field).at(-1);
  return value === undefined || value.length > maxTextLength ? '' : text(value);
}

const decoder = new TextDecoder();

function text(bytes: Uint8Array): string {
  return bytes.length > maxTextLength ? '' : decoder.decode(bytes);
}

function hex(bytes: Uint8Array): string {
  return bytes.length > 16 ? '' : Buffer.from(bytes).toString('hex');
}

function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

/** Reads the wire format of protocol buffers. Every step is within the bytes, or the request is refused. */
class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #place = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#place >= this.#bytes.length;
  }

  next(): Field {
    const tag = this.#varint();
    const field = Number(tag >> 3n);
    switch (Number(tag & 7n)) {
      case 0:
        return { field, value: this.#varint() };
      case 1:
        return { field, value: this.#view.getBigUint64(this.#take(8), true) };
      case 2: {
        const length = this.#varint();
        if (length > BigInt(this.#bytes.length)) throw cutOff();
        const start = this.#take(Number(length));
        return { field, value: this.#bytes.subarray(start, start + Number(length)) };
      }
      case 5:
        return { field, value: BigInt(this.#view.getUint32(this.#take(4), true)) };
      default:
        throw invalidBytes('must be an ExportTraceServiceRequest of OTLP in protocol buffers');
    }
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#take(1)] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw invalidBytes('must be an ExportTraceServiceRequest of OTLP in protocol buffers');
  }

  /** Where so many bytes begin, which are passed. */
  #take(count: number): number {
    const start = this.#place;
    if (start + count > this.#bytes.length) throw cutOff();
    this.#place = start + count;
    return start;
  }
}

function cutOff() {
  return invalidBytes('ends before a field of it does');
}

function invalidBytes(problem: string) {
  return invalidRequest([{ field: 'body', problem }]);
}
