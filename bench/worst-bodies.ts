/* The bodies that take the longest to read, each as large as it may be: what a limit must be judged by. */

export interface BodyBounds {
  readonly bytes: number;
  readonly values: number;
  readonly keys: number;
}

export interface WorstBody {
  readonly name: string;
  /** JSON of one event's data that is just within the bounds. */
  make(bounds: BodyBounds): string;
}

const repeated = (unit: string, count: number, before: string, after: string): string =>
  before + unit.repeat(Math.max(0, Math.floor(count))) + after;

/** An array of one unit after the other. */
const array = (name: string, unit: string, valuesOfUnit = 1): WorstBody => ({
  name,
  make: ({ bytes, values }) =>
    repeated(`${unit},`, Math.min((bytes - 10) / (unit.length + 1), values / valuesOfUnit), '[', '0]'),
});

/** One string of one unit after the other; a unit's bytes are counted, not its characters. */
const string = (name: string, unit: string): WorstBody => ({
  name,
  make: ({ bytes }) => repeated(unit, (bytes - 10) / Buffer.byteLength(unit), '"', '"'),
});

/** One object, or an array of objects, with keys that differ. */
const keys = (name: string, keyOf: (number: number) => string, isOne = true): WorstBody => ({
  name,
  make: ({ bytes, keys: most }) => {
    const [before, between, after] = isOne ? ['{', ',', '}'] : ['[{', '},{', '}]'];
    const members: string[] = [];
    let size = 10;
    for (let number = 0; members.length < most; number += 1) {
      const member = `"${keyOf(number)}":0`;
      size += member.length + between.length;
      if (size > bytes) break;
      members.push(member);
    }
    return before + members.join(between) + after;
  },
});

export const worstBodies: readonly WorstBody[] = [
  array('empty arrays', '[]', 2),
  array('empty objects', '{}', 2),
  array('arrays of arrays', '[[],[]]', 4),
  array('arrays 120 levels deep', `${'['.repeat(120)}${']'.repeat(120)}`, 121),
  array('numbers of 35 digits', '1234567890123456.7890123456789e-100'),
  array('numbers of 150 digits', `0.${'123456789'.repeat(17)}`),
  array('numbers of a million digits', '1'.repeat(1_000_000)),
  array('short strings', '"xxxxxxxxxx"'),
  array('escaped strings', '"\\u0041\\ud83d\\u0000"'),
  array('strings of 150 characters', `"${'x'.repeat(150)}"`),
  string('one string of ASCII', 'x'),
  string('one string of line ends', '\\n'),
  string('one string of \\u escapes', '\\u0041'),
  string('one string of lone surrogates', '\\ud83d'),
  string('one string of é', 'é'),
  string('one string of emoji', '🦀'),
  keys('distinct keys', (number) => `key${number}`),
  keys('distinct keys of 150 characters', (number) => `${'k'.repeat(150)}${number}`),
  keys('distinct keys of digits', (number) => String(number * 4001)),
  keys('distinct keys with escapes', (number) => `\\u0041${number}`),
  keys('objects of one distinct key each', (number) => `key${number}`, false),
  { name: 'spaces before the value', make: ({ bytes }) => `${' '.repeat(bytes - 2)}1` },
  { name: 'commas', make: ({ bytes }) => `[${','.repeat(bytes - 10)}]` },
  { name: 'colons', make: ({ bytes }) => ':'.repeat(bytes - 10) },
  { name: 'one key', make: ({ bytes }) => `{"${'k'.repeat(bytes - 20)}":1}` },
];
