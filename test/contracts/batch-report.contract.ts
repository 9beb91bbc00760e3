import { beforeEach, describe, expect, it } from 'vitest';
import { BatchReports } from '../../src/capabilities/batches/report/batch-reports.ts';
import {
  type BatchReportDocument,
  batchReportSchema,
} from '../../src/capabilities/batches/report/report-document.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import { emptyTables } from '../support/empty-tables.ts';
import { type ReportedItem, reportedTables, writeReportedBatch } from '../support/reported-batch.ts';

const book = packagedPriceBook();
const findPrice = (question: Parameters<typeof book.findPrice>[0]) => book.findPrice(question);

/** Ten items: costs of 1 to 10 dollars, one of them failed, one cancelled before it began. */
const items: readonly ReportedItem[] = [
  ...Array.from({ length: 9 }, (_, index) => ({
    id: `doc-${index + 1}`,
    stagesMs: { summarise: 1000 * (index + 1), check: 100 },
    calls: [
      {
        costUsd: `${index + 1}.000000000000000001`,
        tokens: { uncached_input: 60, cache_read: 40, text_output: 10 },
      },
      { stage: 'check', model: 'gpt-5-nano', costUsd: '0', tokens: { uncached_input: 5, text_output: 1 } },
    ],
  })),
  {
    id: 'doc-10',
    state: 'failed',
    errorCode: 'MILLRACE_OUTPUT_INVALID',
    failedRuns: 1,
    stagesMs: { summarise: 20_000 },
    calls: [
      { costUsd: '9', waste: 'invalid_output', tokens: { uncached_input: 100, text_output: 10 } },
      { costUsd: '1', waste: 'failed', tier: 'flex', tokens: { uncached_input: 100 } },
      { state: 'unsettled', upperBoundUsd: '0.5' },
      { state: 'reserved', upperBoundUsd: '0.25' },
      { costUsd: null, upperBoundUsd: '0.125', tokens: { uncached_input: 7 } },
    ],
  },
  { id: 'doc-11', state: 'cancelled', hasNoMessage: true },
  { id: 'doc-12', state: 'skipped', errorCode: 'MILLRACE_MESSAGE_INVALID', hasNoMessage: true },
];

/** What a report says of a batch, on whichever database. */
export function batchReportContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`the report of a batch on ${name}`, () => {
    let database: SqlDatabase;
    let reports: BatchReports;

    beforeEach(async () => {
      database = await open();
      await emptyTables(database, reportedTables);
      reports = new BatchReports({ database, findPrice });
    });

    const read = async (batch: string, team?: string): Promise<BatchReportDocument> =>
      batchReportSchema
        .strict()
        .parse(await reports.read({ kind: 'name', name: batch, team: undefined }, { team }));

    it('has the figures that follow from its calls', async () => {
      const id = await writeReportedBatch(database, { name: 'nightly', items });
      const report = await read('nightly');
      expect(report).toMatchObject({
        batch: {
          id,
          name: 'nightly',
          team: 'blue',
          pipeline: 'summaries',
          mode: 'online',
          state: 'succeeded',
        },
        isFinal: true,
        isComplete: true,
        goneItems: 0,
        items: {
          total: 12,
          waiting: 0,
          running: 0,
          succeeded: 9,
          failed: 1,
          expired: 0,
          cancelled: 1,
          skipped: 1,
          retried: 1,
          successShare: '0.75',
        },
        reasons: [
          { end: 'cancelled', code: '', items: 1 },
          { end: 'failed', code: 'MILLRACE_OUTPUT_INVALID', items: 1 },
          { end: 'skipped', code: 'MILLRACE_MESSAGE_INVALID', items: 1 },
        ],
        otherReasons: 0,
        failedItems: `/v1/batches/${id}/failed-items`,
      });
      expect(report.time).toEqual({
        seconds: 5400,
        stages: [
          {
            stage: 'check',
            messages: 9,
            ended: 9,
            retried: 0,
            p50Ms: 100,
            p95Ms: 100,
            maxMs: 100,
            firstStartAt: '2026-11-30T08:00:01.000Z',
            lastEndAt: '2026-11-30T08:00:09.100Z',
            seconds: 8.1,
          },
          {
            stage: 'summarise',
            messages: 10,
            ended: 10,
            retried: 1,
            p50Ms: 5000,
            p95Ms: 20_000,
            maxMs: 20_000,
            firstStartAt: '2026-11-30T08:00:01.000Z',
            lastEndAt: '2026-11-30T08:00:30.000Z',
            seconds: 29,
          },
        ],
      });
      expect(report.cost).toMatchObject({
        totalUsd: '55.000000000000000009',
        calls: 23,
        failedCalls: 2,
        wasteUsd: '10',
        wasteShare: '0.181818',
        unpricedCalls: 1,
        estimatedCalls: 0,
        unsettledCalls: 1,
        openCalls: 1,
        openUpperBoundUsd: '0.875',
        perSucceededUsd: '6.111111111111111112',
        perItem: {
          items: 10,
          meanUsd: '5.500000000000000001',
          p50Usd: '5.000000000000000001',
          p95Usd: '10',
          maxUsd: '10',
        },
        otherUsd: '0',
      });
      expect(report.cost.models).toEqual([
        {
          provider: 'openai',
          model: 'gpt-5-mini',
          tier: 'default',
          calls: 13,
          costUsd: '54.000000000000000009',
          share: '0.981818',
          inputTokens: '1007',
          outputTokens: '100',
        },
        {
          provider: 'openai',
          model: 'gpt-5-mini',
          tier: 'flex',
          calls: 1,
          costUsd: '1',
          share: '0.018182',
          inputTokens: '100',
          outputTokens: '0',
        },
        {
          provider: 'openai',
          model: 'gpt-5-nano',
          tier: 'default',
          calls: 9,
          costUsd: '0',
          share: '0',
          inputTokens: '45',
          outputTokens: '9',
        },
      ]);
      expect(report.waste).toEqual([
        { cause: 'invalid_output', calls: 1, costUsd: '9', share: '0.163636' },
        { cause: 'failed', calls: 1, costUsd: '1', share: '0.018182' },
      ]);
      expect(report.tokens).toMatchObject({ input: '1152', output: '109', cacheHitRate: '0.3125' });
      expect(report.tokens.byClass).toMatchObject({
        uncached_input: '792',
        cache_read: '360',
        text_output: '109',
      });
      // The Gini coefficient of 1, 2, … n is (n - 1) / 3n.
      expect(report.concentration).toMatchObject({ gini: '0.3', topTenthShare: '0.181818' });
      expect(report.concentration.tenths.map(({ items: count, costUsd }) => [count, costUsd])).toEqual([
        [1, '10'],
        ...[9, 8, 7, 6, 5, 4, 3, 2, 1].map((cost) => [1, `${cost}.000000000000000001`]),
      ]);
      expect(report.concentration.outliers).toMatchObject([
        { position: 10, itemId: 'doc-10', state: 'failed', calls: 5, costUsd: '10', timesMedian: '2' },
      ]);
      expect(report.previous).toBeUndefined();
    });

    it('counts an item as retried when a message of it ran more than once, or it ran anew', async () => {
      await writeReportedBatch(database, {
        name: 'again',
        items: [
          { id: 'once' },
          { id: 'failed-once', failedRuns: 1 },
          { id: 'anew', calls: [{ costUsd: '1' }], earlierCalls: [{ costUsd: '2', waste: 'aborted' }] },
        ],
      });
      const report = await read('again');
      expect(report.items).toMatchObject({ total: 3, succeeded: 3, retried: 2 });
      expect(report.cost).toMatchObject({ totalUsd: '3', wasteUsd: '2', perItem: { items: 3, maxUsd: '3' } });
    });

    it('leaves out what others did under the same name, and has what items of other teams cost', async () => {
      await writeReportedBatch(database, {
        name: 'shared',
        team: 'blue',
        items: [
          { id: '1', calls: [{ costUsd: '1' }] },
          { id: '2', team: 'green', calls: [{ costUsd: '2' }] },
        ],
      });
      await writeReportedBatch(database, {
        name: 'shared',
        team: 'green',
        items: [{ id: '2', calls: [{ costUsd: '40' }] }],
      });
      expect((await read('shared', 'blue')).cost).toMatchObject({ totalUsd: '3', calls: 2 });
      expect((await read('shared', 'green')).cost).toMatchObject({ totalUsd: '40', calls: 1 });
    });

    it('is found by those who may see it, and by one name of one team', async () => {
      const id = await writeReportedBatch(database, { name: 'own', items: [{ id: '1' }] });
      await writeReportedBatch(database, { name: 'shared', team: 'blue', items: [] });
      await writeReportedBatch(database, { name: 'shared', team: 'green', items: [] });
      const notFound = { code: 'MILLRACE_BATCH_NOT_FOUND' };
      await expect(reports.read({ kind: 'id', id }, { team: 'green' })).rejects.toMatchObject(notFound);
      await expect(reports.read({ kind: 'id', id: 'own' }, {})).rejects.toMatchObject(notFound);
      await expect(read('own', 'green')).rejects.toMatchObject(notFound);
      await expect(read('nul\u0000')).rejects.toMatchObject(notFound);
      await expect(reports.read({ kind: 'name', name: 'shared' }, {})).rejects.toMatchObject({
        ...notFound,
        message: expect.stringContaining('several teams') as string,
      });
      await expect(
        reports.read({ kind: 'name', name: 'shared', team: 'green' }, { team: 'blue' }),
      ).rejects.toMatchObject(notFound);
      expect((await reports.read({ kind: 'name', name: 'shared', team: 'green' }, {})).batch.team).toBe(
        'green',
      );
      expect((await reports.read({ kind: 'id', id: id.toUpperCase() }, { team: 'blue' })).batch.id).toBe(id);
    });

    it('of a batch that runs is marked as what it is so far', async () => {
      await writeReportedBatch(database, {
        name: 'running',
        state: 'running',
        items: [
          { id: '1', calls: [{ costUsd: '1' }] },
          { id: '2', state: 'running', calls: [{ state: 'reserved', upperBoundUsd: '2' }] },
          { id: '3', state: 'waiting', hasNoMessage: true },
        ],
      });
      const report = await read('running');
      expect(report).toMatchObject({
        isFinal: false,
        isComplete: true,
        items: { total: 3, succeeded: 1, running: 1, waiting: 1 },
        cost: { totalUsd: '1', openCalls: 1, openUpperBoundUsd: '2', perItem: { items: 2 } },
      });
      expect(report.time.stages).toMatchObject([{ stage: 'first', messages: 2, ended: 1, maxMs: 1000 }]);
      expect(report.time.seconds).toBeGreaterThan(0);
    });

    it('says when the retention time took what it would be computed from', async () => {
      await writeReportedBatch(database, {
        name: 'old',
        items: [
          { id: '1', hasNoMessage: true },
          { id: '2', calls: [{ costUsd: '1' }] },
        ],
      });
      expect(await read('old')).toMatchObject({ isComplete: false, goneItems: 1, cost: { totalUsd: '1' } });
    });

    it('compares with the batch of the same team and pipeline before it', async () => {
      const priced = (id: string, costUsd: string) => ({
        id,
        calls: [{ costUsd, tokens: { uncached_input: 1, cache_read: 3 } }],
      });
      const at = (day: number) => ({
        createdAt: `2026-11-${day}T07:00:00Z`,
        startedAt: `2026-11-${day}T08:00:00Z`,
        endedAt: `2026-11-${day}T09:00:00Z`,
      });
      await writeReportedBatch(database, { name: 'd27', items: [priced('1', '9')], ...at(27) });
      await writeReportedBatch(database, {
        name: 'd28',
        items: [priced('1', '1'), priced('2', '3')],
        ...at(28),
      });
      await writeReportedBatch(database, {
        name: 'other',
        pipeline: 'x',
        items: [priced('1', '9')],
        ...at(29),
      });
      await writeReportedBatch(database, {
        name: 'd28',
        team: 'green',
        items: [priced('1', '9')],
        ...at(29),
      });
      await writeReportedBatch(database, {
        name: 'open',
        state: 'running',
        items: [],
        ...at(29),
        endedAt: null,
      });
      await writeReportedBatch(database, { name: 'd30', items: [priced('1', '3')], ...at(30) });
      expect((await read('d30')).previous).toMatchObject({
        batch: { name: 'd28', state: 'succeeded', startedAt: '2026-11-28T08:00:00.000Z' },
        isComplete: true,
        figures: {
          items: 2,
          succeeded: 2,
          seconds: 3600,
          calls: 2,
          costUsd: '4',
          costPerSucceededUsd: '2',
          wasteShare: '0',
          cacheHitRate: '0.75',
        },
        present: { items: 1, costPerSucceededUsd: '3' },
        costPerSucceededChange: '0.5',
      });
    });

    it('says what caching and the batches of providers saved, also beyond a threshold of the price', async () => {
      const at = new Date('2026-11-30T08:00:01Z');
      const question = { provider: 'openai', model: 'gpt-5.4', at, tier: 'default', batch: true };
      const price = book.findPrice(question);
      const threshold = price?.rates.uncached_input?.tiers[0]?.aboveInputTokens;
      expect(threshold, 'the price has a band for long input').toBeGreaterThan(0);
      const call = (uncached: number) => {
        const tokens = { uncached_input: uncached, cache_read: 1000, text_output: 10 };
        const priced = book.price(question, tokens);
        if (priced.kind !== 'priced') throw new Error(priced.reason);
        return {
          model: question.model,
          isBatch: true,
          tokens,
          costUsd: priced.cost.total.toFixed(),
          costs: Object.fromEntries(
            Object.entries(priced.cost.byClass).map(([name, amount]) => [name, amount.toFixed()]),
          ),
          priceReference: priced.price.reference,
        };
      };
      const calls = [call(500), call((threshold ?? 0) + 1)];
      await writeReportedBatch(database, {
        name: 'batched',
        items: calls.map((one, n) => ({ id: `${n}`, calls: [one] })),
      });
      const standardUsd = calls.map(({ tokens }) => {
        const priced = book.price({ ...question, batch: false }, tokens);
        return priced.kind === 'priced' ? priced.cost.total : undefined;
      });
      const report = await read('batched');
      const sum = standardUsd[0]?.plus(standardUsd[1] ?? 0).toFixed();
      expect(report.savings.unvalued).toMatchObject({ calls: 0, unpricedCalls: 0, openCalls: 0 });
      expect(report.savings.tiers).toMatchObject([
        { tier: 'batch', calls: 2, paidUsd: report.cost.totalUsd, standardUsd: sum },
      ]);
      expect(report.savings.caching).toMatchObject({ readTokens: '2000' });
      expect(Number(report.savings.caching.savedUsd)).toBeGreaterThan(0);
      expect(report.cost.models).toMatchObject([{ tier: 'batch', calls: 2 }]);
    });

    it('tell why calls of a batch at a provider are in no saving', async () => {
      const gone = { tokens: { cache_read: 7 }, costUsd: '1', priceReference: 'a price of before' };
      const free = { isFree: true, waste: 'failed' };
      const odd = [
        gone,
        { costUsd: null },
        { state: 'unsettled' },
        { state: 'reserved' },
        free,
        free,
      ] as const;
      const calls = odd.map((call) => ({ ...call, isBatch: true }));
      await writeReportedBatch(database, { name: 'odd', items: [{ id: 'a', calls }] });
      const { unvalued } = (await read('odd')).savings;
      expect(Object.values(unvalued)).toEqual([1, '7', 1, 2, 2]);
    });
  });
}
