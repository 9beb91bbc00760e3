import { expect, it } from 'vitest';
import { inexactProblem } from './inexact-number.ts';
import { exactParsers, NoJsonForm } from './parquet-values.ts';

it('names the first number that is not kept, whatever texts stand before it', () => {
  const json = `{"\\\\":"9007199254740993\\"","b":[9007199254740992,{"c":9007199254740993}],"d":12345678901234567891}`;
  expect(() => JSON.parse(json) as unknown).not.toThrow();
  expect(inexactProblem(json)).toContain('the number 9007199254740993,');
  expect(inexactProblem(json.replace('9007199254740993}', '1}'))).toContain(' 12345678901234567891,');
});

it('is asked of the JSON in columns of Parquet', () => {
  const read = (json: string): unknown => exactParsers.jsonFromBytes?.(Buffer.from(json));
  expect(read('{"n":9007199254740993}')).toBeInstanceOf(NoJsonForm);
  expect(read('{"n":"9007199254740993"}')).toEqual({ n: '9007199254740993' });
});
