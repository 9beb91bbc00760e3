import { describe, expect, it } from 'vitest';
import { Parked } from '../parked.ts';
import { type CallGate, type GateEnd, type GateQuestion, passGates } from './call-gate.ts';

const question: GateQuestion = {
  provider: 'openai',
  model: 'gpt-5-mini',
  operation: 'chat',
  stage: 'summarise',
  origin: { team: 'search', customer: 'c1', feature: 'f1' },
  step: 'summary',
  attempt: 1,
  maxInputTokens: 10,
  maxOutputTokens: 20,
  signal: new AbortController().signal,
};

function recordingGate(name: string, told: string[]): CallGate {
  return {
    enter: () => {
      told.push(`${name} entered`);
      return Promise.resolve({ end: (end: GateEnd) => void told.push(`${name} ${end.kind}`) });
    },
  };
}

describe('passGates', () => {
  it('passes gates in order and tells each of the end once', async () => {
    const told: string[] = [];
    const pass = await passGates([recordingGate('a', told), recordingGate('b', told)], question);
    pass.end({ kind: 'not_sent' });
    pass.end({ kind: 'not_sent' });
    expect(told).toEqual(['a entered', 'b entered', 'a not_sent', 'b not_sent']);
  });

  it('tells the gates already passed that nothing was sent when a later one refuses', async () => {
    const told: string[] = [];
    const refusing: CallGate = {
      enter: () => Promise.reject(new Parked('too fast', { reason: 'rate_limit', delayMs: 100 })),
    };
    await expect(
      passGates([recordingGate('a', told), refusing, recordingGate('c', told)], question),
    ).rejects.toMatchObject({ code: 'MILLRACE_WORK_PARKED', reason: 'rate_limit' });
    expect(told).toEqual(['a entered', 'a not_sent']);
  });
});
