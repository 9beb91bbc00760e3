import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AppError } from '../../src/kernel/app-error.ts';
import { type MessageOf, Stage, type StageContext, defineMessage, defineStage } from '../../src/millrace.ts';
import { ScriptedModel, TestKit } from '../../src/testing.ts';

/*
 * What a schema accepts in code and JSON does not carry: refused at admission with its path, and fatal to the message that emits
 * or returns it, at once and with the path in its dead letter.
 */

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

const cycle: { self?: unknown } = {};
cycle.self = cycle;

/** Of which fields is complained, and the data. */
const odd: Readonly<Record<string, readonly [field: string | RegExp, data: unknown]>> = {
  'a Date where the schema wants one': ['data.at', { at: new Date(0) }],
  'a date that is none': ['data.value', { value: new Date(Number.NaN) }],
  'a BigInt': ['data.value', { value: 1n }],
  'a Map': ['data.value', { value: new Map([['a', 1]]) }],
  'undefined in an array': ['data.value.1', { value: [1, undefined, 3] }],
  NaN: ['data.value', { value: Number.NaN }],
  '5,000 levels': [/data\.value(\.0)+/, { value: nested(5000) }],
  'a cycle': ['data.value.self', { value: cycle }],
  'a getter that throws': [
    'data',
    {
      get value(): never {
        throw new Error('unreadable');
      },
    },
  ],
};

const data = z.object({ at: z.date().optional(), value: z.unknown() });
const Odd = defineMessage('odd').version(1, data);
const Asked = defineMessage('asked').version(1, z.object({ what: z.string() }));
const Returned = defineMessage('returned').version(1, z.object({ what: z.string() }));
const Waiting = defineMessage('waiting').version(1, z.object({ what: z.string() }));

const keep = defineStage('keep', { consumes: Odd.upTo(1) });
const retry = { maxAttempts: 3, backoff: ['1s'], jitter: 0 } as const;
const emitting = defineStage('emitting', { consumes: Asked.upTo(1), emits: [Odd.v1], retry });
const returning = defineStage('returning', { consumes: Returned.upTo(1), retry });
const waiting = defineStage('waiting', { consumes: Waiting.upTo(1), retry });

@Stage(keep)
class KeepStage {
  handle() {
    return 'kept';
  }
}

@Stage(emitting)
class EmittingStage {
  handle({ data: { what } }: MessageOf<typeof emitting>, ctx: StageContext) {
    ctx.emit(Odd.v1, odd[what]?.[1] as never);
  }
}

@Stage(returning)
class ReturningStage {
  handle({ data: { what } }: MessageOf<typeof returning>) {
    const given = odd[what]?.[1];
    return typeof given === 'object' && given !== null && 'value' in given ? given.value : undefined;
  }
}

const waits: Readonly<Record<string, number>> = {
  'for ever': Infinity,
  'for no time': Number.NaN,
  'for a hundred years': 100 * 365 * 24 * 3_600_000,
  'until yesterday': -86_400_000,
};

@Stage(waiting)
class WaitingStage {
  handle({ data: { what } }: MessageOf<typeof waiting>) {
    throw new AppError('MILLRACE_MODEL_RATE_LIMITED', 'not now', { retryAfterMs: waits[what] ?? 0 });
  }
}

const origin = { team: 'blue', customer: 'acme', feature: 'search' };
let kit: TestKit;

beforeAll(async () => {
  kit = await TestKit.create({
    providers: [KeepStage, EmittingStage, ReturningStage, WaitingStage],
    models: { 'openai/gpt-5-mini': new ScriptedModel([]) },
  });
});
afterAll(() => kit.close());

describe.each(Object.keys(odd))('%s', (what) => {
  const [field, value] = odd[what] ?? ['', undefined];

  it('is refused at admission with its path', async () => {
    const refusal: unknown = await kit.millrace
      .admit(Odd.v1, value as never, { origin })
      .catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(AppError);
    expect(refusal).toMatchObject({ code: 'MILLRACE_MESSAGE_INVALID', status: 422 });
    expect((refusal as AppError).faults[0]?.field).toMatch(field);
  });

  it('makes its message a dead letter at once when it is emitted, with its path', async () => {
    const run = await kit.run(Asked.v1, { what }, { origin });
    expect(run.messages).toEqual([
      expect.objectContaining({ state: 'dead_lettered', attempts: 1, errorCode: 'MILLRACE_MESSAGE_INVALID' }),
    ]);
    expect(run.error).toMatch(field);
  });
});

it.each(['a BigInt', 'a cycle'])('ends the message that returns %s at once, with the path', async (what) => {
  const run = await kit.run(Returned.v1, { what }, { origin });
  expect(run.messages).toEqual([
    expect.objectContaining({ state: 'dead_lettered', attempts: 1, errorCode: 'MILLRACE_MESSAGE_INVALID' }),
  ]);
  expect(run.error).toContain('result');
});

it.each(Object.keys(waits))('counts an attempt whose error wants to wait %s', async (what) => {
  const { messageIds } = await kit.millrace.admit(Waiting.v1, { what }, { origin });
  await kit.runDue();
  const [message] = (await kit.look(messageIds)).messages;
  expect(message).toMatchObject({ state: 'pending', attempts: 1 });
});
