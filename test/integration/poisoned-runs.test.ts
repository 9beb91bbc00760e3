import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type MessageOf, Stage, type StageContext, defineMessage, defineStage } from '../../src/millrace.ts';
import { TestKit } from '../../src/testing.ts';

/* Runs that fail in odd ways, and stages that feed themselves: each ends as a dead letter with the true reason. */

let kit: TestKit;

beforeAll(async () => {
  kit = await TestKit.create({ providers: [ThrowerStage, PingStage, PongStage, SortStage, InOrderStage] });
});

afterAll(() => kit.close());

const origin = { team: 'blue', customer: 'acme', feature: 'search' };

const Thrown = defineMessage('thrown').version(1, z.object({ what: z.string() }));
const thrower = defineStage('thrower', {
  consumes: Thrown.upTo(1),
  retry: { maxAttempts: 2, backoff: ['1s'], jitter: 0 },
});

const thrown: Readonly<Record<string, () => unknown>> = {
  cycle: () => {
    const error = new Error('the request failed');
    error.cause = { request: { error } };
    return error;
  },
  bigint: () => new Error('the request failed', { cause: { bytes: 1n } }),
  getter: () =>
    Object.defineProperty(new Error('the request failed'), 'cause', {
      get: () => {
        throw new Error('unreadable');
      },
    }),
  nothing: () => undefined,
};

@Stage(thrower)
class ThrowerStage {
  handle({ data }: MessageOf<typeof thrower>) {
    throw thrown[data.what]?.();
  }
}

it.each(Object.keys(thrown))('records a thrown %s as the attempt that it is', async (what) => {
  const { messageIds } = await kit.millrace.admit(Thrown.v1, { what }, { origin });
  await kit.runDue();
  const [first] = (await kit.look(messageIds)).messages;
  expect(first).toMatchObject({ state: 'pending', attempts: 1 });
  await kit.advance(2000);
  const [message] = (await kit.look(messageIds)).messages;
  expect(message).toMatchObject({
    state: 'dead_lettered',
    attempts: 2,
    errorCode: 'MILLRACE_STAGE_FAILED',
  });
});

const Ping = defineMessage('ping').version(1, z.object({}));
const Pong = defineMessage('pong').version(1, z.object({}));
const ping = defineStage('ping', { consumes: Ping.upTo(1), emits: [Pong.v1] });
const pong = defineStage('pong', { consumes: Pong.upTo(1), emits: [Ping.v1] });

@Stage(ping)
class PingStage {
  handle(_message: MessageOf<typeof ping>, ctx: StageContext) {
    ctx.emit(Pong.v1, {});
  }
}

@Stage(pong)
class PongStage {
  handle(_message: MessageOf<typeof pong>, ctx: StageContext) {
    ctx.emit(Ping.v1, {});
  }
}

it('stops stages that emit to each other in a circle, with the path in the dead letter', async () => {
  const run = await kit.run(Ping.v1, {}, { origin });
  expect(run.messages).toHaveLength(102);
  const ended = run.messages.filter(({ state }) => state !== 'completed');
  expect(ended).toEqual([
    expect.objectContaining({ state: 'dead_lettered', errorCode: 'MILLRACE_MESSAGE_HOPS_EXCEEDED' }),
  ]);
  const first = 'ping → pong → ping → pong';
  const last = Array.from({ length: 8 }, () => 'ping → pong').join(' → ');
  expect(ended[0]?.error).toBe(
    'MILLRACE_MESSAGE_HOPS_EXCEEDED: The message is 101 emissions away from the admitted message, more than 100: ' +
      `${first} → … 82 more … → ${last}`,
  );
});

const Order = defineMessage('order').version(1, z.object({ key: z.string() }));
const Sorted = defineMessage('sorted').version(1, z.object({ key: z.string() }));
const sort = defineStage('sort', { consumes: Order.upTo(1), emits: [Sorted.v1] });
const inOrder = defineStage('in-order', { consumes: Sorted.upTo(1), orderBy: ({ data }) => data.key });

@Stage(sort)
class SortStage {
  handle({ data }: MessageOf<typeof sort>, ctx: StageContext) {
    ctx.emit(Sorted.v1, { key: data.key });
  }
}

@Stage(inOrder)
class InOrderStage {
  handle() {
    return 'done';
  }
}

it('gives up a message whose emission has a key that cannot be stored, at once and alone', async () => {
  const [bad, good] = await Promise.all(
    ['caf\ud83d', 'café'].map((key) => kit.millrace.admit(Order.v1, { key }, { origin })),
  );
  await kit.runDue();
  expect((await kit.look(bad?.messageIds ?? [])).messages).toEqual([
    expect.objectContaining({ state: 'dead_lettered', attempts: 1, errorCode: 'MILLRACE_MESSAGE_INVALID' }),
  ]);
  expect((await kit.look(good?.messageIds ?? [])).messages.map(({ state }) => state)).toEqual([
    'completed',
    'completed',
  ]);
});
