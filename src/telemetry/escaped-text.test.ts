import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replaceRead } from './escaped-text.ts';

const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

describe('what is replaced as it is read', () => {
  it('is found however its characters are written, in JSON within JSON too', () => {
    const writtenCharacter = fc.tuple(fc.constantFrom('s', 'k', '-', '"', '/', '\\', 'Ö'), fc.nat(3));
    fc.assert(
      fc.property(fc.array(writtenCharacter, { minLength: 3, maxLength: 12 }), (characters) => {
        const secret = characters.map(([character]) => character).join('');
        // As JSON.stringify writes it, or as an escape, each character by itself.
        const written = characters
          .map(([character, how]) => (how === 0 ? escape(character) : JSON.stringify(character).slice(1, -1)))
          .join('');
        const pattern = new RegExp(secret.replaceAll(/[\\/-]/g, String.raw`\$&`), 'g');
        const json = `{"a": "x ${written} y", "n": 1e400}`;
        if (/\\(?:u|\\)/.test(written) && !secret.includes('\\')) {
          expect(replaceRead(json, [pattern], '-')).toBe('{"a": "x - y", "n": 1e400}');
          const nested = JSON.stringify(JSON.stringify(`{"a": "x ${written} y"}`));
          expect(JSON.parse(JSON.parse(replaceRead(nested, [pattern], '-')) as string)).toBe(
            '{"a": "x - y"}',
          );
        }
      }),
    );
  });

  it('leaves the rest as it was written', () => {
    const json = String.raw`{"a":"\u00e9\n\ud83d\ude80 \/ \\u0041 \"q\" \u0073ecret \\ \u0020","b":12345678901234567890}`;
    expect(replaceRead(json, [/nothing/g], '-')).toBe(json);
    expect(replaceRead(json, [/nothing/g, /secret/g, /q/g], '-')).toBe(
      json.replace(String.raw`\u0073ecret`, '-').replace('q', '-'),
    );
  });
});
