import { describe, expect, it } from 'vitest';
import { allOf } from '../../../../../test/support/all-of.ts';
import { inPieces, shortly } from '../../../../../test/support/input-pieces.ts';
import { type CsvOptions, csvRecords } from './csv-records.ts';

const options: CsvOptions = { columns: { id: 'id', omit: [] }, types: 'text', maxRecordBytes: 1000 };

const read = async (content: string | Uint8Array, size = 7, more: Partial<CsvOptions> = {}) =>
  (await allOf(csvRecords(inPieces(content, size), { ...options, ...more }))).map((record) =>
    shortly(record),
  );

describe('CSV', () => {
  const text = '\ufeffid,text\r\na,"say ""yes"",\r\nthen no"\r\n\r\nb,"ä🙂"\r\n,\r\n';

  it.each([1, 2, 3, 1000])(
    'with quotes and line ends in cells is the same in pieces of %i bytes',
    async (size) => {
      expect(await read(text, size)).toEqual([
        [2, 'a', { id: 'a', text: 'say "yes",\r\nthen no' }],
        [5, 'b', { id: 'b', text: 'ä🙂' }],
        [6, undefined, { id: '', text: '' }],
      ]);
    },
  );

  it.each(['text', 'json'] as const)(
    'drops one U+FEFF before the header, and keeps those that cells begin with (%s)',
    async (types) => {
      const marked = '\ufeff\ufefftext,id\n\ufeffa,1a\n"\ufeff\ufeffb",2b\na,3c\n\ufeff7,4d\n';
      expect(await read(marked, 1, { types })).toEqual(
        ['\ufeffa', '\ufeff\ufeffb', 'a', '\ufeff7'].map((text, index) => {
          const id = ['1a', '2b', '3c', '4d'][index];
          return [index + 2, id, { '\ufefftext': text, id }];
        }),
      );
    },
  );

  it('has texts, or JSON where cells are JSON', async () => {
    const cells =
      'id,n,flag,list,word,date,none,big\n1,-2.5,true,"[1,{""a"":null}]",true story,2026-01-02,,12345678901234567890\n';
    expect(await read(cells, 9, { types: 'json' })).toEqual([
      [
        2,
        '1',
        {
          id: 1,
          n: -2.5,
          flag: true,
          list: [1, { a: null }],
          word: 'true story',
          date: '2026-01-02',
          big: '12345678901234567890',
        },
      ],
    ]);
    expect((await read(cells))[0]?.[2]).toMatchObject({ n: '-2.5', flag: 'true', none: '' });
  });

  it('does not round numbers in cells that are JSON', async () => {
    const cells = 'id,n\na,3.141592653589793238\nb,"[1,12345678901234567891]"\nc,2.5\n';
    expect(await read(cells, 9, { types: 'json' })).toEqual([
      [2, 'a', { id: 'a', n: '3.141592653589793238' }],
      [3, 'n: holds the number 12345678901234567891, of which JSON keeps fewer digits: send it as text'],
      [4, 'c', { id: 'c', n: 2.5 }],
    ]);
  });

  it('leaves out columns that are no data, and names customers and teams', async () => {
    const columns = { id: undefined, customer: 'who', team: 'team', omit: ['who'] };
    const [record] = await allOf(csvRecords(inPieces('who,team,x\nacme,,1\n', 4), { ...options, columns }));
    expect(record).toEqual({
      kind: 'item',
      place: 2,
      parts: { id: undefined, customer: 'acme', team: undefined, data: { team: '', x: '1' } },
    });
  });

  it('says where a row has too few or too many cells, and goes on', async () => {
    expect(await read('id,text\na\nb,"x\ny",z\nc,d\n')).toEqual([
      [2, ': has 1 cells; the header has 2 columns'],
      [3, ': has 3 cells; the header has 2 columns'],
      [5, 'c', { id: 'c', text: 'd' }],
    ]);
  });

  it.each([
    ['a quote that is not closed', 'id,text\na,b\nc,"d\n', /a quote that is not closed/],
    ['a quote in the middle of a cell', 'id,text\na,b"c"\n', /line 2|is not CSV/],
    ['text behind a quoted cell', 'id,text\na,"b"c\n', /is not CSV: Invalid Closing Quote/],
    ['a record without an end', `id,text\na,"${'x'.repeat(5000)}`, /more than 1000 bytes in one record/],
    ['two columns of one name', 'id,id\n1,2\n', /names the column "id" twice/],
    ['a column without a name', 'id,\n1,2\n', /a column without a name/],
    ['a column that is missing', 'name\n1\n', /has no column "id"; its columns are name/],
    ['a column that would change the prototype', 'id,__proto__\n1,2\n', /__proto__/],
    [
      'more columns than anybody has',
      `id,${Array.from({ length: 1001 }, (_, at) => `c${at}`).join(',')}\n`,
      /more than 1000 columns/,
    ],
  ])('refuses %s', async (_, content, message) => {
    await expect(
      read(content, 1000, { maxRecordBytes: content.includes('c1000') ? 100_000 : 1000 }),
    ).rejects.toThrow(message);
  });

  it('refuses bytes that are not UTF-8, with the line, wherever they are cut', async () => {
    const bytes = Buffer.concat([
      Buffer.from('id,text\na,é\nb,'),
      Buffer.from([0xc3]),
      Buffer.from('\nc,d\n'),
    ]);
    for (const size of [1, 2, 3, 5, 100]) {
      await expect(read(bytes, size)).rejects.toMatchObject({ place: 3, fault: { problem: 'is not UTF-8' } });
    }
    await expect(
      read(Buffer.concat([Buffer.from('id\na'), Buffer.from([0xe2, 0x82])])),
    ).rejects.toMatchObject({
      place: 2,
    });
  });

  it('of a header alone has no items', async () => {
    expect(await read('id,text\n')).toEqual([]);
    expect(await read('')).toEqual([]);
  });
});
