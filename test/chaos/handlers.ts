import { embedMany, generateText, isStepCount, Output, streamText, tool } from 'ai';
import { z } from 'zod';
import type { MessageOf } from '../../src/engine/pipeline/stage-definition.ts';
import type { Emitted } from '../../src/engine/pipeline/emitted.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { oddErrorOf } from './odd-errors.ts';
import { digestOfOdd, type OddData } from './odd-input.ts';
import * as letters from './batch-workload.ts';
import * as work from './workload.ts';

/* The handlers of a chaos run: ordinary stages over the AI SDK, whose results and emissions carry what they saw. */

interface Result {
  readonly cause: string;
  /** What the handler saw of the odd data that was sent. */
  readonly odd: string;
}

/** Fails once, or always, after the answer is recorded: what follows must not pay for it again. */
function throwInAStorm(stage: string, key: string, ctx: StageContext): void {
  const isThrown = (ctx.attempt === 1 && work.isStormy(key)) || work.isCursed(stage, key);
  if (isThrown) throw oddErrorOf(key);
}

/** What is passed on to those who follow, as it came. */
function oddOf({ odd }: { readonly odd?: OddData | undefined }): { readonly odd?: OddData } {
  return odd === undefined ? {} : { odd };
}

async function triage({ data }: MessageOf<typeof work.triage>, ctx: StageContext): Promise<Result> {
  const { text } = await generateText({
    model: ctx.model('openai/gpt-5-mini', { step: 'triage' }),
    prompt: `What is this ticket about?\n${data.text}`,
    maxOutputTokens: 1500,
    abortSignal: ctx.signal,
  });
  throwInAStorm('triage', data.key, ctx);
  const cause = work.causeOf(text);
  ctx.emit(work.Triaged.v1, { key: data.key, index: 0, cause, text, ...oddOf(data) });
  for (let index = 0; index < data.parts; index += 1) {
    ctx.emit(work.Part.v1, {
      key: `${data.key}/${index}`,
      index,
      cause,
      text: `part ${index} of ${text.slice(0, 200)}`,
      ...oddOf(data),
    });
  }
  return { cause, odd: digestOfOdd(data.odd) };
}

async function answer({ data }: MessageOf<typeof work.answer>, ctx: StageContext): Promise<Result> {
  const stream = streamText({
    model: ctx.model('anthropic/claude-haiku-4-5', { step: 'answer' }),
    prompt: `Answer ${data.key} politely.\n${data.text}`,
    maxOutputTokens: 300,
    abortSignal: ctx.signal,
    // The handler hears of it from the text that never comes.
    onError: () => undefined,
  });
  const text = await stream.text;
  throwInAStorm('answer', data.key, ctx);
  const cause = work.causeOf(text);
  ctx.emit(work.Answered.v1, { key: data.key, index: 0, cause, text, ...oddOf(data) });
  return { cause, odd: digestOfOdd(data.odd) };
}

async function index({ data }: MessageOf<typeof work.indexing>, ctx: StageContext): Promise<Result> {
  const { embeddings } = await embedMany({
    model: ctx.embeddingModel('openai/text-embedding-3-small', { step: 'index' }),
    values: [
      data.key,
      `${data.key} in full: ${data.text}`,
      `${data.key} in short: ${data.text.slice(0, 40)}`,
    ],
    maxRetries: 0,
    abortSignal: ctx.signal,
  });
  throwInAStorm('index', data.key, ctx);
  const cause = work.causeOf(...embeddings.map((vector) => JSON.stringify(vector.slice(0, 8))));
  return { cause, odd: digestOfOdd(data.odd) };
}

async function enrich({ data }: MessageOf<typeof work.enrich>, ctx: StageContext): Promise<Result> {
  const { text, steps } = await generateText({
    model: ctx.model('chat/gpt-4o-mini', { step: 'research' }),
    prompt: `Look up what is needed for ${data.key}: ${data.text}`,
    maxOutputTokens: 200,
    tools: {
      lookUp: tool({
        description: 'Looks a topic up.',
        inputSchema: z.object({ topic: z.string() }),
        execute: ({ topic }) => ({ found: `All there is about ${topic} of ${data.key}` }),
      }),
    },
    stopWhen: isStepCount(3),
    abortSignal: ctx.signal,
  });
  throwInAStorm('enrich', data.key, ctx);
  const cause = work.causeOf(text, String(steps.length));
  ctx.emit(work.Enriched.v1, { key: data.key, index: 0, cause, text, ...oddOf(data) });
  return { cause, odd: digestOfOdd(data.odd) };
}

async function outline({ data }: MessageOf<typeof work.outline>, ctx: StageContext): Promise<Result> {
  const plan = await generateText({
    model: ctx.model('openai/gpt-5-nano', { step: 'plan' }),
    prompt: `Plan a report.\n${data.text}`,
    maxOutputTokens: 1500,
    abortSignal: ctx.signal,
  });
  throwInAStorm('outline', data.key, ctx);
  const review = await generateText({
    model: ctx.model('anthropic/claude-sonnet-4-5', { step: 'review' }),
    prompt: `Review the plan of ${data.key}: ${plan.text}`,
    maxOutputTokens: 200,
    abortSignal: ctx.signal,
  });
  const cause = work.causeOf(plan.text, review.text);
  const keyOfSections = work.isGuilty(data.key) ? `${data.key}\ud83d` : data.key;
  const of: Emitted[] = [];
  for (let at = 0; at < data.parts; at += 1) {
    const section = { key: `${keyOfSections}/${at}`, index: at, cause, text: review.text, ...oddOf(data) };
    of.push(ctx.emit(work.Section.v1, section));
  }
  if (work.isBound(data)) {
    const text = 'a leaf';
    for (let at = 0; at < work.leavesOf(data.key); at += 1)
      of.push(
        ctx.emit(work.Leaf.v1, { key: `${data.key}/leaf-${at}`, index: at, cause, text, ...oddOf(data) }),
      );
    const quorum = work.quorumOf(data.key, of.length);
    const bound = { key: `${data.key}/bound`, index: 0, cause, text, ...oddOf(data) };
    ctx.join(work.Bound.v1, bound, { of, ...(quorum === undefined ? {} : { quorum }) });
  }
  return { cause, odd: digestOfOdd(data.odd) };
}

function turn({ data }: MessageOf<typeof work.turn>, ctx: StageContext): Result {
  throwInAStorm('turn', data.key, ctx);
  return { cause: work.causeOf(data.key), odd: digestOfOdd(data.odd) };
}

/** Says what it found of those for which it waited. */
async function bind(
  { data }: MessageOf<typeof work.bind>,
  ctx: StageContext,
): Promise<Result & { readonly joined: readonly string[] }> {
  const joined: string[] = [];
  for await (const { id, state } of ctx.joined ?? []) joined.push(`${id} ${state}`);
  throwInAStorm('bind', data.key, ctx);
  return { cause: work.causeOf(...joined), odd: digestOfOdd(data.odd), joined };
}

const paragraph = z.object({ title: z.string(), body: z.string() });

async function write({ data }: MessageOf<typeof work.write>, ctx: StageContext): Promise<Result> {
  const { output } = await generateText({
    model: ctx.model('openai/gpt-4.1-mini', { step: 'write' }),
    prompt: `Write section ${data.key}: ${data.text}`,
    output: Output.object({ schema: paragraph }),
    maxOutputTokens: 300,
    abortSignal: ctx.signal,
  });
  throwInAStorm('write', data.key, ctx);
  const cause = work.causeOf(output.title, output.body);
  ctx.emit(work.Written.v1, { key: data.key, index: 0, cause, text: output.body, ...oddOf(data) });
  return { cause, odd: digestOfOdd(data.odd) };
}

async function sort({ data }: MessageOf<typeof letters.sort>, ctx: StageContext): Promise<Result> {
  const { provider, model, maxOutputTokens } = letters.sortQuestion;
  const { text } = await generateText({
    model: ctx.model(`${provider}/${model}`, { step: 'sort' }),
    prompt: letters.promptOfSort(data),
    maxOutputTokens,
    abortSignal: ctx.signal,
  });
  throwInAStorm('sort', data.key, ctx);
  const cause = work.causeOf(text);
  ctx.emit(letters.Sorted.v1, { key: data.key, text, index: 0, cause });
  return { cause, odd: digestOfOdd(undefined) };
}

async function reply({ data }: MessageOf<typeof letters.reply>, ctx: StageContext): Promise<Result> {
  const { provider, model, maxOutputTokens } = letters.replyQuestion;
  const { text } = await generateText({
    model: ctx.model(`${provider}/${model}`, { step: 'reply' }),
    prompt: letters.promptOfReply(data),
    maxOutputTokens,
    abortSignal: ctx.signal,
  });
  throwInAStorm('reply', data.key, ctx);
  const cause = work.causeOf(text);
  ctx.emit(letters.Replied.v1, { key: data.key, text, index: 0, cause });
  return { cause, odd: digestOfOdd(undefined) };
}

/** Which of the workload's releases a host runs: the second one accepts and sends newer tickets. */
export type Release = 1 | 2;

/** All stages of the workload with their handlers. */
export function stagesOf(release: Release): readonly RegisteredStage[] {
  return [
    { definition: release === 1 ? work.triage : work.triageOfRelease2, handler: { handle: triage } },
    { definition: work.answer, handler: { handle: answer } },
    { definition: work.indexing, handler: { handle: index } },
    { definition: work.enrich, handler: { handle: enrich } },
    { definition: work.outline, handler: { handle: outline } },
    { definition: work.write, handler: { handle: write } },
    { definition: work.turn, handler: { handle: turn } },
    { definition: work.bind, handler: { handle: bind } },
    { definition: letters.sort, handler: { handle: sort } },
    { definition: letters.reply, handler: { handle: reply } },
  ] as unknown as readonly RegisteredStage[];
}
