import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { defineMessage } from '../../messages/message-type.ts';
import { defineStage, type MessageOf } from './stage-definition.ts';

const Note = defineMessage('note').version(1, z.object({}));

describe('what a stage consumes', () => {
  it('may be named as what it emits is: by the version, with the data of its schema', () => {
    const Text = defineMessage('text').version(1, z.object({ text: z.string(), words: z.int().default(0) }));
    const count = defineStage('count', { consumes: Text.v1, emits: [Text.v1] });
    expect(count.consumes.versions).toEqual([1]);
    expectTypeOf<MessageOf<typeof count>['data']>().toEqualTypeOf<{ text: string; words: number }>();
  });
});

describe('how many attempts a message has', () => {
  it('counts all of them, the first included', () => {
    const { retry, invalidOutput } = defineStage('notes', { consumes: Note.v1 });
    expect([retry.maxAttempts, invalidOutput.maxAttempts]).toEqual([4, 3]);
    for (const maxAttempts of [0, -1, 1.5])
      expect(() => defineStage('notes', { consumes: Note.v1, retry: { maxAttempts } })).toThrow(
        'notes: retry.maxAttempts is a whole number above 0; it counts the first attempt too',
      );
  });
});

describe('options that do not exist', () => {
  it.each([
    [{ retries: 3 }, 'notes has no option "retries"; its options are consumes, emits, '],
    [{ retry: { attempts: 3 } }, 'notes: retry has no option "attempts"; its options are maxAttempts, '],
    [
      { invalidOutput: { attempts: 3 } },
      'notes: invalidOutput has no option "attempts"; its options are maxAttempts',
    ],
  ])('are refused where types do not: %j', (options, message) => {
    expect(() => defineStage('notes', { consumes: Note.v1, ...options } as never)).toThrow(message);
  });
});

describe('how many runs may be lost', () => {
  it('is 5 unless the stage says so, and at least 1', () => {
    expect(defineStage('notes', { consumes: Note.upTo(1) }).maxExpiredLeases).toBe(5);
    expect(defineStage('notes', { consumes: Note.upTo(1), maxExpiredLeases: 1 }).maxExpiredLeases).toBe(1);
    for (const maxExpiredLeases of [0, -1, 1.5, Number.NaN])
      expect(() => defineStage('notes', { consumes: Note.upTo(1), maxExpiredLeases })).toThrow(
        /maxExpiredLeases/,
      );
  });
});
