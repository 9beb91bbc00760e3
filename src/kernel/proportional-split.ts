import { invariant } from './invariant.ts';
import { formatUsd, moneyScale, type Usd, usd, zeroUsd } from './money.ts';

/*
 * Splits a whole among parts in proportion to their weights so that the parts add up to the whole: each part is rounded down, and
 * what is left goes to the parts that lost most by that, one unit each, the first of equals first (largest remainder). No part is
 * more than one unit away from its exact share. Where every weight is 0, the parts are equal.
 */

/** A count of at least 0, in whole numbers. Weights are whole numbers of at least 0. */
export function splitCount(whole: number, weights: readonly number[]): readonly number[] {
  invariant(Number.isSafeInteger(whole) && whole >= 0, `${whole} is a count`);
  return split(BigInt(whole), weights).map(Number);
}

/** An amount, in the last digit that money keeps; what is taken back is split as what is charged. Weights are whole numbers of at least 0. */
export function splitUsd(whole: Usd, weights: readonly number[]): readonly Usd[] {
  const units = whole.abs().times(unitsPerUsd);
  invariant(units.isInteger(), `${formatUsd(whole)} is an amount to split`);
  const unit = whole.isNegative() ? zeroUsd.minus(oneUnit) : oneUnit;
  return split(BigInt(units.toFixed(0)), weights).map((part) => usd(part.toString()).times(unit));
}

const unitsPerUsd = usd(`1${'0'.repeat(moneyScale)}`);
const oneUnit = usd(`0.${'0'.repeat(moneyScale - 1)}1`);

function split(whole: bigint, weights: readonly number[]): readonly bigint[] {
  invariant(weights.length > 0, 'a whole is split among parts');
  for (const weight of weights)
    invariant(Number.isSafeInteger(weight) && weight >= 0, `${weight} is a weight`);
  const isEqual = weights.every((weight) => weight === 0);
  const shares = weights.map((weight) => (isEqual ? 1n : BigInt(weight)));
  const total = shares.reduce((sum, share) => sum + share, 0n);
  const parts = shares.map((share) => (whole * share) / total);
  const left = Number(parts.reduce((rest, part) => rest - part, whole));
  const lost = shares.map((share, place) => ({ place, by: (whole * share) % total }));
  lost.sort((one, other) => (one.by === other.by ? one.place - other.place : one.by > other.by ? -1 : 1));
  const raised = new Set(lost.slice(0, left).map(({ place }) => place));
  return parts.map((part, place) => (raised.has(place) ? part + 1n : part));
}
