import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { AppError } from '../kernel/app-error.ts';
import { defineMessage } from './message-type.ts';

const Fetched = defineMessage('document.fetched')
  .version(1, z.object({ text: z.string() }))
  .version(2, z.object({ text: z.string(), isUrgent: z.boolean().default(false) }), (previous) => ({
    text: previous.text,
  }))
  .version(3, z.object({ body: z.string(), isUrgent: z.boolean() }), ({ text, isUrgent }) => ({
    body: text,
    isUrgent,
  }));

describe('message types', () => {
  it('bring data of an older version up, step by step, filling in defaults', () => {
    const accepted = Fetched.upTo(3);
    expect(accepted.versions).toEqual([1, 2, 3]);
    expect(accepted.read(1, { text: 'a' })).toEqual({ body: 'a', isUrgent: false });
    expect(accepted.read(2, { text: 'a', isUrgent: true })).toEqual({ body: 'a', isUrgent: true });
    expectTypeOf<ReturnType<typeof accepted.read>>().toEqualTypeOf<{ body: string; isUrgent: boolean }>();
  });

  it('refuse a version that is too new or unknown, naming type, version and what is accepted', () => {
    for (const version of [3, 4, 0, 1.5]) {
      expect(() => Fetched.upTo(2).read(version, {})).toThrow(
        expect.objectContaining({
          code: 'MILLRACE_MESSAGE_VERSION_UNSUPPORTED',
          message: `Message type "document.fetched" version ${version} is not accepted here; accepted: 1, 2`,
        }),
      );
    }
  });

  it('tell faults that are no longer than they may be, however long the names in the data are', () => {
    const Counts = defineMessage('counts').version(1, z.record(z.string(), z.array(z.number())));
    const data = { ['k'.repeat(200_000)]: Array.from({ length: 5000 }, () => 'no number') };
    try {
      Counts.v1.validate(data);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'MILLRACE_MESSAGE_INVALID' });
      expect(JSON.stringify((error as AppError).faults).length).toBeLessThan(500_000);
      expect((error as AppError).message.length).toBeLessThan(5000);
    }
  });

  it('are consumed by the version that is emitted, as up to that version', () => {
    expect(Fetched.v2.versions).toEqual([1, 2]);
    expect(Fetched.v2.read(1, { text: 'a' })).toEqual({ text: 'a', isUrgent: false });
    expect(() => Fetched.v2.read(3, {})).toThrow('accepted: 1, 2');
    expectTypeOf<ReturnType<typeof Fetched.v2.read>>().toEqualTypeOf<{ text: string; isUrgent: boolean }>();
    expectTypeOf<ReturnType<typeof Fetched.v3.read>>().toEqualTypeOf<{ body: string; isUrgent: boolean }>();
    // An older version still takes data without its defaults.
    expectTypeOf<NonNullable<(typeof Fetched.v2)['~data']>>().toEqualTypeOf<{
      text: string;
      isUrgent?: boolean | undefined;
    }>();
  });

  it('refuse data that does not fit, with every fault', () => {
    expect(() => Fetched.upTo(3).read(3, { body: 1 })).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_MESSAGE_INVALID',
        faults: [
          { field: 'data.body', problem: expect.any(String) as string },
          { field: 'data.isUrgent', problem: expect.any(String) as string },
        ],
      }),
    );
    expect(() => Fetched.v1.validate({})).toThrow(
      expect.objectContaining({ code: 'MILLRACE_MESSAGE_INVALID' }),
    );
  });

  it('are numbered without gaps, and every later version says how the one before becomes it', () => {
    const type = defineMessage('thing.made');
    expect(() => type.version(2, z.object({}))).toThrow('numbered 1, 2, 3');
    const first = type.version(1, z.object({}));
    // A caller without types may forget the up-caster.
    const forgetful = first as unknown as { version(number: number, schema: z.ZodType): unknown };
    expect(() => forgetful.version(2, z.object({}))).toThrow('says how version 1 becomes it');
    expect(() => defineMessage('Not a name')).toThrow('message type');
  });
});
