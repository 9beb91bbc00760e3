import { describe, expect, it } from 'vitest';
import type { BatchAccount } from './batch-answers.ts';
import { batchActor } from './batch-workload.ts';
import { checkFencingTokens } from './check-fencing-tokens.ts';
import type { Evidence } from './evidence.ts';
import { checkInvariants } from './invariants.ts';
import { batched, batches, online, soundBatches } from './sound-batches.ts';
import { call, sound } from './sound-run.ts';

/* The invariants of batches over the evidence of two small ones, and over the same with one thing out of order. */

const ofBatches = new Set(['I14', 'I15', 'I16', 'I17', 'I18']);

function brokenIn(evidence: Evidence): readonly string[] {
  return checkInvariants(evidence)
    .filter(({ name, violations }) => ofBatches.has(name) && violations.length > 0)
    .map(({ name }) => name);
}

type Rows = Evidence['batches'];
type Run = NonNullable<Evidence['batchRun']>;
const run = soundBatches.batchRun as Run;

const inLedger = (of: Partial<Rows>): Evidence => ({
  ...soundBatches,
  batches: { ...soundBatches.batches, ...of },
});
const inRun = (of: Partial<Run>): Evidence => ({ ...soundBatches, batchRun: { ...run, ...of } });
const withItem = (id: string, of: Partial<Rows['items'][number]>): Evidence =>
  inLedger({
    items: soundBatches.batches.items.map((row) => (row.item_id === id ? { ...row, ...of } : row)),
  });
const withCall = (id: string, of: Partial<Evidence['calls'][number]>): Evidence => ({
  ...soundBatches,
  calls: soundBatches.calls.map((one) => (one.id === id ? { ...one, ...of } : one)),
});
const withBill = (callId: string, of: Partial<Evidence['bill'][number]>): Evidence => ({
  ...soundBatches,
  bill: soundBatches.bill.map((entry) => (entry.callId === callId ? { ...entry, ...of } : entry)),
});
const withOutput = (change: (output: string) => string, which: readonly number[] = [0, 1]): Evidence =>
  inRun({
    readings: run.readings.map((reading) => ({
      ...reading,
      outputs: reading.outputs.map((output, at) => (which.includes(at) ? change(output) : output)),
    })),
  });
const withReport = (report: Partial<BatchAccount['report']>, of: Partial<BatchAccount> = {}): Evidence =>
  inRun({
    readings: run.readings.map((reading) => ({
      ...reading,
      account: { ...reading.account, ...of, report: { ...reading.account.report, ...report } },
    })),
  });
const withRequest = (of: Partial<Rows['providerRequests'][number]>): Evidence =>
  inLedger({
    providerRequests: soundBatches.batches.providerRequests.map((request, at) =>
      at === 0 ? { ...request, ...of } : request,
    ),
  });
const [firstBatch = { name: '' }] = batches;
const changed = (from: string, to: string, position: number | null): Rows['changes'][number] => ({
  batch: firstBatch.name,
  position,
  from_state: from,
  to_state: to,
});
const withChanges = (...changes: Rows['changes']): Evidence =>
  inLedger({ changes: [...soundBatches.batches.changes, ...changes] });

/** Another call of the item's first question, which was billed. */
function askedAgain(of: Partial<Evidence['calls'][number]>): Evidence {
  const again = call('again', { message_id: online, fencing_token: 1, step: 'sort', ...of });
  const [entry] = soundBatches.bill.filter(({ callId }) => callId === `${online}:sort`);
  if (entry === undefined) throw new Error('The call is billed');
  return {
    ...soundBatches,
    calls: [...soundBatches.calls, again],
    bill: [...soundBatches.bill, { ...entry, callId: 'again' }],
    usage: [
      ...soundBatches.usage,
      ...soundBatches.usage
        .slice(0, 1)
        .map((record) => ({ ...record, call_id: 'again', cost_usd: again.cost_usd ?? '0' })),
    ],
  };
}
const unused = {
  attempt: 0,
  state: 'settled',
  outcome: 'error',
  has_answer: false,
  cost_usd: '0.002',
} as const;

describe('the invariants of batches', () => {
  it('hold for batches that nobody disturbed', () => {
    expect(brokenIn(soundBatches)).toEqual([]);
    for (const { name, checks } of checkInvariants(soundBatches)) {
      if (ofBatches.has(name)) expect(checks, `${name} had something to check`).toBeGreaterThan(5);
    }
  });

  it('say so when a run had no batches', () => {
    const { batchRun: _none, ...without } = soundBatches;
    const unchecked = checkInvariants(without).filter(({ unchecked: why }) => why !== undefined);
    expect(unchecked.map(({ name }) => name)).toEqual([...ofBatches]);
  });

  it.each<readonly [string, Evidence]>([
    ['is open at the end', withItem(online, { state: 'running' })],
    ['is missing', inLedger({ items: soundBatches.batches.items.slice(1) })],
    ['is counted twice', inLedger({ rows: soundBatches.batches.rows.map((row) => ({ ...row, failed: 1 })) })],
    ['ended twice', withChanges(changed('running', 'succeeded', 1))],
    [
      'left its end without a retry',
      withChanges(changed('succeeded', 'waiting', 1), changed('waiting', 'succeeded', 1)),
    ],
    ['is cancelled, and nobody asked', withItem(online, { state: 'cancelled' })],
    ['expired without a deadline', withItem(online, { state: 'expired' })],
    [
      'failed with a reason that none of its messages had',
      withItem(online, { state: 'failed', error_code: 'X' }),
    ],
    ['was left out, though it can be read', withItem(online, { state: 'skipped' })],
  ])('I14 breaks when an item %s', (_what, evidence) => {
    expect(brokenIn(evidence)).toContain('I14');
  });

  it.each<readonly [string, Evidence]>([
    ['is not there', inLedger({ rows: [] })],
    ['ended twice', withChanges(changed('running', 'succeeded', null))],
    [
      'did not end',
      inLedger({ rows: soundBatches.batches.rows.map((row) => ({ ...row, state: 'halted' })) }),
    ],
    [
      'failed, though enough succeeded',
      inLedger({ rows: soundBatches.batches.rows.map((row) => ({ ...row, state: 'failed' })) }),
    ],
  ])('I14 breaks when a batch %s', (_what, evidence) => {
    expect(brokenIn(evidence)).toContain('I14');
  });

  it.each<readonly [string, Evidence]>([
    ['is missing', inRun({ readings: [] })],
    ['differs when it is read again', withOutput((output) => output.replace('the reply', 'a reply'), [1])],
    ['has a line too few', withOutput((output) => output.slice(output.indexOf('\n') + 1))],
    [
      'is in another order',
      withOutput((output) => `${output.split('\n').slice(0, -1).toReversed().join('\n')}\n`),
    ],
    [
      'has another text than the provider answers',
      withOutput((output) => output.replace('the reply', 'a reply')),
    ],
    ['has another state than the item', withOutput((output) => output.replace('succeeded', 'failed'))],
  ])('I15 breaks when an output %s', (_what, evidence) => {
    expect(brokenIn(evidence)).toContain('I15');
  });

  it.each<readonly [string, Evidence]>([
    ['was sent twice', inRun({ simulated: [...run.simulated, { id: 'batch_again', requests: 1 }] })],
    ['is not known by the provider', inRun({ simulated: run.simulated.slice(1) })],
    [
      'is two of the ledger',
      inLedger({
        providerBatches: soundBatches.batches.providerBatches.map((one) => ({
          ...one,
          provider_id: 'batch_sort',
        })),
      }),
    ],
    ['has lost a request', inLedger({ providerRequests: soundBatches.batches.providerRequests.slice(1) })],
    ['has a request without an outcome', withRequest({ outcome: null })],
    ['has a request that was billed and is said to have failed', withRequest({ outcome: 'failed' })],
    ['has a request that is no call of it', withRequest({ request_id: `${online}:sort` })],
    [
      'was not closed',
      inLedger({
        providerBatches: soundBatches.batches.providerBatches.map((one) => ({ ...one, state: 'running' })),
      }),
    ],
    ['left a call put off', inLedger({ putOff: 1 })],
  ])('I16 breaks when a provider batch %s', (_what, evidence) => {
    expect(brokenIn(evidence)).toContain('I16');
  });

  it('I16 breaks when a question stands in two provider batches at a time', () => {
    const again = call('again', {
      message_id: batched,
      step: 'sort',
      request_kind: 'batch',
      reserved_ms: 3150,
    });
    expect(brokenIn({ ...soundBatches, calls: [...soundBatches.calls, again] })).toContain('I16');
  });

  it('I16 breaks when a batch that is online has calls in a provider batch', () => {
    expect(brokenIn(withCall(`${online}:sort`, { request_kind: 'batch' }))).toContain('I16');
  });

  it.each<readonly [string, Evidence]>([
    ['billed in a batch costs as much as by itself', withBill(`${batched}:sort`, { costUsd: '0.002' })],
    ['billed by itself costs what it does in a batch', withBill(`${online}:sort`, { costUsd: '0.001' })],
    ['put off was billed by itself', withCall(`${batched}:sort`, { request_kind: 'responses' })],
    ['paid for was not used, and is not marked', askedAgain(unused)],
    ['that was used is marked as waste', withCall(`${online}:sort`, { waste_reason: 'failed' })],
    [
      'of unknown outcome is not covered by its bound',
      askedAgain({
        ...unused,
        state: 'unsettled',
        settlement: 'unsettled',
        outcome: null,
        cost_usd: null,
        upper_bound_usd: '0.001',
      }),
    ],
  ])('I17 breaks when a call that was %s', (_what, evidence) => {
    expect(brokenIn(evidence)).toContain('I17');
  });

  it('I17 holds for what a call cost that bought nothing, and says so', () => {
    expect(brokenIn(askedAgain({ ...unused, waste_reason: 'failed' }))).not.toContain('I17');
    const bound = { state: 'unsettled', settlement: 'unsettled', outcome: null, cost_usd: null } as const;
    expect(brokenIn(askedAgain({ ...unused, ...bound, upper_bound_usd: '0.01' }))).not.toContain('I17');
  });

  it.each<readonly [string, Evidence]>([
    ['another total', withReport({ totalUsd: '1' })],
    ['waste', withReport({ wasteUsd: '0.001' })],
    ['a call too many', withReport({ calls: 99 })],
    ['open calls', withReport({ openCalls: 1 })],
    ['unsettled calls', withReport({ unsettledCalls: 1 })],
    ['estimated calls', withReport({ estimatedCalls: 1 })],
    ['other items', withReport({ items: { succeeded: 1 } })],
    ['that it is not complete', withReport({ isComplete: false })],
  ])('I18 breaks when a report says %s', (_what, evidence) => {
    expect(brokenIn(evidence)).toEqual(['I18']);
  });

  it('I18 breaks when the API says another cost, or an item another than its answers', () => {
    expect(brokenIn(withReport({}, { costUsd: '1' }))).toEqual(['I18']);
    expect(brokenIn(withReport({}, { state: 'running' }))).toEqual(['I18']);
    expect(brokenIn(withItem(online, { cost_usd: '1' }))).toEqual(['I18']);
  });

  it('know that what is cancelled has a token that nobody held (I5)', () => {
    const cancelled = (deliveries: number): Evidence => ({
      ...sound,
      messages: sound.messages.map((one) =>
        one.id === 'section' ? { ...one, state: 'cancelled', fencing_token: 3 } : one,
      ),
      outcomes: sound.outcomes.map((one) =>
        one.message_id === 'section' ? { ...one, outcome: 'cancelled', deliveries } : one,
      ),
    });
    expect(checkFencingTokens(cancelled(2)).violations).toEqual([]);
    expect(checkFencingTokens(cancelled(3)).violations).toHaveLength(1);
  });

  it('leave out what an operator let live again by himself', () => {
    const replays = [{ message_id: online, fencing_token: 1, actor: 'chaos' }];
    expect(brokenIn({ ...askedAgain(unused), replays })).not.toContain('I17');
    const ofBatch = replays.map((replay) => ({ ...replay, actor: batchActor }));
    expect(brokenIn({ ...askedAgain(unused), replays: ofBatch })).toContain('I17');
  });
});
