import { Decimal } from 'decimal.js';
import { invariant } from './invariant.ts';

/*
 * Money is decimal everywhere. Amounts are US dollars; sums and products here are exact: the
 * precision is far above any amount's digits and a result that would have to be rounded fails.
 */

const Exact = Decimal.clone({ precision: 60, toExpNeg: -60, toExpPos: 60 });

/** Digits after the point that ledger and column store keep: Decimal(38, 18). */
export const moneyScale = 18;

/** An exact amount of US dollars. */
export type Usd = Decimal;

const decimalPattern = /^-?\d+(\.\d+)?$/;

/** Reads an amount from its decimal text, as ledger, column store and JSON carry it. */
export function usd(text: string): Usd {
  invariant(decimalPattern.test(text), `"${text}" is a decimal amount`);
  return new Exact(text);
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

/** Tokens times a price per million tokens. Fails if the product needs more digits than money keeps. */
export function tokensAtPrice(tokens: number, usdPerMillion: Usd): Usd {
  invariant(Number.isSafeInteger(tokens) && tokens >= 0, `${tokens} is a count of tokens`);
  const amount = usdPerMillion.times(tokens).div(1_000_000);
  invariant(amount.decimalPlaces() <= moneyScale, `${amount.toFixed()} fits ${moneyScale} decimals`);
  return amount;
}

/** The amount's plain decimal text without trailing zeros or exponent: "0.00125". */
export function formatUsd(amount: Usd): string {
  return amount.toFixed();
}
