import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberText } from './json-member.ts';

describe('the text of a member', () => {
  it('is as it was written', () => {
    const text =
      '{"response": {"status_code":200, "body" : {"a":120.0,"b":12345678901234567890,"c":"\\u00e9"} } ,"id":"x"}';
    expect(memberText(text, ['response', 'body'])).toBe('{"a":120.0,"b":12345678901234567890,"c":"\\u00e9"}');
    expect(memberText(text, ['response', 'status_code'])).toBe('200');
    expect(memberText(text, ['id'])).toBe('"x"');
  });

  it('is that of the last of one name, and of none where there is none', () => {
    expect(memberText('{"a":1,"a":2}', ['a'])).toBe('2');
    expect(memberText('{"a":[{"b":1}]}', ['a', 'b'])).toBeUndefined();
    expect(memberText('{}', ['a'])).toBeUndefined();
    expect(memberText('[1]', ['a'])).toBeUndefined();
  });

  it('means what JSON.parse says of it, whatever stands around', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.jsonValue(),
        fc.constantFrom(undefined, 1, '\t'),
        (others, value, indent) => {
          const text = JSON.stringify({ ...others, wanted: { inner: value, after: others } }, null, indent);
          const found = memberText(text, ['wanted', 'inner']);
          expect(JSON.parse(found ?? 'null')).toEqual(JSON.parse(JSON.stringify(value)));
        },
      ),
    );
  });
});
