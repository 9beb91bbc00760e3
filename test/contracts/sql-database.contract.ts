import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/kernel/app-error.ts';
import type { SqlDatabase, SqlExecutor } from '../../src/drivers/sql-database/sql-database.ts';

/** What every SqlDatabase keeps. `open` gives a new, empty database each time. */
export function sqlDatabaseContract(open: () => Promise<SqlDatabase>): void {
  let database: SqlDatabase;

  beforeAll(async () => {
    database = await open();
    await database.execute(
      'create table item (id bigint primary key, name text); create table note (text text)',
    );
  });
  beforeEach(async () => {
    await database.execute('truncate item, note');
  });
  afterAll(() => database.close());

  const insert = {
    name: 'test.insert',
    text: 'insert into item (id, name) select * from unnest($1::bigint[], $2::text[])',
  };
  const list = { name: 'test.list', text: 'select id, name from item order by id' };
  const names = async (from: SqlExecutor = database): Promise<unknown[]> =>
    (await from.query<{ name: string }>(list)).rows.map((row) => row.name);

  describe('values', () => {
    it('gives 64-bit integers and numerics as strings, times as Date, JSON parsed', async () => {
      const { rows } = await database.query({
        name: 'test.values',
        text: `select 9007199254740993::bigint as big, 0.10::numeric as money, 7 as small, 1.5::float8 as float,
          true as yes, null::text as nothing, '2026-01-02 03:04:05.678912+00'::timestamptz as at,
          '{"a": [1, null]}'::jsonb as json, 'a'::text as text, '6f1c3b5e-0000-4000-8000-000000000000'::uuid as id`,
      });
      expect(rows).toEqual([
        {
          big: '9007199254740993',
          money: '0.10',
          small: 7,
          float: 1.5,
          yes: true,
          nothing: null,
          at: new Date('2026-01-02T03:04:05.678Z'),
          json: { a: [1, null] },
          text: 'a',
          id: '6f1c3b5e-0000-4000-8000-000000000000',
        },
      ]);
    });

    it('gives back the parameters it was given', async () => {
      const at = new Date('2026-05-06T07:08:09.012Z');
      const { rows } = await database.query(
        {
          name: 'test.parameters',
          text: `select $1::bigint as big, $2::numeric as money, $3::int as small, $4::bool as no, $5::timestamptz as at,
            $6::jsonb as json, $7::text as nothing, $8::bytea as bytes, $9::timestamptz as none`,
        },
        [
          2n ** 62n,
          '123456789.000000000000000001',
          3,
          false,
          at,
          '[1,{"b":"c"}]',
          null,
          Buffer.from([0, 255]),
          undefined,
        ],
      );
      expect(rows).toEqual([
        {
          big: (2n ** 62n).toString(),
          money: '123456789.000000000000000001',
          small: 3,
          no: false,
          at,
          json: [1, { b: 'c' }],
          nothing: null,
          bytes: Buffer.from([0, 255]),
          none: null,
        },
      ]);
    });

    it('carries arrays with nulls of every type that statements use', async () => {
      const at = new Date('2026-05-06T07:08:09.012Z');
      const columns = [
        [
          'text',
          ['', 'NULL', 'null', '{}', '{a,b}', 'a,b', '"', '\\', '\\"', ' x ', '\n\t', 'é 😀 日本', null],
        ],
        ['uuid', ['6f1c3b5e-0000-4000-8000-000000000000', null]],
        ['int', [1, -2, null]],
        ['bigint', ['9223372036854775807', null]],
        ['numeric', ['-0.000000000000000001', '12345678901234567890.5', null]],
        ['timestamptz', [at, null]],
        ['bool', [true, false, null]],
        ['float8', [0.1, null]],
      ] as const;
      for (const [type, values] of columns) {
        const { rows } = await database.query<{ value: unknown }>(
          { name: `test.unnest.${type}`, text: `select * from unnest($1::${type}[]) as value` },
          [values],
        );
        expect(rows.map((row) => row.value)).toEqual(values);
        const { rows: whole } = await database.query<{ whole: unknown }>(
          { name: `test.array.${type}`, text: `select $1::${type}[] as whole` },
          [values],
        );
        expect(whole[0]?.whole).toEqual(values);
      }
    });

    it('carries JSON texts in arrays, escaped U+0000 and backslashes included, where the type is json', async () => {
      const texts = [String.raw`{"a":"\u0000 \\ \" {}"}`, '[1,2]', 'null', null];
      const { rows } = await database.query<{ value: unknown }>(
        { name: 'test.unnest.json', text: 'select value::text as value from unnest($1::json[]) as value' },
        [texts],
      );
      expect(rows.map((row) => row.value)).toEqual(texts);
      const { rows: parsed } = await database.query<{ value: unknown }>(
        { name: 'test.unnest.jsonb', text: 'select value from unnest($1::jsonb[]) as value' },
        [['{"a":"\\\\ \\" {}"}', '"x"', null]],
      );
      expect(parsed.map((row) => row.value)).toEqual([{ a: '\\ " {}' }, 'x', null]);
    });

    it('carries empty and nested arrays', async () => {
      const { rows } = await database.query(
        { name: 'test.nested', text: 'select $1::text[] as empty, $2::int[] as nested' },
        [
          [],
          [
            [1, null],
            [3, 4],
          ],
        ],
      );
      expect(rows).toEqual([
        {
          empty: [],
          nested: [
            [1, null],
            [3, 4],
          ],
        },
      ]);
    });

    it('carries any text without U+0000, in arrays and alone', async () => {
      const text = fc
        .string({ unit: 'binary' })
        .map((value) => value.replaceAll('\u0000', ' ').toWellFormed());
      await fc.assert(
        fc.asyncProperty(fc.array(fc.option(text), { maxLength: 5 }), text, async (many, one) => {
          const { rows } = await database.query(
            { name: 'test.any-text', text: 'select $1::text[] as many, $2::text as one' },
            [many, one],
          );
          expect(rows).toEqual([{ many, one }]);
        }),
        { numRuns: 200 },
      );
    });

    it('carries a leading U+FEFF like any other character: alone, in arrays, in every column and its name', async () => {
      const mark = '\u{feff}';
      const texts = [mark, `${mark}acme`, `${mark}${mark}acme`, `ac${mark}me`, `acme${mark}`, 'acme', ''];
      const { rows } = await database.query<{ one: string; length: number }>(
        { name: 'test.marked', text: 'select one, length(one) as length from unnest($1::text[]) as one' },
        [texts],
      );
      expect(rows).toEqual(texts.map((one) => ({ one, length: one.length })));
      const { rows: wide } = await database.query(
        {
          name: 'test.marked.wide',
          text: `select $1::text as one, $2::text[] as many, $3::varchar as two, $4::json as json, $5::jsonb #>> '{}' as member,
                        $6::text as "${mark}named"`,
        },
        [`${mark}a`, [mark, `${mark}b`, null], `${mark}c`, `"${mark}d"`, `"${mark}e"`, mark],
      );
      expect(wide).toEqual([
        {
          one: `${mark}a`,
          many: [mark, `${mark}b`, null],
          two: `${mark}c`,
          json: `${mark}d`,
          member: `${mark}e`,
          [`${mark}named`]: mark,
        },
      ]);
    });

    it('tells two stored names apart that differ in a leading U+FEFF only', async () => {
      const given = ['acme', '\u{feff}acme'];
      await database.query(insert, [[1, 2], given]);
      expect(await names()).toEqual(given);
      const found = { name: 'test.marked.found', text: 'select id from item where name = $1' };
      for (const [index, name] of (await names()).entries()) {
        expect((await database.query(found, [name])).rows).toEqual([{ id: String(index + 1) }]);
      }
    });

    it('carries texts that are larger than the pieces in which answers come', async () => {
      const texts = [1, 1638, 1639, 14_000, 20_001].map((times) => '\u{feff}éa日😀'.repeat(times));
      const { rows } = await database.query<{ one: string }>(
        { name: 'test.large', text: 'select one, 1 as two from unnest($1::text[]) as one' },
        [texts],
      );
      // Not the texts themselves, of which a failure would print all.
      expect(rows.map(({ one }) => texts.indexOf(one))).toEqual([0, 1, 2, 3, 4]);
    });

    it('carries any instant to the millisecond', async () => {
      const instant = fc.date({
        min: new Date('0001-01-01T00:00:00Z'),
        max: new Date('9999-12-31T23:59:59.999Z'),
        noInvalidDate: true,
      });
      await fc.assert(
        fc.asyncProperty(instant, async (at) => {
          const { rows } = await database.query(
            { name: 'test.instant', text: 'select $1::timestamptz as at' },
            [at],
          );
          expect(rows).toEqual([{ at }]);
        }),
        { numRuns: 100 },
      );
    });

    it('refuses U+0000 in a text', async () => {
      await expect(
        database.query({ name: 'test.nul', text: 'select $1::text as value' }, ['a\u0000b']),
      ).rejects.toMatchObject({ code: 'MILLRACE_DATA_REFUSED' });
    });
  });

  describe('statements', () => {
    it('counts the rows that a change touched', async () => {
      expect(
        await database.query(insert, [
          [1, 2, 3],
          ['a', 'b', 'c'],
        ]),
      ).toEqual({ rows: [], affected: 3 });
      const update = { name: 'test.update', text: 'update item set name = $1 where id > $2 returning id' };
      expect(await database.query(update, ['x', 1])).toMatchObject({
        rows: [{ id: '2' }, { id: '3' }],
        affected: 2,
      });
      expect((await database.query(list)).affected).toBe(0);
    });

    it('runs scripts of several statements, all or nothing', async () => {
      await database.execute(`insert into note values ('a;b'); insert into note values ('c')`);
      await expect(
        database.execute(`insert into note values ('d'); insert into nowhere values ('e')`),
      ).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_FAILED' });
      const { rows } = await database.query({
        name: 'test.notes',
        text: 'select text from note order by text',
      });
      expect(rows).toEqual([{ text: 'a;b' }, { text: 'c' }]);
    });

    it('says which statement failed and why, and works on', async () => {
      await database.query(insert, [[1], ['a']]);
      const error: unknown = await database.query(insert, [[1], ['b']]).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(AppError);
      expect(error).toMatchObject({ code: 'MILLRACE_DATA_REFUSED', retryable: false });
      expect(String(error)).toContain('test.insert');
      expect(String(error)).toContain('23505');
      expect(await names()).toEqual(['a']);
    });

    it('works on after a statement that cannot be parsed', async () => {
      const wrong = { name: 'test.wrong', text: 'selekt 1' };
      await expect(database.query(wrong)).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_FAILED' });
      await expect(database.query(wrong)).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_FAILED' });
      expect(await names()).toEqual([]);
    });

    it('runs many at once', async () => {
      await Promise.all(
        Array.from({ length: 200 }, (_, index) => database.query(insert, [[index], [`n${index}`]])),
      );
      expect((await names()).length).toBe(200);
    });
  });

  describe('transactions', () => {
    it('commit what they did, and answer what the work answers', async () => {
      const answer = await database.transaction(async (transaction) => {
        await transaction.query(insert, [[1], ['a']]);
        await transaction.execute(`insert into note values ('n')`);
        return await names(transaction);
      });
      expect(answer).toEqual(['a']);
      expect(await names()).toEqual(['a']);
    });

    it('roll back when the work throws, and pass its error on', async () => {
      const thrown = new Error('changed my mind');
      await expect(
        database.transaction(async (transaction) => {
          await transaction.query(insert, [[1], ['a']]);
          throw thrown;
        }),
      ).rejects.toBe(thrown);
      expect(await names()).toEqual([]);
    });

    it('fail when the work goes on after a failed statement', async () => {
      await expect(
        database.transaction(async (transaction) => {
          await transaction.query(insert, [[1], ['a']]);
          await transaction.query(insert, [[1], ['b']]).catch(() => undefined);
        }),
      ).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_FAILED' });
      expect(await names()).toEqual([]);
    });

    it('do not mix with each other nor with single statements', async () => {
      let isInside = false;
      const seenInside: unknown[] = [];
      const outside = async (id: number): Promise<void> => {
        await database.query(insert, [[id], ['outside']]);
        if (isInside) seenInside.push(id);
      };
      const failing = database
        .transaction(async (transaction) => {
          isInside = true;
          await transaction.query(insert, [[100], ['inside']]);
          await transaction.query({ name: 'test.pause', text: 'select pg_sleep(0.02)::text' });
          isInside = false;
          throw new Error('roll back');
        })
        .catch(() => undefined);
      await Promise.all([failing, ...[1, 2, 3].map(outside)]);
      expect(await names()).toEqual(['outside', 'outside', 'outside']);
      // With one connection the single statements must wait for the transaction; with many they need not.
      if (database.kind === 'pglite') expect(seenInside).toEqual([]);
    });

    it('refuse a statement on the database itself from inside, which would wait for itself', async () => {
      await expect(database.transaction(() => database.query(list))).rejects.toThrow('Invariant broken');
      expect(await names()).toEqual([]);
    });

    it('refuse statements after their end', async () => {
      let escaped: SqlExecutor | undefined;
      await database.transaction(async (transaction) => {
        escaped = transaction;
        await transaction.query(list);
      });
      await expect(async () => await escaped?.query(list)).rejects.toThrow('Invariant broken');
    });

    it('keep advisory locks to themselves', async () => {
      const increment = async (transaction: SqlExecutor): Promise<void> => {
        await transaction.query({ name: 'test.lock', text: 'select pg_advisory_xact_lock(7)' });
        const { rows } = await transaction.query<{ count: string }>({
          name: 'test.count',
          text: 'select count(*) as count from item',
        });
        await transaction.query(insert, [[rows[0]?.count], ['counted']]);
      };
      await Promise.all(Array.from({ length: 8 }, () => database.transaction(increment)));
      expect((await names()).length).toBe(8);
    });
  });

  it('fails every call after it was closed, and closes once', async () => {
    const second = await open();
    const pending = second.query({ name: 'test.last', text: 'select 1 as one' });
    await Promise.all([second.close(), second.close()]);
    await expect(pending).resolves.toMatchObject({ rows: [{ one: 1 }] });
    await expect(second.ping()).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_UNAVAILABLE' });
    await expect(second.transaction(async () => undefined)).rejects.toMatchObject({
      code: 'MILLRACE_DATABASE_UNAVAILABLE',
    });
  });
}
