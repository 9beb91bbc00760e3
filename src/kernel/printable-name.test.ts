import { describe, expect, it } from 'vitest';
import { isPrintableName } from './printable-name.ts';

describe('a name', () => {
  it.each(['acme', 'Škoda Auto', '株式会社', 'क्‍ष', 'می‌خواهم', '👩‍💻', "O'Brien & Söhne <x>"])(
    'is printable in any script: %s',
    (name) => expect(isPrintableName(name)).toBe(true),
  );

  it.each([
    ['a control character', 'a\u0007b'],
    ['a C1 control', 'a\u009bb'],
    ['DEL', 'a\u007fb'],
    ['a right-to-left override', 'acme\u202Egpj.exe'],
    ['an isolate', 'a\u2066b'],
    ['a right-to-left mark', 'a\u200fb'],
    ['an Arabic letter mark', 'a\u061cb'],
    ['a zero-width space', 'ac\u200bme'],
    ['a byte order mark', 'ac\ufeffme'],
    ['a word joiner', 'ac\u2060me'],
    ['a line separator', 'a\u2028b'],
    ['a tag', 'a\u{e0041}b'],
    ['a lone surrogate', 'caf\ud83d'],
  ])('is not printable with %s', (_, name) => {
    expect(isPrintableName(name)).toBe(false);
  });
});
