import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { capabilities } from '../../src/host/capabilities.ts';
import { partsOf } from '../../src/host/http/http-api.module.ts';
import { StatusController } from '../../src/host/http/status.controller.ts';
import { requiredScopeKey } from '../../src/http/caller.ts';
import { type ApiScope, apiScopes } from '../../src/http/api-key-identity.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { type ApiOperation, operationsOf } from '../support/api-operations.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/*
 * Which scope each endpoint needs. The endpoints come from the OpenAPI document, so that none is forgotten: one that is new belongs
 * into the table.
 */

const scopes: Readonly<Record<string, ApiScope | 'open'>> = {
  getLiveness: 'open',
  getHealth: 'open',
  getReadiness: 'open',
  getMetrics: 'open',
  getStatus: 'operations:read',
  listKeys: 'keys:write',
  createKey: 'keys:write',
  rotateKey: 'keys:write',
  revokeKey: 'keys:write',
  listAudit: 'audit:read',
  listWebhooks: 'webhooks:read',
  createWebhook: 'webhooks:write',
  getWebhook: 'webhooks:read',
  deleteWebhook: 'webhooks:write',
  rotateWebhookSecret: 'webhooks:write',
  disableWebhook: 'webhooks:write',
  enableWebhook: 'webhooks:write',
  testWebhook: 'webhooks:write',
  listWebhookDeliveries: 'webhooks:read',
  redeliverWebhook: 'webhooks:write',
  getWebhookDelivery: 'webhooks:read',
  redeliverWebhookDelivery: 'webhooks:write',
  listPauses: 'messages:read',
  placePause: 'operations:write',
  resumePause: 'operations:write',
  getBudgets: 'costs:read',
  getBudget: 'costs:read',
  setBudget: 'operations:write',
  removeBudget: 'operations:write',
  setBudgetLimit: 'operations:write',
  resetBudgetLimit: 'operations:write',
  listModelLimits: 'operations:read',
  listPipelines: 'operations:read',
  listWaits: 'messages:read',
  completeWait: 'messages:write',
  getPipeline: 'operations:read',
  setModelLimit: 'operations:write',
  resetModelLimit: 'operations:write',
  getCosts: 'costs:read',
  getCostAnomalies: 'costs:read',
  getCostConcentration: 'costs:read',
  getCostForecast: 'costs:read',
  getCostSavings: 'costs:read',
  getStatement: 'costs:read',
  getFocus: 'costs:read',
  getBatchReport: 'costs:read',
  listPeriods: 'costs:read',
  closePeriod: 'operations:write',
  reopenPeriod: 'operations:write',
  reconcileBill: 'operations:write',
  listReconciliations: 'costs:read',
  getReconciliation: 'costs:read',
  explainCallPrice: 'costs:read',
  repriceCalls: 'operations:write',
  listPriceOverrides: 'operations:read',
  setPriceOverride: 'operations:write',
  unsetPriceOverride: 'operations:write',
  listDeadLetters: 'messages:read',
  getDeadLetter: 'messages:read',
  replayDeadLetters: 'operations:write',
  discardDeadLetters: 'operations:write',
  listMessages: 'messages:read',
  admitMessages: 'messages:write',
  recordUsage: 'usage:write',
  recordLiteLlmUsage: 'usage:write',
  recordTraces: 'usage:write',
  createBatch: 'messages:write',
  uploadBatchItems: 'messages:write',
  estimateBatch: 'messages:write',
  startBatch: 'messages:write',
  discardBatch: 'messages:write',
  listSchedules: 'schedules:read',
  createSchedule: 'schedules:write',
  getSchedule: 'schedules:read',
  replaceSchedule: 'schedules:write',
  deleteSchedule: 'schedules:write',
  pauseSchedule: 'schedules:write',
  resumeSchedule: 'schedules:write',
  runSchedule: 'schedules:write',
  listBatches: 'operations:read',
  getBatch: 'operations:read',
  listBatchChunks: 'operations:read',
  listBatchItems: 'operations:read',
  getBatchOutput: 'messages:data',
  getBatchFailedItems: 'messages:data',
  pauseBatch: 'operations:write',
  resumeBatch: 'operations:write',
  cancelBatch: 'operations:write',
  retryBatch: 'operations:write',
  changeBatch: 'operations:write',
  submitRequest: 'requests:write',
  listRequests: 'requests:read',
  getRequest: 'requests:read',
  cancelRequest: 'requests:write',
  deleteRequest: 'requests:write',
  streamRequestEvents: 'requests:read',
  createStreamToken: 'requests:read',
  getMessage: 'messages:read',
  getMessageTree: 'messages:read',
  getMessageData: 'messages:data',
  cancelMessages: 'operations:write',
  retryMessages: 'operations:write',
  correctCall: 'operations:write',
  listProviderBatches: 'operations:read',
  resolveProviderBatch: 'operations:write',
  requestErasure: 'erasures:write',
  getErasure: 'erasures:write',
};
/** Whoever may operate may look. */
const also: Readonly<Record<string, readonly ApiScope[]>> = { 'operations:read': ['operations:write'] };

let fixture: ApiFixture;
let app: NestFastifyApplication;
let url: string;
let operations: readonly ApiOperation[];

beforeAll(async () => {
  fixture = await openApiFixture();
  app = await startApi(fixture.services());
  // One server for all: there are many requests.
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
  operations = await operationsOf(app);
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});

const ask = ({ method, path }: ApiOperation, key: string | undefined) => {
  const request = requestTo(url)[method](
    path.replace('{id}', newId(new Date())).replace('{month}', '2026-03').replace('{name}', 'some-budget'),
  );
  return request
    .set(key === undefined ? {} : { authorization: `Bearer ${key}` })
    .send(method === 'get' ? undefined : {});
};
const guarded = () => operations.filter(({ id }) => scopes[id] !== 'open');

describe('every endpoint', () => {
  it('stands in the table, and names its scope in the OpenAPI document', () => {
    const named = operations.map(({ id, scope = 'open' }) => [id, scope]);
    expect(Object.fromEntries(named)).toEqual(scopes);
    expect(named.length).toBe(Object.keys(scopes).length);
  });

  it('is marked with a scope, also where the document does not show it', async () => {
    const controllers = [
      StatusController,
      ...(await partsOf(capabilities)).flatMap((part) => part.controllers ?? []),
    ];
    const handlers = controllers.flatMap((controller) =>
      Object.getOwnPropertyNames(controller.prototype).flatMap((name) => {
        const handler: unknown = Reflect.get(controller.prototype as object, name);
        if (typeof handler !== 'function' || !Reflect.hasMetadata(METHOD_METADATA, handler)) return [];
        const scope: unknown =
          Reflect.getMetadata(requiredScopeKey, handler) ?? Reflect.getMetadata(requiredScopeKey, controller);
        return [{ handler: `${controller.name}.${name}`, scope }];
      }),
    );
    expect(handlers.length).toBe(guarded().length);
    expect(handlers.filter(({ scope }) => !apiScopes.some((known) => known === scope))).toEqual([]);
  });

  it('answers 401 without a key and with one that is unknown, malformed, revoked or over', async () => {
    const keys = new ApiKeys({ database: fixture.database, clock: systemClock });
    const revoked = await keys.create({ name: 'revoked', scopes: ['admin'] });
    await keys.revoke(revoked.id);
    const over = await keys.create({
      name: 'over',
      scopes: ['admin'],
      expiresAt: new Date(Date.now() + 3_600_000),
    });
    await fixture.database.execute(
      `update millrace.api_keys set expires_at = clock_timestamp() where id = '${over.id}'`,
    );
    for (const operation of guarded()) {
      for (const key of [undefined, `mr_${'x'.repeat(43)}`, 'nonsense', '', revoked.key, over.key]) {
        const response = await ask(operation, key);
        expect(response.statusCode, `${operation.id} with ${key}`).toBe(401);
        expect(problemOf(response).code).toBe('MILLRACE_UNAUTHENTICATED');
      }
    }
  });

  it.each(apiScopes)(
    'answers 403 to a key that has only %s, unless it is the one that it needs',
    async (only) => {
      const key = await fixture.newKey([only]);
      for (const operation of guarded()) {
        const needed = scopes[operation.id] ?? '';
        const isAllowed = only === 'admin' || only === needed || (also[needed] ?? []).includes(only);
        const { statusCode, text } = await ask(operation, key);
        const answer = statusCode === 401 || statusCode === 403 ? statusCode : 'passed';
        expect(answer, `${operation.id}: ${text}`).toBe(isAllowed ? 'passed' : 403);
      }
    },
  );

  it.each(
    Object.values(scopes).filter((scope, place, all) => scope !== 'open' && all.indexOf(scope) === place),
  )('answers 403 to a key that has every scope but %s', async (missing) => {
    const key = await fixture.newKey(
      apiScopes.filter(
        (scope) => scope !== 'admin' && scope !== missing && !(also[missing] ?? []).includes(scope),
      ),
    );
    for (const operation of guarded().filter(({ id }) => scopes[id] === missing))
      expect((await ask(operation, key)).statusCode, operation.id).toBe(403);
  });

  it('is open where the table says so', async () => {
    for (const operation of operations.filter(({ id }) => scopes[id] === 'open'))
      expect([200, 503], operation.id).toContain((await ask(operation, undefined)).statusCode);
  });
});
