import { rm } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import { Stage } from '../../src/engine/pipeline/stage.decorator.ts';
import { defineStage, type MessageOf } from '../../src/engine/pipeline/stage-definition.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { createMillraceApp, type MillraceApp } from '../../src/host/create-millrace-app.ts';
import { Host } from '../../src/host/host.ts';
import type { ApiScope } from '../../src/http/api-key-identity.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { newHostDirectory } from './migrated-columns.ts';

/* A host with one pipeline, "greetings", whose stages do what the data says. */

const Asked = defineMessage('greeting.asked').version(
  1,
  z.strictObject({
    name: z.string().min(1),
    /** How many answers there are. */
    copies: z.int().optional(),
    /** Of each answer. */
    bytes: z.int().optional(),
    fails: z.boolean().optional(),
    /** It is not answered before the test lets it. */
    waits: z.boolean().optional(),
  }),
);
const Worded = defineMessage('greeting.worded').version(1, z.object({ text: z.string() }));
const Answered = defineMessage('greeting.answered').version(1, z.object({ text: z.string() }));

const word = defineStage('word', {
  consumes: Asked.upTo(1),
  emits: [Worded.v1],
  pipeline: 'greetings',
  retry: { maxAttempts: 1 },
  orderBy: ({ data }) => (data.waits === true ? data.name : undefined),
});
const send = defineStage('send', { consumes: Worded.upTo(1), emits: [Answered.v1], pipeline: 'greetings' });

/** What the handlers of a process did, and may do. */
export class Greeter {
  readonly begun: string[] = [];
  readonly aborted: string[] = [];
  #held = new Map<string, () => void>();

  /** Lets a handler go on that waits. */
  release(name: string): void {
    this.#held.get(name)?.();
    this.#held.delete(name);
  }

  async hold(name: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#held.set(name, resolve);
    signal.addEventListener('abort', () => {
      this.aborted.push(name);
      reject(signal.reason as Error);
    });
    await promise;
  }
}

/** The stages as providers of an application. */
function stagesOf(greeter: Greeter) {
  @Injectable()
  @Stage(word)
  class WordStage {
    async handle({ data }: MessageOf<typeof word>, context: StageContext): Promise<void> {
      greeter.begun.push(data.name);
      if (data.waits === true) await greeter.hold(data.name, context.signal);
      if (data.fails === true)
        throw new AppError('MILLRACE_STAGE_FAILED', 'it cannot be worded', { retryable: false });
      for (let copy = 1; copy <= (data.copies ?? 1); copy += 1)
        context.emit(Worded.v1, { text: `Hello ${data.name} ${copy}${'!'.repeat(data.bytes ?? 0)}` });
    }
  }
  @Injectable()
  @Stage(send)
  class SendStage {
    handle({ data }: MessageOf<typeof send>, context: StageContext): void {
      context.emit(Answered.v1, data);
    }
  }
  return [WordStage, SendStage];
}

export interface RequestHost {
  readonly app: MillraceApp;
  readonly host: Host;
  readonly url: string;
  readonly greeter: Greeter;
  newKey(scopes: readonly ApiScope[], parts?: Partial<Parameters<ApiKeys['create']>[0]>): Promise<string>;
  close(): Promise<void>;
}

export async function openRequestHost(config: ConfigurationInput = {}): Promise<RequestHost> {
  const directory = config.dataDirectory ?? (await newHostDirectory('mr-requests-'));
  const greeter = new Greeter();
  const app = await createMillraceApp({
    environment: {},
    config: { http: { port: 0 }, ...config, dataDirectory: directory },
    logger: silentLogger,
    providers: stagesOf(greeter),
    signals: false,
    progress: false,
  });
  const host = app.nest.get(Host);
  return {
    app,
    host,
    url: String(app.url),
    greeter,
    newKey: async (scopes, parts = {}) =>
      (await host.service(ApiKeys).create({ name: 'test', scopes, ...parts })).key,
    close: async () => {
      await app.close();
      if (config.dataDirectory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}
