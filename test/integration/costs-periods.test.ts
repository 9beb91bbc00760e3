import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CostReportDocument,
  costReportSchema,
} from '../../src/capabilities/costs/cost-report-document.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { type MessageOutcome, renderOutcomeLine } from '../../src/engine/export/message-outcome.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { forecastSchema } from '../../src/capabilities/costs/forecast/forecast-document.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { type Seed, seeds, sumOfCosts } from './cost-seeds.ts';
import { type CostsApi, startCostsApi } from './costs-fixture.ts';
import { requestTo } from './request-to.ts';

/* Time zones, comparisons and validators of cost reports over HTTP. */

const period = 'from=2026-03-01&to=2026-03-04';

let api: CostsApi;
let key: string;

beforeAll(async () => {
  api = await startCostsApi(new ManualClock(new Date('2026-03-03T12:00:00Z')));
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

describe('a comparison with the previous period', () => {
  const between = (from: string, to: string) => (seed: Seed) =>
    seed.sentAt >= new Date(from) && seed.sentAt < new Date(to);
  const query = 'from=2026-03-02&to=2026-03-03&compare=previous';
  const [now, before] = [between('2026-03-02', '2026-03-03'), between('2026-03-01', '2026-03-02')];

  it('has the exact figures of both, and what changed, for groups and totals', async () => {
    const { previous, totals, groups } = await report(`${query}&group_by=team`);
    expect(previous).toEqual({
      from: '2026-03-01T00:00:00.000Z',
      to: '2026-03-02T00:00:00.000Z',
      unit: 'days',
    });
    expect([totals.costUsd, totals.previous?.costUsd]).toEqual([sumOfCosts(now), sumOfCosts(before)]);
    expect(totals.changeUsd).toBe(formatUsd(usd(sumOfCosts(now)).minus(usd(sumOfCosts(before)))));
    expect(groups).toHaveLength(3);
    for (const group of groups) {
      const of = (seed: Seed): boolean => seed.team === group.key.team;
      expect(group.costUsd).toBe(sumOfCosts((seed) => now(seed) && of(seed)));
      expect(group.previous?.costUsd).toBe(sumOfCosts((seed) => before(seed) && of(seed)));
      expect(Number(group.share)).toBeCloseTo(Number(group.costUsd) / Number(totals.costUsd), 6);
      expect(Number(group.changeRatio)).toBeCloseTo(
        Number(group.changeUsd) / Number(group.previous?.costUsd),
        6,
      );
    }
  });

  it('has groups that spent before and not now, and no ratio where there was nothing before', async () => {
    const { groups } = await report('from=2026-03-04&to=2026-03-07&compare=previous&group_by=team');
    expect(groups.map(({ costUsd, changeRatio }) => [costUsd, changeRatio])).toEqual(
      groups.map(() => ['0', '-1']),
    );
    expect(groups).toHaveLength(3);
    const { totals } = await report('from=2026-02-01&to=2026-03-02&compare=previous');
    expect(totals.changeRatio).toBeUndefined();
    expect(totals.changeUsd).toBe(totals.costUsd);
  });

  it('is refused for groups that are times', async () => {
    const response = await get(`${query}&group_by=day`);
    expect(response.statusCode).toBe(400);
    expect(response.text).toContain('compare');
  });

  it('is in CSV too', async () => {
    const { text } = await get(`${query}&group_by=team`, { accept: 'text/csv' });
    expect(text.split('\r\n')[0]).toMatch(/,share,previousCostUsd,changeUsd,changeRatio$/);
  });
});

describe('the cost of a completed message', () => {
  const ended = (team: string, outcome: MessageOutcome['outcome'], endedAt: string): MessageOutcome => ({
    messageId: randomUUID(),
    rootId: randomUUID(),
    endedAt: new Date(endedAt),
    origin: { team, customer: 'acme, inc.', feature: 'summaries' },
    pipeline: 'documents',
    stage: 'summarise',
    owner: 'platform',
    outcome,
    attempts: 1,
    deliveries: 1,
    durationMs: 1,
    waitMs: 1,
    ageMs: 2,
  });

  it('is told for groups that messages have, and why not for others', async () => {
    const id = randomUUID();
    const outcomes = [
      ended('search', 'completed', '2026-03-01T10:00:00Z'),
      ended('search', 'completed', '2026-03-03T22:59:59Z'),
      ended('search', 'dead_lettered', '2026-03-02T10:00:00Z'),
      ended('search', 'completed', '2026-03-05T10:00:00Z'),
      ended('support', 'completed', '2026-03-02T10:00:00Z'),
    ];
    await api.store.insert({
      table: 'message_outcomes',
      lines: bindLines(id, outcomes.map(renderOutcomeLine)),
      deduplicationToken: id,
    });
    const { groups, totals } = await report(`${period}&group_by=team&order=key&completed=true`);
    expect(groups.map((group) => group.completedMessages)).toEqual([0, 2, 1]);
    expect(totals.completedMessages).toBe(3);
    const search = sumOfCosts((seed) => seed.team === 'search');
    expect(
      usd(groups[1]?.costPerCompletedUsd ?? '0')
        .times(2)
        .toFixed(),
    ).toBe(search);
    expect(groups[0]?.costPerCompletedUsd).toBeUndefined();
    const byModel = await report(`${period}&group_by=model&completed=true`);
    expect(byModel.totals.completedMessages).toBeUndefined();
    expect(byModel.completedUnavailable).toContain('model');
    const days = await report(`${period}&group_by=day&completed=true&timezone=Europe/Berlin&order=key`);
    expect(days.groups.map((group) => group.completedMessages)).toEqual([1, 1, 1]);
  });
});

describe('a forecast', () => {
  const forecast = async (query: string, bearer = key) => {
    const response = await requestTo(api.app)
      .get(`/v1/costs/forecast?${query}`)
      .set({ authorization: `Bearer ${bearer}` });
    expect(response.statusCode, response.text).toBe(200);
    return forecastSchema.strict().parse(response.body);
  };
  const until = (seed: Seed): boolean => seed.sentAt < new Date('2026-03-03T12:00:00Z');

  it('adds the mean of whole days to what was spent, to the end of the month', async () => {
    const answer = await forecast('');
    expect(answer).toMatchObject({ month: '2026-03', timeZone: 'UTC', method: 'mean', historyDays: 2 });
    expect(answer.spentUsd).toBe(sumOfCosts(until));
    const past = usd(sumOfCosts((seed) => seed.sentAt < new Date('2026-03-03')));
    // Half of today and 28 days.
    expect(answer.days).toHaveLength(29);
    const expected = usd(answer.spentUsd).plus(past.dividedBy(2).times('28.5'));
    expect(
      usd(answer.expectedUsd ?? '0')
        .minus(expected)
        .abs()
        .lessThan('0.000001'),
    ).toBe(true);
    expect(usd(answer.lowUsd ?? '0').lessThanOrEqualTo(answer.expectedUsd ?? '0')).toBe(true);
  });

  it('is of the month and the team that are asked for', async () => {
    const berlin = await forecast('team=search&timezone=Europe/Berlin');
    const ofBerlin = (seed: Seed): boolean =>
      seed.team === 'search' && until(seed) && seed.sentAt >= new Date('2026-02-28T23:00:00Z');
    expect(berlin.spentUsd).toBe(sumOfCosts(ofBerlin));
    const { key: bound } = await api.keys.create({ name: 'bound', scopes: ['costs:read'], team: 'support' });
    const support = await forecast('', bound);
    expect(support.spentUsd).toBe(sumOfCosts((seed) => seed.team === 'support' && until(seed)));
    const refused = await requestTo(api.app)
      .get('/v1/costs/forecast?team=search')
      .set({ authorization: `Bearer ${bound}` });
    expect(refused.statusCode).toBe(403);
    expect((await forecast('team=nobody')).method).toBe('none');
  });
});

describe('an entity tag', () => {
  const closed = 'from=2026-03-01&to=2026-03-03&group_by=team';

  it('spares a report that the caller has, until a record of the period comes', async () => {
    const first = await get(closed);
    const tag = first.headers['etag'] ?? '';
    expect(tag).toMatch(/^W\/"[\w-]+"$/);
    expect(first.headers['cache-control']).toBe('private, no-cache');
    const again = await get(closed, { 'if-none-match': `"other", ${tag}` });
    expect(again.statusCode).toBe(304);
    expect(again.text).toBe('');
    expect(again.headers['etag']).toBe(tag);
    expect((await get(closed, { 'if-none-match': '"other"' })).statusCode).toBe(200);
    await api.insert(seeds.slice(0, 1));
    const changed = await get(closed, { 'if-none-match': tag });
    expect(changed.statusCode).toBe(200);
    expect(changed.headers['etag']).not.toBe(tag);
    expect(usd(changed.body.totals.costUsd).equals(first.body.totals.costUsd)).toBe(
      usd(seeds[0]?.costUsd ?? '0').isZero(),
    );
  });

  it('differs by question, by form and by who asks', async () => {
    const { key: bound } = await api.keys.create({ name: 'bound', scopes: ['costs:read'], team: 'support' });
    const tags = await Promise.all([
      get(closed),
      get(`${closed}&timezone=Europe/Berlin`),
      get(closed, { accept: 'text/csv' }),
      requestTo(api.app)
        .get(`/v1/costs?${closed}`)
        .set({ authorization: `Bearer ${bound}` }),
    ]);
    expect(new Set(tags.map(({ headers }) => headers['etag'])).size).toBe(4);
    const [everything] = tags;
    const refused = await requestTo(api.app)
      .get(`/v1/costs?${closed}&team=search`)
      .set({ authorization: `Bearer ${bound}`, 'if-none-match': everything?.headers['etag'] ?? '' });
    expect(refused.statusCode).toBe(403);
  });

  it('is not given for a period that goes on', async () => {
    expect((await get('from=2026-03-01&to=2026-03-09')).headers['etag']).toBeUndefined();
  });
});
