import { describe, expect, it } from 'vitest';
import { usd } from '../../../kernel/money.ts';
import { composeEnd, type EndedTree, refusedEnd } from './item-end.ts';

const item = { id: 'a "quoted" id', position: 7 };
const rules = { mayRetry: false, cancelledAs: 'cancelled' } as const;
const tree = (parts: Partial<EndedTree> = {}): EndedTree => ({
  dead: [],
  cancelled: 0,
  outputs: [],
  results: [],
  answers: [],
  ...parts,
});
const dead = (code: string, parts: object = {}) => ({
  hops: 0,
  stage: 'first',
  code,
  message: 'no',
  attempts: 3,
  ...parts,
});
const said = (json: string, parts: object = {}) => ({ hops: 1, name: 'thing.done', json, ...parts });
const lineOf = (end: { readonly line: string | undefined }) =>
  JSON.parse(end.line ?? '') as Record<string, unknown>;

describe('the end of an item', () => {
  it('is a line with its keys in order, its outputs by content and exact money', () => {
    const end = composeEnd(
      item,
      tree({
        outputs: [said('{"b":2}'), said('{"a":1.10}'), said('{"z":0}', { hops: 0 })],
        results: [said('"left out"')],
        answers: [
          { costUsd: usd('0.1'), tokens: { uncached_input: 10, text_output: 5 } },
          { costUsd: usd('0.200000000000000001'), tokens: { cache_read: 1, reasoning: 2 } },
        ],
      }),
      rules,
    );
    expect(end.state).toBe('succeeded');
    expect(end.line).toBe(
      '{"id":"a \\"quoted\\" id","position":7,"status":"succeeded","outputs":[{"z":0},{"a":1.10},{"b":2}],"costUsd":"0.300000000000000001","tokens":{"input":11,"output":7}}',
    );
  });

  it('is the same in whatever order its messages are read', () => {
    const outputs = [said('1'), said('2', { hops: 2 }), said('3', { name: 'other' }), said('0')];
    const one = composeEnd(item, tree({ outputs }), rules);
    const other = composeEnd(item, tree({ outputs: outputs.toReversed() }), rules);
    expect(one.line).toBe(other.line);
  });

  it('has results of handlers where nothing was emitted', () => {
    const end = composeEnd(item, tree({ results: [said('"yes"')] }), rules);
    expect(lineOf(end)['outputs']).toEqual(['yes']);
  });

  it('has no cost where an answer has no price, and still counts the priced ones', () => {
    const answers = [
      { costUsd: undefined, tokens: { uncached_input: 4 } },
      { costUsd: usd('0.25'), tokens: {} },
    ];
    const end = composeEnd(item, tree({ answers }), rules);
    expect(lineOf(end)).toMatchObject({ costUsd: null, tokens: { input: 4, output: 0 } });
    expect({ cost: end.costUsd.toFixed(), unpriced: end.unpriced }).toEqual({ cost: '0.25', unpriced: 1 });
  });

  it('is failed where anything died, by the first that did', () => {
    const parts = [
      dead('MILLRACE_STAGE_FAILED', { hops: 2 }),
      dead('MILLRACE_MESSAGE_INVALID', { hops: 1, attempts: 1 }),
    ];
    const end = composeEnd(item, tree({ dead: parts, outputs: [said('1')], cancelled: 1 }), rules);
    expect(end).toMatchObject({
      state: 'failed',
      isGivenUp: false,
      error: { code: 'MILLRACE_MESSAGE_INVALID', attempts: 1 },
    });
    expect(lineOf(end)).toMatchObject({
      status: 'failed',
      error: { code: 'MILLRACE_MESSAGE_INVALID', message: 'no' },
      attempts: 1,
    });
  });

  it('is put off where it failed for a reason that passes and its chunk may be begun again', () => {
    const limited = tree({ dead: [dead('MILLRACE_MODEL_RATE_LIMITED')] });
    expect(composeEnd(item, limited, { ...rules, mayRetry: true })).toMatchObject({
      state: 'waiting',
      line: undefined,
    });
    expect(composeEnd(item, limited, rules)).toMatchObject({ state: 'failed', isGivenUp: true });
    const invalid = tree({ dead: [dead('MILLRACE_STAGE_FAILED')] });
    expect(composeEnd(item, invalid, { ...rules, mayRetry: true })).toMatchObject({
      state: 'failed',
      isGivenUp: false,
    });
  });

  it('is cancelled or expired, as the batch is, where a message was cancelled or never came in', () => {
    expect(composeEnd(item, tree({ cancelled: 1 }), rules).state).toBe('cancelled');
    const expired = composeEnd(item, undefined, { ...rules, cancelledAs: 'expired' });
    expect(expired).toMatchObject({ state: 'expired', error: { code: 'MILLRACE_MESSAGE_CANCELLED' } });
    expect(lineOf(expired)).toMatchObject({ status: 'expired', costUsd: '0' });
  });

  it('is failed, and says where it stands, where the outputs are larger than a line may be', () => {
    const end = composeEnd(item, tree({ tooLargeBytes: 9_000_000 }), rules);
    expect(end).toMatchObject({ state: 'failed', error: { code: 'MILLRACE_BATCH_OUTPUT_TOO_LARGE' } });
  });

  it('is failed where its message was refused', () => {
    const end = refusedEnd(item, { code: 'MILLRACE_MESSAGE_INVALID', message: 'data.subject: is missing' });
    expect(lineOf(end)).toMatchObject({ status: 'failed', attempts: 0, costUsd: '0' });
  });
});
