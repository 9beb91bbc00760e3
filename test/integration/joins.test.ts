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

const Asked = defineMessage('joins.asked').version(
  1,
  z.object({ people: z.number(), quorum: z.number().optional(), otherwise: z.boolean().optional() }),
);
const Approved = defineMessage('joins.approved').version(1, z.object({ by: z.string() }));
const Decided = defineMessage('joins.decided').version(1, z.object({}));

const tokens: string[] = [];
let failsOnce = false;
const ask = defineStage('ask', { consumes: Asked.upTo(1), emits: [Approved.v1], joins: [Decided.v1], retry });
@Stage(ask)
class AskStage {
  async handle({ data: { people, quorum, otherwise } }: MessageOf<typeof ask>, ctx: StageContext) {
    const of: Emitted[] = [];
    for (let person = 0; person < people; person += 1) {
      const wait = await ctx.waitFor(Approved.v1, {
        timeout: '2d',
        note: `person ${person}`,
        ...(otherwise === true ? { otherwise: { by: 'nobody' } } : {}),
      });
      tokens.push(wait.token);
      of.push(wait);
    }
    if (failsOnce && ctx.attempt === 1) throw new Error('once more');
    ctx.join(Decided.v1, {}, { of, ...(quorum === undefined ? {} : { quorum }) });
  }
}

const approve = defineStage('approve', { consumes: Approved.upTo(1), orderBy: ({ data }) => data.by });
@Stage(approve)
class ApproveStage {
  handle({ data }: MessageOf<typeof approve>) {
    return data.by;
  }
}

const decide = defineStage('decide', { consumes: Decided.upTo(1) });
@Stage(decide)
class DecideStage {
  async handle(_: MessageOf<typeof decide>, ctx: StageContext) {
    const said: unknown[] = [];
    for await (const { state, errorCode, results } of ctx.joined ?? [])
      said.push(state === 'succeeded' ? results[0] : (errorCode ?? state));
    return said as string[];
  }
}

const origin = { team: 'blue', customer: 'acme', feature: 'search' };

describe('a stage that waits for what its parent emitted', () => {
  let kit: TestKit;
  beforeAll(async () => {
    kit = await TestKit.create({
      providers: [SplitStage, ReadStage, LookStage, MergeStage, AskStage, ApproveStage, DecideStage],
    });
  });
  afterAll(() => kit.close());
  beforeEach(() => {
    merges.length = 0;
    tokens.length = 0;
    failsOnce = false;
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

  const asked = async (data: { people: number; quorum?: number; otherwise?: boolean }) => {
    const { messageIds } = await kit.millrace.admit(Asked.v1, data, { origin });
    await kit.runDue();
    return messageIds;
  };
  const service = () => kit.millrace.waits;
  const complete = async (token: string, data: object, team?: string) => {
    const done = await service().complete(token, { data, reason: 'x' }, { actor: 'ann', team });
    await kit.runDue();
    return done;
  };
  const decided = async (ids: readonly string[]) =>
    (await kit.look(ids)).messages.find(({ stage }) => stage === 'decide')?.result;

  it('waits for people, who say each once what is asked', async () => {
    const ids = await asked({ people: 3, quorum: 2 });
    const [one = '', two = '', three = ''] = tokens;
    const { waits, next } = await service().list({}, { limit: 2 });
    expect(waits[0]).toMatchObject({ stage: 'approve', type: 'joins.approved', onExpiry: 'dead_letter' });
    const rest = await service().list({ team: 'blue' }, { limit: 2, after: next });
    expect([...waits, ...rest.waits].map(({ note = '' }) => note).toSorted()).toEqual([
      'person 0',
      'person 1',
      'person 2',
    ]);
    await expect(complete(one, { by: 7 })).rejects.toMatchObject({ code: 'MILLRACE_MESSAGE_INVALID' });
    await expect(complete(one, { by: 'ann' }, 'red')).rejects.toMatchObject({
      code: 'MILLRACE_WAIT_NOT_FOUND',
    });
    await expect(complete(`${one}x`, {})).rejects.toMatchObject({ code: 'MILLRACE_WAIT_NOT_FOUND' });
    expect((await service().list({ team: 'red' }, { limit: 9 })).waits).toEqual([]);
    expect(await complete(one, { by: 'ann' }, 'blue')).toMatchObject({ stage: 'approve' });
    await expect(complete(one, { by: 'ann' })).rejects.toMatchObject({
      code: 'MILLRACE_WAIT_ENDED',
      message: 'The wait was completed.',
    });
    expect(await decided(ids)).toBeUndefined();
    const both = await Promise.allSettled([complete(two, { by: 'bob' }), complete(two, { by: 'bob' })]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await kit.runDue();
    expect(await decided(ids)).toEqual(['ann', 'bob', 'open']);
    await complete(three, { by: 'eve' });
  });

  it('is given up, or goes on with data of its own, when nobody says anything in time', async () => {
    const dead = await asked({ people: 1 });
    const sound = await asked({ people: 1, otherwise: true });
    await kit.advance(2 * 86_400_000 - 60_000);
    expect([await decided(dead), await decided(sound)]).toEqual([undefined, undefined]);
    await kit.advance(120_000);
    expect([await decided(dead), await decided(sound)]).toEqual([['MILLRACE_WAIT_EXPIRED'], ['nobody']]);
    await expect(complete(tokens[0] ?? '', { by: 'late' })).rejects.toMatchObject({
      code: 'MILLRACE_WAIT_ENDED',
      message: 'The wait has expired.',
    });
  });

  it('takes the token of an attempt that failed, but not before the message waits', async () => {
    failsOnce = true;
    const ids = await asked({ people: 1 });
    await expect(complete(tokens[0] ?? '', { by: 'ann' })).rejects.toMatchObject({
      code: 'MILLRACE_WAIT_NOT_READY',
    });
    await kit.advance(600_000);
    expect(new Set(tokens).size).toBe(2);
    await complete(tokens[0] ?? '', { by: 'ann' });
    expect(await decided(ids)).toEqual(['ann']);
  });
});
