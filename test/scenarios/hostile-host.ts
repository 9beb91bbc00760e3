import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { generateText, streamText } from 'ai';
import { z } from 'zod';
import type * as Face from '../../src/millrace.ts';

/*
 * The host of the hostile provider's test, in a process of its own: the built package with one stage, embedded. Takes the
 * built command's path and its configuration file; is told over its channel how much to admit, and tells when that has ended.
 */

/** What is to be admitted: message n asks `models[n % models.length]`, and half of those as a stream. */
export interface HostileWork {
  readonly batch: string;
  readonly messages: number;
  readonly models: readonly string[];
}

export type HostileNews = { readonly url: string } | { readonly ended: string };

const [command = '', configFile = ''] = process.argv.slice(2);
const built = pathToFileURL(join(dirname(command), '..', 'millrace.js')).href;
const { createMillraceApp, defineMessage, defineStage, Stage } = (await import(built)) as typeof Face;

const Question = defineMessage('question').version(
  1,
  z.object({ model: z.string(), prompt: z.string(), isStreamed: z.boolean() }),
);
const Answered = defineMessage('answered').version(1, z.object({ text: z.string() }));
const ask = defineStage('ask', {
  consumes: Question.v1,
  emits: [Answered.v1],
  concurrency: 16,
  retry: { maxAttempts: 3, backoff: ['20ms'], jitter: 0 },
  invalidOutput: { maxAttempts: 2, backoff: ['20ms'] },
});

class AskStage {
  async handle({ data }: Face.MessageOf<typeof ask>, ctx: Face.StageContext): Promise<void> {
    const request = {
      model: ctx.model(data.model, { step: 'ask' }),
      prompt: data.prompt,
      maxOutputTokens: 2000,
      maxRetries: 0,
      abortSignal: ctx.signal,
    };
    const text = data.isStreamed
      ? await streamText({ ...request, onError: () => undefined }).text
      : (await generateText(request)).text;
    ctx.emit(Answered.v1, { text });
  }
}
Stage(ask)(AskStage);

const app = await createMillraceApp({
  configFile,
  environment: {},
  providers: [AskStage],
  signals: false,
});

async function run({ batch, messages, models }: HostileWork): Promise<void> {
  const origin = { team: 'blue', customer: 'acme', feature: 'hostile', batch };
  for (let start = 0; start < messages; start += 100) {
    const some = Array.from({ length: Math.min(100, messages - start) }, (_, offset) => start + offset);
    await Promise.all(
      some.map((n) =>
        app.millrace.admit(
          Question.v1,
          {
            model: models[n % models.length] ?? '',
            prompt: `Question ${n} of ${batch}: what is the use of a mill?`,
            isStreamed: Math.floor(n / models.length) % 2 === 1,
          },
          { origin, id: `${batch}-${n}` },
        ),
      ),
    );
  }
  while (!(await app.millrace.isIdle())) await sleep(50);
  await app.millrace.flushUsage();
}

process.on('message', (work: HostileWork) => {
  void run(work).then(() => process.send?.({ ended: work.batch } satisfies HostileNews));
});
process.once('SIGTERM', () => {
  void app.close().then(() => process.disconnect());
});
// The test is gone, or all is closed.
process.once('disconnect', () => process.exit());
process.send?.({ url: app.url ?? '' } satisfies HostileNews);
