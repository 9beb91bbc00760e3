import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  AppError,
  type Emitted,
  type JoinOptions,
  type MessageOf,
  Stage,
  type StageContext,
  defineMessage,
  defineStage,
} from '../../src/millrace.ts';
import { TestKit } from '../../src/testing.ts';

const parts = z.object({
  parts: z.array(z.number()),
  quorum: z.number().optional(),
  timeout: z.string().optional(),
  until: z.enum(['branch', 'message']).optional(),
  twice: z.boolean().optional(),
});
const Document = defineMessage('joins.document').version(1, parts);
const Part = defineMessage('joins.part').version(1, z.object({ n: z.number() }));
const Detail = defineMessage('joins.detail').version(1, z.object({ n: z.number() }));
const Said = defineMessage('joins.said').version(1, z.object({ n: z.number(), text: z.string() }));
const Merged = defineMessage('joins.merged').version(1, z.object({ document: z.string() }));
const Stored = defineMessage('joins.stored').version(1, z.object({ results: z.array(z.unknown()) }));

const retry = { maxAttempts: 2, backoff: ['10m'], jitter: 0 } as const;

const split = defineStage('split', { consumes: Document.upTo(1), emits: [Part.v1], joins: [Merged.v1] });
@Stage(split)
class SplitStage {
  handle({ data, id }: MessageOf<typeof split>, ctx: StageContext) {
    const of: readonly Emitted[] = data.parts.map((n) => ctx.emit(Part.v1, { n }));
    const { quorum, timeout, until } = data;
    const options: JoinOptions = {
      of: data.twice === true ? [...of, ...of] : of,
      ...(quorum === undefined ? {} : { quorum }),
      ...(timeout === undefined ? {} : { timeout: timeout as '1m' }),
      ...(until === undefined ? {} : { until }),
    };
    ctx.join(Merged.v1, { document: id }, options);
  }
}

// A part below 0 fails for good, 0 fails once, 10 and above go on in another stage.
const read = defineStage('read', { consumes: Part.upTo(1), emits: [Detail.v1, Said.v1], retry });
@Stage(read)
class ReadStage {
  handle({ data: { n } }: MessageOf<typeof read>, ctx: StageContext) {
    if (n < 0) throw new AppError('MILLRACE_MESSAGE_INVALID', 'no good');
    if (n === 0 && ctx.attempt === 1) throw new Error('once more');
    if (n >= 1000) ctx.emit(Said.v1, { n, text: 'large' });
    else if (n >= 10) ctx.emit(Detail.v1, { n });
    return { n };
  }
}

const look = defineStage('look', { consumes: Detail.upTo(1), retry });
@Stage(look)
class LookStage {
  handle({ data: { n } }: MessageOf<typeof look>, ctx: StageContext) {
    if (ctx.attempt === 1) throw new Error('once more');
    return { looked: n };
  }
}

const merges: { readonly document: string; readonly attempt: number }[] = [];
const merge = defineStage('merge', { consumes: Merged.upTo(1), emits: [Stored.v1], retry });
@Stage(merge)
class MergeStage {
  async handle({ data }: MessageOf<typeof merge>, ctx: StageContext) {
    merges.push({ document: data.document, attempt: ctx.attempt });
    const results: unknown[] = [];
    for await (const { place, state, errorCode, results: said } of ctx.joined ?? [])
      results.push([place, state, errorCode ?? null, said]);
    ctx.emit(Stored.v1, { results });
    const { total, ended, succeeded, failed, releasedBy, isQuorumMet } = ctx.joined ?? {};
    return { total, ended, succeeded, failed, releasedBy, isQuorumMet };
  }
}

const origin = { team: 'blue', customer: 'acme', feature: 'search' };

describe('a stage that waits for what its parent emitted', () => {
  let kit: TestKit;
  beforeAll(async () => {
    kit = await TestKit.create({ providers: [SplitStage, ReadStage, LookStage, MergeStage] });
  });
  afterAll(() => kit.close());
  beforeEach(() => {
    merges.length = 0;
  });

  const run = async (data: z.input<typeof parts>) => {
    const { messageIds } = await kit.millrace.admit(Document.v1, data, { origin });
    await kit.runDue();
    return messageIds;
  };
  const merged = async (ids: readonly string[]) => {
    const all = await kit.look(ids);
    return {
      outcome: all.messages.find(({ stage }) => stage === 'merge')?.result,
      results: all.emitted(Stored.v1)[0]?.results,
    };
  };

  it('runs once with the results and failures in hand, in the order of the emissions', async () => {
    const ids = await run({ parts: [3, -1, 0] });
    expect(merges).toEqual([]);
    await kit.advance(600_000);
    expect(merges).toHaveLength(1);
    expect(await merged(ids)).toEqual({
      outcome: { total: 3, ended: 3, succeeded: 2, failed: 1, releasedBy: 'all', isQuorumMet: false },
      results: [
        [0, 'succeeded', null, [{ n: 3 }]],
        [1, 'failed', 'MILLRACE_MESSAGE_INVALID', []],
        [2, 'succeeded', null, [{ n: 0 }]],
      ],
    });
  });

  it('waits for all that follows from a part, or for the part alone', async () => {
    const whole = await run({ parts: [10, 1000] });
    const alone = await run({ parts: [11], until: 'message' });
    expect(merges.map(({ document }) => document)).toEqual(alone);
    await kit.advance(600_000);
    expect(merges.map(({ document }) => document)).toEqual([...alone, ...whole]);
    expect((await merged(whole)).results).toEqual([
      [0, 'succeeded', null, [{ looked: 10 }]],
      [1, 'succeeded', null, [{ n: 1000, text: 'large' }]],
    ]);
  });

  it('goes on with a quorum, without one that cannot be met, and at its time limit', async () => {
    const quorum = await run({ parts: [1, 2, 0], quorum: 2 });
    const unreachable = await run({ parts: [1, -1, 0], quorum: 3 });
    expect((await merged(quorum)).outcome).toMatchObject({
      releasedBy: 'quorum',
      ended: 2,
      isQuorumMet: true,
    });
    expect((await merged(unreachable)).outcome).toMatchObject({
      releasedBy: 'unreachable',
      isQuorumMet: false,
    });
    const late = await run({ parts: [1, 0], timeout: '1m' });
    await kit.advance(59_000);
    expect((await merged(late)).outcome).toBeUndefined();
    await kit.advance(2000);
    expect((await merged(late)).outcome).toMatchObject({
      releasedBy: 'timeout',
      ended: 1,
      isQuorumMet: false,
    });
    await kit.advance(600_000);
    expect(merges).toHaveLength(3);
  });

  it('has more parts in hand than it reads at once, and none at all', async () => {
    const many = await run({ parts: Array.from({ length: 200 }, (_, index) => (index % 9) + 1) });
    const { outcome, results } = await merged(many);
    expect(outcome).toMatchObject({ total: 200, succeeded: 200, isQuorumMet: true });
    expect((results ?? []).map((one) => (one as [number])[0])).toEqual([...Array(200).keys()]);
    expect((await merged(await run({ parts: [] }))).outcome).toMatchObject({ total: 0, releasedBy: 'all' });
  });

  it('refuses a quorum that no number of parts can meet, and a part that is joined twice', async () => {
    for (const data of [
      { parts: [1], quorum: 2 },
      { parts: [1], twice: true },
    ]) {
      const { messages } = await kit.look(await run(data));
      expect(messages).toHaveLength(1);
      expect(messages[0]?.state).not.toBe('completed');
    }
    await kit.advance(600_000);
    expect(merges).toEqual([]);
  });
});
