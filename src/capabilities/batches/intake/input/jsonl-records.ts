import { isUtf8 } from 'node:buffer';
import { readJsonBody } from '../../../../http/json-body.ts';
import { AppError, type Fault } from '../../../../kernel/app-error.ts';
import { longTextBytes } from '../../../../kernel/event-loop-turn.ts';
import { inputLines } from './input-lines.ts';
import { inexactProblem } from './inexact-number.ts';
import { faultyRecord, type InputRecord, type ItemParts } from './input-record.ts';

/** How a line of JSON Lines says an item: as an object with `data` and what goes with it, or as the data itself. */
export const lineForms = ['item', 'bare'] as const;
/** How requests ask for the second. */
export const bareForm = 'form=bare';
export type LineForm = (typeof lineForms)[number];

export interface JsonlOptions {
  readonly form: LineForm;
  readonly maxLineBytes: number;
  /** The most levels of arrays and objects in an item's data. */
  readonly maxDepth: number;
}

const optionalMembers = ['id', 'customer', 'team', 'labels'];
const members = ['id', 'data', 'customer', 'team', 'labels'];
/** What a list of failed items says besides: it can be sent again as it is. */
const leftOut = ['status', 'error'];
/** Of one line that is long: it is parsed in one piece. */
const maxValues = 200_000;
const maxKeys = 50_000;

/** The items of JSON Lines: one JSON text a line. */
export async function* jsonlRecords(
  pieces: AsyncIterable<Uint8Array>,
  options: JsonlOptions,
): AsyncGenerator<InputRecord> {
  for await (const { number, bytes, length } of inputLines(pieces, options.maxLineBytes)) {
    if (bytes === undefined) {
      yield faultyRecord(
        number,
        '',
        `has ${length} bytes; an item has ${options.maxLineBytes} at most (messages.maxBytes, and some for what goes with the data)`,
      );
    } else if (!isUtf8(bytes)) {
      yield faultyRecord(number, '', 'is not UTF-8', 'input');
    } else {
      yield await recordOf(number, bytes, options);
    }
  }
}

async function recordOf(place: number, bytes: Buffer, options: JsonlOptions): Promise<InputRecord> {
  let value: unknown;
  try {
    value =
      bytes.length < longTextBytes ? JSON.parse(bytes.toString('utf8')) : await longValue(bytes, options);
  } catch (error) {
    if (error instanceof AppError) return { kind: 'faulty', place, faults: ofLine(error), reach: 'item' };
    if (!(error instanceof SyntaxError)) throw error;
    return faultyRecord(place, '', `is not JSON: ${error.message}`);
  }
  const problem = inexactProblem(bytes.toString('latin1'));
  if (problem !== undefined) {
    const id = options.form === 'item' && isObject(value) ? value['id'] : undefined;
    return { kind: 'faulty', place, id, faults: [{ field: '', problem }], reach: 'item' };
  }
  return options.form === 'bare' ? { kind: 'item', place, parts: { data: value } } : itemRecord(place, value);
}

/** JSON that is long is looked through before it is parsed. */
async function longValue(bytes: Buffer, { maxLineBytes, maxDepth, form }: JsonlOptions): Promise<unknown> {
  const depth = form === 'bare' ? maxDepth : maxDepth + 1;
  return await readJsonBody(bytes, {
    parse: (text) => JSON.parse(text) as unknown,
    maxDepth: depth,
    maxBytes: maxLineBytes,
    maxValues,
    maxKeys,
  });
}

function ofLine(error: AppError): readonly Fault[] {
  if (error.faults.length === 0) return [{ field: '', problem: error.message }];
  return error.faults.map(({ field, problem }) =>
    field === 'body' ? { field: '', problem: `is not JSON: ${problem}` } : { field, problem },
  );
}

function itemRecord(place: number, value: unknown): InputRecord {
  if (!isObject(value)) return faultyRecord(place, '', `is no JSON object; ${hint}`);
  const unknown = Object.keys(value).filter((name) => !members.includes(name) && !leftOut.includes(name));
  const faults: Fault[] = unknown.map((field) => ({ field, problem: `is not known; ${hint}` }));
  for (const field of optionalMembers) {
    if (value[field] === null) faults.push({ field, problem: 'is null: leave it out' });
  }
  if (!Object.hasOwn(value, 'data')) faults.push({ field: 'data', problem: 'is missing' });
  if (faults.length > 0) return { kind: 'faulty', place, id: value['id'], faults, reach: 'item' };
  const { id, customer, team, labels, data } = value;
  const parts: ItemParts = { id, customer, team, labels, data };
  return { kind: 'item', place, parts };
}

const hint = `an item has ${members.join(', ')}; where every line is the data itself, say ${bareForm}`;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
