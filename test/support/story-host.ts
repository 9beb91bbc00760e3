import { rm } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
} from '@ai-sdk/provider';
import { streamText } from 'ai';
import { z } from 'zod';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { Stage } from '../../src/engine/pipeline/stage.decorator.ts';
import { defineStage, type MessageOf } from '../../src/engine/pipeline/stage-definition.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { createMillraceApp, type MillraceApp } from '../../src/host/create-millrace-app.ts';
import { Host } from '../../src/host/host.ts';
import type { ApiScope } from '../../src/http/api-key-identity.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { newHostDirectory } from './migrated-columns.ts';

/* A host with one pipeline, "stories", whose stage streams and publishes what a model says that the test writes. */

const Wanted = defineMessage('story.wanted').version(1, z.strictObject({ about: z.string().min(1) }));
const Told = defineMessage('story.told').version(1, z.object({ text: z.string() }));

const tell = defineStage('tell', {
  consumes: Wanted.upTo(1),
  emits: [Told.v1],
  pipeline: 'stories',
  retry: { maxAttempts: 2, backoff: ['10ms'], jitter: 0 },
});

/** One answer that is under way, which the test writes. */
export class WrittenAnswer {
  readonly about: string;
  isAborted = false;
  readonly #controller: ReadableStreamDefaultController<LanguageModelV4StreamPart>;

  constructor(about: string, controller: ReadableStreamDefaultController<LanguageModelV4StreamPart>) {
    this.about = about;
    this.#controller = controller;
    controller.enqueue({ type: 'stream-start', warnings: [] });
    controller.enqueue({ type: 'text-start', id: 't' });
  }

  write(delta: string): void {
    this.#controller.enqueue({ type: 'text-delta', id: 't', delta });
  }

  think(text: string): void {
    this.#controller.enqueue({ type: 'reasoning-start', id: 'r' });
    this.#controller.enqueue({ type: 'reasoning-delta', id: 'r', delta: text });
    this.#controller.enqueue({ type: 'reasoning-end', id: 'r' });
  }

  finish(): void {
    this.#controller.enqueue({ type: 'text-end', id: 't' });
    this.#controller.enqueue({
      type: 'finish',
      finishReason: { unified: 'stop', raw: 'stop' },
      usage: {
        inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
        outputTokens: { total: 20, text: 20, reasoning: 0 },
      },
    });
    this.#controller.close();
  }

  /** The connection breaks. */
  break(): void {
    this.#controller.error(new TypeError('fetch failed'));
  }
}

/** A model whose answers a test writes. */
export class WrittenModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider = 'scripted';
  readonly modelId = 'gpt-5-mini';
  readonly supportedUrls = {};
  readonly answers: WrittenAnswer[] = [];

  doGenerate(): never {
    throw new Error('it only streams');
  }

  doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const { abortSignal } = options;
    const asked = JSON.stringify(options.prompt);
    const stream = new ReadableStream<LanguageModelV4StreamPart>({
      start: (controller) => {
        const answer = new WrittenAnswer(asked, controller);
        this.answers.push(answer);
        abortSignal?.addEventListener('abort', () => {
          answer.isAborted = true;
          controller.error(abortSignal.reason);
        });
      },
    });
    return Promise.resolve({ stream });
  }

  /** The latest answer about something. */
  about(what: string): WrittenAnswer | undefined {
    return this.answers.findLast(({ about }) => about.includes(what));
  }
}

class TellStage {
  async handle({ data }: MessageOf<typeof tell>, context: StageContext): Promise<void> {
    context.progress(0.25);
    const { text } = streamText({
      model: context.model('scripted/gpt-5-mini', { step: 'story', publish: true }),
      prompt: data.about,
      abortSignal: context.signal,
      // Thrown by `text` as well.
      onError: () => undefined,
    });
    context.emit(Told.v1, { text: await text });
  }
}

// As calls: benches run this file without a compiler.
Stage(tell)(TellStage);
Injectable()(TellStage);

export interface StoryHost {
  readonly app: MillraceApp;
  readonly host: Host;
  readonly url: string;
  readonly model: WrittenModel;
  newKey(scopes: readonly ApiScope[], parts?: Partial<Parameters<ApiKeys['create']>[0]>): Promise<string>;
  close(): Promise<void>;
}

export async function openStoryHost(
  config: ConfigurationInput = {},
  { model = new WrittenModel(), logger = silentLogger }: { model?: WrittenModel; logger?: Logger } = {},
): Promise<StoryHost> {
  const directory = config.dataDirectory ?? (await newHostDirectory('mr-stories-'));
  const app = await createMillraceApp({
    environment: {},
    config: { http: { port: 0 }, logging: { level: 'silent' }, ...config, dataDirectory: directory },
    logger,
    providers: [TellStage],
    modelProviders: { scripted: { kind: 'custom', model: () => model, priceProvider: 'openai' } },
    signals: false,
    progress: false,
  });
  const host = app.nest.get(Host);
  return {
    app,
    host,
    url: String(app.url),
    model,
    newKey: async (scopes, parts = {}) =>
      (await host.service(ApiKeys).create({ name: 'test', scopes, ...parts })).key,
    close: async () => {
      await app.close();
      if (config.dataDirectory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}
