import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeWait } from './waiting-message.ts';
import type { ApiOperation } from '../support/api-operations.ts';
import { type Ask, costAsks } from './cost-asks.ts';
import { requestTo } from './request-to.ts';
import { type AmberIds, ofAmber, openTwoTeams, type TwoTeams } from './two-teams.ts';

/*
 * What a key of one team is shown. Every operation of the OpenAPI document is asked by an administrator of the team "teal" in all the ways
 * of the table, and no answer may hold a name or an amount of the other team.
 */

const someSchedule = (team: string) => ({
  name: 'nightly',
  cron: '0 6 * * *',
  message: { type: 'ticket.opened', data: { subject: 'x' }, origin: { team, customer: 'c', feature: 'f' } },
});
const period = 'from=2026-03-01&to=2026-03-05';
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
  listPipelines: [{}],
  listWaits: [{}, { query: 'limit=200' }],
  completeWait: [{ path: waits.token, body: { data: { subject: 'x' }, reason: 'x' } }],
  getPipeline: [{}],
  setModelLimit: [{ body: { model: 'openai/gpt-5-mini', requestsPerMinute: 1, reason: 'x' } }],
  resetModelLimit: [{ query: 'model=openai/gpt-5-mini&reason=x' }],
  ...costAsks(period),
  getBatchReport: [{ path: others.batch }, { path: others.batch, accept: 'text/html' }],
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
  listWebhooks: [{}],
  createWebhook: [
    { body: { name: 'x', url: 'https://hooks.example.com/', team: 'amber' } },
    { body: { name: 'teal-hook', url: 'https://hooks.example.com/', events: ['request.completed'] } },
  ],
  getWebhook: [{ path: others.webhook }],
  deleteWebhook: [{ path: others.webhook }],
  rotateWebhookSecret: [{ path: others.webhook, body: {} }],
  disableWebhook: [{ path: others.webhook, body: {} }],
  enableWebhook: [{ path: others.webhook, body: {} }],
  testWebhook: [{ path: others.webhook }],
  listWebhookDeliveries: [{ path: others.webhook }, { path: others.webhook, query: 'state=pending' }],
  redeliverWebhook: [{ path: others.webhook, body: { from: '2000-01-01' } }],
  getWebhookDelivery: [{ path: others.delivery }],
  redeliverWebhookDelivery: [{ path: others.delivery, body: {} }],
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
  recordLiteLlmUsage: [
    { body: { id: 'l1', model: 'gpt-5-mini', metadata: { user_api_key_team_alias: 'amber' } } },
  ],
  recordTraces: [
    {
      body: {
        resourceSpans: [
          {
            scopeSpans: [
              {
                spans: [
                  {
                    traceId: 'a'.repeat(32),
                    spanId: 'b'.repeat(16),
                    attributes: [{ key: 'millrace.team', value: { stringValue: 'amber' } }],
                  },
                ],
              },
            ],
          },
        ],
      },
    },
  ],
  recordUsage: [
    {
      body: {
        specversion: '1.0',
        id: 'u1',
        source: '/x',
        type: 'millrace.usage',
        originteam: 'amber',
        data: { provider: 'openai', model: 'gpt-5-mini', tokens: { text_output: 1 } },
      },
    },
  ],
  createBatch: [
    { body: { name: 'amber-batch', team: 'amber', customer: 'c', feature: 'f', pipeline: 'support' } },
    { body: { name: 'teal-batch', customer: 'c', feature: 'f', pipeline: 'support' } },
  ],
  uploadBatchItems: [{ path: others.batch }],
  estimateBatch: [{ path: others.batch }],
  startBatch: [
    { path: others.batch, body: {} },
    { path: others.batch, body: { dryRun: true } },
  ],
  discardBatch: [{ path: others.batch, body: {} }],
  listSchedules: [{}, { query: 'limit=200' }, { query: 'after=a/a' }],
  createSchedule: [{ body: someSchedule('amber') }, { body: someSchedule('teal') }],
  getSchedule: [{ path: others.schedule }, { path: 'amber-schedule', query: 'runs=100' }],
  replaceSchedule: [
    { path: others.schedule, body: someSchedule('teal') },
    { path: 'amber-schedule', body: someSchedule('amber') },
  ],
  deleteSchedule: [{ path: others.schedule, query: 'reason=x' }],
  pauseSchedule: [{ path: others.schedule, body: { reason: 'x' } }],
  resumeSchedule: [{ path: others.schedule, body: { reason: 'x' } }],
  runSchedule: [{ path: 'amber-schedule', body: { reason: 'x' } }],
  listBatches: [{}, { query: 'pipeline=support&state=receiving' }],
  getBatch: [{ path: others.batch }, { path: 'amber-batch' }],
  listBatchChunks: [{ path: others.batch }, { path: 'amber-batch' }],
  listBatchItems: [{ path: others.batch }, { path: 'amber-batch', query: 'state=waiting' }],
  getBatchOutput: [{ path: others.batch, query: 'partial=true' }],
  getBatchFailedItems: [{ path: others.batch }],
  pauseBatch: [{ path: others.batch, body: { reason: 'x' } }],
  resumeBatch: [{ path: others.batch, body: { reason: 'x' } }],
  cancelBatch: [{ path: others.batch, body: { reason: 'x' } }],
  retryBatch: [{ path: others.batch, body: { reason: 'x' } }],
  changeBatch: [{ path: others.batch, body: { priority: 1, reason: 'x' } }],
  submitRequest: [
    {
      body: {
        data: { subject: 'x' },
        origin: { team: 'amber', customer: 'amber-customer', feature: 'x' },
      },
    },
    { body: { data: { subject: 'x' }, origin: { customer: 'c', feature: 'x' } } },
  ],
  listRequests: [{}, { query: 'team=amber' }, { query: 'customer=amber-customer&state=queued' }],
  getRequest: [{ path: others.request }],
  cancelRequest: [{ path: others.request, body: { reason: 'x' } }],
  deleteRequest: [{ path: others.request }],
  streamRequestEvents: [
    { path: others.request },
    { path: others.request, query: 'format=ui-message-stream' },
  ],
  createStreamToken: [{ path: others.request }],
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
  listProviderBatches: [{}, { query: 'state=unresolved' }],
  resolveProviderBatch: [{ path: others.providerBatch, body: { resolution: 'give-up', reason: 'x' } }],
  requestErasure: [
    { body: { customer: 'amber-customer', reason: 'x', dryRun: true } },
    { body: { team: 'amber', reason: 'x', dryRun: true } },
    { body: { message: others.dead, reason: 'x', dryRun: true } },
  ],
  getErasure: [{ path: others.erasure }],
});

let waits: { readonly id: string; readonly token: string };
let two: TwoTeams;
let others: AmberIds;
let operations: readonly ApiOperation[];

beforeAll(async () => {
  two = await openTwoTeams();
  others = two.amber;
  waits = await writeWait(two.fixture.database, 'amber');
  operations = two.operations.filter(({ scope }) => scope !== undefined);
});
afterAll(() => two.close());

const send = (
  { method, path }: ApiOperation,
  { path: id = '', query = '', body, accept }: Ask,
  key: string,
) => {
  const place = path
    .replace('{id}', id)
    .replace('{month}', '2026-03')
    .replace('{name}', path.includes('/pipelines/') ? 'support' : 'amber-budget')
    .replace('{token}', id);
  const request = requestTo(two.url)[method](`${place}${query === '' ? '' : `?${query}`}`);
  return request
    .set({ authorization: `Bearer ${key}`, ...(accept === undefined ? {} : { accept }) })
    .send(body);
};

/** Whether a text holds anything of the other team. */
const leaks = (text: string): boolean => ofAmber.test(text);

describe('a key of one team', () => {
  it('is asked with by every operation there is', () => {
    expect(Object.keys(asks()).toSorted()).toEqual(operations.map(({ id }) => id).toSorted());
    for (const [name, id] of Object.entries(others)) expect(id, name).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('never sees what belongs to another, whatever it asks for and how', async () => {
    const found: string[] = [];
    for (const operation of operations) {
      for (const ask of asks()[operation.id] ?? []) {
        const { statusCode, text, headers } = await send(operation, ask, two.tealKey);
        const where = `${operation.id} ${JSON.stringify(ask)}: ${statusCode} ${text.slice(0, 300)}`;
        // A refusal may repeat the value that it refuses, and nothing else.
        const isRefusal = [400, 403, 404].includes(statusCode);
        const told = isRefusal ? text.replaceAll('amber', '') : text;
        if (statusCode >= 500 || leaks(told)) found.push(where);
        if (leaks(JSON.stringify(headers))) found.push(`headers of ${where}`);
      }
    }
    expect(found).toEqual([]);
  });

  it('changes nothing of another', async () => {
    for (const [path, expected] of [
      [`/v1/messages/${others.open}`, { state: 'pending' }],
      [`/v1/messages/${others.dead}`, { state: 'dead_lettered' }],
      [`/v1/requests/${others.request}`, { state: 'queued' }],
    ] as const) {
      const { body } = await requestTo(two.url)
        .get(path)
        .set({ authorization: `Bearer ${two.unboundKey}` });
      expect(JSON.stringify(body)).toContain(expected.state);
    }
    const { rows } = await two.fixture.database.query({
      name: 'test.amber_rows',
      text: `select (select count(*)::int from millrace.api_keys where team = 'amber' and revoked_at is null and expires_at is null) as keys,
        (select count(*)::int from millrace.blocks where value = 'amber') as pauses,
        (select count(*)::int from millrace.set_model_limits) as limits,
        (select count(*)::int from millrace.quotas where retired_at is null and limit_amount = 7.77) as budgets,
        (select count(*)::int from millrace.quotas) as all_budgets,
        (select count(*)::int from millrace.billing_periods) as periods,
        (select count(*)::int from millrace.price_overrides) as prices,
        (select count(*)::int from millrace.schedules where team = 'amber' and paused_at is null and revision = 1) as schedules,
        (select count(*)::int from millrace.schedule_runs) as runs,
        (select count(*)::int from millrace.webhook_endpoints where team = 'amber' and state = 'enabled' and previous_secret is null) as webhooks,
        (select count(*)::int from millrace.messages where team = 'amber') as messages`,
    });
    expect(rows).toEqual([
      {
        keys: 1,
        pauses: 1,
        limits: 0,
        budgets: 1,
        all_budgets: 2,
        periods: 2,
        prices: 0,
        schedules: 1,
        runs: 0,
        webhooks: 1,
        messages: 4,
      },
    ]);
  });

  it('is shown the same operations with other answers than a key of all teams, which sees both', async () => {
    const costs = operations.find(({ id }) => id === 'getCosts');
    if (costs === undefined) throw new Error('there is an operation for costs');
    const ask = { query: `${period}&group_by=team` };
    expect((await send(costs, ask, two.unboundKey)).text).toContain('7.77');
    expect((await send(costs, ask, two.tealKey)).text).toContain('0.250000000000000001');
    for (const id of [
      'listKeys',
      'listAudit',
      'listMessages',
      'listRequests',
      'listDeadLetters',
      'getBudgets',
      'listWaits',
    ]) {
      const operation = operations.find((one) => one.id === id);
      if (operation === undefined) throw new Error(`there is an operation ${id}`);
      expect(leaks((await send(operation, {}, two.unboundKey)).text), id).toBe(true);
    }
  });
});
