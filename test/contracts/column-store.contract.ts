import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { migrateColumnStore } from '../../src/drivers/column-store/column-migrator.ts';

export interface ColumnStoreUnderTest {
  readonly store: ColumnStore;
  readonly stop: () => Promise<void>;
}

/** What every column store must do, whichever way its engine is reached. */
export function describeColumnStore(name: string, open: () => Promise<ColumnStoreUnderTest>): void {
  describe(`column store contract: ${name}`, () => {
    let underTest: ColumnStoreUnderTest;
    let store: ColumnStore;

    beforeAll(async () => {
      underTest = await open();
      store = underTest.store;
      await store.command(`CREATE DATABASE IF NOT EXISTS ${store.database}`);
      await store.command(
        `CREATE TABLE ${store.database}.events (id UInt64, at DateTime64(3, 'UTC'), name String,
          amount Nullable(Decimal(38, 18))) ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY id
          SETTINGS non_replicated_deduplication_window = 100`,
      );
      await store.command(
        `CREATE TABLE ${store.database}.events_monthly (month UInt32, rows_sum SimpleAggregateFunction(sum, UInt64),
          amount_sum SimpleAggregateFunction(sum, Decimal(38, 18))) ENGINE = AggregatingMergeTree ORDER BY month
          SETTINGS non_replicated_deduplication_window = 100`,
      );
      await store.command(
        `CREATE MATERIALIZED VIEW ${store.database}.events_view TO ${store.database}.events_monthly AS
          SELECT toYYYYMM(at) AS month, count() AS rows_sum, sum(ifNull(amount, 0)) AS amount_sum
          FROM ${store.database}.events GROUP BY month`,
      );
    });

    afterAll(async () => {
      await underTest.stop();
    });

    const eventLine = (id: number, fields: Record<string, unknown> = {}): string =>
      `${JSON.stringify({ id, at: '2025-01-31 23:59:59.999', name: `event ${id}`, amount: '0.000000000000000001', ...fields })}\n`;
    const countOf = async (table: string, what: string, where = '1'): Promise<string | undefined> =>
      (
        await store.query<{ n: string }>(`SELECT ${what} AS n FROM ${store.database}.${table} WHERE ${where}`)
      )[0]?.n;

    it('answers a ping', async () => {
      await expect(store.ping()).resolves.toBeUndefined();
    });

    it('gives decimals and 64-bit integers as strings, to the last digit', async () => {
      const rows = await store.query(
        "SELECT toDecimal128('12345678901234567890.123456789012345678', 18) AS amount, toUInt64(18446744073709551615) AS big, toDecimal128('-0.5', 18) AS half, CAST(NULL AS Nullable(Decimal(38, 18))) AS nothing",
      );
      expect(rows).toEqual([
        {
          amount: '12345678901234567890.123456789012345678',
          big: '18446744073709551615',
          half: '-0.5',
          nothing: null,
        },
      ]);
    });

    it('binds parameters as values, whatever they hold', async () => {
      const anyText = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll('\0', ''));
      await fc.assert(
        fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 4 }), async (texts) => {
          const rows = await store.query('SELECT {texts:Array(String)} AS texts, {one:String} AS one', {
            texts,
            one: texts[0],
          });
          expect(rows).toEqual([{ texts, one: texts[0] }]);
        }),
        { numRuns: 25, examples: [[["'; DROP TABLE events; --", '\\', '\t\n', '\\N', '{texts:String}']]] },
      );
    });

    it('drops a repeated token, in the table and behind its views, over months', async () => {
      const lines =
        eventLine(1) + eventLine(2, { at: '2025-02-01T00:00:00.000Z' }) + eventLine(3, { amount: null });
      for (let time = 0; time < 3; time += 1) {
        await store.insert({ table: 'events', lines, deduplicationToken: 'months' });
      }
      expect(await countOf('events', 'count()', 'id IN (1, 2, 3)')).toBe('3');
      expect(await countOf('events_monthly', 'sum(rows_sum)')).toBe('3');
      expect(await countOf('events_monthly', 'sum(amount_sum)')).toBe('0.000000000000000002');
    });

    it('takes the same rows again under another token', async () => {
      await store.insert({ table: 'events', lines: eventLine(10), deduplicationToken: 'ten' });
      await store.insert({ table: 'events', lines: eventLine(10), deduplicationToken: 'ten-again' });
      expect(await countOf('events', 'count()', 'id = 10')).toBe('2');
    });

    it('adds what a view lacks when an insert is repeated', async () => {
      const before = Number(await countOf('events_monthly', 'sum(rows_sum)'));
      await store.command(`DETACH TABLE ${store.database}.events_view`);
      await store.insert({ table: 'events', lines: eventLine(20), deduplicationToken: 'heal' });
      await store.command(`ATTACH TABLE ${store.database}.events_view`);
      expect(Number(await countOf('events_monthly', 'sum(rows_sum)'))).toBe(before);
      await store.insert({ table: 'events', lines: eventLine(20), deduplicationToken: 'heal' });
      await store.insert({ table: 'events', lines: eventLine(20), deduplicationToken: 'heal' });
      expect(Number(await countOf('events_monthly', 'sum(rows_sum)'))).toBe(before + 1);
      expect(await countOf('events', 'count()', 'id = 20')).toBe('1');
    });

    it('keeps text with semicolons, newlines, quotes and NUL as it is', async () => {
      const texts = ['a; SELECT 1;\n', ';\n\n', 'it\'s "quoted" \\ ', 'nul \0 and \u0001', '日本語 🚀', ';'];
      const lines = texts.map((text, index) => eventLine(100 + index, { name: text })).join('');
      await store.insert({ table: 'events', lines, deduplicationToken: 'texts' });
      const rows = await store.query<{ name: string }>(
        `SELECT name FROM ${store.database}.events WHERE id >= 100 AND id < 200 ORDER BY id`,
      );
      expect(rows.map((row) => row.name)).toEqual(texts);
    });

    it('keeps a large insert one block', async () => {
      const lines = Array.from({ length: 20_000 }, (_, index) => eventLine(10_000 + index)).join('');
      const maxBlock = async (): Promise<number> => {
        const rows = await store.query<{ n: string }>(
          "SELECT max(max_block_number) AS n FROM system.parts WHERE database = {database:String} AND table = 'events'",
          { database: store.database },
        );
        return Number(rows[0]?.n);
      };
      const before = await maxBlock();
      await store.insert({ table: 'events', lines, deduplicationToken: 'large' });
      expect((await maxBlock()) - before).toBe(1);
      expect(await countOf('events', 'count()', 'id >= 10000')).toBe('20000');
    });

    it('inserts nothing for no lines', async () => {
      await expect(
        store.insert({ table: 'events', lines: '', deduplicationToken: 'none' }),
      ).resolves.toBeUndefined();
    });

    it('stores no row of an insert with a faulty one', async () => {
      const lines = `${eventLine(300)}{"id": "three hundred and one"}\n${eventLine(302)}`;
      await expect(
        store.insert({ table: 'events', lines, deduplicationToken: 'faulty' }),
      ).rejects.toMatchObject({
        code: 'MILLRACE_COLUMN_STORE_FAILED',
        retryable: false,
      });
      expect(await countOf('events', 'count()', 'id >= 300 AND id < 310')).toBe('0');
    });

    it('refuses what the engine does not understand, for good', async () => {
      await expect(store.query('SELECT nothing FROM nowhere')).rejects.toMatchObject({
        code: 'MILLRACE_COLUMN_STORE_FAILED',
        retryable: false,
      });
      await expect(store.command('CREATE NONSENSE')).rejects.toMatchObject({
        code: 'MILLRACE_COLUMN_STORE_FAILED',
      });
    });

    it('calls an exhausted limit of time or memory passing', async () => {
      await expect(
        store.query('SELECT sum(number) FROM numbers(100000000000) SETTINGS max_execution_time = 0.05'),
      ).rejects.toMatchObject({ code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE', retryable: true });
      await expect(
        store.query(
          'SELECT groupArray(number) AS n FROM numbers(10000000) SETTINGS max_memory_usage = 1000000',
        ),
      ).rejects.toMatchObject({ code: 'MILLRACE_COLUMN_STORE_OUT_OF_MEMORY', retryable: true });
    });

    it('answers many at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.query<{ n: string }>('SELECT {n:UInt64} AS n', { n: index }),
        ),
      );
      expect(answers.map((rows) => Number(rows[0]?.n))).toEqual(
        Array.from({ length: 20 }, (_, index) => index),
      );
    });

    it('migrates to the newest schema once, and again to no effect', async () => {
      const first = await migrateColumnStore(store);
      expect(first.length).toBeGreaterThanOrEqual(3);
      expect(first).toEqual(first.toSorted());
      expect(await migrateColumnStore(store)).toEqual([]);
      expect(await countOf('usage', 'count()')).toBe('0');
    });
  });
}
