import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteWriter, ParquetWriter, parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openParquet, rowsOfGroup } from '../../src/capabilities/batches/intake/input/parquet-file.ts';
import { outputParquet } from '../../src/capabilities/batches/done/output-parquet.ts';
import { parquetRecords } from '../../src/capabilities/batches/intake/input/parquet-records.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import type { OutputItem } from '../../src/capabilities/batches/run/batch-store.ts';
import { outputLine } from '../../src/capabilities/batches/run/output-lines.ts';
import { allOf } from '../support/all-of.ts';
import { shortly } from '../support/input-pieces.ts';

/* Parquet files as items, read in a thread of their own: with the types that there are, and with what somebody made to do harm. And as output. */

const bounds = { maxRows: 10_000, rowGroupBytes: 2_000_000 };
type Written = Parameters<typeof parquetWriteBuffer>[0];

let directory: string;
let files = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-parquet-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function fileOf(bytes: Uint8Array): Promise<string> {
  files += 1;
  const path = join(directory, `${files}.parquet`);
  await writeFile(path, bytes);
  return path;
}

const write = (written: Written): Buffer => Buffer.from(parquetWriteBuffer(written));

const usual = {
  bounds,
  maxRowBytes: 100_000,
  maxDepth: 16,
  columns: { omit: [] },
  clock: systemClock,
  timeoutMs: 600_000,
};

async function read(bytes: Uint8Array, more: Partial<Parameters<typeof parquetRecords>[1]> = {}) {
  const records = parquetRecords(await fileOf(bytes), { ...usual, ...more });
  return (await allOf(records)).map((record) => shortly(record));
}

/** As the thread does it, without one. */
async function decode(bytes: Uint8Array): Promise<number> {
  const handle = await open(await fileOf(bytes));
  try {
    const table = await openParquet(handle, bounds);
    let rows = 0;
    for (const [group] of table.metadata.row_groups.entries())
      rows += (await rowsOfGroup(table, group, bounds)).length;
    return rows;
  } finally {
    await handle.close();
  }
}

/** A file with one column of whole numbers. */
const numbers = (count: number, more: Partial<Written> = {}): Buffer =>
  write({
    columnData: [{ name: 'n', data: Array.from({ length: count }, (_, at) => at * 7919), type: 'INT32' }],
    ...more,
  });

describe('Parquet', () => {
  it('has its values as JSON has them, exactly', async () => {
    const bytes = write({
      columnData: [
        { name: 'text', data: ['ä🙂', ''], type: 'STRING' },
        { name: 'whole', data: [7n, 2n ** 60n], type: 'INT64' },
        { name: 'flag', data: [true, null], type: 'BOOLEAN' },
        { name: 'real', data: [1.5, -0.1], type: 'DOUBLE' },
        { name: 'at', data: [new Date('2026-01-02T03:04:05.678Z'), new Date(-1)], type: 'TIMESTAMP' },
        { name: 'json', data: [{ a: [1, null] }, null], type: 'JSON' },
      ],
    });
    expect(await read(bytes)).toEqual([
      [
        1,
        undefined,
        {
          text: 'ä🙂',
          whole: 7,
          flag: true,
          real: 1.5,
          at: '2026-01-02T03:04:05.678Z',
          json: { a: [1, null] },
        },
      ],
      [2, undefined, { text: '', whole: '1152921504606846976', real: -0.1, at: '1969-12-31T23:59:59.999Z' }],
    ]);
  });

  it('has values that are nested too deeply as faults of their rows', async () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
    const deep = [nested(15), nested(16), nested(400)];
    const bytes = write({ columnData: [{ name: 'json', data: deep, type: 'JSON' }] });
    const problem = 'json: is nested too deeply (messages.maxDepth)';
    expect(await read(bytes)).toEqual([
      [1, undefined, { json: nested(15) }],
      [2, problem],
      [3, problem],
    ]);
  });

  it('has decimals as text, with all their digits', async () => {
    const bytes = write({
      schema: [
        { name: 'root', num_children: 1 },
        {
          name: 'amount',
          type: 'FIXED_LEN_BYTE_ARRAY',
          type_length: 16,
          converted_type: 'DECIMAL',
          scale: 18,
          precision: 38,
          repetition_type: 'REQUIRED',
        },
      ],
      columnData: [{ name: 'amount', data: [12_345_678_901_234_567_890_123n, -5n, 0n] }],
    });
    expect((await read(bytes)).map(([, , data]) => data)).toEqual([
      { amount: '12345.678901234567890123' },
      { amount: '-0.000000000000000005' },
      { amount: '0.000000000000000000' },
    ]);
  });

  it('names ids, customers and teams by columns, over row groups and many pages', async () => {
    const count = 5000;
    const bytes = write({
      columnData: [
        { name: 'key', data: Array.from({ length: count }, (_, at) => at), type: 'INT32' },
        { name: 'who', data: Array.from({ length: count }, () => 'acme'), type: 'STRING' },
      ],
      rowGroupSize: [1000],
    });
    const columns = { id: 'key', customer: 'who', omit: ['who'] };
    const found = await read(bytes, { columns });
    expect(found).toHaveLength(count);
    expect(found[4321]).toEqual([4322, '4321', { key: 4321 }]);
  });

  it('refuses rows that JSON cannot hold, each by itself', async () => {
    const bytes = write({
      columnData: [
        { name: 'real', data: [1, Number.NaN, 3], type: 'DOUBLE' },
        { name: 'raw', data: [Buffer.from('a'), Buffer.from('b'), Buffer.from([0xff])], type: 'BYTE_ARRAY' },
      ],
    });
    expect(await read(bytes)).toEqual([
      [1, undefined, { real: 1, raw: 'a' }],
      [2, 'real: holds NaN, which JSON does not have'],
      [3, 'raw: holds bytes that are not UTF-8'],
    ]);
  });

  it('refuses a column that is missing', async () => {
    await expect(read(numbers(3), { columns: { id: 'id', omit: [] } })).rejects.toThrow(/no column "id"/);
  });
});

describe('a Parquet file that is not sound', () => {
  const whole = numbers(100, { codec: 'UNCOMPRESSED' });
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(whole);
    change(bytes);
    return bytes;
  };
  /** The count of values in the page's header, as Thrift writes the field. */
  const countOf = (count: number): Buffer =>
    Buffer.from([0x15, ((count * 2) & 0x7f) | 0x80, (count * 2) >> 7]);

  it.each<[string, Buffer, RegExp]>([
    ['empty', Buffer.alloc(0), /too short/],
    ['something else', Buffer.from('id,text\n1,a\n'.repeat(10)), /no Parquet file/],
    ['cut off', whole.subarray(0, whole.length - 20), /no Parquet file, or not whole/],
    ['without its beginning', whole.subarray(20), /no Parquet file/],
    ['encrypted', changed((bytes) => bytes.write('PARE', bytes.length - 4)), /encrypted/],
    [
      'with a footer beyond the file',
      changed((bytes) => bytes.writeUInt32LE(9_999_999, bytes.length - 8)),
      /exceeds/,
    ],
    [
      'with a footer beyond the bound',
      changed((bytes) => bytes.writeUInt32LE(0x7fffffff, bytes.length - 8)),
      /footer of more than/,
    ],
    [
      'with a footer that is no footer',
      changed((bytes) => bytes.fill(0xff, bytes.length - 60, bytes.length - 8)),
      /./,
    ],
    [
      'with more values in a page than in its column',
      changed((bytes) => countOf(101).copy(bytes, bytes.indexOf(countOf(100)))),
      /more values than it says/,
    ],
    [
      'with fewer values in a page than in its column',
      changed((bytes) => countOf(99).copy(bytes, bytes.indexOf(countOf(100)))),
      /fewer values|not as it says|offset/i,
    ],
    [
      'with more rows than a batch may have',
      numbers(10_001),
      /has 10001 rows; a batch has 10000 items at most/,
    ],
  ])('%s is refused', async (_, bytes, message) => {
    await expect(decode(bytes)).rejects.toThrow(message);
  });

  it('that unpacks to more than a row group may have is refused before it is unpacked', async () => {
    const zeros = Array.from({ length: 30 }, (_, at) => `${'0'.repeat(100_000)}${at}`);
    for (const codec of ['SNAPPY', 'UNCOMPRESSED'] as const) {
      const bytes = write({ columnData: [{ name: 'text', data: zeros, type: 'STRING' }], codec });
      await expect(decode(bytes)).rejects.toThrow(/row group of more than 2000000 decoded bytes/);
    }
  });

  it('that repeats a large value in every row has rows that are too large', async () => {
    const large = 'x'.repeat(150_000);
    const data = Array.from({ length: 5000 }, () => large);
    const bytes = write({ columnData: [{ name: 'text', data, type: 'STRING' }] });
    expect(bytes.length).toBeLessThan(200_000);
    const found = await read(bytes);
    expect(found).toHaveLength(5000);
    expect(found[4999]).toEqual([5000, 'text: makes the row larger than an item may be (messages.maxBytes)']);
  });

  it('is told of as unreadable by the thread, which then ends', async () => {
    await expect(read(whole.subarray(0, whole.length - 20))).rejects.toMatchObject({
      name: 'UnreadableInput',
      fault: { field: '', problem: 'is no Parquet file, or not whole' },
    });
  });

  it.each([
    [-2000, 9, 'has a scale that is not from 0 to its precision'],
    [10, 9, 'has a scale that is not from 0 to its precision'],
    [0, 77, 'has a precision that is not from 1 to 76'],
    [0, -1, 'has a precision that is not from 1 to 76'],
  ])(
    'that says how many digits its decimals have is not believed: scale %d, precision %d',
    async (scale, precision, problem) => {
      const writer = new ByteWriter();
      const column = { name: 'd', type: 'INT32', repetition_type: 'REQUIRED' } as const;
      const table = new ParquetWriter({ writer, schema: [{ name: 'root', num_children: 1 }, column] });
      await table.write({ columnData: [{ name: 'd', data: [5, 5] }] });
      Object.assign(table.schema[1] ?? {}, { converted_type: 'DECIMAL', scale, precision });
      await table.finish();
      await expect(read(Buffer.from(writer.getBytes()))).rejects.toMatchObject({
        fault: { problem: `the column "d" ${problem}` },
      });
    },
  );

  it('is not read with more row groups than can be looked through for each', async () => {
    const rows = numbers(10_001, { rowGroupSize: [1] });
    await expect(read(rows, { bounds: { ...bounds, maxRows: 20_000 } })).rejects.toMatchObject({
      fault: { problem: 'has more than 10000 row groups' },
    });
  });

  it('is given up when it takes too long, or nobody waits for it any more', async () => {
    const path = await fileOf(numbers(5000));
    const clock = new ManualClock();
    const slow = parquetRecords(path, { ...usual, clock }).next();
    clock.advance(usual.timeoutMs);
    await expect(slow).rejects.toMatchObject({
      fault: { problem: expect.stringContaining('takes longer to read than it may') },
    });
    const gone = new AbortController();
    const left = parquetRecords(path, { ...usual, signal: gone.signal });
    await left.next();
    gone.abort(new Error('gone'));
    await expect(allOf(left)).rejects.toThrow('gone');
    const unread = parquetRecords(path, { ...usual, signal: gone.signal }).next();
    await expect(unread).rejects.toThrow('gone');
  });

  it('stops its thread when nobody reads on', async () => {
    const records = parquetRecords(await fileOf(numbers(5000)), usual);
    for await (const record of records) {
      expect(record.place).toBe(1);
      break;
    }
  });
});

describe('the output of a batch as Parquet', () => {
  const item = (position: number, more: Partial<OutputItem> = {}): OutputItem => ({
    position,
    itemId: `item-${position}`,
    state: 'succeeded',
    line: undefined,
    error: undefined,
    attempts: undefined,
    costUsd: '0.01',
    unpriced: 0,
    tokens: { input: 7, output: 3 },
    ...more,
  });
  const said = (position: number, outputs: string, more: Partial<OutputItem> = {}): OutputItem => {
    const bare = item(position, more);
    return { ...bare, line: outputLine(bare).replace('"outputs":null', () => `"outputs":${outputs}`) };
  };
  async function* pagesOf(...pages: readonly (readonly OutputItem[])[]) {
    for (const page of pages) yield await Promise.resolve(page);
  }
  const file = async (...pages: readonly (readonly OutputItem[])[]): Promise<Buffer> =>
    Buffer.concat(await allOf(outputParquet(pagesOf(...pages))));

  it('has what its lines say: texts as they were written, costs to the last digit, errors, and nothing where nothing is known', async () => {
    const failure = { code: 'MILLRACE_STAGE_FAILED', message: 'no, "really" ä' };
    const hostile = 'a","status":"succeeded","outputs":["not this"],"costUsd":"9';
    const pages = [
      [
        said(1, '[120.0,12345678901234567890,{"costUsd":",\\"costUsd\\":"}]', {
          itemId: hostile,
          costUsd: '12345678901234567890.123456789012345678',
        }),
        item(2, { state: 'failed', error: failure, attempts: 3, costUsd: '0.000000000000000001' }),
      ],
      [
        said(3, '[]', { unpriced: 1 }),
        item(4, { state: 'skipped', costUsd: undefined, tokens: undefined }),
        item(5),
      ],
    ];
    const rest = { currency: 'USD', input_tokens: 7, output_tokens: 3 };
    expect((await read(await file(...pages))).map(([, , data]) => data)).toEqual([
      {
        ...rest,
        id: hostile,
        position: 1,
        status: 'succeeded',
        outputs: '[120.0,12345678901234567890,{"costUsd":",\\"costUsd\\":"}]',
        cost: '12345678901234567890.123456789012345678',
      },
      {
        ...rest,
        id: 'item-2',
        position: 2,
        status: 'failed',
        error_code: failure.code,
        error_message: failure.message,
        cost: '0.000000000000000001',
        attempts: 3,
      },
      { ...rest, id: 'item-3', position: 3, status: 'succeeded', outputs: '[]' },
      {
        id: 'item-4',
        position: 4,
        status: 'skipped',
        cost: '0.000000000000000000',
        currency: 'USD',
        input_tokens: 0,
        output_tokens: 0,
      },
      { ...rest, id: 'item-5', position: 5, status: 'succeeded', cost: '0.010000000000000000' },
    ]);
    expect((await file(...pages)).equals(await file(...pages))).toBe(true);
  });

  it('is a whole file where there is no item', async () => {
    const handle = await open(await fileOf(await file()));
    try {
      const { metadata } = await openParquet(handle, bounds);
      expect([Number(metadata.num_rows), metadata.row_groups.length]).toEqual([0, 0]);
    } finally {
      await handle.close();
    }
  });

  it('is sent row group by row group, each of a bounded size, and its end does not grow with its texts', async () => {
    const long = JSON.stringify(['x'.repeat(3_000_000)]);
    const pages = Array.from({ length: 12 }, (_, at) => [said(at + 1, long)]);
    const sizes = (await allOf(outputParquet(pagesOf(...pages)))).map((piece) => piece.length);
    expect(sizes).toHaveLength(3);
    expect(sizes.at(-1)).toBeLessThan(10_000);
    const handle = await open(await fileOf(await file(...pages)));
    try {
      const { metadata } = await openParquet(handle, { ...bounds, rowGroupBytes: 100_000_000 });
      expect(metadata.row_groups.map(({ num_rows: rows }) => Number(rows))).toEqual([6, 6]);
    } finally {
      await handle.close();
    }
  });
});
