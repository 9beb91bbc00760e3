import { describe, expect, it } from 'vitest';
import type { Evidence, MessageEvidence } from './evidence.ts';
import { isCursed, isGuilty, isStormy } from './workload.ts';
import type { ReportEvidence } from './orders.ts';
import { checkInvariants } from './invariants.ts';
import {
  report,
  inherited,
  origin,
  messages,
  change,
  lease,
  done,
  history,
  settled,
  call,
  calls,
  bill,
  usage,
  sound,
  odd,
  failure,
  told,
} from './sound-run.ts';

const unsettled = {
  state: 'unsettled',
  outcome: 'unsettled',
  settlement: 'unsettled',
  upper_bound_usd: '0.01',
} as const;
const estimated = { settlement: 'estimated', upper_bound_usd: '0.01' } as const;

/* Each invariant over the evidence of one small, sound run, and over the same with one thing out of order. */

function brokenIn(evidence: Evidence): readonly string[] {
  return checkInvariants(evidence)
    .filter(({ violations }) => violations.length > 0)
    .map(({ name }) => name);
}

const patched = <Item extends object>(
  items: readonly Item[],
  at: number,
  patch: Partial<Item>,
): readonly Item[] => items.map((item, index) => (index === at ? { ...item, ...patch } : item));

const withData = (data: Partial<MessageEvidence['data']>): Partial<MessageEvidence> => ({
  data: { key: 'r/0', index: 0, cause: 'a', odd, ...data },
});

const lastReport = (group: Partial<ReportEvidence['groups'][number]>): ReportEvidence => ({
  groups: [{ customer: origin.customer, calls: 3, costUsd: '0.003', ...group }],
  suspectCalls: 0,
});

function reported(of: {
  readonly refused?: Readonly<Record<string, number>>;
  readonly last?: ReportEvidence | undefined;
}): Partial<Evidence> {
  const { last, ...rest } = { ...sound.reports, ...of };
  const { answered, refused, longestMs } = rest;
  return { reports: { answered, refused, longestMs, ...(last === undefined ? {} : { last }) } };
}

const keyThat = (is: (key: string) => boolean, keyAt: (n: number) => string): string => {
  const key = Array.from({ length: 10_000 }, (_, n) => keyAt(n)).find((candidate) => is(candidate));
  if (key === undefined) throw new Error('No key is such');
  return key;
};
const cursedKey = keyThat(
  (key) => isCursed('write', key) && !isStormy(key),
  (n) => `r${n}/0`,
);
const stormyKey = keyThat(
  (key) => isStormy(key) && !isCursed('write', key),
  (n) => `r${n}/0`,
);
const guiltyKey = keyThat(
  (key) => isGuilty(key) && !isStormy(key),
  (n) => `report-${n}`,
);

const withKey = (at: number, key: string): readonly MessageEvidence[] =>
  messages.map((message, index) => (index === at ? { ...message, data: { ...message.data, key } } : message));

/** A long backlog in two lanes, claimed one by one: which lane is next, and whom it must not be the turn of. */
function claimsBetweenLanes(isInteractive: (n: number) => boolean, starved?: string): Partial<Evidence> {
  const rows = Array.from({ length: 800 }, (_, n): MessageEvidence => {
    const lane = n < 400 ? 'interactive' : 'bulk';
    return {
      ...inherited,
      ...messages[1],
      id: `m${n}`,
      lane,
      customer: `customer-${n % 3}`,
    } as MessageEvidence;
  });
  const added = rows.map(({ id }) =>
    change({ message_id: id, at_ms: 100, to_state: 'pending', to_fencing_token: 0 }),
  );
  const left = { interactive: rows.slice(0, 400), bulk: rows.slice(400) };
  const leases = Array.from({ length: 240 }, (_, n) => {
    const lane = left[isInteractive(n) ? 'interactive' : 'bulk'];
    const at = lane.findIndex(({ customer }) => customer !== starved || n === 239);
    const [{ id } = { id: '' }] = lane.splice(
      n === 239 && starved !== undefined ? lane.findIndex(({ customer }) => customer === starved) : at,
      1,
    );
    return lease(id, 1, 200 + n, 'pending');
  });
  return { messages: [...messages, ...rows], history: [...history, ...added, ...leases] };
}

/** The section died under its second fencing token, lived again, and was done under its third. */
function replayedSection(replays: Evidence['replays']): Partial<Evidence> {
  const died = { ...done('section', 2, 3300), to_state: 'dead_lettered' };
  const again = change({
    message_id: 'section',
    at_ms: 3310,
    from_state: 'dead_lettered',
    to_state: 'pending',
    to_fencing_token: 2,
  });
  return {
    replays,
    messages: patched(messages, 1, { fencing_token: 3 }),
    history: [
      ...history.slice(0, 7),
      died,
      again,
      lease('section', 3, 3320, 'pending'),
      done('section', 3, 3400),
      ...history.slice(8),
    ],
    outcomes: [
      ...patched(sound.outcomes, 1, { outcome: 'dead_lettered' }),
      { ...origin, message_id: 'section', outcome: 'completed', deliveries: 3 },
    ],
  };
}

describe('the invariants', () => {
  it('hold for a sound run, one of whose workers died', () => {
    expect(brokenIn(sound)).toEqual([]);
  });

  it('hold when an operator replayed a dead letter', () => {
    const replays = [{ message_id: 'section', fencing_token: 2, actor: 'chaos' }];
    expect(brokenIn({ ...sound, ...replayedSection(replays) })).toEqual([]);
  });

  const cases: readonly (readonly [string, string, Partial<Evidence>])[] = [
    ['I1', 'an acknowledged message is not there', { acknowledged: new Set([report.index, 99_999]) }],
    ['I1', 'a message ended twice', { history: [...history, done('section', 2, 3500)] }],
    [
      'I1',
      'an ended message has two outcomes',
      { outcomes: [...sound.outcomes, ...sound.outcomes.slice(0, 1)] },
    ],
    ['I1', 'an ended message lives again, and nobody replayed it', replayedSection([])],
    ['I1', 'a process ended that nobody killed', { crashes: ['worker-1.1 ended by itself'] }],
    ['I1', 'a process met a defect', { defects: ['maintenance.1.log: The database refused it'] }],
    ['I2', 'an emission is missing', { messages: messages.slice(0, 2) }],
    [
      'I2',
      'an emission comes from another run',
      { messages: patched(messages, 2, { data: { key: 'r/0', index: 0, cause: 'z', odd } }) },
    ],
    ['I2', 'a dead letter has emissions', { messages: patched(messages, 1, { state: 'dead_lettered' }) }],
    ['I3', 'the ledger has another cost', { calls: patched(calls, 2, { cost_usd: '0.0020000000000001' }) }],
    ['I3', 'a bound does not cover the bill', { calls: patched(calls, 1, { upper_bound_usd: '0.002' }) }],
    ['I3', 'a record is there twice', { usage: patched(usage, 0, { records: 2 }) }],
    ['I3', 'a billed call is unknown', { bill: [...sound.bill, bill(3, 'c9', 'root', 'plan', '0.1')] }],
    ['I3', 'a rollup counted twice', { rollups: [{ table: 'spend_by_hour', calls: 6, cost_usd: '0.006' }] }],
    [
      'I4',
      'what was recorded before the run began is asked again',
      { calls: patched(calls, 1, { ...settled, settled_ms: 2000 }) },
    ],
    [
      'I5',
      'the holder of an old fencing token ended a message',
      { outcomes: patched(sound.outcomes, 1, { deliveries: 1 }) },
    ],
    [
      'I5',
      'a lease was given while another held',
      { history: patched(history, 6, { from_state: 'leased' }) },
    ],
    ['I5', 'a lease was taken back too early', { history: patched(history, 5, { held_until_ms: 9000 }) }],
    [
      'I5',
      'another connection changed a leased message',
      { history: patched(history, 7, { client: 'millrace worker-1' }) },
    ],
    [
      'I5',
      'a call was reserved under a fencing token that had passed on',
      { calls: patched(calls, 1, { reserved_ms: 3300 }) },
    ],
    [
      'I5',
      'a request was in the air when a worker that was cut off had lost its message',
      {
        cuts: [{ worker: 'worker-1', fromMs: 1500, toMs: 3300 }],
        requests: [{ worker: 'worker-1', callId: 'c2', beganMs: 1600, endedMs: 3001 }],
      },
    ],
    ['I6', 'a budget did not add up', { budgets: { looks: 3, faults: ['reserved 1, its calls 2'] } }],
    [
      'I6',
      'a model was asked again too often',
      { calls: [...calls, ...[4, 5, 6, 7].map((n) => call(`c${n}`, { attempt: 2 }))] },
    ],
    [
      'I6',
      'a model was asked more than its limit lets',
      { bill: Array.from({ length: 130 }, (_, n) => bill(n, 'c1', 'root', 'plan', '0')) },
    ],
    [
      'I8',
      'a message of a paused stage was claimed',
      {
        pauses: [{ scope: 'stage', value: 'write', aborts: false, askedMs: 2900, fromMs: 2950, toMs: 3050 }],
      },
    ],
    [
      'I8',
      'a paused model was asked',
      { pauses: [{ scope: 'model', value: 'openai/m', aborts: false, askedMs: 1, fromMs: 2, toMs: 9000 }] },
    ],
    [
      'I8',
      'a message was asked for in spite of a pause that aborts',
      { pauses: [{ scope: 'stage', value: 'write', aborts: true, askedMs: 3050, fromMs: 3060, toMs: 9000 }] },
    ],
    ['I9', 'a lane got more than its share', claimsBetweenLanes((n) => n % 2 === 0)],
    ['I9', 'a customer was passed by', claimsBetweenLanes((n) => n % 5 !== 0, 'customer-1')],
    [
      'I9',
      'a message of a key was leased before the one before it had ended',
      {
        messages: messages.map((message, at) => ({
          ...message,
          stage: 's',
          order_key: 'k',
          order_place: 3 - at,
        })),
      },
    ],
    ['I10', 'a pause was left standing', { left: { pauses: 1, reserved_usd: '0' } }],
    ['I10', 'money was left reserved', { left: { pauses: 0, reserved_usd: '0.01' } }],
    ['I7', 'a message has another team', { messages: patched(messages, 1, { team: 'nobody' }) }],
    ['I7', 'a usage record has no customer', { usage: patched(usage, 0, { customer: '' }) }],
    [
      'I11',
      'odd data was changed on its way',
      { messages: patched(messages, 1, withData({ odd: 'other' })) },
    ],
    [
      'I11',
      'a handler saw other data than was sent',
      { messages: patched(messages, 0, { result: '{"cause":"a","odd":"other"}' }) },
    ],
    [
      'I11',
      'a guilty admission was let in',
      { refusals: { tried: 3, wrong: ['half an emoji: it was admitted'] } },
    ],
    [
      'I11',
      'an innocent message ended for the fault of another',
      { messages: patched(messages, 1, { state: 'dead_lettered', error_code: 'MILLRACE_DATA_REFUSED' }) },
    ],
    [
      'I11',
      'a handler failed for good that throws once',
      { messages: patched(messages, 1, { state: 'dead_lettered', error_code: 'MILLRACE_STAGE_FAILED' }) },
    ],
    [
      'I11',
      'a handler that always throws was given up too early',
      {
        messages: withKey(1, cursedKey).map((message, at) =>
          at === 1
            ? {
                ...message,
                state: 'dead_lettered' as const,
                error_code: 'MILLRACE_STAGE_FAILED',
                attempts: 5,
              }
            : message,
        ),
      },
    ],
    ['I11', 'a message was completed whose handler always throws', { messages: withKey(1, cursedKey) }],
    ['I11', 'a message was completed whose sections have no key', { messages: withKey(0, guiltyKey) }],
    ['I11', 'what a handler threw is not recorded', { messages: withKey(1, stormyKey) }],
    [
      'I11',
      'a failure says nothing',
      { messages: withKey(1, stormyKey), failures: [failure('{"chain":[]}')] },
    ],
    [
      'I11',
      'a handler failed that had not been told to',
      { failures: [failure('{"chain":[{"message":"x"}]}')] },
    ],
    ['I12', 'a call with true usage is suspect', told(null, { is_suspect: true }, { suspect: 1 })],
    [
      'I12',
      'absurd usage was believed',
      told('usage_absurd', { settlement: 'reported', upper_bound_usd: '0.01' }, {}),
    ],
    [
      'I12',
      'absurd usage is not marked',
      told('usage_absurd', { settlement: 'estimated', upper_bound_usd: '0.01' }, { estimated: 1 }),
    ],
    [
      'I12',
      'an answer was refused for its usage',
      told('usage_text', { outcome: 'error', settlement: 'estimated', upper_bound_usd: '0.01' }, {}),
    ],
    [
      'I12',
      'a run failed for the usage of its last answer',
      {
        ...told('usage_text', { ...unsettled, cost_usd: null }, { unsettled: 1 }),
        failures: [failure('{"chain":[{"message":"x"}]}', 2, 'MILLRACE_MODEL_MALFORMED_ANSWER')],
      },
    ],
    ['I12', 'usage of nothing was believed', told('usage_zero', {}, {})],
    [
      'I12',
      'usage as text was not read',
      told('usage_text', { settlement: 'estimated', upper_bound_usd: '0.01' }, { estimated: 1 }),
    ],
    [
      'I12',
      'the smaller one of two counts was booked',
      told(
        'usage_decreasing',
        { settlement: 'estimated', upper_bound_usd: '0.01', cost_usd: '0.001' },
        { estimated: 1 },
      ),
    ],
    [
      'I12',
      'more was booked than was reserved',
      told('usage_zero', { settlement: 'estimated', upper_bound_usd: '0.0019' }, { estimated: 1 }),
    ],
    [
      'I12',
      'ClickHouse does not know of the mark',
      told('usage_absurd', { is_suspect: true }, { suspect: 0 }),
    ],
    ['I13', 'a report failed though nothing was away', reported({ refused: { MILLRACE_INTERNAL: 1 } })],
    ['I13', 'there was no report at the end', reported({ last: undefined })],
    ['I13', 'a report lacks a call', reported({ last: lastReport({ calls: 2 }) })],
    ['I13', 'a report says another cost', reported({ last: lastReport({ costUsd: '0.0030000001' }) })],
    ['I13', 'a report has a customer of its own', reported({ last: lastReport({ customer: 'nobody' }) })],
    [
      'I13',
      'a report knows of other suspect calls',
      reported({ last: { ...lastReport({}), suspectCalls: 1 } }),
    ],
    ['I13', 'the export did not catch up', { outages: [{ fromMs: 1000, toMs: 601_000, waiting: 5000 }] }],
    ['I10', 'a record was not exported', { unexported: { records: 1, batches: 0 } }],
    ['I10', 'a call was left reserved', { calls: patched(calls, 1, { state: 'reserved' }) }],
  ];

  it.each([
    ['absurd', told('usage_absurd', { ...estimated, cost_usd: '0.0015', is_suspect: true }, { suspect: 1 })],
    ['of nothing', told('usage_zero', { ...estimated, cost_usd: '0.0015' }, {})],
    ['as text', told('usage_text', {}, {})],
    ['falling', told('usage_decreasing', estimated, {})],
  ])('hold when usage was %s and judged as it should be', (_what, judged) => {
    expect(brokenIn({ ...sound, ...judged })).toEqual([]);
  });

  it('hold when a handler threw once, and that is recorded', () => {
    const thrown = { messages: withKey(1, stormyKey), failures: [failure('{"chain":[{"message":"x"}]}')] };
    expect(brokenIn({ ...sound, ...thrown })).toEqual([]);
  });

  it('holds lanes to their weights only', () => {
    expect(brokenIn({ ...sound, ...claimsBetweenLanes((n) => n % 5 !== 0) })).not.toContain('I9');
  });

  it.each(cases)('%s is broken when %s', (name, _what, tampered) => {
    expect(brokenIn({ ...sound, ...tampered })).toContain(name);
  });
});
