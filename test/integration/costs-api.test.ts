import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemSchema } from '../../src/http/problem.ts';
import type { ApiScope } from '../../src/http/api-key-identity.ts';
import {
  type CostReportDocument,
  costReportSchema,
} from '../../src/capabilities/costs/cost-report-document.ts';
import { formatUsd, sumUsd, usd, zeroUsd } from '../../src/kernel/money.ts';
import { models, type Seed, seeds, sumOfBounds, sumOfCosts, teams } from './cost-seeds.ts';
import { type CostsApi, startCostsApi } from './costs-fixture.ts';
import { requestTo } from './request-to.ts';

/* Cost reports over HTTP, from a real ledger's keys and a real column store's records. */

const period = 'from=2026-03-01&to=2026-03-04';

let api: CostsApi;
let everywhere: string;

beforeAll(async () => {
  api = await startCostsApi();
  await api.insert(seeds);
  everywhere = await newKey(['costs:read']);
});

afterAll(() => api.close({ isStoreClosed: true }));

async function newKey(scopes: readonly ApiScope[], team?: string): Promise<string> {
  const { key } = await api.keys.create({ name: 'test', scopes, ...(team === undefined ? {} : { team }) });
  return key;
}

const get = (query: string, key?: string, headers: Record<string, string> = {}) =>
  requestTo(api.app)
    .get(`/v1/costs${query === '' ? '' : `?${query}`}`)
    .set({ ...headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) });

async function report(query: string, key = everywhere): Promise<CostReportDocument> {
  const response = await get(query, key);
  expect(response.statusCode, response.text).toBe(200);
  return costReportSchema.strict().parse(response.body);
}

describe('a cost report', () => {
  it('shows exact totals, with what is unpriced, unsettled, estimated and wasted apart', async () => {
    const { totals, groups, groupBy, currency, truncated, exportLagSeconds } = await report(period);
    expect(totals).toEqual({
      costUsd: sumOfCosts(() => true),
      calls: 270,
      messages: 135,
      inputTokens: 27_000,
      outputTokens: 2_700,
      wasteUsd: sumOfCosts((seed) => seed.isWaste === true),
      unpricedCalls: 18,
      unsettledCalls: 27,
      estimatedCalls: 27,
      suspectCalls: 0,
      openUpperBoundUsd: sumOfBounds(() => true),
    });
    expect({ groups, groupBy, currency, truncated, exportLagSeconds }).toEqual({
      groups: [],
      groupBy: [],
      currency: 'USD',
      truncated: false,
      exportLagSeconds: 1.5,
    });
  });

  it.each([
    'team',
    'customer',
    'feature',
    'batch',
    'pipeline',
    'stage',
    'provider',
    'model',
    'day',
    'hour',
    'team,model',
    'team,customer,feature,batch,pipeline,stage,provider,model,day,hour',
  ])('grouped by %s adds up to the totals, to the last decimal', async (groupBy) => {
    const { groups, totals } = await report(`${period}&group_by=${groupBy}&limit=10000`);
    expect(groups.length).toBeGreaterThan(0);
    for (const name of ['costUsd', 'wasteUsd', 'openUpperBoundUsd'] as const) {
      expect(formatUsd(sumUsd(groups.map((group) => usd(group[name])))), name).toBe(totals[name]);
    }
    for (const name of ['calls', 'inputTokens', 'outputTokens', 'unpricedCalls', 'unsettledCalls'] as const) {
      expect(
        groups.reduce((sum, group) => sum + Number(group[name]), 0),
        name,
      ).toBe(totals[name]);
    }
    expect(totals.costUsd).toBe(sumOfCosts(() => true));
  });

  it('names its groups by their values', async () => {
    const { groups } = await report(`${period}&group_by=team&group_by=model&order=key`);
    expect(groups.map(({ key }) => [key.team, key.model])).toEqual(
      [...teams].toSorted().flatMap((team) => [...models].toSorted().map((model) => [team, model])),
    );
    const one = groups.find(({ key }) => key.team === 'search' && key.model === 'gpt-5-mini');
    expect(one?.costUsd).toBe(sumOfCosts((seed) => seed.team === 'search' && seed.model === 'gpt-5-mini'));
  });

  it('names hours and days in UTC as ISO 8601', async () => {
    const { groups } = await report(`${period}&group_by=hour,day&order=key&limit=1`);
    expect(groups[0]?.key).toEqual({ hour: '2026-03-01T00:00:00Z', day: '2026-03-01' });
  });

  it('keeps its totals when the limit cuts groups off, and says so', async () => {
    const { groups, totals, truncated } = await report(`${period}&group_by=hour&limit=2`);
    expect(groups).toHaveLength(2);
    expect(truncated).toBe(true);
    expect(totals.costUsd).toBe(sumOfCosts(() => true));
  });

  it('includes its first moment and excludes its last', async () => {
    const at = '2026-03-01T00:30:00Z';
    const of = (seed: Seed): boolean => seed.sentAt.getTime() === Date.parse(at);
    const first = await report(`from=${at}&to=2026-03-01T00:30:00.001Z`);
    expect(first.totals.calls).toBe(seeds.filter(of).length);
    expect((await report(`from=2026-03-01&to=${at}`)).totals.calls).toBe(0);
    const elsewhere = await report(`from=2026-03-01T02:30:00%2B02:00&to=2026-03-01T00:30:00.001Z`);
    expect(elsewhere.totals).toEqual(first.totals);
  });

  it('filters, by several values of one field and by several fields', async () => {
    const of = (seed: Seed): boolean => seed.team !== 'search' && seed.batch === 'nightly';
    const { totals } = await report(`${period}&team=support&team=%3Dcmd()&batch=nightly`);
    expect(totals.costUsd).toBe(sumOfCosts(of));
    expect(totals.calls).toBe(seeds.filter(of).length);
    expect((await report(`${period}&customer=${encodeURIComponent("' OR 1=1 --")}`)).totals.calls).toBe(0);
  });

  it.each(['cost', 'calls', 'tokens'])('orders by %s, the greatest first with a minus', async (order) => {
    const keysOf = async (text: string) =>
      (await report(`${period}&group_by=model,day&order=${text}`)).groups.map((group) =>
        order === 'cost'
          ? usd(group.costUsd)
          : usd(String(order === 'calls' ? group.calls : +group.inputTokens + +group.outputTokens)),
      );
    const ascending = await keysOf(order);
    const descending = await keysOf(`-${order}`);
    expect(
      ascending.every((value, index) => value.greaterThanOrEqualTo(ascending[index - 1] ?? zeroUsd)),
    ).toBe(true);
    expect(descending.map(String)).toEqual(ascending.toReversed().map(String));
  });

  it('covers the last thirty days by default', async () => {
    const before = Date.now();
    const { from, to, totals } = await report('');
    expect(Date.parse(to)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(to) - Date.parse(from)).toBe(30 * 86_400_000);
    expect(totals.costUsd).toBe('0');
  });

  it('is not kept by caches while its period goes on', async () => {
    const { headers } = await get('from=2026-03-01', everywhere);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', vary: 'Accept' });
    expect(headers['etag']).toBeUndefined();
  });
});

describe('invalid parameters', () => {
  it('are listed all at once', async () => {
    const response = await get(
      'group_by=team,shoe&group_by=team&from=yesterday&to=2026-02-30&order=price&limit=0&limit=5&teem=x',
      everywhere,
    );
    expect(response.statusCode).toBe(400);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    const problem = problemSchema.strict().parse(response.body);
    expect(problem).toMatchObject({
      type: 'urn:millrace:error:MILLRACE_REQUEST_INVALID',
      code: 'MILLRACE_REQUEST_INVALID',
      status: 400,
      instance: '/v1/costs',
    });
    expect(problem.faults?.map(({ field }) => field).toSorted()).toEqual([
      'from',
      'group_by',
      'limit',
      'order',
      'teem',
      'to',
    ]);
  });

  it.each([
    ['from=2026-03-02&to=2026-03-01', 'from'],
    ['from=2026-03-01&to=2026-03-01', 'from'],
    ['from=1999-12-31&to=2026-03-01', 'from'],
    ['from=2026-03-01T10:00:00&to=2026-03-02', 'from'],
    ['from=2001-01-01&to=2026-03-01', 'from'],
    ['from=2024-01-01&to=2026-03-01&group_by=hour', 'from'],
    ['timezone=%2B02:00', 'timezone'],
    ['timezone=Europe/Atlantis', 'timezone'],
    ['limit=10001', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=', 'limit'],
    ['order=-day', 'order'],
    ['group_by=', 'group_by'],
    ['group_by=team,team', 'group_by'],
    ['team=%00', 'team'],
    ['team=', 'team'],
    ['customer=acme&customer=%20%09', 'customer'],
    ['batch=', 'batch'],
    [`team=${'x'.repeat(513)}`, 'team'],
  ])('%s is refused', async (query, field) => {
    const response = await get(query, everywhere);
    expect(response.statusCode, response.text).toBe(400);
    expect(problemSchema.parse(response.body).faults?.map((fault) => fault.field)).toEqual([field]);
  });
});

describe('CSV', () => {
  const asCsv = (query: string, key = everywhere) => get(query, key, { accept: 'text/csv' });

  it('has one line a group, quoted and harmless for spreadsheets', async () => {
    const response = await asCsv(`${period}&group_by=team,model,customer&order=key`);
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/csv; charset=utf-8; header=present');
    const lines = response.text.split('\r\n');
    expect(lines[0]).toBe(
      'team,model,customer,costUsd,calls,messages,inputTokens,outputTokens,wasteUsd,unpricedCalls,unsettledCalls,estimatedCalls,openUpperBoundUsd,suspectCalls,share',
    );
    expect(lines).toHaveLength(1 + 9 + 1);
    const hostile = lines.filter((line) => line.includes('cmd'));
    expect(hostile.map((line) => line.slice(0, line.indexOf(',"acme')))).toEqual([
      "'=cmd(),claude-haiku-4-5",
      "'=cmd(),gpt-5-mini",
      `'=cmd(),"house/""mill"", v1"`,
    ]);
    expect(response.headers['millrace-total-cost-usd']).toBe(sumOfCosts(() => true));
    expect(response.headers['millrace-truncated']).toBe('false');
  });

  it('holds the same amounts as JSON', async () => {
    const lines = (await asCsv(`${period}&group_by=day&order=key`)).text.trimEnd().split('\r\n').slice(1);
    const { groups } = await report(`${period}&group_by=day&order=key`);
    expect(lines.map((line) => line.split(',').slice(0, 2))).toEqual(
      groups.map(({ key, costUsd }) => [key.day, costUsd]),
    );
  });

  it('is the totals without grouping', async () => {
    const lines = (await asCsv(period)).text.trimEnd().split('\r\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]?.split(',')[0]).toBe(sumOfCosts(() => true));
  });

  it('is chosen by the Accept header only when it is liked better', async () => {
    const typeFor = async (accept: string) =>
      (await get(period, everywhere, { accept })).headers['content-type'];
    expect(await typeFor('*/*')).toContain('application/json');
    expect(await typeFor('text/csv;q=0.5, application/json')).toContain('application/json');
    expect(await typeFor('text/*, application/json;q=0.1')).toContain('text/csv');
    const refused = await get(period, everywhere, { accept: 'image/png' });
    expect(refused.statusCode).toBe(406);
    expect(refused.body).toMatchObject({ code: 'MILLRACE_NOT_ACCEPTABLE' });
  });
});

describe('a key bound to a team', () => {
  let searchKey: string;
  beforeAll(async () => {
    searchKey = await newKey(['costs:read'], 'search');
  });
  const ofSearch = (seed: Seed): boolean => seed.team === 'search';

  it('sees its team only: in totals, in groups, in CSV', async () => {
    const { totals, groups } = await report(`${period}&group_by=team`, searchKey);
    expect(groups.map(({ key }) => key.team)).toEqual(['search']);
    expect(totals.costUsd).toBe(sumOfCosts(ofSearch));
    expect(totals.calls).toBe(90);
    expect((await report(`${period}&group_by=model`, searchKey)).totals.costUsd).toBe(sumOfCosts(ofSearch));
    expect((await report(`${period}&team=search`, searchKey)).totals.costUsd).toBe(sumOfCosts(ofSearch));
    const csv = await get(`${period}&group_by=team,model`, searchKey, { accept: 'text/csv' });
    const lines = csv.text.trimEnd().split('\r\n').slice(1);
    expect(lines).toHaveLength(3);
    expect(lines.every((line) => line.startsWith('search,'))).toBe(true);
    expect(csv.headers['millrace-total-cost-usd']).toBe(sumOfCosts(ofSearch));
  });

  it.each(['team=support', 'team=search&team=support', 'team=SEARCH', 'group_by=team&team=support'])(
    'is refused with %s',
    async (query) => {
      const response = await get(`${period}&${query}`, searchKey);
      expect(response.statusCode).toBe(403);
      const problem = problemSchema.parse(response.body);
      expect(problem.code).toBe('MILLRACE_FORBIDDEN');
      expect(response.text).not.toContain('support');
    },
  );

  it('stays bound with the scope admin', async () => {
    const adminKey = await newKey(['admin'], 'support');
    expect((await report(period, adminKey)).totals.calls).toBe(90);
    expect((await get(`${period}&team=search`, adminKey)).statusCode).toBe(403);
  });
});

describe('without a valid key', () => {
  it.each([
    ['no key', {}],
    ['an unknown key', { authorization: `Bearer mr_${'x'.repeat(43)}` }],
    ['another scheme', { authorization: 'Basic bXI6bXI=' }],
    ['a malformed key', { authorization: "Bearer mr_' or 1=1" }],
  ])('%s is refused before anything is read', async (_, headers) => {
    const response = await requestTo(api.app).get('/v1/costs?limit=x').set(headers);
    expect(response.statusCode).toBe(401);
    expect(response.headers['www-authenticate']).toBe('Bearer realm="millrace"');
    expect(problemSchema.parse(response.body).code).toBe('MILLRACE_UNAUTHENTICATED');
  });

  it('a key of another scope is refused', async () => {
    const response = await get(period, await newKey(['messages:read', 'messages:write']));
    expect(response.statusCode).toBe(403);
    expect(response.body).toMatchObject({
      code: 'MILLRACE_FORBIDDEN',
      detail: expect.stringContaining('costs:read'),
    });
  });

  it('a revoked key is refused at once', async () => {
    const { id, key } = await api.keys.create({ name: 'short-lived', scopes: ['costs:read'] });
    expect((await get(period, key)).statusCode).toBe(200);
    expect(await api.keys.revoke(id)).toBe(true);
    expect((await get(period, key)).statusCode).toBe(401);
  });
});

describe('once the column store is away', () => {
  it('a report is refused for now, without internals', async () => {
    await api.store.close();
    const response = await get(period, everywhere);
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('5');
    const problem = problemSchema.strict().parse(response.body);
    expect(problem).toMatchObject({ code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE', retryable: true });
    expect(problem.detail).toBeUndefined();
  });
});
