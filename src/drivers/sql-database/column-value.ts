import pg from 'pg';

/*
 * One set of parsers for both drivers. 64-bit integers and numerics stay strings, because a JavaScript
 * number would round them, and money is never rounded.
 */

/** Turns a column's text into its value. */
export type ColumnParser = (text: string) => unknown;

const asText: ColumnParser = (text) => text;

// Types are PostgreSQL's fixed object ids.
const parsers = new Map<number, ColumnParser>([
  [16, (text) => text === 't'], // bool
  [17, byteaValue], // bytea
  [21, Number], // int2
  [23, Number], // int4
  [26, Number], // oid
  [700, Number], // float4
  [701, Number], // float8
  [114, (text) => JSON.parse(text) as unknown], // json
  [3802, (text) => JSON.parse(text) as unknown], // jsonb
  [1184, timestampValue], // timestamptz
]);

// Element type of each array type.
const elements = new Map<number, number>([
  [1000, 16],
  [1001, 17],
  [1005, 21],
  [1007, 23],
  [1016, 20],
  [1028, 26],
  [1021, 700],
  [1022, 701],
  [1009, 25],
  [1015, 1043],
  [1231, 1700],
  [2951, 2950],
  [199, 114],
  [3807, 3802],
  [1185, 1184],
]);

/** The parser of a column type, by the type's object id. A type that is not listed stays text. */
export function columnParser(typeId: number): ColumnParser {
  const parser = parsers.get(typeId);
  if (parser !== undefined) return parser;
  const elementType = elements.get(typeId);
  return elementType === undefined ? asText : (text) => arrayValue(text, columnParser(elementType));
}

const isoInstant = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?\+00$/;
const otherInstant = pg.types.getTypeParser(1184);

// Sessions run in UTC, so the short form is the usual one; years beyond 9999, BC and infinity go the long way.
function timestampValue(text: string): unknown {
  const match = isoInstant.exec(text);
  if (match === null) return otherInstant(text);
  const milliseconds = (match[3] ?? '').padEnd(3, '0').slice(0, 3);
  return new Date(`${match[1]}T${match[2]}.${milliseconds}Z`);
}

function byteaValue(text: string): Uint8Array {
  return Buffer.from(text.slice(2), 'hex');
}

// A plain number, because the declared type ids leave out arrays.
const textArrayTypeId: number = 1009;
const textArray = pg.types.getTypeParser(textArrayTypeId);

type Nested = string | null | Nested[];

function arrayValue(text: string, parse: ColumnParser): unknown {
  const convert = (element: Nested): unknown =>
    element === null ? null : Array.isArray(element) ? element.map(convert) : parse(element);
  return convert(textArray(text) as Nested);
}
