import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineMessage } from '../messages/message-type.ts';
import { defineStage } from './stage-definition.ts';

const Note = defineMessage('note').version(1, z.object({}));

describe('how many runs may be lost', () => {
  it('is 5 unless the stage says so, and at least 1', () => {
    expect(defineStage('notes', { consumes: Note.upTo(1) }).maxLostRuns).toBe(5);
    expect(defineStage('notes', { consumes: Note.upTo(1), maxLostRuns: 1 }).maxLostRuns).toBe(1);
    for (const maxLostRuns of [0, -1, 1.5, Number.NaN])
      expect(() => defineStage('notes', { consumes: Note.upTo(1), maxLostRuns })).toThrow(/maxLostRuns/);
  });
});
