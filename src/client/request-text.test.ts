import { describe, expect, it } from 'vitest';
import type { RequestEvent } from './request-event.ts';
import { RequestText } from './request-text.ts';

const of = (message: string, run = 1) => ({ stage: 'write', message, run });
const delta = (message: string, text: string, more: object = {}): RequestEvent => ({
  id: 2,
  kind: 'text-delta',
  ...of(message),
  step: 'text',
  answer: 1,
  offset: 0,
  text,
  ...more,
});
const textOf = (events: readonly RequestEvent[], stage?: string): RequestText => {
  const text = new RequestText({ stage });
  for (const event of events) text.take(event);
  return text;
};

describe('the text of a request', () => {
  it('is put together by its answers, however they are mixed', () => {
    const text = textOf([
      delta('a', 'one '),
      delta('b', 'two'),
      delta('a', 'and '),
      delta('a', 'more ', { answer: 2 }),
    ]);
    expect([text.text, text.isComplete]).toEqual(['one and more two', true]);
  });

  it('is void where an attempt begins it again', () => {
    const text = textOf([
      delta('a', 'half'),
      delta('b', 'whole '),
      { id: 5, kind: 'attempt-restarted', ...of('a', 2), attempt: 2 },
      delta('a', 'again', { run: 2 }),
    ]);
    expect(text.text).toBe('whole again');
  });

  it('is of one stage where that is wanted', () => {
    expect(textOf([delta('a', 'this'), delta('b', 'that', { stage: 'check' })], 'write').text).toBe('this');
  });

  it('has no reasoning in it, and knows when it has gaps', () => {
    const text = textOf([
      { ...delta('a', 'thought'), kind: 'reasoning-delta' } as RequestEvent,
      { id: 3, kind: 'events-lost' },
      delta('a', 'rest'),
    ]);
    expect([text.text, text.isComplete]).toEqual(['rest', false]);
  });
});
