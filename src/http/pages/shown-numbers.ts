import { type Usd, usd } from '../../kernel/money.ts';

/* Numbers as pages show them to people: rounded half up, with thousands apart. */

const maxChangePercent = 999;

/** Digits after the point with which amounts of such a size differ visibly. */
export function digitsFor(totalUsd: string): number {
  const size = usd(totalUsd).abs();
  if (size.greaterThanOrEqualTo(100)) return 2;
  return size.greaterThanOrEqualTo(1) ? 4 : 6;
}

/** "$1,234.50" */
export function shownUsd(amount: string | Usd, digits: number): string {
  const value = typeof amount === 'string' ? usd(amount) : amount;
  const [whole = '0', fraction = ''] = value.abs().toFixed(digits).split('.');
  const sign = value.isNegative() && !value.isZero() ? '−' : '';
  return `${sign}$${whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ',')}${fraction === '' ? '' : `.${fraction}`}`;
}

/** "12.5 %"; with a sign where it is a change. */
export function shownPercent(ratio: string, isChange = false): string {
  const value = usd(ratio).times(100);
  // From next to nothing to something: how many times more says nothing.
  if (isChange && value.greaterThan(maxChangePercent)) return `> ${maxChangePercent} %`;
  const text = `${value.abs().toFixed(1)} %`;
  if (value.isNegative() && !value.isZero()) return `−${text}`;
  return isChange && !value.isZero() ? `+${text}` : text;
}

/** "1,234,567" */
export function shownCount(count: number | string): string {
  return BigInt(count).toLocaleString('en-US');
}

/** "1 call", "2 calls" */
export function shownCounted(count: number, one: string, several = `${one}s`): string {
  return `${shownCount(count)} ${count === 1 ? one : several}`;
}

/** "November 2026", of "2026-11". */
export function monthName(month: string): string {
  return new Intl.DateTimeFormat('en-US', { month: 'long', year: 'numeric', timeZone: 'UTC' }).format(
    new Date(`${month}-01`),
  );
}

/** "850 ms", "12.3 s", "12 min 5 s", "3 h 12 min", "4 d 6 h": two units at most. */
export function shownDuration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const pairs = [
    [86_400, 'd', 3600, 'h'],
    [3600, 'h', 60, 'min'],
    [60, 'min', 1, 's'],
  ] as const;
  const whole = Math.round(seconds);
  const [large, largeName, small, smallName] = pairs.find(([size]) => whole >= size) ?? pairs[2];
  const rest = Math.floor((whole % large) / small);
  return `${Math.floor(whole / large)} ${largeName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`;
}

/** "2026-11-30 08:15", of a time as documents have it. */
export function shownUtc(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}
