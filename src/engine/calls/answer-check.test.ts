import { describe, expect, it } from 'vitest';
import { InvalidOutput } from '../invalid-output.ts';
import { type AnswerRules, faultOfAnswer } from './answer-check.ts';

type Answer = Parameters<typeof faultOfAnswer>[0];

function answer(content: Answer['content'], unified: Answer['finishReason']['unified'] = 'stop'): Answer {
  return { content, finishReason: { unified, raw: unified } };
}

const text = (words: string): Answer['content'][number] => ({ type: 'text', text: words });
const toolCall = { type: 'tool-call', toolCallId: '1', toolName: 'look', input: '{}' } as const;

function outputFaultOf(given: Answer, rules: AnswerRules = {}): string | undefined {
  const fault = faultOfAnswer(given, rules, 's');
  return fault instanceof InvalidOutput ? fault.outputFault : fault?.code;
}

describe('an answer', () => {
  it('is good when it says something, or asks for a tool', () => {
    expect(outputFaultOf(answer([text('Yes.')]))).toBeUndefined();
    expect(outputFaultOf(answer([toolCall], 'tool-calls'))).toBeUndefined();
  });

  it('is an invalid output when it is empty, blank, or thought only', () => {
    expect(outputFaultOf(answer([]))).toBe('empty');
    expect(outputFaultOf(answer([text(' \n')]))).toBe('empty');
    expect(outputFaultOf(answer([{ type: 'reasoning', text: 'Hm.' }]))).toBe('empty');
  });

  it('is an invalid output when it was cut off', () => {
    expect(outputFaultOf(answer([text('Ye')], 'length'))).toBe('truncated');
  });

  it('is a matter of the content policy when it was refused or filtered, also with some text', () => {
    expect(outputFaultOf(answer([], 'content-filter'))).toBe('MILLRACE_MODEL_CONTENT_POLICY');
    expect(outputFaultOf(answer([text('I cannot')], 'content-filter'))).toBe('MILLRACE_MODEL_CONTENT_POLICY');
  });

  it('is cut off when the provider paused the turn', () => {
    const paused = {
      ...answer([text('I looked, and')]),
      finishReason: { unified: 'stop', raw: 'pause_turn' } as const,
    };
    expect(outputFaultOf(paused)).toBe('truncated');
    expect(outputFaultOf(paused, { accept: ['truncated'] })).toBeUndefined();
  });

  it('is empty when a provider only marks something in it', () => {
    expect(outputFaultOf(answer([{ type: 'custom', kind: 'anthropic.compaction' }]))).toBe('empty');
    expect(outputFaultOf(answer([{ type: 'custom', kind: 'anthropic.container_upload' }]))).toBeUndefined();
  });

  it('is taken as the step says', () => {
    expect(outputFaultOf(answer([]), { accept: ['empty'] })).toBeUndefined();
    expect(outputFaultOf(answer([], 'length'), { accept: ['truncated'] })).toBe('empty');
    expect(outputFaultOf(answer([text('Y')], 'length'), { accept: ['truncated'] })).toBeUndefined();
  });

  it('is checked by the step, with its whole text and not while it asks for tools', () => {
    const validate = (words: string): true | string => words === 'yes' || `"${words}" is not yes`;
    expect(outputFaultOf(answer([text('ye'), text('s')]), { validate })).toBeUndefined();
    expect(outputFaultOf(answer([text('no')]), { validate })).toBe('invalid');
    expect(faultOfAnswer(answer([text('no')]), { validate }, 's')?.message).toContain('"no" is not yes');
    expect(outputFaultOf(answer([text('first'), toolCall], 'tool-calls'), { validate })).toBeUndefined();
  });

  it("is not valid when the step's check throws", () => {
    const validate = (words: string): true => JSON.parse(words) as true;
    expect(outputFaultOf(answer([text('no JSON')]), { validate })).toBe('invalid');
    expect(faultOfAnswer(answer([text('no JSON')]), { validate }, 's')?.message).toContain('not valid JSON');
    const odd = (): true => {
      throw Object.defineProperty(new Error('no'), 'message', { value: 5n });
    };
    expect(outputFaultOf(answer([text('no')]), { validate: odd })).toBe('invalid');
  });
});
