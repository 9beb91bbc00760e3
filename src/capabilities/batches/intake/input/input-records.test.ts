import { expect, it } from 'vitest';
import { uploadQuerySchema } from '../intake-requests.ts';
import { type BatchInput, confirmReadable } from './input-records.ts';

const unread: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => {
    throw new Error('nothing is read of it');
  },
};
const input = (more: Partial<BatchInput>): BatchInput => ({
  format: 'jsonl',
  encoding: 'identity',
  query: uploadQuerySchema.parse({}),
  bytes: unread,
  ...more,
});

it.each<[string, Partial<BatchInput>, string | undefined]>([
  ['as many bytes as are accepted', { declaredBytes: 1000 }, undefined],
  ['an unknown number of bytes', {}, undefined],
  ['CSV', { format: 'csv', encoding: 'gzip' }, undefined],
  ['more bytes than are accepted', { declaredBytes: 1001 }, 'MILLRACE_REQUEST_TOO_LARGE'],
  ['compressed Parquet', { format: 'parquet', encoding: 'gzip' }, 'MILLRACE_MEDIA_TYPE_UNSUPPORTED'],
])('an input is refused by what is said of it before a byte is read: %s', async (_, more, code) => {
  const confirmed = confirmReadable(input(more), { uploadBytes: 1000 }).then(
    () => undefined,
    (error: unknown) => (error as { readonly code: string }).code,
  );
  expect(await confirmed).toBe(code);
});
