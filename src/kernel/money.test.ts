import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvariantError } from './invariant.ts';
import {
  addUsd,
  formatUsd,
  maxUsd,
  moneyScale,
  rateScale,
  roundRate,
  scaleRate,
  sumUsd,
  tokensAtPrice,
  usd,
  usdFromNumber,
  zeroUsd,
} from './money.ts';

const scale = 10n ** BigInt(moneyScale);

/** An amount as a whole number of its smallest unit, and as text with all its digits. */
const units = fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n });

function textOf(amount: bigint): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(moneyScale + 1, '0');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -moneyScale)}.${digits.slice(-moneyScale)}`;
}

function unitsOf(text: string): bigint {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const amount = BigInt(whole + fraction.padEnd(moneyScale, '0'));
  return text.startsWith('-') ? -amount : amount;
}

describe('money', () => {
  it('reads and writes every amount of 18 decimals unchanged', () => {
    fc.assert(
      fc.property(units, (amount) => {
        expect(unitsOf(formatUsd(usd(textOf(amount))))).toBe(amount);
      }),
    );
  });

  it('adds exactly, whatever the sizes', () => {
    fc.assert(
      fc.property(units, units, (left, right) => {
        const sum = formatUsd(addUsd(usd(textOf(left)), usd(textOf(right))));
        expect(unitsOf(sum)).toBe(left + right);
      }),
    );
  });

  it('sums exactly and independently of the order', () => {
    fc.assert(
      fc.property(fc.array(units, { maxLength: 50 }), (amounts) => {
        const total = amounts.reduce((sum, amount) => sum + amount, 0n);
        const decimals = amounts.map((amount) => usd(textOf(amount)));
        expect(unitsOf(formatUsd(sumUsd(decimals)))).toBe(total);
        expect(unitsOf(formatUsd(sumUsd(decimals.toReversed())))).toBe(total);
      }),
    );
  });

  it('prices any count of tokens at any rate of the allowed digits without losing one', () => {
    const rateUnits = fc.bigInt({ min: 0n, max: 10n ** BigInt(rateScale + 6) });
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), rateUnits, (tokens, rate) => {
        const rateText = textOf(rate * (scale / 10n ** BigInt(rateScale)));
        expect(unitsOf(formatUsd(tokensAtPrice(tokens, usd(rateText))))).toBe(BigInt(tokens) * rate);
      }),
    );
  });

  it('is not a float: ten dimes are a dollar', () => {
    expect(formatUsd(sumUsd(Array.from({ length: 10 }, () => usd('0.1'))))).toBe('1');
  });

  it.each([
    ['0', '0'],
    ['0.00', '0'],
    ['-0', '0'],
    ['007.50', '7.5'],
    ['0.000000000000000001', '0.000000000000000001'],
    ['99999999999999999999.999999999999999999', '99999999999999999999.999999999999999999'],
  ])('writes %s as %s', (text, written) => {
    expect(formatUsd(usd(text))).toBe(written);
  });

  it.each(['', ' 1', '1 ', '1e3', '.5', '5.', '+1', '1,5', 'NaN', 'Infinity', '--1', '0x10', '1_000'])(
    'refuses %j as an amount',
    (text) => {
      expect(() => usd(text)).toThrow(InvariantError);
    },
  );

  it.each([
    [0.1, '0.1'],
    [1e-7, '0.0000001'],
    [2.5e-9, '0.0000000025'],
    [1e21, '1000000000000000000000'],
    [0, '0'],
    [0.003625, '0.003625'],
  ])('reads the float %d by its shortest decimal text', (value, text) => {
    expect(formatUsd(usdFromNumber(value))).toBe(text);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1])('refuses the float %d', (value) => {
    expect(() => usdFromNumber(value)).toThrow(InvariantError);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses %d as a count of tokens', (tokens) => {
    expect(() => tokensAtPrice(tokens, usd('1'))).toThrow(InvariantError);
  });

  it('fails rather than round a product that money cannot hold', () => {
    expect(() => tokensAtPrice(1, usd('0.0000000000001'))).toThrow('fits 18 decimals');
  });

  it('rounds rates half up to the digits that a rate may have', () => {
    expect(formatUsd(roundRate(usdFromNumber(0.08333333333333333)))).toBe('0.083333333333');
    expect(formatUsd(roundRate(usd('0.0000000000005')))).toBe('0.000000000001');
    expect(formatUsd(scaleRate(usd('0.275'), '0.5'))).toBe('0.1375');
    expect(formatUsd(scaleRate(usd('0.000000000001'), '0.5'))).toBe('0.000000000001');
  });

  it('tells the greater amount', () => {
    expect(formatUsd(maxUsd(usd('1.5'), usd('1.50001')))).toBe('1.50001');
    expect(formatUsd(maxUsd(usd('2'), usd('-3')))).toBe('2');
    expect(formatUsd(maxUsd(zeroUsd, zeroUsd))).toBe('0');
  });
});
