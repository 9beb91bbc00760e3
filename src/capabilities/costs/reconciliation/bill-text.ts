import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../../../kernel/app-error.ts';
import { reconciliationErrors } from './bill-errors.ts';

/*
 * The text of a bill as values. It is not parsed by JSON.parse: an amount that is written as a number must not become a
 * float, a fault must name its line, and the depth and the count of values of what a stranger sent have bounds. It is read
 * in slices, and other work has its turn between them. Numbers are their texts; a name that stands twice in an object is refused, since readers disagree about which one counts.
 */

/** A number as it is written. */
export class NumberText {
  readonly text: string;
  /** The line, from 1, on which it stands. */
  readonly line: number;

  constructor(text: string, line: number) {
    this.text = text;
    this.line = line;
  }
}

/** A value of the text: null, a boolean, a string, a NumberText, an array, or an object without a prototype. */
export interface BillDocument {
  readonly value: unknown;
  /** The line, from 1, on which the value at the path stands, or the last of the path that is there. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
  /** Where the value stands in its file, when it is a part of a document. */
  readonly path?: readonly PropertyKey[];
}

/** A part of a document. */
export function partOf(
  { value, lineOf, path = [] }: BillDocument,
  place: readonly PropertyKey[],
): BillDocument {
  let part = value;
  for (const step of place)
    part = typeof part === 'object' && part !== null ? Reflect.get(part, step) : undefined;
  return { value: part, lineOf: (more) => lineOf([...place, ...more]), path: [...path, ...place] };
}

/** What a bill may have. */
export interface BillLimits {
  /** Of one file. */
  readonly maxCharacters: number;
  /** Documents, or entries of an array that stands around them, of one file. */
  readonly maxDocuments: number;
  /** JSON values of all files together. */
  readonly maxValues: number;
  readonly maxDepth: number;
}

/** The limits of a bill that is sent to the API. */
export const requestBillLimits: BillLimits = {
  maxCharacters: 8_388_608,
  maxDocuments: 5_000,
  maxValues: 500_000,
  maxDepth: 16,
};

/** The limits of a bill that an operator's command reads. */
export const commandBillLimits: BillLimits = {
  maxCharacters: 67_108_864,
  maxDocuments: 50_000,
  maxValues: 4_000_000,
  maxDepth: 16,
};

/** How many values the files of a bill have had so far. */
export interface ValueCount {
  values: number;
}

/** After so many values other work has its turn. */
const sliceValues = 10_000;
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const stringPattern = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const maxNumberCharacters = 64;
const maxTextCharacters = 4_096;

/**
 * The documents of the text, each as soon as it is read: one JSON value, or several one after the other, as JSON Lines have
 * them; an array stands for its entries. Throws MILLRACE_BILL_INVALID and MILLRACE_BILL_TOO_LARGE.
 */
export async function* readBillText(
  text: string,
  file: string,
  limits: BillLimits,
  counted: ValueCount,
): AsyncGenerator<BillDocument, void, undefined> {
  if (text.length > limits.maxCharacters)
    throw tooLarge(file, `has more than ${limits.maxCharacters} characters`);
  for (const document of new TextReader(text, file, limits, counted).documents()) {
    if (document === undefined) await nextTurn();
    else yield document;
  }
}

/** The refusal of a bill for what stands at a place of it. */
export function invalidBill(file: string, line: number, field: string, problem: string): AppError {
  const where = `${file}, line ${line}${field === '' ? '' : `, ${field}`}`;
  return new AppError(
    reconciliationErrors.MILLRACE_BILL_INVALID,
    `The bill cannot be read: ${where}: ${problem}.`,
    {
      faults: [{ field: where, problem }],
    },
  );
}

/** The refusal of a bill for its size. */
export function tooLarge(file: string, problem: string): AppError {
  return new AppError(
    reconciliationErrors.MILLRACE_BILL_TOO_LARGE,
    `The bill is too large: ${file} ${problem}.`,
    {
      faults: [{ field: file, problem }],
    },
  );
}

/** Where the objects and arrays of a document begin. */
type Lines = Map<object, number>;

/** Reads in steps: at each `undefined` that it yields, other work can have its turn. */
class TextReader {
  readonly #text: string;
  readonly #file: string;
  readonly #limits: BillLimits;
  readonly #counted: ValueCount;
  #lines: Lines = new Map();
  #at: number;
  #line = 1;
  #documents = 0;

  constructor(text: string, file: string, limits: BillLimits, counted: ValueCount) {
    this.#text = text;
    this.#file = file;
    this.#limits = limits;
    this.#counted = counted;
    this.#at = text.startsWith('\ufeff') ? 1 : 0;
  }

  *documents(): Generator<BillDocument | undefined, void, undefined> {
    let isEmpty = true;
    for (; !this.#isAtEnd(); isEmpty = false) {
      if (this.#text[this.#at] === '[') yield* this.#entries();
      else yield yield* this.#document(0);
    }
    if (isEmpty) throw invalidBill(this.#file, 1, '', 'is empty');
  }

  *#entries(): Generator<BillDocument | undefined, void, undefined> {
    this.#count();
    this.#at += 1;
    if (this.#take(']')) return;
    for (let index = 0; ; index += 1) {
      this.#skip();
      yield { ...(yield* this.#document(1)), path: [index] };
      if (this.#take(']')) return;
      if (!this.#take(',')) throw this.#fault('a "," or "]" is missing');
    }
  }

  *#document(depth: number): Generator<undefined, BillDocument, undefined> {
    this.#documents += 1;
    const { maxDocuments } = this.#limits;
    if (this.#documents > maxDocuments) throw this.#tooMany(`${maxDocuments} documents`);
    const first = this.#line;
    const lines: Lines = new Map();
    this.#lines = lines;
    const value = yield* this.#value(depth);
    return { value, lineOf: (path) => lineAt(lines, value, path) ?? first };
  }

  #isAtEnd(): boolean {
    this.#skip();
    return this.#at >= this.#text.length;
  }

  #count(): void {
    this.#counted.values += 1;
    const { maxValues } = this.#limits;
    if (this.#counted.values > maxValues) throw this.#tooMany(`${maxValues} values`);
  }

  *#value(depth: number): Generator<undefined, unknown, undefined> {
    this.#skip();
    this.#count();
    if (this.#counted.values % sliceValues === 0) yield undefined;
    const { maxDepth } = this.#limits;
    const next = this.#text[this.#at];
    if (next !== '{' && next !== '[') return this.#scalar(next);
    if (depth >= maxDepth)
      throw tooLarge(this.#file, `is nested deeper than ${maxDepth} levels on line ${this.#line}`);
    return yield* next === '{' ? this.#object(depth + 1) : this.#array(depth + 1);
  }

  #scalar(next: string | undefined): unknown {
    if (next === '"') return this.#string();
    for (const [word, value] of words) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    return this.#number();
  }

  *#object(depth: number): Generator<undefined, object, undefined> {
    const object: Record<string, unknown> = {};
    // A name such as "constructor" is a name like any other.
    Object.setPrototypeOf(object, null);
    this.#lines.set(object, this.#line);
    this.#at += 1;
    if (this.#take('}')) return object;
    for (;;) {
      this.#skip();
      const name = this.#string();
      if (name in object) throw this.#fault(`the name "${name}" stands twice in one object`);
      if (!this.#take(':')) throw this.#fault('a ":" is missing');
      object[name] = yield* this.#value(depth);
      if (this.#take('}')) return object;
      if (!this.#take(',')) throw this.#fault('a "," or "}" is missing');
    }
  }

  *#array(depth: number): Generator<undefined, unknown[], undefined> {
    const array: unknown[] = [];
    this.#lines.set(array, this.#line);
    this.#at += 1;
    if (this.#take(']')) return array;
    for (;;) {
      array.push(yield* this.#value(depth));
      if (this.#take(']')) return array;
      if (!this.#take(',')) throw this.#fault('a "," or "]" is missing');
    }
  }

  #string(): string {
    stringPattern.lastIndex = this.#at;
    const [found] = stringPattern.exec(this.#text) ?? [];
    if (found === undefined) throw this.#fault('is not JSON');
    if (found.length > maxTextCharacters)
      throw this.#fault(`a text has more than ${maxTextCharacters} characters`);
    this.#at += found.length;
    const text = String(JSON.parse(found));
    if (!text.isWellFormed() || text.includes('\u0000'))
      throw this.#fault('a text holds what no text may hold');
    return text;
  }

  #number(): NumberText {
    numberPattern.lastIndex = this.#at;
    const [found] = numberPattern.exec(this.#text) ?? [];
    if (found === undefined) throw this.#fault('is not JSON');
    if (found.length > maxNumberCharacters)
      throw this.#fault(`a number has more than ${maxNumberCharacters} characters`);
    this.#at += found.length;
    return new NumberText(found, this.#line);
  }

  #take(sign: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== sign) return false;
    this.#at += 1;
    return true;
  }

  #skip(): void {
    for (;;) {
      const sign = this.#text[this.#at];
      if (sign === '\n') this.#line += 1;
      else if (sign !== ' ' && sign !== '\t' && sign !== '\r') return;
      this.#at += 1;
    }
  }

  #tooMany(what: string): AppError {
    return this.#fault(`has more than ${what}: split it by days, and reconcile one part after the other`);
  }

  #fault(problem: string): AppError {
    return invalidBill(this.#file, this.#line, '', problem);
  }
}

function lineAt(lines: Lines, value: unknown, path: readonly PropertyKey[]): number | undefined {
  let line: number | undefined;
  let at = value;
  for (const step of [undefined, ...path]) {
    if (step !== undefined) at = typeof at === 'object' && at !== null ? Reflect.get(at, step) : undefined;
    if (typeof at !== 'object' || at === null) break;
    line = at instanceof NumberText ? at.line : (lines.get(at) ?? line);
  }
  return line;
}

const words: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
];
