import { describe, expect, it } from 'vitest';
import { checkJoins } from './check-joins.ts';
import type { BranchEvidence, Evidence, HistoryEvidence, MessageEvidence } from './evidence.ts';
import { change, done, inherited, lease, odd, sound } from './sound-run.ts';

/* The invariant of joins over the evidence of one small, sound join, and over the same with one thing out of order. */

const message = (id: string, of: Partial<MessageEvidence>): MessageEvidence => ({
  ...inherited,
  type: 'chaos.leaf',
  id,
  parent_id: 'root',
  stage: 'turn',
  fencing_token: 1,
  result: '{}',
  data: { key: id, index: 0, cause: 'a', odd },
  ...of,
});
const branch = (id: string, of: Partial<BranchEvidence> = {}): BranchEvidence => ({
  id,
  join_id: 'bound',
  state: 'succeeded',
  quorum: null,
  ended: 2,
  succeeded: 1,
  released_by: 'all',
  ...of,
});
const parts = [
  message('one', { branch_id: 'one' }),
  message('two', { branch_id: 'two', state: 'dead_lettered', result: null }),
];
const waiting = message('bound', {
  join_id: 'bound',
  stage: 'bind',
  result: JSON.stringify({ joined: ['one succeeded', 'two failed'] }),
});
const added = (id: string, of: Partial<HistoryEvidence> = {}): HistoryEvidence =>
  change({ message_id: id, at_ms: 1000, to_state: 'pending', to_fencing_token: 0, ...of });
const letGo = change({
  message_id: 'bound',
  at_ms: 2000,
  from_state: 'pending',
  to_state: 'pending',
  to_fencing_token: 0,
});
const died = { ...done('two', 1, 1900), to_state: 'dead_lettered' };
const begun = [
  added('one'),
  added('two'),
  added('bound', { parked_for: 'join' }),
  lease('one', 1, 1100, 'pending'),
  lease('two', 1, 1200, 'pending'),
];
const after = [lease('bound', 1, 2100, 'pending'), done('bound', 1, 2200)];

function broken(of: Partial<Evidence>): readonly string[] {
  const joined: Evidence = {
    ...sound,
    messages: [...parts, waiting],
    branches: [branch('one'), branch('two', { state: 'failed' })],
    history: [...begun, done('one', 1, 1800), died, letGo, ...after],
  };
  return checkJoins({ ...joined, ...of }).violations.map(({ what }) => what);
}

describe('joins', () => {
  it('that go on when all have ended are sound', () => {
    expect(broken({})).toEqual([]);
  });

  it('that go on before all have ended are noticed', () => {
    expect(broken({ history: [...begun, done('one', 1, 1800), letGo, died, ...after] })).toEqual([
      'it counted 2 ended and 1 succeeded branches, and there were 1 and 1',
      'it was let go (all) with 1 of 2 branches ended, 1 of them well, quorum null',
    ]);
  });

  it('whose branch had messages left are noticed', () => {
    const later = message('later', { branch_id: 'one' });
    expect(
      broken({
        messages: [...parts, later, waiting],
        history: [
          ...begun,
          added('later'),
          done('one', 1, 1800),
          died,
          letGo,
          done('later', 1, 2050),
          ...after,
        ],
      }),
    ).toHaveLength(2);
  });

  it('that never waited, that never go on, and that go on twice are noticed', () => {
    const never = begun.filter(({ parked_for: parked }) => parked === null);
    expect(broken({ history: [...never, added('bound'), done('one', 1, 1800), died, ...after] })).not.toEqual(
      [],
    );
    expect(broken({ history: [...begun, done('one', 1, 1800), died] })).toEqual(['it was let go 0 times']);
    const again = { ...letGo, parked_for: 'join' };
    expect(
      broken({ history: [...begun, done('one', 1, 1800), died, letGo, again, letGo, ...after] }),
    ).toEqual(['it was let go 2 times']);
  });

  it('with a quorum that was not met are noticed, and one that was met or missed is not', () => {
    const withQuorum = (quorum: number, released_by: string, succeeded = 1) => ({
      branches: [
        branch('one', { quorum, released_by, succeeded }),
        branch('two', { quorum, released_by, succeeded, state: 'failed' }),
      ],
    });
    expect(broken(withQuorum(1, 'quorum'))).toEqual([]);
    expect(broken(withQuorum(2, 'unreachable'))).toEqual([]);
    expect(broken(withQuorum(2, 'quorum'))).toHaveLength(1);
    expect(broken(withQuorum(1, 'unreachable'))).toHaveLength(1);
  });

  it('whose handler saw something else are noticed', () => {
    const result = JSON.stringify({ joined: ['one succeeded'] });
    expect(broken({ messages: [...parts, { ...waiting, result }] })).toHaveLength(1);
    expect(broken({ messages: [...parts, waiting, { ...waiting, id: 'other' }] })).toHaveLength(1);
  });
});
