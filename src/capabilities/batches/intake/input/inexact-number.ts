import { cut } from '../../../../kernel/fault.ts';

/*
 * Numbers of a JSON text that would not be written again as they are: JSON has numbers of any length, and what reads it has doubles. An id of
 * twenty digits would be another one. Whole numbers have to come back with all their digits, fractions with seventeen, as many as
 * any double is told apart by.
 */

/** A text without such a run has no number that is looked at. */
const suspicious = /[\d.]{16}/;
const numbers = /-?\d[\d.eE+-]{15,}/g;
const parts = /^-?(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:[eE](?<exponent>[+-]?\d+))?$/;
/** Of fractions. */
const sureDigits = 17;
const maxToldCharacters = 40;

/** What is wrong with a JSON text that parses, for the first of its numbers that a double does not hold; undefined where it holds all. */
export function inexactProblem(json: string): string | undefined {
  if (!suspicious.test(json)) return undefined;
  for (const number of numbersOf(json)) {
    if (!isInexact(number)) continue;
    return `holds the number ${cut(number, maxToldCharacters)}, of which JSON keeps fewer digits: send it as text`;
  }
  return undefined;
}

/** The long ones, outside of texts. */
function* numbersOf(json: string): Generator<string> {
  for (let at = 0; ;) {
    const quote = json.indexOf('"', at);
    for (const [number] of json.slice(at, quote === -1 ? json.length : quote).matchAll(numbers)) yield number;
    if (quote === -1) return;
    at = endOfText(json, quote);
  }
}

/** Behind the quote that ends a text: one before which an even number of backslashes stands. */
function endOfText(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let slashes = 0;
    while (json[end - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return end + 1;
  }
  return json.length;
}

function isInexact(number: string): boolean {
  const told = valueOf(number);
  if (told.isFraction && told.digits.length <= sureDigits) return false;
  const kept = valueOf(String(Number(number)));
  return kept.digits !== told.digits || kept.exponent !== told.exponent;
}

/** Digits without zeros around them, and the power of ten that the last of them stands for. */
function valueOf(number: string) {
  const { whole = '', fraction = '', exponent = '0' } = parts.exec(number)?.groups ?? {};
  const all = `${whole}${fraction}`.replace(/^0+/, '');
  let length = all.length;
  while (length > 0 && all[length - 1] === '0') length -= 1;
  return {
    digits: all.slice(0, length),
    exponent: length === 0 ? 0 : Number(exponent) - fraction.length + all.length - length,
    isFraction: /[.eE]/.test(number),
  };
}
