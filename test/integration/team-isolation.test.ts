import { definitionOf } from '../../src/capabilities/budgets/definition-of-setting.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clockToken } from '../../src/capabilities/costs/clock-token.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { FocusExports } from '../../src/capabilities/costs/focus/focus-export.ts';
import { ErasureLedger } from '../../src/capabilities/erasure/erasure-ledger.ts';
import { ErasureService } from '../../src/capabilities/erasure/erasure-service.ts';
import { migrateColumnStore } from '../../src/drivers/column-store/column-migrator.ts';
import { openChdb } from '../../src/drivers/column-store/column-store.clickhouse.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { PayloadCleaner } from '../../src/engine/maintenance/payload-cleaner.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { renderUsageLine } from '../../src/engine/export/usage-record.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import type { Uuid } from '../../src/kernel/ids.ts';
import { type ApiOperation, operationsOf } from '../support/api-operations.ts';
import { DeadLetterFixture } from '../support/dead-letter-fixture.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture } from './api-fixture.ts';
import { type Ask, costAsks } from './cost-asks.ts';
import { recordOf } from './cost-seeds.ts';
import { requestTo } from './request-to.ts';

/*
 * What a key of one team is shown. Everything that belongs to the other team has "amber" in its names and amounts of 7.77 dollars, 8.02 with those of "teal"; every
 * operation of the OpenAPI document is asked by an administrator of the team "teal" in all the ways of the table, and no answer may
 * hold either.
 */

const period = 'from=2026-03-01&to=2026-03-05';
/** Ids of what belongs to the other team. */
const others: Record<'open' | 'dead' | 'call' | 'key' | 'pause' | 'erasure', Uuid> = {
  open: '',
  dead: '',
  call: '',
  key: '',
  pause: '',
  erasure: '',
};

/** How each operation is asked: an operation that is new belongs into the table. */
const asks = (): Readonly<Record<string, readonly Ask[]>> => ({
  getStatus: [{}],
  listKeys: [{}],
  createKey: [
    { body: { name: 'x', scopes: ['costs:read'], team: 'amber' } },
    { body: { name: 'x', scopes: ['costs:read'] } },
  ],
  rotateKey: [{ path: others.key, body: {} }],
  revokeKey: [{ path: others.key }],
  listAudit: [
    {},
    { query: 'limit=200' },
    { query: 'team=amber' },
    { query: 'action=keys' },
    { query: 'actor=code' },
  ],
  listPauses: [{}],
  placePause: [{ body: { scope: 'team', value: 'amber', reason: 'x' } }],
  resumePause: [{ path: others.pause, query: 'reason=x' }],
  getBudgets: [{}],
  getBudget: [{}],
  setBudget: [
    { body: { team: 'amber', window: 'day', limitUsd: '1', reason: 'x' } },
    { body: { team: 'teal', window: 'day', limitUsd: '1', reason: 'x' } },
  ],
  removeBudget: [{ query: 'reason=x' }],
  setBudgetLimit: [{ body: { limitUsd: '100', reason: 'x' } }],
  resetBudgetLimit: [{ query: 'reason=x' }],
  listModelLimits: [{}],
  setModelLimit: [{ body: { model: 'openai/gpt-5-mini', requestsPerMinute: 1, reason: 'x' } }],
  resetModelLimit: [{ query: 'model=openai/gpt-5-mini&reason=x' }],
  ...costAsks(period),
  listPeriods: [{}],
  closePeriod: [{ body: { month: '2026-03', reason: 'x' } }],
  reopenPeriod: [{ body: { month: '2026-03', reason: 'x' } }],
  reconcileBill: [{ body: { provider: 'openai', files: [{ name: 'x', text: '{}' }] } }],
  listReconciliations: [{}],
  getReconciliation: [{ path: others.call }],
  explainCallPrice: [{ path: others.call }],
  repriceCalls: [
    { body: { from: '2026-01-01', to: '2027-01-01', dryRun: true } },
    { body: { from: '2026-01-01', to: '2027-01-01', team: 'amber', dryRun: true } },
    { body: { from: '2026-01-01', to: '2027-01-01', reason: 'x' } },
  ],
  listPriceOverrides: [{}],
  setPriceOverride: [
    {
      body: {
        price: { provider: 'openai', model: 'gpt-5-mini', rates: { text_output: { usdPerMillion: '1' } } },
        reason: 'x',
      },
    },
  ],
  unsetPriceOverride: [{ path: others.call, query: 'reason=x' }],
  listDeadLetters: [
    {},
    { query: 'team=amber' },
    { query: 'customer=amber-customer&discarded=any' },
    { query: 'stage=amber-stage' },
  ],
  getDeadLetter: [{ path: others.dead }],
  replayDeadLetters: [
    { body: { ids: [others.dead], dryRun: true } },
    { body: { ids: [others.dead], reason: 'x' } },
    { body: { filter: { stage: ['amber-stage'] }, reason: 'x' } },
    { body: { filter: { team: ['amber'] }, reason: 'x' } },
  ],
  discardDeadLetters: [{ body: { ids: [others.dead], reason: 'x' } }, { body: { filter: {}, reason: 'x' } }],
  listMessages: [
    {},
    { query: 'team=amber' },
    { query: 'stage=amber-stage' },
    { query: 'customer=amber-customer' },
  ],
  admitMessages: [
    {
      body: {
        specversion: '1.0',
        id: 'e1',
        source: '/x',
        type: 'ticket.opened',
        originteam: 'amber',
        origincustomer: 'amber-customer',
        originfeature: 'x',
        data: { subject: 'x' },
      },
    },
  ],
  getMessage: [{ path: others.open }, { path: others.dead }],
  getMessageTree: [{ path: others.open }, { path: others.dead }],
  getMessageData: [{ path: others.open }, { path: others.dead }],
  cancelMessages: [
    { body: { ids: [others.open], reason: 'x' } },
    { body: { filter: {}, reason: 'x' } },
    { body: { filter: { team: ['amber'] }, dryRun: true } },
  ],
  retryMessages: [{ body: { ids: [others.open], reason: 'x' } }, { body: { filter: {}, reason: 'x' } }],
  correctCall: [{ path: others.call, body: { reason: 'x', costUsd: '0.1' } }],
  requestErasure: [
    { body: { customer: 'amber-customer', reason: 'x', dryRun: true } },
    { body: { team: 'amber', reason: 'x', dryRun: true } },
    { body: { message: others.dead, reason: 'x', dryRun: true } },
  ],
  getErasure: [{ path: others.erasure }],
});

let fixture: ApiFixture;
let store: ColumnStore;
let directory: string;
let app: NestFastifyApplication;
let url: string;
let teal: string;
let all: string;
let operations: readonly ApiOperation[];

beforeAll(async () => {
  fixture = await openApiFixture();
  directory = await mkdtemp(join(tmpdir(), 'millrace-isolation-'));
  store = await openChdb({ directory, database: 'millrace_test' });
  await migrateColumnStore(store);
  for (const team of ['teal', 'amber']) await writeUsage(team);
  for (const team of ['teal', 'amber']) await writeLedger(team);
  teal = await fixture.newKey(['admin'], 'teal');
  all = await fixture.newKey(['admin']);
  app = await startApi(
    fixture.services({
      provided: [
        [CostReports, new CostReports({ store })],
        [clockToken, new ManualClock(new Date('2026-03-03T12:00:00Z'))],
        [FocusExports, new FocusExports({ store, billingAccount: 'millrace' })],
        [
          ErasureService,
          new ErasureService({
            ledger: new ErasureLedger({ database: fixture.database, clock: systemClock }),
            store,
            cleaner: { clean: () => Promise.resolve(false) } as PayloadCleaner,
            clock: systemClock,
          }),
        ],
      ],
    }),
  );
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
  operations = (await operationsOf(app)).filter(({ scope }) => scope !== undefined);
  await writeOperations();
});
afterAll(async () => {
  await app.close();
  await store.close();
  await fixture.close();
  await rm(directory, { recursive: true, force: true });
});

const originOf = (team: string) => ({
  team,
  customer: `${team}-customer`,
  feature: `${team}-feature`,
  batch: `${team}-batch`,
});
const costOf = (team: string) => (team === 'amber' ? '7.770000000000000001' : '0.250000000000000001');

async function writeUsage(team: string): Promise<void> {
  const deduplicationToken = randomUUID();
  const record = recordOf({
    team,
    model: `${team}-model`,
    sentAt: new Date('2026-03-02T10:00:00Z'),
    costUsd: costOf(team),
    settlement: 'reported',
    messageId: randomUUID(),
  });
  const own = {
    ...record,
    origin: { ...originOf(team), labels: { region: `${team}-region` } },
    item: `${team}-item`,
    pipeline: `${team}-pipeline`,
    stage: `${team}-stage`,
    provider: `${team}-provider`,
  };
  const lines = bindLines(deduplicationToken, [renderUsageLine(own)]);
  await store.insert({ table: 'usage', lines, deduplicationToken });
}

async function writeLedger(team: string): Promise<void> {
  const letters = new DeadLetterFixture(fixture.database);
  const parts = {
    origin: originOf(team),
    stage: `${team}-stage`,
    pipeline: `${team}-pipeline`,
    item: `${team}-item`,
  };
  const dead = await letters.admit(parts);
  const { fencingToken } = await letters.lease(dead);
  await letters.pay(dead, fencingToken, `${team}-step`, costOf(team));
  await letters.end(dead, fencingToken, 'MILLRACE_STAGE_FAILED', `${team} failed`);
  const open = await letters.admit(parts);
  if (team === 'amber') Object.assign(others, { dead, open });
}

/** What operators have done for the other team. */
async function writeOperations(): Promise<void> {
  await fixture.setBudgets(
    ['teal', 'amber'].map((team) =>
      definitionOf({
        name: `${team}-budget`,
        team,
        window: 'month',
        timeZone: 'UTC',
        limitUsd: team === 'amber' ? '7.77' : '1',
        atLimit: 'park',
        unpriced: 'allow',
        alertAt: [],
      }),
    ),
  );
  const send = async (path: string, body: object) => {
    const response = await requestTo(url)
      .post(path)
      .set({ authorization: `Bearer ${all}` })
      .send(body);
    expect(response.statusCode, response.text).toBeLessThan(300);
    return response.body as Record<string, unknown> & { readonly id?: Uuid };
  };
  const { id: key = '' } = await send('/v1/keys', {
    name: 'amber-key',
    scopes: ['costs:read'],
    team: 'amber',
    reason: 'amber',
  });
  const pause = await send('/v1/pauses', { scope: 'team', value: 'amber', reason: 'amber reasons' });
  const { rows } = await fixture.database.query<{ id: Uuid }>({
    name: 'test.amber_call',
    text: `select id from millrace.calls where message_id = '${others.dead}'`,
  });
  const erasure = await send('/v1/erasures', { customer: 'amber-nobody', team: 'amber', reason: 'asked' });
  Object.assign(others, {
    key,
    call: rows[0]?.id,
    pause: (pause['pause'] as { id: Uuid }).id,
    erasure: erasure['id'] ?? erasure['erasureId'],
  });
}

const send = (
  { method, path }: ApiOperation,
  { path: id = '', query = '', body, accept }: Ask,
  key: string,
) => {
  const place = path.replace('{id}', id).replace('{month}', '2026-03').replace('{name}', 'amber-budget');
  const request = requestTo(url)[method](`${place}${query === '' ? '' : `?${query}`}`);
  return request
    .set({ authorization: `Bearer ${key}`, ...(accept === undefined ? {} : { accept }) })
    .send(body);
};

/** What an answer holds of the other team; its own words about what was asked for are not counted. */
const leaks = (text: string): boolean => /amber|7\.77|8\.02/.test(text);

describe('a key of one team', () => {
  it('is asked with by every operation there is', () => {
    expect(Object.keys(asks()).toSorted()).toEqual(operations.map(({ id }) => id).toSorted());
    for (const [name, id] of Object.entries(others)) expect(id, name).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('never sees what belongs to another, whatever it asks for and how', async () => {
    const found: string[] = [];
    for (const operation of operations) {
      for (const ask of asks()[operation.id] ?? []) {
        const { statusCode, text, headers } = await send(operation, ask, teal);
        const where = `${operation.id} ${JSON.stringify(ask)}: ${statusCode} ${text.slice(0, 300)}`;
        // A refusal may repeat the value that it refuses, and nothing else.
        const isRefusal = [400, 403, 404].includes(statusCode);
        if (statusCode >= 500 || (leaks(text) && !isRefusal) || /7\.77|8\.02/.test(text)) found.push(where);
        if (leaks(JSON.stringify(headers))) found.push(`headers of ${where}`);
      }
    }
    expect(found).toEqual([]);
  });

  it('changes nothing of another', async () => {
    for (const [path, expected] of [
      [`/v1/messages/${others.open}`, { state: 'pending' }],
      [`/v1/messages/${others.dead}`, { state: 'dead_lettered' }],
    ] as const) {
      const { body } = await requestTo(url)
        .get(path)
        .set({ authorization: `Bearer ${all}` });
      expect(JSON.stringify(body)).toContain(expected.state);
    }
    const { rows } = await fixture.database.query({
      name: 'test.amber_rows',
      text: `select (select count(*)::int from millrace.api_keys where team = 'amber' and revoked_at is null and expires_at is null) as keys,
        (select count(*)::int from millrace.blocks where value = 'amber') as pauses,
        (select count(*)::int from millrace.set_model_limits) as limits,
        (select count(*)::int from millrace.quotas where retired_at is null and limit_amount = 7.77) as budgets,
        (select count(*)::int from millrace.quotas) as all_budgets,
        (select count(*)::int from millrace.billing_periods) as periods,
        (select count(*)::int from millrace.price_overrides) as prices,
        (select count(*)::int from millrace.messages where team = 'amber') as messages`,
    });
    expect(rows).toEqual([
      { keys: 1, pauses: 1, limits: 0, budgets: 1, all_budgets: 2, periods: 0, prices: 0, messages: 2 },
    ]);
  });

  it('is shown the same operations with other answers than a key of all teams, which sees both', async () => {
    const costs = operations.find(({ id }) => id === 'getCosts');
    if (costs === undefined) throw new Error('there is an operation for costs');
    const ask = { query: `${period}&group_by=team` };
    expect((await send(costs, ask, all)).text).toContain('7.77');
    expect((await send(costs, ask, teal)).text).toContain('0.250000000000000001');
    for (const id of ['listKeys', 'listAudit', 'listMessages', 'listDeadLetters', 'getBudgets']) {
      const operation = operations.find((one) => one.id === id);
      if (operation === undefined) throw new Error(`there is an operation ${id}`);
      expect(leaks((await send(operation, {}, all)).text), id).toBe(true);
    }
  });
});
