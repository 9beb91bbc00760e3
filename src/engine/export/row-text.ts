import { invariant } from '../../kernel/invariant.ts';
import { formatUsd, isStorableUsd, moneyScale, type Usd } from '../../kernel/money.ts';

/*
 * The parts of a JSONEachRow line. Lines are built by hand on the hot path: names are literals, and only free text
 * goes through JSON's escapes.
 */

/** Free text as a JSON string. An unpaired surrogate, which is no character, becomes U+FFFD: the engine refuses it. */
export function textOf(text: string): string {
  return JSON.stringify(text.isWellFormed() ? text : text.toWellFormed());
}

/** A time as ClickHouse's DateTime64(3) in UTC reads it. */
export function timeOf(time: Date): string {
  const iso = time.toISOString();
  return `"${iso.slice(0, 10)} ${iso.slice(11, 23)}"`;
}

/** An amount as a decimal string, checked to fit Decimal(38, 18): ClickHouse would cut further digits in silence. */
export function amountOf(amount: Usd): string {
  invariant(isStorableUsd(amount), `${amount.toFixed()} fits Decimal(38, ${moneyScale})`);
  return `"${formatUsd(amount)}"`;
}

/** A whole number within bounds, as it is. */
export function integerOf(name: string, value: number, min: number, max: number): string {
  invariant(
    Number.isSafeInteger(value) && value >= min && value <= max,
    `${name} is between ${min} and ${max}, not ${value}`,
  );
  return `${value}`;
}

/**
 * One insert's rows: each rendered line gets the export batch as its first field. Lines come without a newline, and
 * leave with one.
 */
export function bindLines(exportBatch: string, lines: Iterable<string>): string {
  const head = `{"export_batch":"${exportBatch}",`;
  const bound: string[] = [];
  for (const line of lines) bound.push(head, line.slice(1), '\n');
  return bound.join('');
}

/** A time as the engine takes it in parameters and literals of UTC. */
export function engineTime(time: Date): string {
  return time.toISOString().replace('T', ' ').replace('Z', '');
}
