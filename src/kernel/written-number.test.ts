import { describe, expect, it } from 'vitest';
import { decimalOrText, readDecimalNumber, readWholeNumber, wholeNumberOrText } from './written-number.ts';

const notNumbers = [
  '',
  ' ',
  ' 5 ',
  '5 ',
  '0x10',
  '0b1',
  '1e2',
  '+5',
  '-5',
  'Infinity',
  'NaN',
  '1_000',
  '٥',
  '5\n',
];

describe('a number that is written', () => {
  it('is read from decimal digits', () => {
    expect([readWholeNumber('0'), readWholeNumber('0042'), readDecimalNumber('0.25')]).toEqual([0, 42, 0.25]);
    expect([wholeNumberOrText().parse('42'), wholeNumberOrText().parse(42)]).toEqual([42, 42]);
    expect([decimalOrText().parse('0.5'), decimalOrText().parse(0.5)]).toEqual([0.5, 0.5]);
  });

  it.each(notNumbers)('is not read from what JavaScript alone takes for one: %j', (text) => {
    expect([readWholeNumber(text), readDecimalNumber(text)]).toEqual([undefined, undefined]);
    expect(wholeNumberOrText().safeParse(text).success).toBe(false);
    expect(decimalOrText().safeParse(text).success).toBe(false);
  });

  it.each([true, false, [5], {}, 1.5, Number.NaN, 2 ** 60, '9'.repeat(16)])(
    'is no other value: %j',
    (value) => {
      expect(wholeNumberOrText().safeParse(value).success).toBe(false);
    },
  );
});
