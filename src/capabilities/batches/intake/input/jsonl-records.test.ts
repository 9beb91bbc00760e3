import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { allOf } from '../../../../../test/support/all-of.ts';
import { inPieces, shortly } from '../../../../../test/support/input-pieces.ts';
import { decodedBytes } from './input-bytes.ts';
import { jsonlRecords } from './jsonl-records.ts';

const options = { form: 'item', maxLineBytes: 200, maxDepth: 4 } as const;
const bounds = { uploadBytes: 10_000, decodedBytes: 10_000 };

const read = async (content: string | Uint8Array, size = 7, more: Partial<typeof options> = {}) =>
  (await allOf(jsonlRecords(inPieces(content, size), { ...options, ...more }))).map((record) =>
    shortly(record),
  );

describe('JSON Lines', () => {
  it.each([1, 2, 3, 5, 1000])('are the same in pieces of %i bytes', async (size) => {
    const text = '\ufeff{"id":"ä","data":{"x":"🙂"}}\r\n\n \t\n{"data":2}\n{"id":"z","data":null}';
    expect(await read(text, size)).toEqual([
      [1, 'ä', { x: '🙂' }],
      [4, undefined, 2],
      [5, 'z', null],
    ]);
  });

  it('say every fault with the number of its line, and go on', async () => {
    const long = `{"data":"${'x'.repeat(50_000_000)}"}`;
    const bytes = Buffer.concat([
      Buffer.from('{"data":1}\nnope\n[1]\n{"dta":1,"id":"a"}\n'),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(`${long}\n{"data":2}\n`),
    ]);
    const found = await read(bytes, 1_000_000);
    expect(found.map(([place]) => place)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(found[1]?.[1]).toMatch(/^: is not JSON: /);
    expect(found[2]?.[1]).toMatch(/^: is no JSON object; an item has id, data/);
    expect(found[3]).toHaveLength(3);
    expect(found[3]?.slice(1)).toEqual([expect.stringMatching(/^dta: is not known/), 'data: is missing']);
    expect(found[4]).toEqual([5, ': is not UTF-8']);
    expect(found[5]?.[1]).toMatch(/^: has 50000011 bytes; an item has 200 at most/);
    expect(found[6]).toEqual([7, undefined, 2]);
  });

  it('leave out what they do not say, instead of null', async () => {
    expect(await read('{"id":null,"data":null,"team":null}')).toEqual([
      [1, 'id: is null: leave it out', 'team: is null: leave it out'],
    ]);
  });

  it('may be the bare data', async () => {
    expect(await read('{"id":1}\n"text"\n[]\n', 3, { form: 'bare' } as never)).toEqual([
      [1, undefined, { id: 1 }],
      [2, undefined, 'text'],
      [3, undefined, []],
    ]);
  });

  it('that are long are looked through before they are parsed', async () => {
    const deep = `{"data":${'['.repeat(40_000)}${']'.repeat(40_000)}}`;
    const wide = `{"data":[${'0,'.repeat(250_000)}0]}`;
    const more = { maxLineBytes: 1_000_000 } as never;
    const [first, second] = await read(`${deep}\n${wide}\n`, 65_536, more);
    expect(first?.[1]).toMatch(/is nested deeper than 5 levels/);
    expect(second?.[1]).toMatch(/holds more than 200000 values/);
  });

  it.each([
    ['12345678901234567891', '12345678901234567891'],
    ['-9007199254740993', '-9007199254740993'],
    ['[{"a":"\\\\\\"1"},1152921504606846976]', '1152921504606846976'],
    ['3.141592653589793238', '3.141592653589793238'],
    ['1234567890.123456789012', '1234567890.123456789012'],
    [`1${'0'.repeat(60)}1`, `1${'0'.repeat(39)}…`],
  ])('do not round %s in silence', async (json, told) => {
    const problem = `: holds the number ${told}, of which JSON keeps fewer digits: send it as text`;
    expect(await read(`{"id":"a","data":${json}}\n{"data":1}`)).toEqual([
      [1, problem],
      [2, undefined, 1],
    ]);
    expect(await read(`{"n":${json}}`, 1000, { form: 'bare' } as never)).toEqual([[1, problem]]);
  });

  it.each([
    '9007199254740991',
    '9007199254740992',
    '-1000000000000000000000000',
    '0.10000000000000000000',
    '0.30000000000000004',
    '2.2250738585072014e-308',
    '1.7976931348623157e+308',
    '0.000000000000000000001',
    '"12345678901234567891"',
    '"\\\\\\"12345678901234567891"',
    '{"12345678901234567891":"3.141592653589793238"}',
  ])('have %s as it is', async (json) => {
    expect(await read(`{"data":${json}}`)).toEqual([[1, undefined, JSON.parse(json)]]);
  });

  it('that are long do not round numbers either', async () => {
    const json = `["${'x'.repeat(200_000)}",12345678901234567891]`;
    const found = await read(`{"data":${json}}`, 65_536, { maxLineBytes: 1_000_000 } as never);
    expect(found[0]?.[1]).toMatch(/^: holds the number 12345678901234567891/);
  });

  it('of nothing are no items', async () => {
    expect(await read('')).toEqual([]);
    expect(await read('\n\r\n  \n')).toEqual([]);
    expect(await read('\ufeff')).toEqual([]);
  });
});

describe('bytes of an input', () => {
  const decode = async (bytes: Uint8Array, more: Partial<typeof bounds> = {}) =>
    Buffer.concat(await allOf(decodedBytes(inPieces(bytes, 10), 'gzip', { ...bounds, ...more })));

  it('are decompressed', async () => {
    expect((await decode(gzipSync('abc'))).toString()).toBe('abc');
  });

  it('are refused when they are too many, sent or decompressed', async () => {
    const bomb = gzipSync(Buffer.alloc(5_000_000));
    await expect(decode(bomb)).rejects.toMatchObject({
      code: 'MILLRACE_REQUEST_TOO_LARGE',
      message: expect.stringContaining('batches.decodedBytes') as unknown,
    });
    await expect(decode(bomb, { uploadBytes: 100 })).rejects.toMatchObject({
      code: 'MILLRACE_REQUEST_TOO_LARGE',
      message: expect.stringContaining('batches.uploadBytes') as unknown,
    });
  });

  it('are refused when they are not compressed as they say, or not whole', async () => {
    await expect(decode(Buffer.from('plain text'))).rejects.toThrow(/cannot be decompressed as gzip/);
    await expect(decode(gzipSync('a'.repeat(1000)).subarray(0, 20))).rejects.toThrow(
      /unexpected end of file/,
    );
  });
});
