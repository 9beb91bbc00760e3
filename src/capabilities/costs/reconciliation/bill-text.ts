import { AppError } from '../../../kernel/app-error.ts';
import { reconciliationErrors } from './bill-errors.ts';

/*
 * The text of a bill as values. It is not parsed by JSON.parse: an amount that is written as a number must not become a
 * float, a fault must name its line, and the depth and the count of values of what a stranger sent have bounds. Numbers are
 * their texts; a name that stands twice in an object is refused, since readers disagree about which one counts.
 */

/** A number as it is written. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
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

export interface BillTextLimits {
  readonly maxCharacters: number;
  readonly maxValues: number;
  readonly maxDepth: number;
}

const defaultLimits: BillTextLimits = { maxCharacters: 67_108_864, maxValues: 4_000_000, maxDepth: 16 };
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const stringPattern = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const maxNumberCharacters = 64;
const maxTextCharacters = 4_096;

/**
 * The documents of the text: one JSON value, or several one after the other, as JSON Lines have them. Throws MILLRACE_BILL_INVALID
 * and MILLRACE_BILL_TOO_LARGE.
 */
export function readBillText(text: string, file: string, limits = defaultLimits): readonly BillDocument[] {
  if (text.length > limits.maxCharacters)
    throw tooLarge(file, `has more than ${limits.maxCharacters} characters`);
  const reader = new TextReader(text, file, limits);
  const documents: BillDocument[] = [];
  while (!reader.isAtEnd()) documents.push(reader.document());
  if (documents.length === 0) throw invalidBill(file, 1, '', 'is empty');
  return documents;
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

class TextReader {
  readonly #text: string;
  readonly #file: string;
  readonly #limits: BillTextLimits;
  readonly #lines = new WeakMap<object, number>();
  #at: number;
  #line = 1;
  #values = 0;

  constructor(text: string, file: string, limits: BillTextLimits) {
    this.#text = text;
    this.#file = file;
    this.#limits = limits;
    this.#at = text.startsWith('\ufeff') ? 1 : 0;
  }

  isAtEnd(): boolean {
    this.#skip();
    return this.#at >= this.#text.length;
  }

  document(): BillDocument {
    const first = this.#line;
    const value = this.#value(0);
    return { value, lineOf: (path) => this.#lineOf(value, path) ?? first };
  }

  #lineOf(value: unknown, path: readonly PropertyKey[]): number | undefined {
    let line: number | undefined;
    let at = value;
    for (const step of [undefined, ...path]) {
      if (step !== undefined) at = typeof at === 'object' && at !== null ? Reflect.get(at, step) : undefined;
      if (typeof at !== 'object' || at === null) break;
      line = this.#lines.get(at) ?? line;
    }
    return line;
  }

  #value(depth: number): unknown {
    this.#skip();
    this.#values += 1;
    const { maxValues, maxDepth } = this.#limits;
    if (this.#values > maxValues) throw tooLarge(this.#file, `has more than ${maxValues} values`);
    const next = this.#text[this.#at];
    if (next === '{' || next === '[') {
      if (depth >= maxDepth)
        throw tooLarge(this.#file, `is nested deeper than ${maxDepth} levels on line ${this.#line}`);
      return next === '{' ? this.#object(depth + 1) : this.#array(depth + 1);
    }
    if (next === '"') return this.#string();
    for (const [word, value] of words) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    return this.#number();
  }

  #object(depth: number): object {
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
      object[name] = this.#value(depth);
      if (this.#take('}')) return object;
      if (!this.#take(',')) throw this.#fault('a "," or "}" is missing');
    }
  }

  #array(depth: number): unknown[] {
    const array: unknown[] = [];
    this.#lines.set(array, this.#line);
    this.#at += 1;
    if (this.#take(']')) return array;
    for (;;) {
      array.push(this.#value(depth));
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
    const number = new NumberText(found);
    this.#lines.set(number, this.#line);
    return number;
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

  #fault(problem: string): AppError {
    return invalidBill(this.#file, this.#line, '', problem);
  }
}

const words: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
];
