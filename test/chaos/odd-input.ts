import { createHash } from 'node:crypto';
import { canonicalJson } from '../../src/simulator/draws.ts';
import type { SeededRandom } from './seeded-random.ts';

/*
 * What is odd about the messages of a run and must go through all the same: half an emoji, U+0000, text that turns its
 * direction, very long keys, names that mean something to JavaScript. Names of an origin are odd within what is
 * accepted there; data and texts are odd in every way that JSON carries.
 */

/** Odd data of a message, which every message that follows from it carries on. */
export type OddData = Readonly<Record<string, unknown>>;

const oddTexts = [
  'half an emoji \ud83d',
  'the other half \ude00 of one',
  'a\u0000b',
  '👩‍👩‍👧‍👦🦊🏴‍☠️',
  '\u202eesrever\u202c \u2066isolated\u2069 עברית',
  'Z\u0351\u036b\u0343a\u0489l\u0335g\u0322o',
  `no\u200bwidth\ufeff`,
  '"\'`\\ \\u0000 ${x} %s {0} <b>&amp;</b> -- ; drop table',
  '__proto__',
  'line\r\nline\u2028line\u0085line',
] as const;

/** Ends of keys and ids. No slash: keys are cut at it. */
const oddEnds = [' 🦊', ' \u202eevil', '"\';--', ' %s${x}', ' __proto__', `-${'k'.repeat(400)}`] as const;

/** Customers whose names mean something to somebody. */
export const oddCustomers = {
  'customer-10': '__proto__',
  'customer-11': 'Ünïcode 顧客 🦊',
  'customer-12': 'constructor',
} as const;

function oddData(random: SeededRandom): OddData {
  return {
    'half \ud83d': random.pick(oddTexts),
    [`long ${'key'.repeat(random.pick([1, 900]))}`]: true,
    constructor: { prototype: { toString: '__proto__' } },
    hasOwnProperty: null,
    '': ['empty', '', { '\u0000': '\u0000' }],
    numbers: [1e308, 5e-324, 0.1, 9_007_199_254_740_991, -1],
    deep: Array.from({ length: 100 }).reduce<unknown>((inner) => [inner], random.pick(oddTexts)),
  };
}

/** What is odd about one admission. Each of the four by itself, for one in five. */
export interface Oddities {
  readonly data: OddData | undefined;
  /** Put into the text that models are asked about. */
  readonly text: string;
  /** Put behind the key, which becomes item and order key. */
  readonly keyEnd: string;
  readonly idEnd: string;
}

export function odditiesOf(random: SeededRandom): Oddities {
  const isOdd = (): boolean => random.next() < 0.2;
  return {
    data: isOdd() ? oddData(random) : undefined,
    text: isOdd() ? ` ${random.pick(oddTexts)}` : '',
    keyEnd: isOdd() ? random.pick(oddEnds) : '',
    idEnd: isOdd() ? random.pick(oddEnds) : '',
  };
}

/** By what odd data is known again; "none" without any. */
export function digestOfOdd(data: unknown): string {
  if (data === undefined) return 'none';
  // Of the JSON text, in which half an emoji is escaped: as UTF-8 all halves are the same.
  return createHash('sha256').update(canonicalJson(data)).digest('hex').slice(0, 16);
}
