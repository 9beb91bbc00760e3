import { describe, expect, it } from 'vitest';
import type { RecordedCall } from '../ledger/call-ledger.ts';
import { CallJournal } from './call-journal.ts';

function recorded(parts: Partial<RecordedCall>): RecordedCall {
  return {
    id: '00000000-0000-8000-8000-000000000000',
    fencingToken: 1,
    step: 's',
    ordinal: 1,
    attempt: 1,
    requestDigest: 'q',
    state: 'settled',
    outcome: 'ok',
    requestKind: 'single',
    errorType: undefined,
    answer: { json: '"a"' },
    costUsd: undefined,
    isInvalidated: false,
    isOfEarlierLife: false,
    ...parts,
  };
}

function journalOf(...calls: RecordedCall[]): CallJournal {
  const journal = new CallJournal();
  journal.load(calls);
  return journal;
}

describe('the journal', () => {
  it('counts the requests of each step apart', () => {
    const journal = journalOf();
    expect([journal.takeOrdinal('a'), journal.takeOrdinal('a'), journal.takeOrdinal('b')]).toEqual([1, 2, 1]);
  });

  it('gives the answer to the same question once', () => {
    const journal = journalOf(recorded({}));
    expect(journal.decide('s', 1, 'q', 'same_question')).toMatchObject({ kind: 'reuse' });
    expect(journal.decide('s', 1, 'q', 'same_question')).toMatchObject({ kind: 'call', attempt: 2 });
  });

  it('gives answers of equal questions in their order', () => {
    const journal = journalOf(
      recorded({ ordinal: 1, answer: { json: '1' } }),
      recorded({ ordinal: 2, answer: { json: '2' } }),
    );
    const answers = [1, 2].map((ordinal) => journal.decide('s', ordinal, 'q', 'same_question'));
    expect(answers).toMatchObject([{ answer: { json: '1' } }, { answer: { json: '2' } }]);
  });

  it('finds the answer at another place: the handler had asked twice then', () => {
    const journal = journalOf(
      recorded({ ordinal: 1, outcome: 'error', answer: undefined }),
      recorded({ ordinal: 2 }),
    );
    expect(journal.decide('s', 1, 'q', 'same_question')).toMatchObject({ kind: 'reuse' });
  });

  it('says that a request which was put off is awaited, by one request of a run', () => {
    const journal = journalOf(
      recorded({ requestKind: 'batch', state: 'reserved', outcome: undefined, answer: undefined }),
    );
    const awaited = [1, 2].map((ordinal) => journal.decide('s', ordinal, 'q', 'same_question'));
    expect(awaited).toMatchObject([
      { kind: 'call', earlier: { isAwaited: true, deferrals: 0 } },
      { kind: 'call', earlier: { isAwaited: false } },
    ]);
    expect(journal.decide('s', 3, 'other', 'same_question')).toMatchObject({ earlier: { isAwaited: false } });
  });

  it('counts how often a request was put off at its place, and says how it failed last', () => {
    const failed = { requestKind: 'batch', outcome: 'error', answer: undefined } as const;
    const journal = journalOf(
      recorded({ ...failed, errorType: 'timeout' }),
      recorded({ ...failed, attempt: 2, errorType: 'server_error' }),
      recorded({ ...failed, ordinal: 2, errorType: 'bad_request' }),
      recorded({ ordinal: 3, outcome: 'error', answer: undefined }),
    );
    expect(journal.decide('s', 1, 'q', 'same_question')).toMatchObject({
      attempt: 3,
      earlier: { wasMade: false, isAwaited: false, deferrals: 2, lastFailure: { kind: 'server_error' } },
    });
    // Another question at the place did not fail.
    expect(journal.decide('s', 1, 'p', 'same_question')).toMatchObject({
      earlier: { deferrals: 2, lastFailure: undefined },
    });
    expect(journal.decide('s', 3, 'q', 'same_question')).toMatchObject({
      earlier: { wasMade: true, deferrals: 0 },
    });
  });

  it('does not count what was put off before its message was given up on and lived again', () => {
    const failed = { requestKind: 'batch', outcome: 'error', answer: undefined } as const;
    const journal = journalOf(
      recorded({ ...failed, errorType: 'content_policy', isOfEarlierLife: true }),
      recorded({ ...failed, attempt: 2, errorType: 'timeout' }),
    );
    expect(journal.decide('s', 1, 'q', 'same_question')).toMatchObject({
      attempt: 3,
      earlier: { deferrals: 1, lastFailure: { kind: 'timeout' } },
    });
  });

  it('does not give what is not a whole answer', () => {
    const journal = journalOf(
      recorded({ ordinal: 1, state: 'reserved', outcome: undefined }),
      recorded({ ordinal: 2, outcome: 'error' }),
      recorded({ ordinal: 3, answer: undefined }),
      recorded({ ordinal: 4, state: 'unsettled', outcome: 'unsettled' }),
      recorded({ ordinal: 5, isInvalidated: true }),
    );
    for (const ordinal of [1, 2, 3, 4, 5]) {
      expect(journal.decide('s', ordinal, 'q', 'same_question')).toMatchObject({
        kind: 'call',
        attempt: 2,
        hasDiverged: false,
      });
    }
  });

  it('counts attempts on from all that were made, whatever happened to them', () => {
    const journal = journalOf(
      recorded({ attempt: 1, outcome: 'error' }),
      recorded({ attempt: 4, state: 'reserved' }),
    );
    expect(journal.decide('s', 1, 'q', 'same_question')).toMatchObject({ attempt: 5 });
    expect(journal.decide('s', 1, 'q', 'same_question')).toMatchObject({ attempt: 6 });
    expect(journal.decide('s', 2, 'q', 'same_question')).toMatchObject({ attempt: 1 });
  });

  it('calls anew for another question, and says that the step has diverged', () => {
    const journal = journalOf(recorded({}));
    expect(journal.decide('s', 1, 'other', 'same_question')).toMatchObject({
      kind: 'call',
      attempt: 2,
      hasDiverged: true,
    });
  });

  it('gives the answer of the place to any question where the step asks for that', () => {
    const journal = journalOf(
      recorded({ ordinal: 1 }),
      recorded({ ordinal: 2, requestDigest: 'p', answer: { json: '2' } }),
    );
    expect(journal.decide('s', 2, 'q', 'always')).toMatchObject({ kind: 'reuse', answer: { json: '2' } });
    expect(journal.decide('s', 3, 'p', 'always')).toMatchObject({ kind: 'call', hasDiverged: false });
  });

  it('keeps an answer that could not be fetched', () => {
    const call = recorded({});
    const journal = journalOf(call);
    journal.decide('s', 1, 'q', 'same_question');
    journal.giveBack(call);
    expect(journal.decide('s', 2, 'q', 'same_question')).toMatchObject({ kind: 'reuse' });
  });
});
