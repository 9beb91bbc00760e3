import { rm } from 'node:fs/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { generateText } from 'ai';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import type { Capability } from '../../src/capabilities/capability.ts';
import type { StageHandler } from '../../src/engine/pipeline/stage-context.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { capabilities } from '../../src/host/capabilities.ts';
import { errorCodes } from '../../src/host/error-codes.ts';
import { Host } from '../../src/host/host.ts';
import { statusPartsOf } from '../../src/host/host-status.ts';
import { readStatusDocument } from '../../src/host/status-document.ts';
import { partsOf } from '../../src/host/http/http-api.module.ts';
import { Readiness } from '../../src/host/http/readiness.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import { startApi } from './api-application.ts';
import { counted } from '../support/counted.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { isFullDepth } from '../support/test-depth.ts';
import { requestTo } from './request-to.ts';

/*
 * The engine and the HTTP server know no capability by name: a host without any one of them starts, works, answers and
 * stops; and so does one without any.
 */

const Asked = defineMessage('capabilities.asked').version(1, z.object({ text: z.string() }));
const answer = defineStage('answer', { consumes: Asked.upTo(1) });
const origin = { team: 'blue', customer: 'acme', feature: 'search' };

const usage = { uncachedInput: 10, textOutput: 5 };
const handler: StageHandler<{ readonly text: string }> = {
  handle: async (message, ctx) => {
    await generateText({
      model: ctx.model('openai/gpt-5-mini', { step: 'answer' }),
      prompt: message.data.text,
    });
  },
};

let host: Host | undefined;
let app: NestFastifyApplication | undefined;
let directory = '';

afterEach(async () => {
  await app?.close();
  await host?.stop();
  await rm(directory, { recursive: true, force: true });
  [app, host] = [undefined, undefined];
});

/** The names of our own metrics in an exposition. */
function metricsIn(body: string): readonly string[] {
  return [...body.matchAll(/^# HELP millrace_(\w+) /gm)].map(([, name = '']) => name).toSorted();
}

/** What the status shows without any capability. */
const ofEngine = ['messages', 'stages', 'calls', 'lastHour', 'unexportedRecords', 'parked', 'waits'];

const all = capabilities.map(({ name }) => name);
/** Which are left out in turn: without more time, those whose routes the test asks, and those that others work with. */
const leftOut: readonly string[] = isFullDepth
  ? all
  : ['access', 'batches', 'budgets', 'dead-letters', 'pauses'];

describe('a host', () => {
  it.each([
    ['no', []],
    ['every', all],
    ...leftOut.map((name) => [`every but ${name}`, all.filter((one) => one !== name)]),
  ] as [string, string[]][])(
    'with %s capability starts, works and stops',
    async (_, names) => {
      const list = capabilities.filter(({ name }) => names.includes(name));
      const missing: readonly Capability[] = capabilities.filter(({ name }) => !names.includes(name));
      directory = await newHostDirectory('millrace-capabilities-');
      const model = new ScriptedModel(() => ({ text: 'yes', usage }), 'gpt-5-mini');
      const opened = await Host.open({
        configuration: loadConfiguration({
          environment: {},
          options: {
            dataDirectory: directory,
            budgets: [{ name: 'blue', team: 'blue', window: 'day', limitUsd: '1' }],
          },
        }),
        logger: silentLogger,
        modelProviders: { openai: { kind: 'custom', model: () => model } },
        capabilities: list,
      });
      host = opened;
      await opened.start([{ definition: answer, handler } as unknown as RegisteredStage]);
      app = await startApi(
        (logger) => ({
          provided: opened.services,
          status: () =>
            readStatusDocument({
              database: opened.stores.database,
              clock: opened.clock.time,
              capabilities: opened.capabilities,
            }),
          readiness: new Readiness({ checks: [], clock: opened.clock.time }),
          metrics: opened.metrics,
          logger,
          clock: opened.clock.time,
          authentication: 'keys',
        }),
        { parts: await partsOf(list) },
      );

      await opened.admissions.admit(Asked.v1, { text: 'hello' }, { origin });
      await expect.poll(() => counted(opened.stores.database, 'completed'), { timeout: 20_000 }).toBe(1);
      expect(model.requests).toHaveLength(1);
      expect((await opened.calls.totals()).succeeded).toBe(1);
      const { rows: underQuotas } = await opened.stores.database.query({
        name: 'test.calls_under_quotas',
        text: 'select id from millrace.calls where quotas is not null',
      });
      expect(underQuotas).toHaveLength(names.includes('budgets') ? 1 : 0);
      expect((await requestTo(app).get('/health/live')).statusCode).toBe(200);
      const shown = (await requestTo(app).get('/metrics')).text;
      expect(metricsIn(shown)).toEqual(
        Object.keys(metricCatalogue)
          .filter((metric) => !missing.some(({ metrics = {} }) => Object.hasOwn(metrics, metric)))
          .toSorted(),
      );
      expect(shown).toContain('millrace_stage_messages_total{');
      // Without who identifies callers, nothing that needs a key is there at all.
      const isOpen = names.includes('access');
      expect((await requestTo(app).get('/v1/status')).statusCode).toBe(isOpen ? 401 : 404);
      if (!isOpen) return;
      const { key } = await opened.service(ApiKeys).create({ name: 'test', scopes: ['admin'] });
      const headers = { authorization: `Bearer ${key}` };
      const routes = { budgets: '/v1/budgets', pauses: '/v1/pauses', 'dead-letters': '/v1/dead-letters' };
      for (const [name, url] of Object.entries(routes)) {
        const { statusCode } = await requestTo(app).get(url).set(headers);
        expect([name, statusCode]).toEqual([name, names.includes(name) ? 200 : 404]);
      }
      const document = (await requestTo(app).get('/openapi.json')).body as {
        paths: Record<string, unknown>;
        components: {
          schemas: { Status: { properties: object }; Problem: { properties: { code: { enum: string[] } } } };
        };
      };
      const members = async (of: readonly Capability[]): Promise<readonly string[]> =>
        (await statusPartsOf(of)).flatMap(({ schema }) => Object.keys(schema)).toSorted();
      const status = (await requestTo(app).get('/v1/status').set(headers)).body as object;
      expect(Object.keys(status).toSorted()).toEqual([...ofEngine, ...(await members(list))].toSorted());
      expect(Object.keys(document.components.schemas.Status.properties).toSorted()).toEqual(
        Object.keys(status).toSorted(),
      );
      const ownErrors = missing.flatMap(({ errors = {} }) => Object.keys(errors));
      expect(document.components.schemas.Problem.properties.code.enum).toEqual(
        Object.keys(errorCodes).filter((code) => !ownErrors.includes(code)),
      );
      for (const [name, url] of Object.entries(routes))
        expect(url in document.paths).toBe(names.includes(name));
    },
    60_000,
  );

  it('does not start when the check of a capability finds what would break a promise', async () => {
    directory = await newHostDirectory('millrace-capabilities-');
    const finding = { severity: 'fatal', what: 'It is worn.', todo: 'Replace it.' } as const;
    // The closed list of codes is that of the product's own capabilities.
    const worn = { name: 'worn', code: 'worn_out' as 'queue_unsafe' };
    host = await Host.open({
      configuration: loadConfiguration({ environment: {}, options: { dataDirectory: directory } }),
      logger: silentLogger,
      capabilities: [
        ...capabilities,
        {
          name: worn.name,
          names: { findings: [worn.code] },
          startupCheck: () =>
            Promise.resolve(({ settings, definitions }) => {
              expect([settings.dataDirectory, definitions.length]).toEqual([directory, 1]);
              return Promise.resolve([{ ...finding, code: worn.code }]);
            }),
          open: () => Promise.resolve(() => ({})),
        },
      ],
    });
    await expect(
      host.start([{ definition: answer, handler } as unknown as RegisteredStage]),
    ).rejects.toMatchObject({
      code: 'MILLRACE_STARTUP_REFUSED',
      faults: [{ field: 'worn_out', problem: 'It is worn. Replace it.' }],
    });
    const { body } = await host.metrics.render();
    expect(body).toContain('millrace_startup_findings{code="worn_out"} 1');
    expect(body).toContain('millrace_startup_findings{code="queue_unsafe"} 0');
  }, 60_000);
});
