import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import { outputLine } from '../../src/capabilities/batches/run/output-lines.ts';
import { BatchStore } from '../../src/capabilities/batches/run/batch-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { batchRequest, intakeOver, lines } from '../support/batch-intake-fixture.ts';

const operator = { actor: 'test' };

/** What is promised of items that are larger than their batch allows, on whichever database. */
export function batchCapsContract(_: string, open: () => Promise<SqlDatabase>): void {
  describe('items that are larger than their batch allows', () => {
    let database: SqlDatabase;
    let intake: BatchIntake;
    beforeAll(async () => {
      database = await open();
      intake = intakeOver(database);
    });
    beforeEach(() => database.execute('delete from millrace.batches'));

    /** A batch of a hundred items, of which the last five are large: of 407 tokens, the others of 32. */
    const taken = async (caps: object) => {
      const request = batchRequest('capped', { settings: { caps, chunk: { items: 10 } } });
      const { batch } = await intake.create(request, operator);
      return (await intake.upload(batch.id, lines(hundred()), {})).batch;
    };
    const hundred = (): readonly unknown[] =>
      Array.from({ length: 100 }, (__, at) => ({
        data: { subject: 'x'.repeat(at < 95 ? 100 : 1600), urgent: true },
      }));
    const itemsOf = async (id: string) =>
      (
        await database.query<{
          position: number;
          state: string;
          tokens: number;
          capped_from: number | null;
          data: string;
          data_bytes: number;
          error_code: string | null;
          error_message: string | null;
        }>(
          {
            name: 'test.capped',
            text: 'select * from millrace.batch_items where batch_id = $1 order by position',
          },
          [id],
        )
      ).rows;

    it('are left out with the reason, and their chunk knows', async () => {
      const batch = await taken({ inputTokens: 200, action: 'skip' });
      expect(batch).toMatchObject({
        items: 100,
        ended: { skipped: 5 },
        caps: { boundTokens: 200, items: 5, tokensAfter: 0 },
      });
      const items = await itemsOf(batch.id);
      const kept = items.slice(0, 95);
      expect(batch.inputTokens).toBe(kept.reduce((sum, { tokens }) => sum + tokens, 0));
      expect(batch.inputBytes).toBe(kept.reduce((sum, item) => sum + item.data_bytes, 0));
      expect(items.filter(({ state }) => state === 'skipped').map(({ position }) => position)).toEqual([
        96, 97, 98, 99, 100,
      ]);
      expect(items[99]).toMatchObject({
        error_code: 'MILLRACE_BATCH_ITEM_TOO_LARGE',
        error_message: expect.stringMatching(
          /^The item has about \d+ tokens, more than the 200 that its batch allows\.$/,
        ) as string,
      });
      const { rows } = await database.query<{ ended: number; state: string }>(
        {
          name: 'test.last_chunk',
          text: 'select ended, state from millrace.batch_chunks where batch_id = $1 and chunk = 10',
        },
        [batch.id],
      );
      expect(rows).toEqual([{ ended: 5, state: 'waiting' }]);
      expect(await intake.start(batch.id, '', operator)).toMatchObject({ state: 'running' });
    });

    it('are those above a percentile of the batch', async () => {
      const batch = await taken({ percentile: 95, action: 'skip' });
      const [first] = await itemsOf(batch.id);
      expect(batch.caps).toMatchObject({ boundTokens: first?.tokens, items: 5 });
    });

    it('have a text cut, are marked in the output, and use fewer tokens', async () => {
      const batch = await taken({ inputTokens: 200, action: 'truncate', member: '/subject' });
      expect(batch).toMatchObject({ items: 100, ended: { skipped: 0 }, caps: { items: 5 } });
      const items = await itemsOf(batch.id);
      expect(items[0]).toMatchObject({ capped_from: null, state: 'waiting' });
      const last = items[99];
      expect(last).toMatchObject({ tokens: 200, state: 'waiting' });
      expect(last?.capped_from).toBeGreaterThan(400);
      expect(JSON.parse(last?.data ?? '')).toEqual({
        subject: expect.stringMatching(/^x{760,780}$/) as string,
        urgent: true,
      });
      expect(batch.inputTokens).toBe(items.reduce((sum, { tokens }) => sum + tokens, 0));
      expect(batch.inputBytes).toBe(items.reduce((sum, item) => sum + item.data_bytes, 0));
      expect(batch.caps?.tokensAfter).toBe(1000);
      await database.execute(
        `update millrace.batch_items set state = 'succeeded', output = '{"id":"100","position":100}' where position >= 95`,
      );
      const output = await new BatchStore(database).output(batch, {}, 94);
      expect(output.map((item) => outputLine(item))).toEqual([
        '{"id":"100","position":100}',
        ...Array.from(
          { length: 5 },
          () => `{"id":"100","position":100,"truncated":{"fromTokens":${last?.capped_from},"toTokens":200}}`,
        ),
      ]);
    });

    it('are left out where they cannot be cut, or are not valid when they are', async () => {
      const missing = await taken({ inputTokens: 200, action: 'truncate', member: '/body' });
      expect(missing).toMatchObject({ ended: { skipped: 5 }, caps: { tokensAfter: 0 } });
      expect((await itemsOf(missing.id))[99]?.error_message).toBe(
        'The item cannot be cut: /body is no text in its data.',
      );
      await database.execute('delete from millrace.batches');
      // What is left of the subject is empty, which its type does not allow.
      const empty = await taken({ inputTokens: 7, action: 'truncate', member: '/subject' });
      expect(empty.ended.skipped).toBe(100);
      expect((await itemsOf(empty.id))[0]?.error_message).toMatch(
        /^The item is not valid any more when it is cut: /,
      );
    });

    it('stay as they are where they are to fail, and are told of in the estimate', async () => {
      const batch = await taken({ inputTokens: 200, action: 'fail' });
      expect(batch).toMatchObject({ ended: { skipped: 0, failed: 0 }, caps: { items: 5, tokensAfter: 0 } });
      expect((await itemsOf(batch.id)).every(({ state }) => state === 'waiting')).toBe(true);
      expect(await intake.estimate(batch.id, {})).toMatchObject({
        caps: { action: 'fail', boundTokens: 200, items: 5, tokensAfter: 0 },
      });
    });

    it('are forgotten when the items are sent again', async () => {
      const { id } = await taken({ inputTokens: 200, action: 'skip' });
      const { batch } = await intake.upload(id, lines(hundred().slice(0, 50)), {});
      expect(batch).toMatchObject({ items: 50, ended: { skipped: 0 }, caps: { items: 0, tokensBefore: 0 } });
    });

    it.each([
      [{ action: 'skip' }, /names either/],
      [{ action: 'skip', inputTokens: 1, percentile: 95 }, /names either/],
      [{ action: 'truncate', inputTokens: 1 }, /is named with the action/],
      [{ action: 'skip', inputTokens: 1, member: '/a' }, /is named with the action/],
      [{ action: 'truncate', inputTokens: 1, member: 'a' }, /is a JSON pointer/],
    ])('are not described by %j', (caps, problem) => {
      expect(() => batchRequest('refused', { settings: { caps } })).toThrow(problem);
    });
  });
}
