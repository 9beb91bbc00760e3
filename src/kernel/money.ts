import { Decimal } from 'decimal.js';
import { invariant } from './invariant.ts';

/*
 * Money is decimal everywhere. Amounts are US dollars; sums and products here are exact: the
 * precision is far above any amount's digits and a result that would have to be rounded fails.
 */

const Exact = Decimal.clone({ precision: 60, toExpNeg: -60, toExpPos: 60 });

/** Digits after the point that ledger and column store keep: Decimal(38, 18). */
export const moneyScale = 18;

/** Digits before the point that they keep. */
const maxIntegerDigits = 20;

/** Digits after the point that a rate per million tokens may have, so that any count of tokens times it fits money. */
export const rateScale = moneyScale - 6;

/** An exact amount of US dollars. */
export type Usd = Decimal;

const decimalPattern = /^-?\d+(\.\d+)?$/;

/** An exact amount of what is counted: US dollars, or tokens. */
export type Amount = Decimal;

/** Reads an amount of either from its decimal text. */
export function readAmount(text: string): Amount {
  return usd(text);
}

/** Reads an amount from its decimal text, as ledger, column store and JSON carry it. */
export function usd(text: string): Usd {
  invariant(decimalPattern.test(text), `"${text}" is a decimal amount`);
  return new Exact(text);
}

/**
 * Reads a float that stands for a decimal, as JSON catalogues carry prices: by its shortest decimal text,
 * which is what was written in the source, never by its binary value.
 */
export function usdFromNumber(value: number): Usd {
  invariant(Number.isFinite(value) && value >= 0, `${value} is an amount`);
  return new Exact(String(value));
}

/** Whether ledger and column store can hold the amount as it is: Decimal(38, 18). */
export function isStorableUsd(amount: Usd): boolean {
  return amount.isFinite() && amount.decimalPlaces() <= moneyScale && amount.e < maxIntegerDigits;
}

/** Whether a value of unknown type is an amount. */
export function isUsd(value: unknown): value is Usd {
  return Decimal.isDecimal(value);
}

export const zeroUsd: Usd = new Exact(0);

export function addUsd(left: Usd, right: Usd): Usd {
  return left.plus(right);
}

export function sumUsd(amounts: Iterable<Usd>): Usd {
  let total = zeroUsd;
  for (const amount of amounts) total = total.plus(amount);
  return total;
}

export function maxUsd(left: Usd, right: Usd): Usd {
  return right.greaterThan(left) ? right : left;
}

/** Digits after the point of ratios. */
const ratioScale = 6;

/** One amount by another as decimal text, rounded half up to six digits. Undefined where the other is nothing. */
export function ratioText(part: Usd, whole: Usd): string | undefined {
  if (whole.isZero()) return undefined;
  return formatUsd(roundedTo(part.dividedBy(whole), ratioScale));
}

/** An amount by a count, rounded half up to the digits that money keeps. Undefined where the count is 0. */
export function usdEach(amount: Usd, count: number): Usd | undefined {
  return count === 0 ? undefined : roundedTo(amount.dividedBy(count), moneyScale);
}

/** An amount rounded half up to so many digits after the point. */
export function roundedTo(amount: Usd, digits: number): Usd {
  return amount.toDecimalPlaces(digits, Decimal.ROUND_HALF_UP);
}

/** A rate times a decimal factor ("0.5"), rounded half up to the digits that a rate may have. */
export function scaleRate(usdPerMillion: Usd, factor: string): Usd {
  return roundRate(usdPerMillion.times(usd(factor)));
}

/** The rate itself, or the nearest that has no more digits than a rate may have. */
export function roundRate(usdPerMillion: Usd): Usd {
  return usdPerMillion.toDecimalPlaces(rateScale, Decimal.ROUND_HALF_UP);
}

// A product is cheaper than a quotient; this runs several times a call.
const millionth = new Exact('0.000001');

/** Tokens times a price per million tokens. Fails if the product needs more digits than money keeps. */
export function tokensAtPrice(tokens: number, usdPerMillion: Usd): Usd {
  invariant(Number.isSafeInteger(tokens) && tokens >= 0, `${tokens} is a count of tokens`);
  const amount = usdPerMillion.times(tokens).times(millionth);
  // The text is only made when it is needed: it costs more than the product.
  if (amount.decimalPlaces() > moneyScale)
    invariant(false, `${amount.toFixed()} fits ${moneyScale} decimals`);
  return amount;
}

/** The amount's plain decimal text without trailing zeros or exponent: "0.00125". */
export function formatUsd(amount: Usd): string {
  // A decimal zero has a sign; an amount of nothing has none.
  return amount.isZero() ? '0' : amount.toFixed();
}
