import { describe, expect, it } from 'vitest';
import { MemoryEventLogDriver } from '../../../drivers/event-log/event-log.memory.ts';
import type { LeasedMessage } from '../../../engine/ledger/stored-message.ts';
import type { AttributedCall } from '../../../engine/ledger/attributed-call.ts';
import type { SettledCall } from '../../../engine/ledger/settlement.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { newId } from '../../../kernel/ids.ts';
import { ManualClock } from '../../../kernel/manual-clock.ts';
import { usd } from '../../../kernel/money.ts';
import { newRequestId } from '../../../messages/request-id.ts';
import { EventFold } from './event-fold.ts';
import { RequestEventLog } from './event-log.ts';
import { EventOutlets } from './event-outlets.ts';
import { eventOfEntry, type LoggedEvent, type RequestEvent } from './request-event.ts';
import { RunPublisher } from './run-publisher.ts';

const limits = { maxEntries: 10_000, maxBytes: 1_000_000, keptMs: 60_000, keptEndedMs: 60_000 };

/** A publisher whose store can be taken away. */
function open() {
  const clock = new ManualClock();
  const driver = new MemoryEventLogDriver({ clock });
  const store = { isAway: false, dropped: 0 };
  const log = new RequestEventLog({ driver, clock, limits });
  const outlets = new EventOutlets({
    log: {
      append: async (...parts) => {
        if (store.isAway) throw new AppError('MILLRACE_EVENT_LOG_UNAVAILABLE', 'it is away');
        return await log.append(...parts);
      },
    },
    clock,
    onDropped: (count) => {
      store.dropped += count;
    },
  });
  const publisher = new RunPublisher({ outlets, clock });
  const id = newRequestId(clock.now());
  const messageOf = (rootId: string, deliveries = 1): LeasedMessage =>
    ({
      envelope: { id: rootId, rootId, stage: 'tell' },
      deliveries,
      attempts: 0,
      invalidOutputAttempts: 0,
    }) as unknown as LeasedMessage;
  const events = async (): Promise<readonly RequestEvent[]> => {
    const { entries } = await driver.list(id, 0, 10_000);
    return entries.flatMap(({ data }) => eventOfEntry(data) ?? []);
  };
  return { clock, store, outlets, publisher, id, messageOf, events };
}

const call = { step: 's', provider: 'openai', model: 'm' } as AttributedCall;
const settled = { costUsd: usd('0.25'), tokens: { text_output: 7 } } as unknown as SettledCall;

describe('what is told of a run', () => {
  it('is nothing where its tree is no request', () => {
    const { publisher, clock, messageOf, outlets } = open();
    expect(publisher.follow(messageOf(newId(clock.now())))).toBeUndefined();
    expect(outlets.size).toBe(0);
  });

  it('is in the order in which it was, though text collects for a while', async () => {
    const { publisher, id, messageOf, outlets, events, clock } = open();
    const run = publisher.follow(messageOf(id));
    run?.began();
    const answer = run?.beginAnswer('s');
    answer?.text('text', 'One ');
    answer?.text('text', 'two ');
    answer?.text('reasoning', 'hm');
    answer?.text('text', 'three');
    run?.settled(call, settled);
    answer?.end();
    run?.ended({ kind: 'completed' });
    run?.progress(1);
    await outlets.drain();
    const told = await events();
    expect(told.map(({ kind }) => kind)).toEqual([
      'stage-started',
      'text-delta',
      'text-delta',
      'reasoning-delta',
      'text-delta',
      'usage',
      'stage-ended',
    ]);
    const text = told.filter((one) => one.kind === 'text-delta');
    expect(text.map(({ offset, text: piece }) => [offset, piece])).toEqual([
      [0, 'One '],
      [4, 'two '],
      [8, 'three'],
    ]);
    expect(told).toContainEqual(expect.objectContaining({ kind: 'usage', usd: '0.25', tokens: 7 }));
    expect([outlets.size, clock.sleepers]).toEqual([0, 0]);
  });

  it('is collected: a piece at most every ten milliseconds, or when it is much', async () => {
    const { publisher, id, messageOf, outlets, events, clock } = open();
    const answer = publisher.follow(messageOf(id))?.beginAnswer('s');
    for (let n = 0; n < 100; n += 1) {
      answer?.text('text', 'ab');
      clock.advance(1);
    }
    await outlets.drain();
    expect((await events()).length).toBeLessThanOrEqual(12);
    answer?.text('text', '😀'.repeat(20_000));
    await outlets.drain();
    const told = (await events()).filter((one) => one.kind === 'text-delta');
    expect(told.map(({ text }) => text).join('')).toBe(`${'ab'.repeat(100)}${'😀'.repeat(20_000)}`);
    expect(told.every(({ text }) => text.isWellFormed())).toBe(true);
  });

  it('waits while the store is away, and is told to be incomplete where it was too much', async () => {
    const { publisher, id, messageOf, outlets, events, clock, store } = open();
    store.isAway = true;
    const run = publisher.follow(messageOf(id));
    run?.began();
    await outlets.drain();
    expect(await events()).toEqual([]);
    for (let n = 0; n < 3000; n += 1) {
      run?.settled(call, settled);
    }
    expect(store.dropped).toBeGreaterThan(500);
    store.isAway = false;
    clock.advance(1000);
    run?.ended({ kind: 'completed' });
    await outlets.drain();
    const told = await events();
    expect(told.some(({ kind }) => kind === 'events-lost')).toBe(true);
    expect(told.at(-1)?.kind).toBe('stage-ended');
    expect(clock.sleepers).toBe(0);
  });
});

describe('events together', () => {
  const about = { stage: 'tell', message: 'm', step: 's', answer: 1 };
  const fold = (events: readonly RequestEvent[]): readonly (readonly [string, string?])[] => {
    const folded = new EventFold('m');
    return events
      .map((event, index): LoggedEvent => ({ id: index + 1, event }))
      .flatMap((logged) => folded.take(logged))
      .map(({ event }) => (event.kind === 'text-delta' ? [event.kind, event.text] : [event.kind]));
  };
  const began: RequestEvent = { kind: 'stage-started', stage: 'tell', message: 'm', run: 1, attempt: 1 };
  const text = (offset: number, piece: string, run = 1): RequestEvent => ({
    kind: 'text-delta',
    ...about,
    run,
    offset,
    text: piece,
  });

  it('tell text once that was written twice, and see what is missing', () => {
    expect(fold([began, text(0, 'abc'), text(0, 'abc'), text(1, 'bcde'), text(9, 'x')])).toEqual([
      ['stage-started'],
      ['text-delta', 'abc'],
      ['text-delta', 'de'],
      ['events-lost'],
      ['text-delta', 'x'],
    ]);
  });

  it('leave out what a lost run says after its successor has begun', () => {
    const restarted: RequestEvent = { ...began, kind: 'attempt-restarted', run: 2, attempt: 1 };
    expect(fold([began, text(0, 'old'), restarted, text(3, ' more'), text(0, 'new', 2)])).toEqual([
      ['stage-started'],
      ['text-delta', 'old'],
      ['attempt-restarted'],
      ['text-delta', 'new'],
    ]);
  });

  it('say that something is missing where the log does not begin with the request', () => {
    expect(fold([text(0, 'a')])[0]).toEqual(['events-lost']);
  });
});
