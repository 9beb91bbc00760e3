import { randomUUID } from 'node:crypto';
import { providerBill } from '../../src/simulator/provider-bills.ts';
import { ticketEvent } from './api-fixture.ts';
import { batchRequests } from './batch-requests.ts';
import { scheduleRequests } from './schedule-requests.ts';
import { webhookRequests } from './webhook-requests.ts';
import type { Preparation } from './good-request.ts';
import { billed } from './reconciled-calls.ts';
import { writeUnresolvedBatch } from '../support/unresolved-provider-batch.ts';
import { pipelineRequests } from './pipeline-requests.ts';
import { waitRequests } from './wait-requests.ts';
import { type TwoTeams, writeLedger } from './two-teams.ts';
import { usageRequests } from './usage-requests.ts';

const reason = 'for the test';
const filters = {
  team: 'amber',
  customer: 'amber-customer',
  feature: 'amber-feature',
  batch: 'amber-batch',
  pipeline: 'amber-pipeline',
  stage: 'amber-stage',
};
const models = { provider: 'amber-provider', model: 'amber-model' };
const period = { from: '2026-03-01', to: '2026-03-05' };
const listed = { ...period, owner: 'platform', error_code: 'MILLRACE_STAGE_FAILED', limit: '20' };
const after = `1772000000000000~${randomUUID()}`;
const selection = {
  max: 10,
  reason,
  filter: {
    ...Object.fromEntries(Object.entries(filters).map(([name, value]) => [name, [value]])),
    owner: ['platform'],
    error_code: ['MILLRACE_STAGE_FAILED'],
    ...period,
  },
};

/**
 * Good requests to every operation, by its id. The first has every parameter and member that there is, where they go together. Each preparation
 * makes what its requests work on, so that they can be made again. Whoever adds an operation adds it here.
 */
export function endpointRequests(two: TwoTeams): Readonly<Record<string, Preparation>> {
  let made = 0;
  const unused = (): string => {
    made += 1;
    return `amber-${made}`;
  };
  const own = { id: two.amber.open };
  const newKey = () =>
    two.operate('post', '/v1/keys', { name: unused(), scopes: ['costs:read'], team: 'amber', reason });
  const newMessages = () => writeLedger(two.fixture, 'amber-too');
  const newBudget = async (): Promise<string> => {
    const name = unused();
    await two.operate('put', `/v1/budgets/${name}`, { team: 'amber', window: 'day', limitUsd: '1', reason });
    return name;
  };
  const wish = () => ({
    data: { subject: 'amber' },
    type: 'ticket.opened',
    version: 1,
    origin: { team: 'amber', customer: 'amber-customer', feature: 'amber-feature', labels: { tier: 'gold' } },
    onDisconnect: 'cancel',
    disconnectGraceSeconds: 5,
  });
  const newRequest = async () => ({
    id: (await two.operate('post', '/v1/pipelines/support/requests', wish())).id,
  });
  const limit = { model: 'openai/gpt-5-mini', requestsPerMinute: 10, tokensPerMinute: 10_000, reason };
  const override = () => ({
    price: {
      provider: 'openai',
      model: unused(),
      from: '2026-01-01',
      rates: { text_output: { usdPerMillion: '1' } },
    },
    reason,
  });
  const newPeriod = (): string => {
    made += 1;
    return `${2001 + (made % 20)}-${String(1 + (Math.floor(made / 20) % 12)).padStart(2, '0')}`;
  };
  const bill = {
    provider: 'openai',
    files: [
      {
        name: 'costs.json',
        text: providerBill('openai-costs', [
          billed({ id: 'one', day: '2026-03-02', model: 'gpt-5-mini', input: 1000, output: 10 }),
        ]),
      },
    ],
    from: '2026-03-02',
    to: '2026-03-03',
    accounts: ['openai'],
    keys: [],
    settle: false,
  };
  const message = {
    type: 'ticket.opened',
    schemaVersion: 1,
    data: { subject: 'amber' },
    origin: { team: 'amber', customer: 'c', feature: 'f', batch: 'b', labels: { tier: 'gold' } },
    source: '/helpdesk',
    item: 'ticket-1',
    lane: 'bulk',
    delay: '90s',
    traceParent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  };
  const event = () =>
    ticketEvent({
      schemaversion: 1,
      time: '2026-03-01T12:00:00Z',
      originbatch: 'b',
      item: 'i',
      lane: 'bulk',
      delay: '2h',
    });
  const nothing: Preparation = () => Promise.resolve([{}]);
  const ofMessage: Preparation = () => Promise.resolve([{ path: own }]);

  return {
    getLiveness: nothing,
    getHealth: nothing,
    getReadiness: nothing,
    getMetrics: nothing,
    getStatus: nothing,
    listKeys: nothing,
    createKey: () =>
      Promise.resolve([
        {
          body: {
            name: unused(),
            scopes: ['costs:read'],
            team: 'amber',
            expiresAt: '2099-01-01T00:00:00Z',
            requestsPerMinute: 10,
            customer: 'amber-customer',
            feature: 'amber-feature',
            tier: 'free',
            reason,
          },
        },
      ]),
    rotateKey: async () => [
      {
        path: { id: (await newKey()).id },
        body: { overlapSeconds: 60, expiresAt: '2099-01-01T00:00:00Z', reason },
      },
    ],
    revokeKey: async () => [{ path: { id: (await newKey()).id }, query: { reason } }],
    listAudit: () =>
      Promise.resolve([
        {
          query: {
            actor: 'code',
            action: 'keys.create',
            target: 'x',
            team: 'amber',
            ...period,
            limit: '20',
            after,
          },
        },
        {},
      ]),
    listPauses: nothing,
    placePause: () =>
      Promise.resolve([{ body: { scope: 'customer', value: unused(), reason, abort: false } }]),
    resumePause: async () => {
      const order = { scope: 'customer', value: unused(), reason };
      const { pause } = await two.operate('post', '/v1/pauses', order);
      return [{ path: { id: pause?.id ?? '' }, query: { reason } }];
    },
    getBudgets: nothing,
    getBudget: () => Promise.resolve([{ path: { name: 'amber-budget' } }]),
    setBudget: () =>
      Promise.resolve([
        {
          path: { name: unused() },
          body: {
            team: 'amber',
            customer: 'c',
            feature: 'f',
            batch: 'b',
            pipeline: 'p',
            model: 'openai/gpt-5-mini',
            window: 'day',
            timeZone: 'Europe/Berlin',
            limitUsd: '1.50',
            atLimit: { switchTo: 'openai/gpt-5-nano' },
            unpriced: 'refuse',
            alertAt: [50, 100],
            reason,
          },
        },
      ]),
    removeBudget: async () => [{ path: { name: await newBudget() }, query: { reason } }],
    setBudgetLimit: async () => [{ path: { name: await newBudget() }, body: { limitUsd: '2', reason } }],
    resetBudgetLimit: async () => {
      // Of the configuration: only such a one has a limit to go back to.
      const name = 'amber-budget';
      await two.operate('put', `/v1/budgets/${name}/limit`, { limitUsd: '8', reason });
      return [{ path: { name }, query: { reason } }];
    },
    listModelLimits: nothing,
    ...waitRequests(two),
    setModelLimit: () => Promise.resolve([{ body: limit }]),
    resetModelLimit: async () => {
      await two.operate('put', '/v1/model-limits', limit);
      return [{ query: { model: limit.model, reason } }];
    },
    getCosts: () => {
      const all = {
        ...filters,
        ...models,
        ...period,
        timezone: 'Europe/Berlin',
        group_by: 'team',
        limit: '10',
      };
      return Promise.resolve([
        { query: { ...all, order: '-cost', messages: 'exact', compare: 'previous', completed: 'true' } },
        { query: { ...all, group_by: 'team,day' }, accept: 'text/csv' },
      ]);
    },
    getCostConcentration: () =>
      Promise.resolve([
        { query: { ...filters, ...models, ...period, by: 'customer', top: '10', timezone: 'Europe/Berlin' } },
        { query: { ...period, by: 'label:region' } },
      ]),
    getCostAnomalies: () =>
      Promise.resolve([{ query: { ...filters, ...models, ...period, by: 'team', threshold: '3' } }, {}]),
    getCostSavings: () => Promise.resolve([{ query: { ...filters, ...models, ...period } }]),
    getCostForecast: () =>
      Promise.resolve([{ query: { ...filters, ...models, timezone: 'Europe/Berlin' } }, {}]),
    getStatement: () => {
      const asked = { path: { month: '2026-03' }, query: { team: 'amber', timezone: 'Europe/Berlin' } };
      return Promise.resolve([asked, { ...asked, accept: 'text/csv' }, { ...asked, accept: 'text/html' }]);
    },
    getFocus: () => {
      const query = { ...filters, ...models, ...period, token_details: 'true', granularity: 'hour' };
      return Promise.resolve([{ query }, { query, accept: 'application/vnd.apache.parquet' }]);
    },
    getBatchReport: () => {
      const path = { id: two.amber.batch };
      return Promise.resolve([{ path, query: { format: 'html' } }, { path }, { path, accept: 'text/html' }]);
    },
    listPeriods: nothing,
    closePeriod: () => Promise.resolve([{ body: { month: newPeriod(), timeZone: 'UTC', reason } }]),
    reopenPeriod: async () => {
      const month = newPeriod();
      await two.operate('post', '/v1/periods/close', { month, timeZone: 'UTC', reason });
      return [{ body: { month, reason } }];
    },
    reconcileBill: () => Promise.resolve([{ body: bill }]),
    listReconciliations: () =>
      Promise.resolve([
        { query: { provider: 'openai', ...period, state: 'explained', history: 'true', limit: '10' } },
        {},
      ]),
    getReconciliation: async () => {
      await two.operate('post', '/v1/reconciliations', bill);
      const { reconciliations = [] } = await two.operate('get', '/v1/reconciliations');
      return [{ path: { id: reconciliations[0]?.id ?? '' } }];
    },
    explainCallPrice: () => Promise.resolve([{ path: { id: two.amber.call } }]),
    repriceCalls: () => {
      const body = {
        from: '2026-01-01',
        to: '2027-01-01',
        provider: 'openai',
        model: 'gpt-5-mini',
        team: 'amber',
        reason,
      };
      return Promise.resolve([{ body: { ...body, dryRun: true } }, { body: { ...body, dryRun: false } }]);
    },
    listPriceOverrides: nothing,
    setPriceOverride: () => Promise.resolve([{ body: override() }]),
    unsetPriceOverride: async () => {
      const { id } = await two.operate('post', '/v1/prices/overrides', override());
      return [{ path: { id }, query: { reason, entirely: 'false' } }];
    },
    listDeadLetters: () =>
      Promise.resolve([{ query: { ...filters, ...listed, discarded: 'any', after } }, {}]),
    getDeadLetter: () => Promise.resolve([{ path: { id: two.amber.dead } }]),
    replayDeadLetters: async () => [
      {
        body: {
          ...selection,
          ids: [(await newMessages()).dead],
          filter: { ...selection.filter, discarded: 'any' },
          dryRun: false,
          ratePerSecond: 5,
        },
      },
      { body: { ids: [(await newMessages()).dead], reason } },
    ],
    discardDeadLetters: async () => [
      {
        body: {
          ...selection,
          ids: [(await newMessages()).dead],
          filter: { ...selection.filter, discarded: 'any' },
        },
      },
      { body: { ids: [(await newMessages()).dead], reason } },
    ],
    listMessages: () =>
      Promise.resolve([
        { query: { ...filters, ...listed, state: 'pending', type: 't', event_id: 'e', after } },
        {},
      ]),
    admitMessages: () =>
      Promise.resolve([
        { body: { ...message, id: unused() } },
        {
          body: {
            ...message,
            delay: undefined,
            startAt: new Date(Date.now() + 3_600_000).toISOString(),
          },
        },
        { body: event(), mediaType: 'application/cloudevents+json' },
        { body: [event(), event()], mediaType: 'application/cloudevents-batch+json' },
      ]),
    ...usageRequests(unused),
    ...batchRequests(two, unused, after),
    ...webhookRequests(two, unused, after),
    submitRequest: () =>
      Promise.resolve([
        { path: { name: 'support' }, body: wish() },
        { path: { name: 'support' }, body: { data: { subject: 'amber' }, origin: wish().origin } },
      ]),
    ...pipelineRequests(two, newRequest),
    getRequest: () => Promise.resolve([{ path: { id: two.amber.request } }]),
    cancelRequest: async () => [{ path: await newRequest(), body: { reason } }],
    deleteRequest: async () => [{ path: await newRequest() }],
    ...scheduleRequests(two, unused),
    getMessage: ofMessage,
    getMessageTree: ofMessage,
    getMessageData: ofMessage,
    cancelMessages: async () => [
      {
        body: {
          ...selection,
          ids: [(await newMessages()).open],
          filter: { ...selection.filter, state: ['pending'], type: ['t'], event_id: ['e'] },
          dryRun: false,
        },
      },
      { body: { ids: [(await newMessages()).open], reason } },
    ],
    retryMessages: async () => [
      {
        body: {
          ...selection,
          ids: [(await newMessages()).open],
          filter: { ...selection.filter, state: ['pending'], type: ['t'], event_id: ['e'] },
          dryRun: false,
        },
      },
      { body: { ids: [(await newMessages()).open], reason } },
    ],
    correctCall: async () => [
      {
        path: { id: (await newMessages()).call },
        body: { tokens: { text_output: 5 }, costUsd: '0.1', reason, dryRun: false },
      },
    ],
    listProviderBatches: () => Promise.resolve([{ query: { state: 'any', limit: '20', after } }, {}]),
    resolveProviderBatch: async () => {
      const { database } = two.fixture;
      const unresolved = async () => ({ id: await writeUnresolvedBatch(database, 'amber') });
      return [
        { path: await unresolved(), body: { resolution: 'take-over', providerId: unused(), reason } },
        { path: await unresolved(), body: { resolution: 'send-again', reason } },
        { path: await unresolved(), body: { resolution: 'give-up', reason } },
      ];
    },
    requestErasure: () =>
      Promise.resolve([
        { body: { customer: 'amber-customer', team: 'amber', reason, dryRun: true } },
        { body: { customer: unused(), team: 'amber', reason, dryRun: false } },
      ]),
    getErasure: () => Promise.resolve([{ path: { id: two.amber.erasure } }]),
  };
}
