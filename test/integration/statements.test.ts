import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type StatementDocument,
  statementSchema,
} from '../../src/capabilities/costs/statements/statement-document.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { renderUsageLine } from '../../src/engine/export/usage-record.ts';
import { recordOf, type Seed, seeds, sumOfBounds, sumOfCosts } from './cost-seeds.ts';
import { type CostsApi, startCostsApi } from './costs-fixture.ts';
import { requestTo } from './request-to.ts';

/* Monthly statements over HTTP: the same sums as reports, in three forms. */

let api: CostsApi;
let everywhere: string;
let ofSupport: string;
const clock = new ManualClock(new Date('2026-04-02T08:00:00Z'));

beforeAll(async () => {
  api = await startCostsApi(clock);
  const february = (seed: Seed): Seed => ({ ...seed, sentAt: new Date('2026-02-10T12:00:00Z') });
  await api.insert([...seeds, ...seeds.slice(0, 90).map(february)]);
  ({ key: everywhere } = await api.keys.create({ name: 'all', scopes: ['costs:read'] }));
  ({ key: ofSupport } = await api.keys.create({ name: 'support', scopes: ['costs:read'], team: 'support' }));
});

afterAll(() => api.close());

const get = (path: string, { key = everywhere, accept = 'application/json' } = {}) =>
  requestTo(api.app)
    .get(`/v1/statements/${path}`)
    .set({ accept, authorization: `Bearer ${key}` });

async function statement(path: string, key?: string): Promise<StatementDocument> {
  const response = await get(path, key === undefined ? {} : { key });
  expect(response.statusCode, response.text).toBe(200);
  return statementSchema.strict().parse(response.body);
}

describe('a monthly statement', () => {
  const ofTeam = (seed: Seed): boolean => seed.team === 'search';

  it('has exact totals, those of the month before, and sections that add up to them', async () => {
    const march = await statement('2026-03?team=search');
    expect(march).toMatchObject({ month: '2026-03', team: 'search', isComplete: true, isConsistent: true });
    expect(march).toMatchObject({ from: '2026-03-01T00:00:00.000Z', to: '2026-04-01T00:00:00.000Z' });
    expect(march.totals).toMatchObject({
      costUsd: sumOfCosts(ofTeam),
      wasteUsd: sumOfCosts((seed) => ofTeam(seed) && seed.isWaste === true),
      openUpperBoundUsd: sumOfBounds(ofTeam),
    });
    expect(march.totals.previous?.costUsd).toBe(
      sumOfCosts((seed) => ofTeam(seed) && seeds.indexOf(seed) < 90),
    );
    const { features, customers, models, waste, days, teams } = march.sections;
    expect(teams).toBeUndefined();
    for (const section of [features, customers, models, days]) {
      const rows = sumUsd(section.rows.map(({ costUsd }) => usd(costUsd)));
      expect(formatUsd(rows.plus(usd(section.otherUsd)))).toBe(march.totals.costUsd);
      expect(section.otherRows).toBe(false);
    }
    expect(waste.rows.map(({ key, costUsd }) => [key.waste, costUsd])).toEqual([
      ['failed', march.totals.wasteUsd],
    ]);
    expect(days.rows.map(({ key }) => key.day)).toEqual(['2026-03-01', '2026-03-02', '2026-03-03']);
  });

  it('is of the month as the time zone has it, and of all teams where none is named', async () => {
    const march = await statement('2026-03?timezone=Pacific/Auckland');
    expect(march.from).toBe('2026-02-28T11:00:00.000Z');
    expect(march.sections.teams?.rows).toHaveLength(3);
    expect(march.totals.costUsd).toBe(sumOfCosts(() => true));
    const april = await statement('2026-04');
    expect(april).toMatchObject({ isComplete: false, to: '2026-04-02T08:00:00.000Z' });
    expect(april.totals).toMatchObject({ costUsd: '0', previous: { costUsd: march.totals.costUsd } });
  });

  it('is of its own team for a key that is bound to one', async () => {
    const own = await statement('2026-03', ofSupport);
    expect(own).toMatchObject({
      team: 'support',
      totals: { costUsd: sumOfCosts((seed) => seed.team === 'support') },
    });
    expect((await get('2026-03?team=search', { key: ofSupport })).statusCode).toBe(403);
    expect((await get('2026-03?team=search', { key: ofSupport, accept: 'text/html' })).statusCode).toBe(403);
  });

  it('is a page without scripts that shows names as they are written', async () => {
    const response = await get(`2026-03?team=${encodeURIComponent('=cmd()')}`, {
      accept: 'text/html,*/*;q=0.8',
    });
    expect(response.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(response.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(response.text).not.toMatch(/<script|<link|https?:|style=/);
    expect(response.text).toContain('house/&quot;mill&quot;, v1');
    const total = sumOfCosts((seed) => seed.team === '=cmd()');
    expect(response.text).toContain(`${total} USD`);
    expect(response.text.match(/<title>2026-03-\d\d/g)).toHaveLength(31);
    const nobody = await get(`2026-03?team=${encodeURIComponent('<img src=x>')}`, { accept: 'text/html' });
    expect(nobody.text).toContain('&lt;img src=x&gt;');
    expect(nobody.text).not.toContain('<img');
    expect(nobody.text).toContain('every call is settled and priced');
  });

  it('is a line for each row as CSV', async () => {
    const { text, headers } = await get('2026-03', { accept: 'text/csv' });
    expect(headers['content-type']).toBe('text/csv; charset=utf-8');
    const lines = text.trimEnd().split('\r\n');
    expect(lines[1]?.split(',').slice(0, 4)).toEqual(['totals', '', '', sumOfCosts(() => true)]);
    const teams = lines.filter((line) => line.startsWith('teams,')).map((line) => line.split(','));
    expect(teams.map((cells) => cells[1] ?? '').toSorted()).toEqual(["'=cmd()", 'search', 'support']);
    expect(formatUsd(sumUsd(teams.map((cells) => usd(cells[3] ?? ''))))).toBe(sumOfCosts(() => true));
  });

  it('names corrections of closed months, which are in the total', async () => {
    const correction = { ...recordOf(seeds[0] as Seed), sentAt: new Date('2026-01-20T12:00:00Z') };
    const line = renderUsageLine({
      ...correction,
      recordKind: 'correction',
      counts: { calls: 0, unpricedCalls: 0, unsettledCalls: 0, estimatedCalls: 0, suspectCalls: 0 },
      costUsd: usd('-0.000000000000000007'),
    });
    const deduplicationToken = randomUUID();
    // The outbox books it so: at the time at which it is written, with the month that it corrects.
    const lines = bindLines(deduplicationToken, [`{"corrected_period":"2025-12",${line.slice(1)}`]);
    await api.store.insert({ table: 'usage', lines, deduplicationToken });
    const january = await statement('2026-01?team=search');
    expect(january.totals.costUsd).toBe('-0.000000000000000007');
    expect(january.corrections).toMatchObject([
      { month: '2025-12', costUsd: '-0.000000000000000007', calls: 0 },
    ]);
    const page = await get('2026-01?team=search', { accept: 'text/html' });
    expect(page.text).toContain('Corrections of earlier months');
    expect(page.text).toContain('December 2025');
    const { text } = await get('2026-01?team=search', { accept: 'text/csv' });
    expect(text).toContain('corrections,2025-12,,-0.000000000000000007');
    expect((await statement('2026-01', ofSupport)).corrections).toEqual([]);
    expect((await statement('2026-03')).corrections).toEqual([]);
  });

  it('tells savings, where the month is small enough to read them', async () => {
    const march = await statement('2026-03');
    expect(march.savings).toMatchObject({
      caching: { savedUsd: '0' },
      waste: { wasteUsd: march.totals.wasteUsd },
      unknown: ['reused_answers'],
    });
  });

  it.each([
    ['2026-05', 'month'],
    ['2026-13', 'month'],
    ['march', 'month'],
    ['2026-03?team=a&team=b', 'team'],
    ['2026-03?timezone=Mars/Olympus', 'timezone'],
    ['2026-03?teem=a', 'teem'],
  ])('%s is refused', async (path, field) => {
    const response = await get(path);
    expect(response.statusCode, response.text).toBe(400);
    expect(response.body).toMatchObject({ faults: [{ field }] });
  });
});
