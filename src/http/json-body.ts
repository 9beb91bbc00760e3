import { isUtf8 } from 'node:buffer';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../kernel/app-error.ts';
import { longTextBytes, ownTurn } from '../kernel/event-loop-turn.ts';
import { type JsonBounds, type JsonFault, JsonOutline, type JsonPart } from './json-outline.ts';

/*
 * The bodies of requests as values. The bytes are looked through in slices first, so that no text which holds the event
 * loop for long is parsed. The events of a batch are parsed one by one when they are asked for, so that only the values of
 * one are there at a time. An event of a batch that cannot be read is an error in its place: its neighbours are not its business.
 */

/** Parses one text; throws for what is not JSON. */
export type ParseJson = (text: string) => unknown;

export interface JsonBodyOptions extends JsonBounds {
  readonly parse: ParseJson;
  /** Whether the member `data` is that of a message, so that what is too deep in it is a message that is not valid. */
  readonly isMessage?: boolean;
  /** The elements of an outermost array are read by themselves, at most so many. */
  readonly batch?: { readonly maxParts: number };
}

const sliceBytes = 262_144;
/** Of the path to a value that is too deep. */
const maxFieldCharacters = 200;

/** The elements of an array, which are parsed when they are asked for. */
export class JsonBatch {
  readonly #bytes: Buffer;
  readonly #parts: readonly JsonPart[];
  readonly #options: JsonBodyOptions;

  constructor(bytes: Buffer, parts: readonly JsonPart[], options: JsonBodyOptions) {
    this.#bytes = bytes;
    this.#parts = parts;
    this.#options = options;
  }

  get length(): number {
    return this.#parts.length;
  }

  /** One value. Throws MILLRACE_REQUEST_INVALID for one that cannot be read, MILLRACE_MESSAGE_TOO_LARGE for one that is too large. */
  read(index: number): unknown {
    const part = this.#parts[index];
    return part === undefined ? undefined : parsePart(this.#bytes, part, this.#options);
  }
}

/**
 * The value of a body, undefined for an order's that is empty, or a JsonBatch of the elements of its array when it is a batch. Throws MILLRACE_REQUEST_INVALID for
 * one that is not JSON, too deep, or of too many values or keys.
 */
export async function readJsonBody(bytes: Buffer, options: JsonBodyOptions): Promise<unknown> {
  // Many clients name the type of a body that they do not send.
  if (bytes.length === 0 && options.isMessage !== true && options.batch === undefined) return undefined;
  if (bytes.length === 0) throw unreadable('it is empty');
  if (!isUtf8(bytes)) throw unreadable('it is not UTF-8');
  const outline = await lookThrough(bytes, options);
  if (outline.isSplit) {
    if (!outline.isWhole) throw unreadable('the array has no end, or something behind it');
    return new JsonBatch(bytes, outline.parts, options);
  }
  const [only] = outline.parts;
  if (only === undefined) return undefined;
  if (bytes.length < longTextBytes) return parsePart(bytes, only, options);
  await ownTurn();
  const value = parsePart(bytes, only, options);
  await ownTurn();
  return value;
}

async function lookThrough(bytes: Buffer, options: JsonBodyOptions): Promise<JsonOutline> {
  const { batch } = options;
  const outline = new JsonOutline(bytes, options, batch !== undefined);
  const maxParts = batch?.maxParts ?? 1;
  while (!outline.advance(sliceBytes)) {
    if (outline.parts.length > maxParts) break;
    await nextTurn();
  }
  if (outline.parts.length > maxParts) {
    const problem = `has at most ${maxParts} events`;
    throw new AppError('MILLRACE_REQUEST_INVALID', `The request is not valid: body: ${problem}`, {
      faults: [{ field: 'body', problem }],
    });
  }
  return outline;
}

function parsePart(
  bytes: Buffer,
  { start, end, fault, deepPath }: JsonPart,
  options: JsonBodyOptions,
): unknown {
  if (fault !== undefined) throw outOfBounds(fault, options, deepPath);
  try {
    return options.parse(bytes.toString('utf8', start, end));
  } catch (error) {
    throw unreadable(error instanceof Error ? error.message : String(error), error);
  }
}

function outOfBounds(fault: JsonFault, options: JsonBodyOptions, deepPath: readonly string[] = []): AppError {
  const { maxBytes, maxValues, maxKeys } = options;
  switch (fault) {
    case 'depth':
      return tooDeep(deepPath, options);
    case 'values':
      return unreadable(`it holds more than ${maxValues} values`);
    case 'keys':
      return unreadable(`it holds more than ${maxKeys} members of objects`);
    case 'bytes':
      return new AppError('MILLRACE_MESSAGE_TOO_LARGE', `The event is larger than ${maxBytes} bytes.`);
  }
}

function tooDeep(path: readonly string[], { maxDepth, isMessage = false }: JsonBodyOptions): AppError {
  const problem = `is nested deeper than ${maxDepth} levels`;
  const field = (path.length === 0 ? 'body' : path.join('.')).toWellFormed();
  const faults = [
    {
      field:
        field.length > maxFieldCharacters ? `${field.slice(0, maxFieldCharacters)}…`.toWellFormed() : field,
      problem,
    },
  ];
  return isMessage && path[0] === 'data'
    ? new AppError('MILLRACE_MESSAGE_INVALID', `The data of the message ${problem}.`, { faults })
    : new AppError('MILLRACE_REQUEST_INVALID', `The body ${problem}.`, { faults });
}

function unreadable(why: string, cause?: unknown): AppError {
  return new AppError('MILLRACE_REQUEST_INVALID', `The body cannot be read as JSON: ${why}.`, {
    cause,
    faults: [{ field: 'body', problem: why }],
  });
}
