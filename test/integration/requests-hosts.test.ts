import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { streamText } from 'ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import {
  type RequestDocument,
  requestSchema,
} from '../../src/capabilities/requests/state/request-document.ts';
import { Stage } from '../../src/engine/pipeline/stage.decorator.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import { defineStage, type MessageOf } from '../../src/engine/pipeline/stage-definition.ts';
import { createMillraceApp, type MillraceApp } from '../../src/host/create-millrace-app.ts';
import { Host } from '../../src/host/host.ts';
import { usd } from '../../src/kernel/money.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';
import { SimulatorServer } from '../support/simulator-server.ts';
import { requestTo } from './request-to.ts';

/* Requests over two processes that both have the API, of which one works: one intent, one bill; and a cancel that reaches the provider. */

const Asked = defineMessage('answer.asked').version(
  1,
  z.object({ text: z.string(), user: z.string().optional() }),
);
const answer = defineStage('answer', {
  consumes: Asked.upTo(1),
  pipeline: 'answers',
  retry: { maxAttempts: 1 },
  orderBy: ({ data }) => data.user,
});

/** The whole answer to the long story takes twenty seconds. */
const longTokens = 400;

describe.skipIf(!canRun(postgresPrograms()))('requests over two processes', () => {
  let directory: string;
  let simulator: SimulatorServer;
  let apps: readonly MillraceApp[];
  let key: string;
  /** Requests whose text has begun to arrive, and how many of a user ran at once at most. */
  const streaming = new Set<string>();
  const atOnce = new Map<string, { now: number; most: number; order: string[] }>();

  @Injectable()
  @Stage(answer)
  class AnswerStage {
    async handle({ id, data }: MessageOf<typeof answer>, ctx: StageContext): Promise<string> {
      const user = atOnce.get(data.user ?? '') ?? { now: 0, most: 0, order: [] };
      atOnce.set(data.user ?? '', user);
      user.now += 1;
      user.most = Math.max(user.most, user.now);
      user.order.push(data.text);
      try {
        const { textStream } = streamText({
          model: ctx.model('openai/gpt-5-mini', { step: 'answer' }),
          prompt: data.text,
          maxOutputTokens: 2000,
          abortSignal: ctx.signal,
          onError: () => undefined,
        });
        let text = '';
        for await (const part of textStream) {
          text += part;
          streaming.add(id);
        }
        ctx.signal.throwIfAborted();
        return text;
      } finally {
        user.now -= 1;
      }
    }
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mr-requests-'));
    simulator = await SimulatorServer.start(directory, {
      latency: { medianMs: 5, p99Ms: 10, firstTokenShare: 0.05 },
      cutStreams: 'produced',
      answer: { minTokens: longTokens, maxTokens: longTokens },
      rules: [{ match: { contains: 'a long story' }, fault: 'slow', delayMs: 20_000 }],
    });
    const url = await newLedger();
    const start = (name: string, roles: readonly ('api' | 'worker' | 'maintenance')[]) =>
      createMillraceApp({
        environment: {},
        config: {
          dataDirectory: join(directory, name),
          ledger: { url, poolSize: 4 },
          queue: { url },
          columnStore: { url: 'http://127.0.0.1:1', user: 'u', password: 'p' },
          roles: [...roles],
          http: { port: 0 },
          models: {
            providers: {
              openai: {
                kind: 'openai',
                baseUrl: `${simulator.url}/openai/v1`,
                apiKey: 'simulated',
                identify: true,
              },
            },
          },
        },
        logger: silentLogger,
        providers: [AnswerStage],
        signals: false,
        progress: false,
      });
    apps = [await start('one', ['api', 'worker']), await start('two', ['api', 'maintenance'])];
    const [first] = apps;
    if (first === undefined) throw new Error('there are two');
    const keys = first.nest.get(Host).service(ApiKeys);
    key = (await keys.create({ name: 'test', scopes: ['requests:read', 'requests:write'], team: 'blue' }))
      .key;
  }, 120_000);
  afterAll(async () => {
    for (const app of apps) await app.close();
    await simulator.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const urlOf = (n: number): string => String(apps[n % apps.length]?.url);
  const documentOf = ({ body }: { readonly body: unknown }): RequestDocument => requestSchema.parse(body);
  const submit = (n: number, data: object, headers: Readonly<Record<string, string>> = {}) =>
    requestTo(urlOf(n))
      .post('/v1/pipelines/answers/requests')
      .set({ authorization: `Bearer ${key}`, ...headers })
      .send({ data, origin: { customer: 'acme', feature: 'chat' } });
  const show = (n: number, id: string, seconds = 0) =>
    requestTo(urlOf(n))
      .get(`/v1/requests/${id}`)
      .set({ authorization: `Bearer ${key}`, prefer: `wait=${seconds}` });

  it('are one run and one bill, though one key comes fifty times at once to both', async () => {
    const before = (await simulator.readBill()).length;
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        submit(n, { text: 'What is the tide?' }, { 'idempotency-key': '"the-same"' }),
      ),
    );
    expect(answers.filter(({ status }) => status !== 202 && status !== 200)).toEqual([]);
    const ids = new Set(answers.map((one) => documentOf(one).id));
    expect(ids.size).toBe(1);
    const [id = ''] = ids;
    const done = documentOf(await show(1, id, 50));
    expect(done.state).toBe('completed');
    const bill = (await simulator.readBill()).slice(before);
    expect(bill).toHaveLength(1);
    expect(usd(done.cost.usd)).toEqual(usd(bill[0]?.costUsd ?? '0'));
    expect(done.cost.isFinal).toBe(true);
    const again = await submit(1, { text: 'What is the tide?' }, { 'idempotency-key': 'the-same' });
    expect([again.status, documentOf(again).id]).toEqual([200, id]);
    const other = await submit(1, { text: 'And the moon?' }, { 'idempotency-key': 'the-same' });
    expect(other.status).toBe(422);
  });

  it('of one user run one after another, in their order', async () => {
    const texts = ['first', 'second', 'third', 'fourth'];
    const ids: string[] = [];
    for (const [n, text] of texts.entries()) ids.push(documentOf(await submit(n, { text, user: 'ann' })).id);
    for (const id of ids) expect(documentOf(await show(0, id, 50)).state).toBe('completed');
    expect(atOnce.get('ann')).toEqual({ now: 0, most: 1, order: texts });
  });

  it('that stream are cancelled by the other process: one call, whose bill lies within what the ledger says', async () => {
    const before = (await simulator.readBill()).length;
    const { id } = documentOf(await submit(0, { text: 'Tell me a long story.' }));
    await expect.poll(() => streaming.has(id)).toBe(true);
    const cancelled = await requestTo(urlOf(1))
      .delete(`/v1/requests/${id}`)
      .set('authorization', `Bearer ${key}`);
    expect(cancelled.status, cancelled.text).toBe(200);
    const ended = documentOf(await show(1, id, 50));
    expect(ended).toMatchObject({ state: 'cancelled', cost: { calls: 1, unsettledCalls: 0 } });
    const bill = (await simulator.readBill()).slice(before);
    expect(bill).toHaveLength(1);
    expect(bill[0]).toMatchObject({ messageId: id, usageReported: false });
    // The provider had made less than the whole when the abort arrived. The ledger counts what arrived; the thinking, which
    // nobody was shown, lies within the bound.
    expect(bill[0]?.cutAt).toBeDefined();
    expect(bill[0]?.tokens.text_output).toBeLessThan(longTokens / 2);
    const billedUsd = usd(bill[0]?.costUsd ?? '0');
    expect(usd(ended.cost.usd).isZero()).toBe(false);
    expect(usd(ended.cost.usd).lte(billedUsd)).toBe(true);
    expect(billedUsd.lte(usd(ended.cost.unsettledUpperBoundUsd))).toBe(true);
    expect(ended.cost.isFinal).toBe(false);
  });
});
