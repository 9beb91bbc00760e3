import { isUtf8 } from 'node:buffer';
import type { ParquetParsers, SchemaElement } from 'hyparquet';
import { inexactProblem } from './inexact-number.ts';

/*
 * Values of Parquet as JSON carries them, exactly: whole numbers that a double cannot hold and decimals are texts, times and dates are
 * texts by ISO 8601 with the digits that they have. What is null is left out.
 */

/** How the values of a top-level column are read. */
export interface ColumnReading {
  readonly name: string;
  /** Of decimals: how many of the unscaled number's digits stand behind the point. */
  readonly decimalScale: number | undefined;
}

/** Of decimals: more than any writer has. */
const maxPrecision = 76;
/** So many digits fit into it. */
const maxDecimalBytes = 32;

/** What may be made of a row. */
export interface RowRoom {
  /** Levels of lists and structures. */
  readonly levels: number;
  /** Bytes of texts that are left. */
  bytes: number;
}

/** A value that has no form in JSON; the text says why. */
export class NoJsonForm extends Error {
  override readonly name = 'NoJsonForm';
}

/** Times as texts, with the digits that their columns have. */
export const exactParsers: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (millis: bigint) => valueOrProblem(() => instantText(millis, 3)),
  timestampFromMicroseconds: (micros: bigint) => valueOrProblem(() => instantText(micros, 6)),
  timestampFromNanoseconds: (nanos: bigint) => valueOrProblem(() => instantText(nanos, 9)),
  dateFromDays: (days: number) => valueOrProblem(() => dateText(days)),
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes,
  jsonFromBytes: (bytes: Uint8Array | undefined) =>
    bytes === undefined ? undefined : valueOrProblem(() => parsedJson(textOf(bytes))),
};

/** How a column is read, and its element of the schema as the decoder is to see it: decimals as the numbers that they are made of. */
export function readingOf(element: SchemaElement): {
  readonly reading: ColumnReading;
  readonly element: SchemaElement;
} {
  if (!isDecimal(element)) return { reading: { name: element.name, decimalScale: undefined }, element };
  const { converted_type: _, logical_type: logical, ...raw } = element;
  const scale = element.scale ?? (logical?.type === 'DECIMAL' ? logical.scale : 0);
  return { reading: { name: element.name, decimalScale: scale }, element: raw };
}

/** What is wrong with how a decimal is described; undefined when nothing is. Its scale says how many digits are made of each value. */
export function decimalFault(element: SchemaElement): string | undefined {
  const { logical_type: logical, type_length: bytes = 0 } = element;
  const told = logical?.type === 'DECIMAL' ? logical : undefined;
  const precision = element.precision ?? told?.precision ?? maxPrecision;
  const scales = [element.scale, told?.scale].filter((scale) => scale !== undefined);
  if (!isWhole(precision) || precision < 1 || precision > maxPrecision)
    return `has a precision that is not from 1 to ${maxPrecision}`;
  if (scales.some((scale) => !isWhole(scale) || scale < 0 || scale > precision))
    return 'has a scale that is not from 0 to its precision';
  return bytes > maxDecimalBytes ? `has decimals of more than ${maxDecimalBytes} bytes` : undefined;
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

export function isDecimal({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === 'DECIMAL' || logical?.type === 'DECIMAL';
}

/** A value as JSON has it, of so many levels and bytes at most; undefined for null. Throws NoJsonForm. */
export function jsonValue(
  value: unknown,
  { decimalScale }: Pick<ColumnReading, 'decimalScale'>,
  room: RowRoom,
): unknown {
  if (value === undefined || value === null) return undefined;
  return decimalScale === undefined
    ? plainValue(value, room.levels, room)
    : decimalText(unscaled(value), decimalScale);
}

/** `levels`: how many may be inside of each other from here on. */
function plainValue(value: unknown, levels: number, room: RowRoom): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') {
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER
      ? Number(value)
      : String(value);
  }
  if (typeof value !== 'object') {
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new NoJsonForm(`holds ${value}, which JSON does not have`);
    return value;
  }
  if (value instanceof NoJsonForm) throw value;
  if (value instanceof Uint8Array) return textWithin(value, room);
  if (value instanceof Date) return value.toISOString();
  if (levels <= 0) throw new NoJsonForm('is nested too deeply (messages.maxDepth)');
  const inside = (element: unknown): unknown => plainValue(element, levels - 1, room);
  if (ArrayBuffer.isView(value))
    return Array.from(value as unknown as ArrayLike<unknown>, (element) => inside(element));
  if (Array.isArray(value)) return value.map((element) => inside(element));
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]): readonly (readonly [string, unknown])[] =>
      member === null || member === undefined ? [] : [[name, inside(member)]],
    ),
  );
}

/** A file may name one large value again and again, at the cost of some bits each time. */
function textWithin(bytes: Uint8Array, room: RowRoom): string {
  room.bytes -= bytes.length;
  if (room.bytes < 0) throw new NoJsonForm('makes the row larger than an item may be (messages.maxBytes)');
  return textOf(bytes);
}

function textOf(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  throw new NoJsonForm('holds bytes that are not UTF-8');
}

function unscaled(value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (value instanceof Uint8Array && value.length > 0 && value.length <= maxDecimalBytes) {
    // Big-endian, in two's complement.
    const magnitude = BigInt(`0x${Buffer.from(value).toString('hex')}`);
    return BigInt.asIntN(value.length * 8, magnitude);
  }
  throw new NoJsonForm('holds what is no decimal');
}

/** "-12.50": the number with so many of its digits behind the point. */
function decimalText(number: bigint, scale: number): string {
  if (scale === 0) return String(number);
  const sign = number < 0n ? '-' : '';
  const digits = String(number < 0n ? -number : number).padStart(scale + 1, '0');
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** What cannot be written is kept in the value's place: it is the fault of its row alone. */
function valueOrProblem(write: () => unknown): unknown {
  try {
    return write();
  } catch (error) {
    if (error instanceof NoJsonForm) return error;
    throw error;
  }
}

function parsedJson(text: string): unknown {
  const value = jsonOf(text);
  const problem = inexactProblem(text);
  if (problem !== undefined) throw new NoJsonForm(problem);
  return value;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new NoJsonForm(`holds what is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const msOfDay = 86_400_000;
/** Of what Date can show. */
const maxInstantMs = 8_640_000_000_000_000;

/** An instant since the epoch, counted in units of which `digits` stand behind the second's point. */
function instantText(units: bigint, digits: number): string {
  const perSecond = 10n ** BigInt(digits);
  const rest = ((units % perSecond) + perSecond) % perSecond;
  const seconds = (units - rest) / perSecond;
  // Thousandths at least, and no more digits than say anything, three by three.
  const fraction = String(rest)
    .padStart(digits, '0')
    .replace(/^(\d{3}(?:\d{3})*?)(?:000)*$/, '$1');
  const ms = Number(seconds) * 1000;
  if (Math.abs(ms) > maxInstantMs) throw new NoJsonForm('holds a time beyond the calendar');
  return `${new Date(ms).toISOString().slice(0, -5)}.${fraction}Z`;
}

function dateText(days: number): string {
  const ms = days * msOfDay;
  if (Math.abs(ms) > maxInstantMs) throw new NoJsonForm('holds a date beyond the calendar');
  return new Date(ms).toISOString().slice(0, -14);
}
