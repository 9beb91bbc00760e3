import { expect, it } from 'vitest';
import { itemName } from './item-name.ts';

it('shows what a sender calls an item, cut where it is long, and no id that was made for it', () => {
  expect(itemName('contract-17.txt')).toBe('contract-17.txt');
  expect(itemName('018f3f2e-7c1a-7000-8000-000000000000')).toBe('');
  expect(itemName('x'.repeat(50))).toBe(`${'x'.repeat(39)}…`);
  expect(itemName(`${'x'.repeat(38)}😀${'y'.repeat(9)}`)).toBe(`${'x'.repeat(38)}\uFFFD…`);
});
