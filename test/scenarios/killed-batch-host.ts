import { createWriteStream, readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateText } from 'ai';
import { z } from 'zod';
import type { BatchDocument } from '../../src/capabilities/batches/batch-document.ts';
import { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import {
  createBatchSchema,
  uploadQuerySchema,
} from '../../src/capabilities/batches/intake/intake-requests.ts';
import { BatchFiles } from '../../src/capabilities/batches/run/batch-files.ts';
import { BatchService } from '../../src/capabilities/batches/run/batch-service.ts';
import { preferShortRun } from '../../src/cli/engine-settings.ts';
import { defineStage, type MessageOf } from '../../src/engine/pipeline/stage-definition.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { type BatchHostNews, type BatchHostOptions, outputFile } from './killed-batch.ts';

/*
 * A host of the batch that is killed, in a process of its own: two stages with a call each. One that submits makes the batch, fills and
 * starts it, as often as it is started itself, and tells when the batch is over, its output is written and no call is open any more.
 */

const options = JSON.parse(process.argv[2] ?? '{}') as BatchHostOptions;
const { directory, simulatorUrl, input, submits, chunkItems, concurrency, services } = options;

const Letter = defineMessage('letter').version(1, z.object({ subject: z.string(), text: z.string() }));
const Sorted = defineMessage('letter.sorted').version(
  1,
  z.object({ subject: z.string(), topic: z.string() }),
);
// A run that is killed with its process says nothing about its letter.
const shared = { pipeline: 'letters', concurrency, maxExpiredLeases: 1000 };
const sort = defineStage('sort', { consumes: Letter.v1, emits: [Sorted.v1], ...shared });
const answer = defineStage('answer', { consumes: Sorted.v1, ...shared });

const stages = [
  {
    definition: sort,
    handler: {
      handle: async ({ data }: MessageOf<typeof sort>, ctx: StageContext): Promise<void> => {
        const topic = await ask(
          ctx,
          'openai/gpt-4.1-mini',
          `Name the topic of: ${data.subject}. ${data.text}`,
        );
        ctx.emit(Sorted.v1, { subject: data.subject, topic });
      },
    },
  },
  {
    definition: answer,
    handler: {
      handle: async ({ data }: MessageOf<typeof answer>, ctx: StageContext): Promise<object> => ({
        subject: data.subject,
        text: await ask(ctx, 'anthropic/claude-haiku-4-5', `Answer a letter about ${data.topic}`),
      }),
    },
  },
] as unknown as readonly RegisteredStage[];

async function ask(ctx: StageContext, model: `${string}/${string}`, prompt: string): Promise<string> {
  const { text } = await generateText({
    model: ctx.model(model, { step: 'ask' }),
    prompt,
    maxOutputTokens: 400,
    maxRetries: 0,
    abortSignal: ctx.signal,
  });
  return text;
}

function tell(news: BatchHostNews): void {
  process.send?.(news);
}

/** All that a client does to have its batch run. Every step may have been made by a process before this one. */
async function submit(host: Host): Promise<string> {
  const intake = host.service(BatchIntake);
  const operator = { actor: 'test' };
  const request = createBatchSchema.parse({
    name: 'letters-1',
    team: 'blue',
    customer: 'acme',
    feature: 'letters',
    pipeline: 'letters',
    settings: { chunk: { items: chunkItems, inFlight: 4 }, success: { threshold: 90 } },
  });
  const { batch } = await intake.create(request, operator);
  if (batch.uploadState !== 'complete') {
    await intake.upload(
      batch.id,
      {
        format: 'jsonl',
        encoding: 'identity',
        query: uploadQuerySchema.parse({}),
        bytes: Readable.from([readFileSync(input)]),
      },
      {},
    );
  }
  await intake.start(batch.id, 'a test', operator);
  return batch.id;
}

async function untilOver(host: Host, id: string): Promise<BatchDocument> {
  const service = host.service(BatchService);
  const openCalls = {
    name: 'test.open_calls',
    text: "select count(*)::int as open from millrace.calls where state = 'reserved'",
  };
  for (;;) {
    const batch = await service.show(id, {});
    const { rows } = await host.stores.database.query<{ readonly open: number }>(openCalls);
    if (batch.endedAt !== undefined && rows[0]?.open === 0) return batch;
    await sleep(50);
  }
}

async function writeOutput(host: Host, id: string): Promise<void> {
  const { stream } = await host.service(BatchFiles).output(id, {}, { isPartial: false });
  await pipeline(stream, createWriteStream(join(directory, outputFile)));
}

/** The simulated provider answers another attempt in other words, as a model does; here it must not, or no two runs could be compared. */
function fetchWithoutAttempts(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return (resource, init) => {
    const headers = new Headers(init?.headers);
    headers.delete('x-millrace-attempt');
    return fetch(resource, { ...init, headers });
  };
}

globalThis.fetch = fetchWithoutAttempts(globalThis.fetch);
preferShortRun();
const host = await Host.open({
  configuration: loadConfiguration({
    environment: {},
    options: {
      dataDirectory: directory,
      ...(services === undefined
        ? {}
        : {
            ledger: { url: services.ledgerUrl },
            queue: { url: services.queueUrl },
            columnStore: services.columnStore,
          }),
      models: {
        providers: {
          openai: {
            kind: 'openai',
            apiKey: 'simulated',
            identify: true,
            baseUrl: `${simulatorUrl}/openai/v1`,
          },
          anthropic: {
            kind: 'anthropic',
            apiKey: 'simulated',
            identify: true,
            baseUrl: `${simulatorUrl}/anthropic/v1`,
          },
        },
      },
    },
  }),
  logger: silentLogger,
});
process.on('SIGTERM', () => void host.stop().then(() => process.exit(0)));
// The test is gone: nothing is left to work for.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
await host.start(stages);
// The next process need not compile all this again.
flushCompileCache();
tell({ kind: 'working' });
if (submits) {
  const id = await submit(host);
  const batch = await untilOver(host, id);
  await writeOutput(host, id);
  tell({ kind: 'over', batch });
}
