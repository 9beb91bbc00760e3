import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anomalySchema } from '../../src/capabilities/costs/anomalies/anomaly-document.ts';
import { concentrationSchema } from '../../src/capabilities/costs/concentration/concentration-document.ts';
import { costReportSchema } from '../../src/capabilities/costs/cost-report-document.ts';
import { savingsReportSchema } from '../../src/capabilities/costs/savings/savings-document.ts';
import type { UsageRecord } from '../../src/engine/export/usage-record.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { corrected, hourly, inCascades, labelled, priced, ranked } from './analysed-calls.ts';
import { type CostsApi, startCostsApi } from './costs-fixture.ts';
import { requestTo } from './request-to.ts';

/* Labels, concentration, anomalies and savings over HTTP: each over a month of its own. */

const clock = new ManualClock(new Date('2026-03-31T10:20:00Z'));
let api: CostsApi;
let everywhere: string;
let ofBlue: string;

beforeAll(async () => {
  api = await startCostsApi(clock);
  ({ key: everywhere } = await api.keys.create({ name: 'all', scopes: ['costs:read'] }));
  ({ key: ofBlue } = await api.keys.create({ name: 'blue', scopes: ['costs:read'], team: 'blue' }));
  await api.insertRecords([...labelled, ...ranked, ...hourly, ...priced, ...corrected, ...inCascades]);
});

afterAll(() => api.close());

const get = (path: string, key = everywhere, accept = 'application/json') =>
  requestTo(api.app)
    .get(`/v1/costs${path}`)
    .set({ accept, authorization: `Bearer ${key}` });

async function answer(path: string, key?: string): Promise<unknown> {
  const response = await get(path, key);
  expect(response.statusCode, response.text).toBe(200);
  return response.body;
}

async function faultsOf(path: string): Promise<unknown> {
  const response = await get(path);
  expect(response.statusCode, response.text).toBe(400);
  return (response.body as { faults: readonly { field: string }[] }).faults.map(({ field }) => field);
}

const total = (records: readonly UsageRecord[]): string =>
  formatUsd(sumUsd(records.map(({ costUsd = usd('0') }) => costUsd)));

const january = 'from=2025-01-01&to=2025-02-01';

describe('labels', () => {
  it('are grouped by, alone and with other fields, and add up to the totals', async () => {
    for (const groupBy of ['label:region', 'team,label:region', 'label:region,label:cost_centre.a,day']) {
      const report = costReportSchema.parse(await answer(`?${january}&group_by=${groupBy}&limit=10000`));
      expect(report.groupBy).toEqual(groupBy.split(','));
      expect(report.totals.costUsd).toBe(total(labelled));
      expect(formatUsd(sumUsd(report.groups.map(({ costUsd }) => usd(costUsd))))).toBe(report.totals.costUsd);
      for (const { key } of report.groups) expect(Object.keys(key)).toEqual(groupBy.split(','));
    }
    const { groups, source } = costReportSchema.parse(
      await answer(`?${january}&group_by=label:region&order=key`),
    );
    expect(source).toBe('records');
    expect(groups.map(({ key, calls }) => [key['label:region'], calls])).toEqual([
      ['', 10],
      ["o'us", 10],
      ['us', 10],
    ]);
  });

  it('are filtered by, on every question', async () => {
    const wanted = labelled.filter(({ origin }) => origin.labels?.['region'] === "o'us");
    const filter = `${january}&label:region=${encodeURIComponent("o'us")}`;
    const report = costReportSchema.parse(await answer(`?${filter}&group_by=team&completed=true`));
    expect(report.totals.costUsd).toBe(total(wanted));
    expect(report.completedUnavailable).toContain('label:region');
    const spread = concentrationSchema.parse(await answer(`/concentration?${filter}&by=label:region`));
    expect(spread).toMatchObject({ names: 1, totals: { costUsd: total(wanted) } });
    const two = await answer(`?${january}&label:region=us&label:region=eu&label:cost_centre.a=c1`);
    expect(costReportSchema.parse(two).totals.calls).toBe(
      labelled.filter(
        ({ origin: { labels = {} } }) => labels['region'] === 'us' && labels['cost_centre.a'] === 'c1',
      ).length,
    );
    const own = costReportSchema.parse(await answer(`?${january}&group_by=label:region,team`, ofBlue));
    expect(new Set(own.groups.map(({ key }) => key.team))).toEqual(new Set(['blue']));
  });

  it('stand in the header of CSV by their names', async () => {
    const { text } = await get(`?${january}&group_by=label:region`, everywhere, 'text/csv');
    expect(text.split(',')[0]).toBe('label:region');
  });

  it.each([
    ['?label:Region=eu', ['label:Region']],
    [`?label:${encodeURIComponent("a'] OR 1=1 --")}=eu`, ["label:a'] OR 1=1 --"]],
    ['?label:=eu', ['label:']],
    ['?label:region=', ['label:region']],
    ['?labels=eu', ['labels']],
    ['?label:a=1&label:b=1&label:c=1&label:d=1&label:e=1', ['query']],
    ['?group_by=label:Region', ['group_by']],
    [`?group_by=${encodeURIComponent("label:a']")}`, ['group_by']],
    ['?group_by=label:a,label:a', ['group_by']],
    ['?group_by=label:a,label:b,label:c,label:d,label:e', ['group_by']],
    ['?label:Region=eu&teem=a', ['teem', 'label:Region']],
    ['/forecast?label:__proto__=1', ['label:__proto__']],
  ])('that are not well formed are refused: %s', async (path, fields) => {
    expect(await faultsOf(path)).toEqual(fields);
  });
});

const february = 'from=2025-02-01&to=2025-03-01';

describe('concentration', () => {
  it('tells the most expensive names, and what shares of all names cost', async () => {
    const spread = concentrationSchema.parse(await answer(`/concentration?${february}&by=customer&top=3`));
    expect(spread).toMatchObject({
      names: 20,
      totals: { costUsd: total(ranked), calls: 20 },
      source: 'rollups',
    });
    expect(spread.top.map(({ name }) => name)).toEqual(['customer 20', 'customer 19', 'customer 18']);
    expect(spread.top[0]?.costUsd).toBe('0.400000000000000001');
    const costsOf = (count: number): string => total(ranked.slice(-count));
    expect(spread.parts.map(({ percent, names, costUsd }) => [percent, names, costUsd])).toEqual([
      [1, 1, costsOf(1)],
      [5, 1, costsOf(1)],
      [10, 2, costsOf(2)],
      [20, 4, costsOf(4)],
      [50, 10, costsOf(10)],
    ]);
    expect(spread.top[2]?.cumulativeShare).toBe(
      usd(costsOf(3))
        .dividedBy(usd(total(ranked)))
        .toDecimalPlaces(6)
        .toFixed(),
    );
    expect(spread.unnamed).toMatchObject({ costUsd: '0', calls: 0 });
  });

  it('has the sums of the report of the same question', async () => {
    const query = `${february}&feature=shop`;
    const report = costReportSchema.parse(await answer(`?${query}&group_by=customer&messages=none`));
    const spread = concentrationSchema.parse(await answer(`/concentration?${query}&by=customer&top=1000`));
    expect(spread.totals).toEqual(report.totals);
    expect(spread.top.map(({ name, costUsd, share }) => [name, costUsd, share])).toEqual(
      report.groups.map(({ key, costUsd, share }) => [key.customer, costUsd, share]),
    );
  });

  it('leaves what has no name out of the ranking, and tells it', async () => {
    const spread = concentrationSchema.parse(await answer(`/concentration?${february}&by=item`));
    expect(spread).toMatchObject({ names: 5, unnamed: { calls: 15 }, source: 'records' });
    expect(spread.top.map(({ name }) => name)).not.toContain('');
    expect(
      formatUsd(usd(spread.unnamed.costUsd).plus(sumUsd(spread.top.map(({ costUsd }) => usd(costUsd))))),
    ).toBe(spread.totals.costUsd);
    const empty = await answer('/concentration?from=2024-01-01&to=2024-02-01&by=message');
    expect(concentrationSchema.parse(empty)).toMatchObject({ names: 0, top: [], totals: { calls: 0 } });
  });

  it('is of its own team for a key that is bound to one', async () => {
    const own = concentrationSchema.parse(await answer(`/concentration?${february}&by=customer`, ofBlue));
    expect(own).toMatchObject({ names: 10, totals: { calls: 10 } });
    expect((await get(`/concentration?${february}&by=customer&team=rose`, ofBlue)).statusCode).toBe(403);
  });

  it.each([
    ['', ['by']],
    ['?by=day', ['by']],
    ['?by=customer&by=team', ['by']],
    ['?by=customer&top=0', ['top']],
    ['?by=customer&top=1001', ['top']],
    ['?by=customer&from=2026-03-02&to=2026-03-01', ['from']],
    ['?by=label:Bad', ['by']],
  ])('refuses %s', async (query, fields) => {
    expect(await faultsOf(`/concentration${query}`)).toEqual(fields);
  });
});

describe('anomalies', () => {
  it('are hours far off what the same hour of the weekday costs, to either side', async () => {
    const found = anomalySchema.parse(await answer('/anomalies?timezone=Europe/Berlin'));
    expect(found).toMatchObject({
      to: '2026-03-31T10:00:00.000Z',
      names: 4,
      judgedNames: 3,
      source: 'rollups',
    });
    expect(found.anomalies.map(({ name, direction, hour }) => [name, direction, hour])).toEqual([
      ['blue', 'high', '2026-03-31T09:00:00+02:00'],
      ['quiet', 'low', '2026-03-31T09:00:00+02:00'],
    ]);
    expect(found.anomalies[0]).toMatchObject({
      costUsd: '200.000000000000000001',
      usualUsd: '20',
      deviationUsd: '2',
      score: '90',
      weeks: 8,
    });
    expect(found.reason).toBeUndefined();
  });

  it('are found by any field, from records where no rollup has it', async () => {
    const found = anomalySchema.parse(await answer('/anomalies?timezone=Europe/Berlin&by=customer'));
    expect(found.source).toBe('records');
    expect(found.anomalies.map(({ name }) => name)).toEqual(['blue customer', 'quiet customer']);
  });

  it('are told by the clocks of the time zone', async () => {
    // In UTC everything has moved by an hour: what is usual then is missing at eight, and unusual at seven.
    const found = anomalySchema.parse(await answer('/anomalies?team=steady&timezone=UTC'));
    expect(found.anomalies.map(({ direction, hour }) => [direction, hour])).toEqual([
      ['high', '2026-03-31T07:00:00Z'],
      ['low', '2026-03-31T08:00:00Z'],
    ]);
  });

  it('say why there are none', async () => {
    const reasonOf = async (query: string): Promise<unknown> =>
      anomalySchema.parse(await answer(`/anomalies?timezone=Europe/Berlin&${query}`)).reason;
    expect(await reasonOf('team=nobody')).toBe('no_records');
    expect(await reasonOf('team=young')).toBe('too_little_history');
    expect(await reasonOf('team=steady')).toBe('nothing_unusual');
    expect(await reasonOf('threshold=1000')).toBe('nothing_unusual');
    expect(await reasonOf('from=2027-01-01&to=2027-01-03')).toBe('not_exported');
    expect(anomalySchema.parse(await answer('/anomalies', ofBlue))).toMatchObject({ names: 1 });
  });

  it.each([
    ['?by=hour', ['by']],
    ['?threshold=0', ['threshold']],
    ['?threshold=x', ['threshold']],
    ['?from=2026-03-01&to=2026-03-20', ['from']],
    ['?from=2026-03-31T09:10:00Z&to=2026-03-31T09:50:00Z', ['from']],
  ])('refuses %s', async (query, fields) => {
    expect(await faultsOf(`/anomalies${query}`)).toEqual(fields);
  });
});

describe('savings', () => {
  it('are at the price of the last correction, where calls were priced again', async () => {
    const saved = savingsReportSchema.parse(await answer('/savings?from=2025-11-01&to=2025-12-01'));
    expect(saved).toMatchObject({
      caching: { readTokens: '1000000', paidUsd: '0.025', uncachedUsd: '0.25', savedUsd: '0.225' },
      unvalued: { calls: 0, cachedTokens: '0', unpricedCalls: 0, openCalls: 0, freeCalls: 0 },
    });
  });

  it('are what tokens would have cost uncached, and in the standard tier, at the prices of the calls', async () => {
    const saved = savingsReportSchema.parse(await answer('/savings?from=2025-12-01&to=2026-01-01'));
    const uncached = '1.125';
    expect(saved.caching).toEqual({
      readTokens: '1400000',
      paidUsd: '0.1125',
      uncachedUsd: uncached,
      writeSurchargeUsd: '0.25',
      savedUsd: '0.7625',
    });
    expect(saved.tiers).toEqual([
      { tier: 'batch', calls: 1, paidUsd: '0.225', standardUsd: '0.45', savedUsd: '0.225' },
    ]);
    expect(saved.waste).toEqual({
      wasteUsd: '0.5',
      causes: [{ cause: 'failed', costUsd: '0.5', calls: 1 }],
    });
    expect(saved.unvalued).toMatchObject({ calls: 1, cachedTokens: '77', unpricedCalls: 0 });
    expect(saved.unknown).toEqual(['reused_answers']);
  });

  it('are what the last model of a cascade would have cost, less all that the smaller ones did', async () => {
    const saved = savingsReportSchema.parse(await answer('/savings?from=2025-10-01&to=2025-11-01'));
    expect(saved.cascade).toEqual({
      acceptedCalls: 3,
      escalatedCalls: 3,
      otherCalls: 0,
      paidUsd: '0.735',
      unacceptedUsd: '0.51',
      lastModelUsd: '3.000000000000000001',
      savedUsd: '2.265000000000000001',
      unvaluedCalls: 2,
    });
  });

  it('are of what the filters let through, and nothing without calls', async () => {
    const one = await answer('/savings?from=2025-12-01&to=2026-01-01&provider=google');
    expect(savingsReportSchema.parse(one)).toMatchObject({
      caching: { readTokens: '400000', paidUsd: '0.0875', uncachedUsd: '0.875' },
      tiers: [],
    });
    const none = await answer('/savings?from=2023-12-01&to=2024-01-01');
    expect(savingsReportSchema.parse(none)).toMatchObject({
      caching: { readTokens: '0', savedUsd: '0' },
      tiers: [],
      unvalued: { calls: 0 },
    });
    expect(await faultsOf('/savings?from=2020-01-01&to=2026-01-01')).toEqual(['from']);
  });
});
