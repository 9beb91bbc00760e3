import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CostReportDocument,
  costReportSchema,
} from '../../src/capabilities/costs/cost-report-document.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { type Seed, seeds, sumOfCosts } from './cost-seeds.ts';
import { type CostsApi, startCostsApi } from './costs-fixture.ts';
import { requestTo } from './request-to.ts';

/* Time zones, comparisons and validators of cost reports over HTTP. */

const period = 'from=2026-03-01&to=2026-03-04';

let api: CostsApi;
let key: string;

beforeAll(async () => {
  api = await startCostsApi();
  await api.insert(seeds);
  ({ key } = await api.keys.create({ name: 'test', scopes: ['costs:read'] }));
});

afterAll(() => api.close());

const get = (query: string, headers: Record<string, string> = {}) =>
  requestTo(api.app)
    .get(`/v1/costs?${query}`)
    .set({ ...headers, authorization: `Bearer ${key}` });

async function report(query: string): Promise<CostReportDocument> {
  const response = await get(query);
  expect(response.statusCode, response.text).toBe(200);
  return costReportSchema.strict().parse(response.body);
}

describe('a cost report in a time zone', () => {
  it('has the days, weeks and months of a time zone, and its midnights in dates without a time', async () => {
    const berlin = 'from=2026-03-01&to=2026-03-04&timezone=Europe/Berlin';
    const of = (from: string, to: string) => (seed: Seed) =>
      seed.sentAt >= new Date(from) && seed.sentAt < new Date(to);
    const whole = of('2026-02-28T23:00:00Z', '2026-03-03T23:00:00Z');
    const days = await report(`${berlin}&group_by=day&order=key`);
    expect(days).toMatchObject({
      from: '2026-02-28T23:00:00.000Z',
      to: '2026-03-03T23:00:00.000Z',
      timeZone: 'Europe/Berlin',
      source: 'rollups',
    });
    expect(days.totals.costUsd).toBe(sumOfCosts(whole));
    expect(days.groups.map(({ key, costUsd }) => [key.day, costUsd])).toEqual([
      ['2026-03-01', sumOfCosts(of('2026-02-28T23:00:00Z', '2026-03-01T23:00:00Z'))],
      ['2026-03-02', sumOfCosts(of('2026-03-01T23:00:00Z', '2026-03-02T23:00:00Z'))],
      ['2026-03-03', sumOfCosts(of('2026-03-02T23:00:00Z', '2026-03-03T23:00:00Z'))],
    ]);
    const weeks = await report(`${berlin}&group_by=week,month&order=key`);
    expect(weeks.groups.map(({ key }) => key)).toEqual([
      { week: '2026-W09', month: '2026-03' },
      { week: '2026-W10', month: '2026-03' },
    ]);
    const hours = await report(`${berlin}&group_by=hour&order=key&limit=1`);
    expect(hours.groups[0]?.key.hour).toBe('2026-03-01T01:00:00+01:00');
  });

  it('reads days of a zone that is off the whole hour from the records, and says so', async () => {
    const { groups, totals, source } = await report(`${period}&timezone=Asia/Kolkata&group_by=day&order=key`);
    expect(source).toBe('records');
    expect(groups[0]?.key.day).toBe('2026-03-01');
    expect(formatUsd(sumUsd(groups.map(({ costUsd }) => usd(costUsd))))).toBe(totals.costUsd);
    expect((await report(`${period}&timezone=Asia/Kolkata`)).source).toBe('both');
  });
});
