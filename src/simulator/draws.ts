import { hash } from 'node:crypto';

/*
 * Everything that looks random in the simulator follows from its seed and the request: the same request to the same
 * seed gets the same answer, tokens and latency in any order of arrival. Each purpose draws from a stream of its own,
 * so that a change to one does not shift the others.
 */

/** Draws numbers in [0, 1), the next one at each call. */
export type Random = () => number;

/** The streams of draws that follow from one key. */
export class Draws {
  readonly #words: Uint32Array;

  constructor(...key: readonly (string | number)[]) {
    const digest = hash('sha256', key.join('\n'), 'buffer');
    this.#words = new Uint32Array(digest.buffer, digest.byteOffset, 4).slice();
  }

  /** The stream for one purpose; asking again starts it anew. */
  stream(purpose: string): Random {
    const salt = fnv1a(purpose);
    const [a = 0, b = 0, c = 0, d = 0] = this.#words;
    return smallFastCounter(a ^ salt, b, c, d ^ Math.imul(salt, 0x9e3779b1));
  }
}

/** A stable hash of what was asked: where it was sent and the body, whatever the order of its keys. */
export function requestHash(path: string, body: unknown): string {
  return hash('sha256', `${path}\n${canonicalJson(body)}`, 'hex').slice(0, 32);
}

/** JSON text with the keys of every object in order, for a value that came out of JSON.parse. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}

/** A whole number from `least` to `most`, both included. */
export function drawInteger(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** One of the items, or undefined when there is none. */
export function drawOne<T>(random: Random, items: readonly T[]): T | undefined {
  return items[Math.floor(random() * items.length)];
}

/** A time from the log-normal distribution with this median and 99th percentile. */
export function drawLogNormal(random: Random, median: number, p99: number): number {
  if (median === 0) return 0;
  const sigma = Math.log(Math.max(p99, median) / median) / 2.326;
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(sigma * normal);
}

function fnv1a(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}

/** The generator known as sfc32: small, fast and good enough for draws. */
function smallFastCounter(first: number, second: number, third: number, fourth: number): Random {
  let a = first | 0;
  let b = second | 0;
  let c = third | 0;
  let counter = fourth | 0;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 4294967296;
  };
  for (let round = 0; round < 8; round += 1) next();
  return next;
}
