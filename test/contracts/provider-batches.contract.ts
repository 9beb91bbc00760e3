import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LineResult } from '../../src/capabilities/batches/provider/provider-batch-api.ts';
import {
  LeaseLostError,
  ProviderBatchLedger,
} from '../../src/capabilities/batches/provider/provider-batch-ledger.ts';
import type { ProviderBatch } from '../../src/capabilities/batches/provider/provider-batch-rows.ts';
import { splitRequests } from '../../src/capabilities/batches/provider/split-requests.ts';
import type { SqlDatabase, SqlExecutor } from '../../src/drivers/sql-database/sql-database.ts';
import { allOf } from '../support/all-of.ts';

const now = new Date('2026-03-02T10:00:00Z');
const limits = { maxRequests: 2, maxBytes: 1_000_000, enqueuedTokens: {} };

function requests(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    id: `r-${index}`,
    endpoint: '/v1/responses' as const,
    body: JSON.stringify({ model: 'gpt-5-mini', input: `\u0000 ${index} 🙂` }),
    estimatedTokens: 10,
  }));
}

const succeeded = (body: string): LineResult => ({
  outcome: 'succeeded',
  statusCode: 200,
  body,
  usage: { inputTokens: 7, outputTokens: 3 },
});

const restMissing = { outcome: 'missing', code: 'no_result', message: '' } as const;

/** What is promised of provider batches in the ledger. */
export function providerBatchesContract(_: string, open: () => Promise<SqlDatabase>): void {
  describe('provider batches', () => {
    let database: SqlDatabase;
    let ledger: ProviderBatchLedger;
    beforeAll(async () => {
      database = await open();
      ledger = new ProviderBatchLedger(database, 60_000);
    });
    beforeEach(() => database.execute('delete from millrace.provider_batches'));

    async function claimed(count = 2): Promise<ProviderBatch> {
      await ledger.plan('openai', splitRequests('openai', requests(count), limits, now), now);
      const batch = await ledger.claim(now);
      if (batch === undefined) throw new Error('A batch is due.');
      return batch;
    }

    it('are written down whole, or not at all when one of their requests is in a batch', async () => {
      const batch = await claimed();
      expect(batch).toMatchObject({ account: 'openai', model: 'gpt-5-mini', state: 'planned', requests: 2 });
      const bodies = await allOf(ledger.readRequests(batch.id));
      expect(bodies.map(({ body }) => body)).toEqual(requests(2).map(({ body }) => body));

      const more = splitRequests('openai', requests(4).toReversed(), limits, now);
      await expect(ledger.plan('openai', more, now)).rejects.toMatchObject({
        code: 'MILLRACE_DATA_REFUSED',
      });
      expect(await ledger.batchesOf(['r-0', 'r-3'])).toEqual(new Map([['r-0', batch.id]]));
    });

    it('are worked on by one at a time, and by nobody before they are due', async () => {
      const batch = await claimed();
      expect(await ledger.claim(now)).toBeUndefined();
      const nextAt = new Date(now.getTime() + 1000);
      await ledger.move(batch, { state: 'planned', nextAt, isReturned: true, lastError: 'later' });
      expect(await ledger.claim(now)).toBeUndefined();
      expect(await ledger.nextDue()).toEqual(nextAt);
      expect(await ledger.claim(nextAt)).toMatchObject({ id: batch.id, lastError: 'later' });
    });

    it('take nothing from whoever has lost the lease', async () => {
      const lost = await claimed();
      await database.execute('update millrace.provider_batches set leased_until = null');
      const held = await ledger.claim(now);
      if (held === undefined) throw new Error('It can be claimed again.');
      const running = { state: 'creating', nextAt: now, isReturned: false } as const;
      await expect(ledger.move(lost, running)).rejects.toBeInstanceOf(LeaseLostError);
      await expect(ledger.recordOutcomes(lost, new Map([[0, succeeded('{}')]]))).rejects.toBeInstanceOf(
        LeaseLostError,
      );
      await expect(ledger.settleNext(lost, () => Promise.resolve(() => undefined))).rejects.toBeInstanceOf(
        LeaseLostError,
      );
      expect(await ledger.countOpen(held.id)).toBe(2);
      expect(await ledger.move(held, running)).toMatchObject({ state: 'creating' });
    });

    it('are created only while the tokens of their model have room, however many begin at once', async () => {
      await ledger.plan('openai', splitRequests('openai', requests(6), limits, now), now);
      const batches = [await ledger.claim(now), await ledger.claim(now), await ledger.claim(now)];
      const begun = await Promise.all(
        batches.flatMap((batch) => (batch === undefined ? [] : ledger.beginCreation(batch, 45, now))),
      );
      expect(begun.filter((batch) => batch?.state === 'creating')).toHaveLength(2);
      expect(begun.filter((batch) => batch === undefined)).toHaveLength(1);
    });

    it('keep the first outcome of a request, and settle each once, or not at all', async () => {
      const planned = await claimed();
      const creating = await ledger.move(planned, { state: 'creating', nextAt: now, isReturned: false });
      const running = await ledger.move(creating, {
        state: 'running',
        nextAt: now,
        isReturned: false,
        providerId: 'batch_1',
      });
      const ended = await ledger.move(running, {
        state: 'ended',
        nextAt: now,
        isReturned: false,
        ending: { how: 'completed', resultIds: ['file'] },
      });
      const first = '{"text":"\\u0000 first 🙂"}';
      await ledger.recordOutcomes(ended, new Map([[0, succeeded(first)]]));
      await ledger.recordOutcomes(ended, new Map([[0, succeeded('{"text":"second"}')]]));
      const collected = await ledger.endCollection(ended, restMissing, (sums) => {
        expect(sums).toEqual([
          { outcome: 'missing', requests: 1, inputTokens: 0, outputTokens: 0, silent: 0 },
          { outcome: 'succeeded', requests: 1, inputTokens: 7, outputTokens: 3, silent: 0 },
        ]);
        return { state: 'collected', nextAt: now, isReturned: false };
      });
      expect(await allOf(ledger.outcomes(collected.id))).toEqual([
        { id: 'r-0', outcome: 'succeeded', statusCode: 200, result: first, error: undefined },
        {
          id: 'r-1',
          outcome: 'missing',
          statusCode: undefined,
          result: undefined,
          error: { code: 'no_result', message: '' },
        },
      ]);
      await expect(ledger.settleNext(collected, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
      // What tells of it is called once it is there, and not when it was undone.
      const settled: string[] = [];
      const settle = (
        _transaction: unknown,
        outcomes: readonly { readonly id: string }[],
      ): Promise<() => void> =>
        Promise.resolve(() => {
          settled.push(...outcomes.map(({ id }) => id));
        });
      const refusing = Object.assign(Object.create(database) as SqlDatabase, {
        transaction: (work: (transaction: SqlExecutor) => Promise<unknown>) =>
          database.transaction(async (transaction) => {
            await work(transaction);
            throw new Error('not committed');
          }),
      });
      const undone = new ProviderBatchLedger(refusing, 60_000);
      await expect(undone.settleNext(collected, settle)).rejects.toThrow('not committed');
      expect(settled).toEqual([]);
      expect(await ledger.settleNext(collected, settle)).toBe(2);
      expect(await ledger.settleNext(collected, settle)).toBe(0);
      expect(settled).toEqual(['r-0', 'r-1']);
    });

    it('stand for one batch of the provider each', async () => {
      await ledger.plan('openai', splitRequests('openai', requests(4), limits, now), now);
      const running = { state: 'running', nextAt: now, isReturned: false, providerId: 'batch_1' } as const;
      const creating = { state: 'creating', nextAt: now, isReturned: false } as const;
      const [first, second] = [await ledger.claim(now), await ledger.claim(now)];
      if (first === undefined || second === undefined) throw new Error('Two are due.');
      await ledger.move(await ledger.move(first, creating), running);
      expect(await ledger.isOther(second, 'batch_1')).toBe(true);
      expect(await ledger.isOther(first, 'batch_1')).toBe(false);
      const waiting = await ledger.move(second, creating);
      await expect(ledger.move(waiting, running)).rejects.toMatchObject({ code: 'MILLRACE_DATA_REFUSED' });
    });
  });
}
