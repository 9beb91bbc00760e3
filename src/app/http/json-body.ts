import { isUtf8 } from 'node:buffer';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../../kernel/app-error.ts';
import { type JsonBounds, JsonOutline, type JsonPart } from './json-outline.ts';

/*
 * The bodies of requests as values. The bytes are looked through in slices first, so that no text which holds the event
 * loop for long is parsed; the events of a batch are parsed one by one, with turns of the loop in between. An event of
 * a batch that cannot be read is an error in its place: its neighbours are not its business.
 */

/** An event of a batch that could not be read. */
export class UnreadablePart {
  readonly error: AppError;

  constructor(error: AppError) {
    this.error = error;
  }
}

/** Parses one text; throws for what is not JSON. */
export type ParseJson = (text: string) => unknown;

export interface JsonBodyOptions extends JsonBounds {
  readonly parse: ParseJson;
  /** The elements of an outermost array are read by themselves, at most so many. */
  readonly batch?: { readonly maxParts: number };
}

const sliceBytes = 262_144;
/** Longer than this nothing runs before others have their turn. */
const turnMs = 8;

/** The value of a body. Throws MILLRACE_REQUEST_INVALID for one that is not JSON, too deep or of too many values. */
export async function readJsonBody(bytes: Buffer, options: JsonBodyOptions): Promise<unknown> {
  if (bytes.length === 0) throw unreadable('it is empty');
  if (!isUtf8(bytes)) throw unreadable('it is not UTF-8');
  const outline = await lookThrough(bytes, options);
  const [only] = outline.parts;
  if (!outline.isSplit) return only === undefined ? undefined : parsePart(bytes, only, options);
  if (!outline.isWhole) throw unreadable('the array has no end, or something behind it');
  const values: unknown[] = [];
  let turnBegan = performance.now();
  for (const part of outline.parts) {
    values.push(partOrError(bytes, part, options));
    if (performance.now() - turnBegan < turnMs) continue;
    await nextTurn();
    turnBegan = performance.now();
  }
  return values;
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

function partOrError(bytes: Buffer, part: JsonPart, options: JsonBodyOptions): unknown {
  try {
    return parsePart(bytes, part, options);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return new UnreadablePart(error);
  }
}

function parsePart(bytes: Buffer, { start, end, fault }: JsonPart, options: JsonBodyOptions): unknown {
  if (fault === 'depth') throw unreadable(`it is nested deeper than ${options.maxDepth} levels`);
  if (fault === 'values') throw unreadable(`it holds more than ${options.maxValues} values`);
  try {
    return options.parse(bytes.toString('utf8', start, end));
  } catch (error) {
    throw unreadable(error instanceof Error ? error.message : String(error), error);
  }
}

function unreadable(why: string, cause?: unknown): AppError {
  return new AppError('MILLRACE_REQUEST_INVALID', `The body cannot be read as JSON: ${why}.`, {
    cause,
    faults: [{ field: 'body', problem: why }],
  });
}
