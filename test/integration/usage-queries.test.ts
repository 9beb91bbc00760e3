import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, sumUsd, usd, zeroUsd } from '../../src/kernel/money.ts';
import { writeBatch } from '../../src/engine/export/export-batch-writer.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { costGroupFields, type CostQuery, messageCounts } from '../../src/capabilities/costs/cost-query.ts';
import { type CostReport, runCostQuery } from '../../src/capabilities/costs/usage-queries.ts';
import {
  countsOfCall,
  countsOfCorrection,
  renderUsageLine,
  type UsageRecord,
} from '../../src/engine/export/usage-record.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { plain, plainOf, plainReport } from '../support/plain-costs.ts';
import { depth } from '../support/test-depth.ts';
import { usageRecord } from '../support/usage-records.ts';

const start = Date.UTC(2025, 0, 31, 20);
const hourMs = 3_600_000;
const labels = ['label:region', 'label:cost_centre.a-b', 'label:unknown'] as const;
const newUuid = (): string => newId(new Date());

/** Calls of every kind over two months, from a fixed pattern: priced, unpriced, unsettled, estimated, wasted. */
function seed(): UsageRecord[] {
  const messages = Array.from({ length: 40 }, newUuid);
  return Array.from({ length: 240 }, (_item, index): UsageRecord => {
    const costUsd = usd(`0.${String(index * 7919 + 1).padStart(18, '0')}`);
    const settlement =
      (['reported', 'reported', 'estimated', 'unsettled', 'free'] as const)[index % 5] ?? 'reported';
    const isPriced = index % 11 !== 0;
    const messageId = index % 13 === 0 ? {} : { messageId: messages[index % messages.length] ?? newUuid() };
    const { costUsd: _replaced, ...record } = usageRecord({
      recordId: newUuid(),
      sentAt: new Date(start + index * 7 * 60_000 + 123),
      origin: {
        team: `team ${index % 3}`,
        customer: `customer's "${index % 17}"`,
        feature: `feature\\${index % 2}`,
        ...(index % 4 === 0 ? {} : { batch: `batch ${index % 2}` }),
        ...(index % 5 === 0
          ? {}
          : { labels: { region: `eu's "${index % 3}"`, 'cost_centre.a-b': `c\\${index % 2}` } }),
      },
      stage: `stage-${index % 2}`,
      provider: index % 2 === 0 ? 'openai' : 'anthropic',
      model: `model-${index % 5}`,
      settlement,
      counts: countsOfCall(settlement, isPriced),
      tokens: {
        uncached_input: index,
        cache_read: index % 50,
        cache_write_1h: 3,
        text_output: index * 2,
        reasoning: 1,
      },
      costByClass: {},
      ...(index % 6 === 0 ? { wasteReason: 'invalid_output' as const } : {}),
      ...(settlement === 'unsettled' || settlement === 'estimated' ? { upperBoundUsd: usd('0.01') } : {}),
      ...messageId,
    });
    return isPriced ? { ...record, costUsd: settlement === 'unsettled' ? zeroUsd : costUsd } : record;
  });
}

/** Corrections: unpriced calls that got a price, unsettled ones that were found out. */
function correct(calls: readonly UsageRecord[]): UsageRecord[] {
  return calls
    .filter((call) => call.counts.unpricedCalls === 1 || call.settlement === 'unsettled')
    .filter((_, index) => index % 2 === 0)
    .map((call) => {
      const before = { settlement: call.settlement, isPriced: call.costUsd !== undefined };
      return {
        ...call,
        recordId: newUuid(),
        recordKind: 'correction' as const,
        settlement: 'reported' as const,
        counts: countsOfCorrection(before, { settlement: 'reported', isPriced: true }),
        tokens: { text_output: -1 },
        costUsd: usd('-0.000000000000000003'),
        ...(call.upperBoundUsd === undefined ? {} : { upperBoundUsd: call.upperBoundUsd.negated() }),
      };
    });
}

describe('cost queries on seeded rows', () => {
  let directory: string;
  let store: ColumnStore;
  let records: UsageRecord[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-cost-'));
    store = await openMigratedColumns({ directory, database: 'millrace' });
    const calls = seed();
    records = [...calls, ...correct(calls)];
    const id = newUuid();
    const lines = bindLines(id, records.map(renderUsageLine));
    await writeBatch(store, { id, table: 'usage', lines, rows: records.length }, { mayHaveBeenTried: false });
  });

  afterAll(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });

  const moment = fc.integer({ min: 0, max: 240 * 7 * 60_000 }).map((offset) => new Date(start + offset));
  const wholeHour = fc.integer({ min: 0, max: 28 }).map((hours) => new Date(start + hours * hourMs));
  const anyQuery: fc.Arbitrary<CostQuery> = fc.record(
    {
      groupBy: fc.uniqueArray(fc.constantFrom(...costGroupFields, ...labels), { maxLength: 3 }),
      from: fc.oneof(moment, wholeHour),
      to: fc.oneof(moment, wholeHour),
      filters: fc.record(
        {
          team: fc.constantFrom(['team 0'], ['team 1', 'team 2'], []),
          customer: fc.constantFrom(['customer\'s "3"', 'customer\'s "4"'], ['nobody']),
          feature: fc.constantFrom(['feature\\0']),
          batch: fc.constantFrom(['batch 1'], ['']),
          model: fc.constantFrom(['model-1', 'model-2', 'model-3']),
          'label:region': fc.constantFrom(['eu\'s "1"', 'eu\'s "2"'], [''], ['nowhere']),
        },
        { requiredKeys: [] },
      ),
      order: fc.record({
        by: fc.constantFrom('cost', 'calls', 'tokens', 'group'),
        direction: fc.constantFrom('asc', 'desc'),
      }),
      messages: fc.constantFrom(...messageCounts),
    },
    { requiredKeys: ['groupBy'] },
  );

  it('answer what plain addition answers, from records and rollups alike', async () => {
    await fc.assert(
      fc.asyncProperty(anyQuery, async (query) => {
        expect(plainOf(await runCostQuery(store, query), query)).toEqual(plainReport(records, query));
      }),
      { numRuns: depth({ usual: 40, full: 120 }) },
    );
  });

  it('count messages exactly while the period has few records, estimate them in more, and say which', async () => {
    const month = { from: new Date('2020-01-01T00:30:00Z'), to: new Date('2020-01-31T00:00:00Z') };
    const add = (from: number, count: number): Promise<void> =>
      store.command(
        `INSERT INTO millrace.usage (record_id, export_batch, ts, team, message_id, calls, record_kind, request_kind, outcome, settlement)
         SELECT generateUUIDv4(number), generateUUIDv4(number + 1), toDateTime64('2020-01-02 00:00:00', 3, 'UTC') + number * 10, 'red',
           reinterpretAsUUID(sipHash128(intDiv(number, 2))), 1, 'call', 'single', 'ok', 'reported' FROM numbers(${from}, ${count})`,
      );
    const ask = (query: Partial<CostQuery> = {}): Promise<CostReport> =>
      runCostQuery(store, { groupBy: ['team'], ...month, ...query });
    // As many at once as an export batch has.
    for (let from = 0; from < 200_000; from += 20_000) await add(from, 20_000);
    expect(await ask()).toMatchObject({ messages: 'exact', total: { calls: 200_000, messages: 100_000 } });
    await add(200_000, 2);
    const report = await ask();
    expect(report).toMatchObject({ messages: 'estimated', total: { calls: 200_002 } });
    expect(Math.abs((report.total.messages ?? 0) / 100_001 - 1)).toBeLessThan(0.08);
    expect(report.groups[0]?.messages).toBe(report.total.messages);
    expect(await ask({ messages: 'exact' })).toMatchObject({
      messages: 'exact',
      total: { messages: 100_001 },
    });
    const without = await ask({ messages: 'none' });
    expect(without.messages).toBe('none');
    expect('messages' in without.total).toBe(false);
    await store.command('ALTER TABLE millrace.usage DROP PARTITION 202001');
  });

  it('order and cut the groups, and keep the total whole', async () => {
    const all = await runCostQuery(store, { groupBy: ['customer'] });
    const top = await runCostQuery(store, { groupBy: ['customer'], limit: 3 });
    expect(all.groups).toHaveLength(17);
    expect(all.isTruncated).toBe(false);
    expect(top.isTruncated).toBe(true);
    expect(top.groups).toEqual(all.groups.slice(0, 3));
    expect(plain(top.total)).toEqual(plain(all.total));
    expect(formatUsd(sumUsd(all.groups.map((group) => group.costUsd)))).toBe(formatUsd(all.total.costUsd));
    const costs = all.groups.map((group) => group.costUsd);
    expect(costs.every((cost, index) => index === 0 || cost.lte(costs[index - 1] ?? cost))).toBe(true);
    const byName = await runCostQuery(store, {
      groupBy: ['customer'],
      order: { by: 'group', direction: 'desc' },
    });
    const names = byName.groups.map((group) => group.group.customer ?? '');
    expect(names).toEqual(names.toSorted().toReversed());
  });
});
