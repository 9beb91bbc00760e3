import { rmSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateText } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { BatchDocument } from '../../src/capabilities/batches/batch-document.ts';
import { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import {
  createBatchSchema,
  uploadQuerySchema,
} from '../../src/capabilities/batches/intake/intake-requests.ts';
import { BatchService } from '../../src/capabilities/batches/run/batch-service.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { openStores } from '../../src/host/stores.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { defineMessage, defineStage, type MessageOf, type StageContext } from '../../src/millrace.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { refusal, type ScriptedAnswer, ScriptedModel } from '../../src/testing/scripted-model.ts';
import { DiskSpace } from '../chaos/disk-space.ts';
import { inPieces } from '../support/input-pieces.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';

/*
 * What goes wrong with a batch stops as much of it as it concerns: an item, a chunk, or the whole; nothing that was done is lost, and once
 * it is repaired, everything gets done. The time is the ledger's: it is set forward where chunks wait for it.
 */

const itemCount = 200;
const callsEach = 2;
const poisonedEvery = 33;
const poisoned = Math.floor(itemCount / poisonedEvery);
const minuteMs = 60_000;
const operator = { actor: 'test' };

const Letter = defineMessage('letter').version(1, z.object({ text: z.string() }));
const Sorted = defineMessage('letter.sorted').version(1, z.object({ topic: z.string() }));
// At once: what is looked at here is what follows when the attempts of a stage are over.
const shared = {
  pipeline: 'letters',
  concurrency: 8,
  retry: { maxAttempts: 2, backoff: ['10ms'], jitter: 0 },
} as const;
const sort = defineStage('sort', { consumes: Letter.v1, emits: [Sorted.v1], ...shared });
const answer = defineStage('answer', { consumes: Sorted.v1, ...shared });

/** How the provider does. Every answer that it gives is paid for. */
class Provider {
  /** What it fails with, instead of an answer. */
  failure: (() => unknown) | undefined;
  answers = 0;
  /** After so many answers something happens, once. */
  readonly #after: { readonly answers: number; readonly happen: () => void }[] = [];

  after(answers: number, happen: () => void): void {
    this.#after.push({ answers, happen });
  }

  reset(): void {
    this.failure = undefined;
    this.answers = 0;
    this.#after.length = 0;
  }

  answer(prompt: string): ScriptedAnswer {
    if (prompt.includes('poison')) return { error: refusal(400, 'The prompt is not allowed.') };
    if (this.failure !== undefined) return { error: this.failure() };
    this.answers += 1;
    const due = this.#after[0];
    if (due !== undefined && this.answers >= due.answers) {
      this.#after.shift();
      due.happen();
    }
    return { text: 'A few words.', usage: { uncachedInput: 20, textOutput: 5 } };
  }
}

describe('a batch that meets', () => {
  const provider = new Provider();
  const disk = new DiskSpace();
  let directory: string;
  let host: Host;
  /** How far the ledger's time was set forward. */
  let aheadMs = 0;

  beforeAll(async () => {
    directory = await newHostDirectory('millrace-batch-faults-');
    const configuration = loadConfiguration({
      environment: {},
      options: {
        dataDirectory: directory,
        messages: { inlineBytes: 512 },
        // A circuit would keep the stages from asking, and nothing would ever fail.
        limits: { circuit: { enabled: false }, retryBudget: { enabled: false } },
      },
    });
    const stores = await openStores(configuration, 'test');
    const payloads = await new FilesPayloadStore({
      directory: join(directory, 'payloads'),
      open: disk.opening(openFile),
    }).open(new Date());
    const model = new ScriptedModel(({ prompt }) => provider.answer(JSON.stringify(prompt)), 'gpt-4.1-mini');
    host = await Host.over({
      configuration,
      logger: silentLogger,
      stores: { ...stores, payloads },
      modelProviders: { openai: { kind: 'custom', model: () => model } },
    });
    const ask = async (ctx: StageContext, prompt: string): Promise<string> => {
      const asked = ctx.model('openai/gpt-4.1-mini', { step: 'ask' });
      return (await generateText({ model: asked, prompt, maxRetries: 0, abortSignal: ctx.signal })).text;
    };
    await host.start([
      {
        definition: sort,
        handler: {
          handle: async ({ data }: MessageOf<typeof sort>, ctx: StageContext) =>
            ctx.emit(Sorted.v1, { topic: await ask(ctx, data.text) }),
        },
      },
      {
        definition: answer,
        handler: { handle: ({ data }: MessageOf<typeof answer>, ctx: StageContext) => ask(ctx, data.topic) },
      },
    ] as unknown as readonly RegisteredStage[]);
  });
  beforeEach(() => {
    provider.reset();
    aheadMs = 0;
  });
  afterAll(async () => {
    await host.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const query = async <Row>(text: string, ...parameters: readonly unknown[]): Promise<readonly Row[]> =>
    (await host.stores.database.query<Row>({ name: `test.${text.slice(0, 40)}`, text }, parameters)).rows;
  const show = (id: string): Promise<BatchDocument> => host.service(BatchService).show(id, {});

  const submit = async (name: string, settings: object, text = 'A letter.'): Promise<string> => {
    const intake = host.service(BatchIntake);
    const request = { name, team: 'blue', customer: 'acme', feature: 'letters', pipeline: 'letters' };
    const { batch } = await intake.create(
      createBatchSchema.parse({
        ...request,
        settings: { chunk: { items: 25, inFlight: 2 }, ...settings },
      }),
      operator,
    );
    const lines = Array.from({ length: itemCount }, (_, at) => {
      const isPoisoned = name === 'poisoned' && (at + 1) % poisonedEvery === 0;
      return `${JSON.stringify({ data: { text: `${text} ${at + 1}${isPoisoned ? ' poison' : ''}` } })}\n`;
    });
    const bytes = inPieces(lines.join(''), 10_000);
    await intake.upload(
      batch.id,
      { format: 'jsonl', encoding: 'identity', query: uploadQuerySchema.parse({}), bytes },
      {},
    );
    await intake.start(batch.id, 'a test', operator);
    return batch.id;
  };

  /** Resolves when it is over or halted, with nothing under way, or all of it that could go on waits for a later time. */
  const untilResting = async (
    id: string,
  ): Promise<{ readonly batch: BatchDocument; readonly waitMs: number }> => {
    let waitMs = 0;
    await vi.waitFor(
      async () => {
        const [chunks] = await query<{ busy: number; wait_ms: number | null }>(
          `select count(*) filter (where c.state = 'running' or (c.state = 'waiting' and b.state = 'running' and coalesce(c.next_at, b.created_at) <= clock_timestamp()))::int as busy,
             (extract(epoch from min(c.next_at) filter (where c.state = 'waiting') - clock_timestamp()) * 1000)::float8 as wait_ms
           from millrace.batch_chunks c join millrace.batches b on b.id = c.batch_id where b.id = $1`,
          id,
        );
        expect(chunks?.busy).toBe(0);
        waitMs = Math.max(0, chunks?.wait_ms ?? 0);
        const { state } = await show(id);
        expect(state !== 'running' || waitMs > 0).toBe(true);
      },
      { timeout: 60_000, interval: 20 },
    );
    return { batch: await show(id), waitMs };
  };
  const setForward = async (ms: number): Promise<void> => {
    aheadMs += ms;
    await query(
      `update millrace.batch_chunks set next_at = next_at - $1::float8 * interval '1 millisecond'`,
      ms,
    );
  };
  /** Lets it run, setting the time forward wherever it waits. */
  const untilStill = async (id: string): Promise<BatchDocument> => {
    for (;;) {
      const { batch, waitMs } = await untilResting(id);
      if (batch.state !== 'running') return batch;
      await setForward(waitMs + 1);
    }
  };
  const chunksOf = (id: string) =>
    query<{ state: string; attempts: number; begun: number; cause: string | null }>(
      'select state, attempts, begun, cause from millrace.batch_chunks where batch_id = $1 order by chunk',
      id,
    );
  /** Everything is done, once: each answer was paid for once, and the batch costs what the ledger says of its calls. */
  const expectAllDone = async (id: string, batch: BatchDocument): Promise<void> => {
    expect(batch).toMatchObject({
      state: 'succeeded',
      items: { total: itemCount, open: 0, succeeded: itemCount, failed: 0 },
    });
    expect(provider.answers).toBe(itemCount * callsEach);
    const [calls] = await query<{ usd: string }>(
      `select sum(c.cost_usd)::text as usd from millrace.calls c join millrace.messages m on m.id = c.message_id
       where m.batch = $1 and c.state = 'settled' and c.outcome = 'ok'`,
      batch.name,
    );
    expect(batch.costUsd).toBe(formatUsd(usd(calls?.usd ?? '')));
    const items = await query<{ cost_usd: string }>(
      'select cost_usd::text from millrace.batch_items where batch_id = $1',
      id,
    );
    expect(formatUsd(sumUsd(items.map((item) => usd(item.cost_usd))))).toBe(batch.costUsd);
  };

  it('poisoned items sets them aside one by one', async () => {
    const id = await submit('poisoned', { success: { threshold: 95 } });
    const batch = await untilStill(id);
    expect(batch).toMatchObject({
      state: 'succeeded',
      items: { succeeded: itemCount - poisoned, failed: poisoned },
    });
    expect(provider.answers).toBe((itemCount - poisoned) * callsEach);
    const { items } = await host
      .service(BatchService)
      .items(id, {}, { state: ['failed'], limit: 50, after: 0, maySeeData: true });
    expect(items.map(({ position }) => position)).toEqual(
      Array.from({ length: poisoned }, (_, at) => (at + 1) * poisonedEvery),
    );
    expect(new Set(items.map(({ error }) => error?.code))).toEqual(new Set(['MILLRACE_MODEL_BAD_REQUEST']));
    // No chunk was begun twice for them.
    expect(new Set((await chunksOf(id)).map(({ state, begun }) => `${state} ${begun}`))).toEqual(
      new Set(['done 1']),
    );
  });

  it('ten minutes without its model begins chunks again, later and later, and loses nothing', async () => {
    let endsAtMs = Infinity;
    provider.after(90, () => {
      endsAtMs = aheadMs + 10 * minuteMs;
      provider.failure = () => refusal(503, 'The model is not there.');
    });
    const id = await submit('outage', {
      chunk: { items: 100, inFlight: 2 },
      retry: { chunks: 6, backoffSeconds: 60 },
    });
    const causes = new Set<string>();
    for (;;) {
      const { batch, waitMs } = await untilResting(id);
      if (batch.state !== 'running') break;
      for (const { cause } of await chunksOf(id))
        if (cause !== null) causes.add((JSON.parse(cause) as { code: string }).code);
      await setForward(waitMs + 1);
      if (aheadMs >= endsAtMs) provider.failure = undefined;
    }
    expect(aheadMs).toBeGreaterThanOrEqual(10 * minuteMs);
    expect(causes).toEqual(new Set(['MILLRACE_MODEL_OVERLOADED']));
    const chunks = await chunksOf(id);
    expect(new Set(chunks.map(({ state }) => state))).toEqual(new Set(['done']));
    // One, two, four and eight minutes after one another.
    expect(Math.max(...chunks.map(({ begun }) => begun))).toBe(5);
    await expectAllDone(id, await show(id));
  });

  it('a key that expires, and is replaced soon, begins its chunks again', async () => {
    provider.after(90, () => {
      provider.failure = () => refusal(401, 'The key has expired.');
    });
    const id = await submit('expired-key', {});
    const { batch } = await untilResting(id);
    expect(batch).toMatchObject({ state: 'running', items: { failed: 0 } });
    provider.failure = undefined;
    const done = await untilStill(id);
    await expectAllDone(id, done);
    expect(Math.max(...(await chunksOf(id)).map(({ begun }) => begun))).toBe(2);
  });

  it('a key that stays expired halts before it has failed everything, and gets all done when it is told to', async () => {
    provider.after(90, () => {
      provider.failure = () => refusal(401, 'The key has expired.');
    });
    const id = await submit('expired-for-long', { retry: { chunks: 0 }, tripwire: { share: 20, items: 40 } });
    const halted = await untilStill(id);
    expect(halted).toMatchObject({ state: 'halted', cause: { code: 'tripwire' } });
    expect(halted.cause?.detail).toContain('MILLRACE_MODEL_AUTHENTICATION');
    const { failed, open, succeeded } = halted.items;
    expect(failed + succeeded + open).toBe(itemCount);
    // What was not begun by then is as it was.
    expect((await chunksOf(id)).filter(({ state }) => state === 'waiting').length).toBeGreaterThanOrEqual(2);
    expect(open).toBeGreaterThanOrEqual(50);
    provider.failure = undefined;
    const { items } = await host.service(BatchService).retry(id, 'a new key', operator);
    expect(items).toBe(failed);
    await expectAllDone(id, await untilStill(id));
  });

  it('a store that takes no writes halts, keeps what is done, and goes on when it takes them again', async () => {
    provider.after(90, () => disk.fill(60 * minuteMs));
    const id = await submit('disk-full', { retry: { chunks: 1 } }, 'long '.repeat(200));
    const halted = await untilStill(id);
    expect(halted).toMatchObject({
      state: 'halted',
      cause: { code: 'MILLRACE_PAYLOAD_UNAVAILABLE' },
      items: { failed: 0 },
    });
    expect(halted.items.succeeded).toBeGreaterThan(0);
    const before = halted.items.succeeded;
    disk.fill(0);
    await host.service(BatchService).resume(id, 'there is room again', operator);
    const done = await untilStill(id);
    await expectAllDone(id, done);
    expect(done.items.succeeded).toBeGreaterThan(before);
  });
});
