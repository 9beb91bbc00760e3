import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as later } from 'node:timers/promises';
import { generateText } from 'ai';
import { z } from 'zod';
import { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import {
  createBatchSchema,
  uploadQuerySchema,
} from '../../src/capabilities/batches/intake/intake-requests.ts';
import { BatchFiles } from '../../src/capabilities/batches/run/batch-files.ts';
import { BatchService } from '../../src/capabilities/batches/run/batch-service.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import { defineStage, type MessageOf } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { firstPrompt, maxOutputTokens, modelId, scriptedModel, secondPrompt } from './asked-models.ts';
import type { BatchBenchOptions, Step, Work } from './orders.ts';

const Letter = defineMessage('letter').version(1, z.object({ subject: z.string(), text: z.string() }));
const Sorted = defineMessage('letter.sorted').version(
  1,
  z.object({ subject: z.string(), topic: z.string() }),
);
const lookEveryMs = 50;
const operator = { actor: 'bench' };

/** A host with every role that runs batches through two stages, each with one metered call by `generateText`. */
export class MillraceBatches {
  readonly #host: Host;
  readonly #options: BatchBenchOptions;
  #batches = 0;
  #batchId = '';
  #ended = 0;

  private constructor(host: Host, options: BatchBenchOptions) {
    this.#host = host;
    this.#options = options;
  }

  static async open(options: BatchBenchOptions): Promise<MillraceBatches> {
    const { directory, simulatorUrl, servers } = options;
    const model = scriptedModel();
    const host = await Host.open({
      configuration: loadConfiguration({
        environment: {},
        options: {
          dataDirectory: directory,
          ...(servers === undefined
            ? {}
            : {
                ledger: { url: servers.postgresUrl },
                queue: { url: servers.redisUrl },
                columnStore: servers.clickHouse,
              }),
          ...(simulatorUrl === undefined
            ? {}
            : {
                models: {
                  providers: {
                    openai: { kind: 'openai', apiKey: 'simulated', baseUrl: `${simulatorUrl}/openai/v1` },
                  },
                },
              }),
        },
      }),
      logger: silentLogger,
      ...(simulatorUrl === undefined
        ? { modelProviders: { openai: { kind: 'custom', model: () => model } } }
        : {}),
    });
    await host.start(stagesOf(options.concurrency));
    return new MillraceBatches(host, options);
  }

  /** How many items of the present batch have ended, as it was last looked at. */
  get ended(): number {
    return this.#ended;
  }

  async step(step: Step, work: Work): Promise<void> {
    switch (step) {
      case 'intake':
        await this.#intake(work);
        break;
      case 'run':
        await this.#run(work);
        break;
      case 'export':
        await this.#host.exporter.drain();
        break;
      case 'output':
        await this.#output();
    }
  }

  async close(): Promise<void> {
    await this.#host.stop();
  }

  async #intake({ input }: Work): Promise<void> {
    const { chunkItems, chunksInFlight } = this.#options;
    const intake = this.#host.service(BatchIntake);
    this.#batches += 1;
    this.#ended = 0;
    const { batch } = await intake.create(
      createBatchSchema.parse({
        name: `letters-${this.#batches}`,
        team: 'bench',
        customer: 'acme',
        feature: 'letters',
        pipeline: 'letters',
        settings: { chunk: { items: chunkItems, inFlight: chunksInFlight } },
      }),
      operator,
    );
    const query = uploadQuerySchema.parse({});
    await intake.upload(
      batch.id,
      { format: 'jsonl', encoding: 'identity', query, bytes: createReadStream(input) },
      {},
    );
    this.#batchId = batch.id;
  }

  async #run({ items }: Work): Promise<void> {
    const service = this.#host.service(BatchService);
    await this.#host.service(BatchIntake).start(this.#batchId, 'a bench', operator);
    for (;;) {
      const { state, cause, items: counted } = await service.show(this.#batchId, {});
      this.#ended = counted.total - counted.open;
      if (state === 'succeeded' && counted.succeeded === items) return;
      if (state !== 'running')
        throw new Error(`the batch is ${state}: ${JSON.stringify({ cause, counted })}`);
      await later(lookEveryMs);
    }
  }

  async #output(): Promise<void> {
    const { stream } = await this.#host.service(BatchFiles).output(this.#batchId, {}, { isPartial: false });
    await pipeline(stream, createWriteStream(join(this.#options.directory, 'batch-output.jsonl')));
  }
}

function stagesOf(concurrency: number): readonly RegisteredStage[] {
  // Each item is in one of the two, so that as many are under way as in the loop.
  const shared = { pipeline: 'letters', concurrency: Math.ceil(concurrency / 2) };
  const sort = defineStage('sort', { consumes: Letter.v1, emits: [Sorted.v1], ...shared });
  const answer = defineStage('answer', { consumes: Sorted.v1, ...shared });
  const ask = async (ctx: StageContext, prompt: string): Promise<string> => {
    const model = ctx.model(`openai/${modelId}`, { step: 'ask' });
    const { text } = await generateText({
      model,
      prompt,
      maxOutputTokens,
      maxRetries: 0,
      abortSignal: ctx.signal,
    });
    return text;
  };
  return [
    {
      definition: sort,
      handler: {
        handle: async ({ data }: MessageOf<typeof sort>, ctx: StageContext): Promise<void> => {
          ctx.emit(Sorted.v1, { subject: data.subject, topic: await ask(ctx, firstPrompt(data)) });
        },
      },
    },
    {
      definition: answer,
      handler: {
        handle: async ({ data }: MessageOf<typeof answer>, ctx: StageContext): Promise<object> => ({
          subject: data.subject,
          text: await ask(ctx, secondPrompt(data.topic)),
        }),
      },
    },
  ] as unknown as readonly RegisteredStage[];
}
