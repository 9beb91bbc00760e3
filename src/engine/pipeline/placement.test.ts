import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineMessage } from '../../messages/message-type.ts';
import { placementOf } from './placement.ts';
import { type StageOptions, defineStage } from './stage-definition.ts';

const Note = defineMessage('note').version(1, z.object({ text: z.string(), lane: z.string().optional() }));

type Data = { readonly text: string; readonly lane?: string | undefined };

function placed(
  options: Partial<StageOptions<Data, readonly []>>,
  data: Data,
  lane?: 'interactive' | 'bulk',
  team = 'blue',
) {
  const stage = defineStage('notes', { consumes: Note.upTo(1), ...options });
  const json = JSON.stringify(data);
  return placementOf(stage as never, data, {
    ...(lane === undefined ? {} : { lane }),
    team,
    body: { kind: 'inline', json },
    bodyBytes: Buffer.byteLength(json),
  });
}

describe('the place of a message in its stage', () => {
  it('is the lane that it was given, then that which the stage chooses, then standard', () => {
    const lane = (): 'bulk' => 'bulk';
    expect(placed({ lane }, { text: 'x' }, 'interactive').lane).toBe('interactive');
    expect(placed({ lane }, { text: 'x' }).lane).toBe('bulk');
    expect(placed({}, { text: 'x' }).lane).toBe('standard');
  });

  it('is short below the estimate, unless a lane was chosen', () => {
    const shortBelowTokens = 25;
    const ofCharacters = (count: number): Data => ({ text: 'x'.repeat(count - '{"text":""}'.length) });
    expect(placed({ shortBelowTokens }, ofCharacters(99)).lane).toBe('short');
    expect(placed({ shortBelowTokens }, ofCharacters(100)).lane).toBe('standard');
    expect(placed({ shortBelowTokens }, ofCharacters(99), 'bulk').lane).toBe('bulk');
    expect(placed({ shortBelowTokens, lane: () => undefined }, ofCharacters(99)).lane).toBe('short');
    expect(placed({ shortBelowTokens, lane: () => 'bulk' }, ofCharacters(99)).lane).toBe('bulk');
  });

  it('is behind those of the same key, where the stage orders by one', () => {
    const keyOf = (text: string, team: string) =>
      placed({ orderBy: ({ data }) => data.text }, { text }, undefined, team).orderKey;
    expect(keyOf('ticket-7', 'blue')).toBe('4:blue:ticket-7');
    // Of its own team: no other's keys hold it up.
    expect(keyOf('b:c', 'a')).not.toBe(keyOf('c', 'a:b'));
    expect(placed({ orderBy: () => undefined }, { text: 'x' }).orderKey).toBeUndefined();
    expect(placed({}, { text: 'x' }).orderKey).toBeUndefined();
  });

  it.each(['', 'x'.repeat(513), 'a\u0000b'])('is refused for the key %j', (key) => {
    expect(() => placed({ orderBy: () => key }, { text: 'x' })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_MESSAGE_INVALID' }),
    );
  });

  it('is refused for a lane that nobody would ever claim from', () => {
    expect(() => placed({ lane: () => 'express' as never }, { text: 'x' })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_MESSAGE_INVALID' }),
    );
  });

  it.each([{ bulk: 0 }, { bulk: -1 }, { bulk: Number.NaN }, { express: 1 }, { bulk: 1e6 }])(
    'cannot be had with the weights %j',
    (lanes) => {
      expect(() => defineStage('notes', { consumes: Note.upTo(1), lanes })).toThrow(/lanes/);
    },
  );
});
