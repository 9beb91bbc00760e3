import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* The OpenAPI document and its page, against what the server really does. */

let fixture: ApiFixture;
type Paths = Record<
  string,
  Record<
    string,
    { readonly parameters?: readonly { readonly name: string; readonly description?: string }[] }
  >
>;

let app: NestFastifyApplication;

beforeAll(async () => {
  fixture = await openApiFixture();
  app = await startApi(fixture.services());
});

afterAll(async () => {
  await app.close();
  await fixture.close();
});

describe('the OpenAPI document', () => {
  const documentSchema = z.object({
    openapi: z.literal('3.1.0'),
    info: z.object({ title: z.literal('Millrace'), version: z.literal('1.2.3') }),
    paths: z.record(
      z.string().startsWith('/'),
      z.record(
        z.string(),
        z.object({
          operationId: z.string(),
          summary: z.string(),
          responses: z.record(z.string(), z.unknown()),
          security: z.array(z.unknown()).optional(),
        }),
      ),
    ),
    components: z.object({
      schemas: z.record(z.string(), z.unknown()),
      securitySchemes: z.object({ bearer: z.unknown() }),
    }),
  });
  const load = async () => {
    const response = await requestTo(app).get('/openapi.json');
    expect(response.statusCode).toBe(200);
    return { raw: response.body, document: documentSchema.parse(response.body) };
  };

  it('lists every route', async () => {
    const { document } = await load();
    const listed = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    );
    expect(listed.toSorted()).toEqual([
      'delete /v1/budgets/{name}',
      'delete /v1/budgets/{name}/limit',
      'delete /v1/keys/{id}',
      'delete /v1/model-limits',
      'delete /v1/pauses/{id}',
      'delete /v1/prices/overrides/{id}',
      'delete /v1/requests/{id}',
      'delete /v1/schedules/{id}',
      'delete /v1/webhooks/{id}',
      'get /health',
      'get /health/live',
      'get /health/ready',
      'get /metrics',
      'get /v1/audit',
      'get /v1/batches',
      'get /v1/batches/{id}',
      'get /v1/batches/{id}/chunks',
      'get /v1/batches/{id}/estimate',
      'get /v1/batches/{id}/failed-items',
      'get /v1/batches/{id}/items',
      'get /v1/batches/{id}/output',
      'get /v1/batches/{id}/report',
      'get /v1/budgets',
      'get /v1/budgets/{name}',
      'get /v1/calls/{id}/price',
      'get /v1/costs',
      'get /v1/costs/anomalies',
      'get /v1/costs/concentration',
      'get /v1/costs/forecast',
      'get /v1/costs/savings',
      'get /v1/dead-letters',
      'get /v1/dead-letters/{id}',
      'get /v1/erasures/{id}',
      'get /v1/focus',
      'get /v1/keys',
      'get /v1/messages',
      'get /v1/messages/{id}',
      'get /v1/messages/{id}/data',
      'get /v1/messages/{id}/tree',
      'get /v1/model-limits',
      'get /v1/pauses',
      'get /v1/periods',
      'get /v1/pipelines',
      'get /v1/pipelines/{name}',
      'get /v1/prices/overrides',
      'get /v1/provider-batches',
      'get /v1/reconciliations',
      'get /v1/reconciliations/{id}',
      'get /v1/requests',
      'get /v1/requests/{id}',
      'get /v1/requests/{id}/events',
      'get /v1/schedules',
      'get /v1/schedules/{id}',
      'get /v1/statements/{month}',
      'get /v1/status',
      'get /v1/waits',
      'get /v1/webhook-deliveries/{id}',
      'get /v1/webhooks',
      'get /v1/webhooks/{id}',
      'get /v1/webhooks/{id}/deliveries',
      'patch /v1/batches/{id}',
      'post /v1/batches',
      'post /v1/batches/{id}/cancel',
      'post /v1/batches/{id}/discard',
      'post /v1/batches/{id}/pause',
      'post /v1/batches/{id}/resume',
      'post /v1/batches/{id}/retry',
      'post /v1/batches/{id}/start',
      'post /v1/calls/{id}/correct',
      'post /v1/dead-letters/discard',
      'post /v1/dead-letters/replay',
      'post /v1/erasures',
      'post /v1/keys',
      'post /v1/keys/{id}/rotate',
      'post /v1/messages',
      'post /v1/messages/cancel',
      'post /v1/messages/retry',
      'post /v1/pauses',
      'post /v1/periods/close',
      'post /v1/periods/reopen',
      'post /v1/pipelines/{name}/requests',
      'post /v1/prices/overrides',
      'post /v1/prices/reprice',
      'post /v1/provider-batches/{id}/resolve',
      'post /v1/reconciliations',
      'post /v1/requests/{id}/cancel',
      'post /v1/requests/{id}/stream-token',
      'post /v1/schedules',
      'post /v1/schedules/{id}/pause',
      'post /v1/schedules/{id}/resume',
      'post /v1/schedules/{id}/run',
      'post /v1/traces',
      'post /v1/usage',
      'post /v1/usage/litellm',
      'post /v1/waits/{token}',
      'post /v1/webhook-deliveries/{id}/redeliver',
      'post /v1/webhooks',
      'post /v1/webhooks/{id}/disable',
      'post /v1/webhooks/{id}/enable',
      'post /v1/webhooks/{id}/redeliver',
      'post /v1/webhooks/{id}/rotate',
      'post /v1/webhooks/{id}/test',
      'put /v1/batches/{id}/items',
      'put /v1/budgets/{name}',
      'put /v1/budgets/{name}/limit',
      'put /v1/model-limits',
      'put /v1/schedules/{id}',
    ]);
  });

  it('says of every id and every other parameter what it is', async () => {
    const { raw } = await load();
    const operations = Object.entries(raw.paths as Paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, { parameters = [] }]) => ({ at: `${method} ${path}`, parameters })),
    );
    const all = operations.flatMap(({ at, parameters }) =>
      parameters.map(({ name, description = '' }) => ({ at: `${at}: ${name}`, description })),
    );
    expect(all.length).toBeGreaterThan(50);
    expect(all.filter(({ description }) => description.length < 4).map(({ at }) => at)).toEqual([]);
  });

  it('refers to nothing that it does not hold', async () => {
    const { raw } = await load();
    const references = [...JSON.stringify(raw).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
      (match) => match[1] ?? '',
    );
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references) {
      const target = reference
        .split('/')
        .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], raw);
      expect(target, reference).toBeTypeOf('object');
    }
  });

  it('asks for a key exactly where the server does', async () => {
    const { document } = await load();
    for (const [path, item] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        const response = await requestTo(app)[method as 'get'](path.replace('{id}', 'x'));
        const asksForKey = (operation.security ?? []).length > 0;
        expect(asksForKey, path).toBe(path.startsWith('/v1/'));
        expect(response.statusCode === 401, path).toBe(asksForKey);
        if (asksForKey)
          expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['401', '403', 'default']));
      }
    }
  });

  it('says which bodies are accepted, and how errors look', async () => {
    const { raw } = await load();
    expect(Object.keys(raw.paths['/v1/messages'].post.requestBody.content)).toEqual([
      'application/json',
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
    ]);
    expect(Object.keys(raw.components.responses.Problem.content)).toEqual(['application/problem+json']);
    expect(raw.components.schemas.Problem.required).toContain('code');
    expect(raw.paths['/v1/costs'].get.parameters.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['group_by', 'from', 'to', 'order', 'limit', 'team', 'model']),
    );
  });

  it('has a page that loads nothing from elsewhere', async () => {
    const page = await requestTo(app).get('/docs');
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-type']).toContain('text/html');
    const assets = [...page.text.matchAll(/(?:src|href)=["']([^"']+)["']/g)]
      .map((match) => match[1] ?? '')
      .filter((url) => !url.startsWith('#'));
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets) {
      expect(asset).toMatch(/^\.\/docs\//);
      const response = await requestTo(app).get(asset.slice(1));
      expect(response.statusCode, asset).toBe(200);
    }
    expect(page.headers['content-security-policy']).toContain("script-src 'self'");
  });
});
