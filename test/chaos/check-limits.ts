import type { BillEntry } from '../../src/simulator/bill.ts';
import type { CallEvidence, Evidence } from './evidence.ts';
import { groupedBy, InvariantCheck, type InvariantResult } from './invariant-check.ts';

/** Requests that were let through and were held up on their way: at most one for each slot of the workers. */
const requestsUnderWay = 64;
/** What each of those may use. */
const tokensUnderWay = requestsUnderWay * 700;

const binMs = 10_000;

/**
 * I6: budgets added up at every look; retries of a model within their floor and share; requests and tokens of a model, by
 * the provider's bill, within a bucket of one minute that refills as configured.
 */
export function checkLimits({ budgets, calls, bill, limits }: Evidence): InvariantResult {
  const check = new InvariantCheck('I6', 'retry caps, request, token and money budgets held');
  for (let look = budgets.faults.length; look < budgets.looks; look += 1)
    check.expect(true, undefined, () => '');
  for (const fault of budgets.faults) check.expect(false, undefined, () => `budget ${fault}`);
  for (const [model, made] of groupedBy(calls, ({ provider, model: name }) => `${provider}/${name}`))
    checkRetries(check, model, made, limits.retries);
  const byModel = groupedBy(bill, ({ modelAsked }) => modelAsked);
  for (const [reference, { requestsPerMinute, tokensPerMinute }] of Object.entries(limits.models)) {
    const entries = byModel.get(reference.slice(reference.indexOf('/') + 1)) ?? [];
    if (requestsPerMinute !== undefined)
      checkBucket(check, entries, {
        what: `${reference}: requests`,
        perMinute: requestsPerMinute,
        underWay: requestsUnderWay,
        amountOf: () => 1,
      });
    if (tokensPerMinute !== undefined)
      checkBucket(check, entries, {
        what: `${reference}: tokens`,
        perMinute: tokensPerMinute,
        underWay: tokensUnderWay,
        amountOf: ({ tokens }) => Object.values(tokens).reduce((sum, count) => sum + count, 0),
      });
  }
  return check.result;
}

/**
 * The host counts in six windows of ten seconds, by when it permits a retry and by when a first attempt ended; here
 * is known when each was reserved. Of five windows every retry was permitted within six, by firsts of eight at most before.
 */
function checkRetries(
  check: InvariantCheck,
  model: string,
  calls: readonly CallEvidence[],
  { floor, share }: Evidence['limits']['retries'],
): void {
  const firsts = new Map<number, number>();
  const retries = new Map<number, number>();
  for (const { attempt, reserved_ms: reservedMs, request_kind: kind } of calls) {
    // What is put off to a provider's batch is no request that is sent now.
    if (kind === 'batch') continue;
    const counts = attempt <= 1 ? firsts : retries;
    const bin = Math.floor(reservedMs / binMs);
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  const sum = (counts: ReadonlyMap<number, number>, from: number, to: number): number => {
    let total = 0;
    for (let bin = from; bin <= to; bin += 1) total += counts.get(bin) ?? 0;
    return total;
  };
  for (const bin of retries.keys()) {
    const made = sum(retries, bin, bin + 4);
    const permitted = floor + share * sum(firsts, bin - 8, bin + 4);
    check.expect(
      made <= permitted,
      undefined,
      () =>
        `${model}: ${made} retries within 50 s from ${new Date(bin * binMs).toISOString()}, permitted ${permitted}`,
    );
  }
}

interface BucketRule {
  readonly what: string;
  readonly perMinute: number;
  readonly underWay: number;
  readonly amountOf: (entry: BillEntry) => number;
}

function checkBucket(
  check: InvariantCheck,
  entries: readonly BillEntry[],
  { what, perMinute, underWay, amountOf }: BucketRule,
): void {
  let level = perMinute;
  let atMs = Number.NEGATIVE_INFINITY;
  const inOrder = entries
    .map((entry) => ({ ms: Date.parse(entry.at), entry }))
    .toSorted((left, right) => left.ms - right.ms);
  for (const { ms, entry } of inOrder) {
    level = Math.min(perMinute, level + ((ms - atMs) * perMinute) / 60_000) - amountOf(entry);
    atMs = ms;
    const over = -level;
    check.expect(
      over <= underWay,
      entry.messageId ?? undefined,
      () => `${what} were ${Math.round(over)} above ${perMinute} a minute at ${entry.at}`,
    );
  }
}
