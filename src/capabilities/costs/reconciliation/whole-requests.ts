import { addUsd } from '../../../kernel/money.ts';
import { tokenClasses } from '../../../pricing/token-classes.ts';
import type { LedgerCall } from './ledger-usage.ts';

/**
 * Calls as a provider lists them: the parts of one shared request are one, with the id of the first, in the place of the first. Parts
 * whose end is unknown stay apart: each has a bound of its own, and is settled by itself.
 */
export function wholeRequests(calls: readonly LedgerCall[]): readonly LedgerCall[] {
  const whole = new Map<string, LedgerCall>();
  for (const call of calls) {
    const { id, sharedRequest, status, requestId } = call;
    const isPart = sharedRequest !== undefined && status !== 'unsettled';
    const key = isPart ? JSON.stringify([sharedRequest, status, requestId]) : id;
    const first = whole.get(key);
    whole.set(key, first === undefined ? call : together(first, call));
  }
  return [...whole.values()];
}

function together(one: LedgerCall, other: LedgerCall): LedgerCall {
  const counts = tokenClasses.map(
    (name) => [name, (one.tokens[name] ?? 0) + (other.tokens[name] ?? 0)] as const,
  );
  return {
    ...one,
    costUsd: addUsd(one.costUsd, other.costUsd),
    boundUsd: addUsd(one.boundUsd, other.boundUsd),
    tokens: Object.fromEntries(counts.filter(([, count]) => count !== 0)),
    recordedAt: one.recordedAt > other.recordedAt ? one.recordedAt : other.recordedAt,
  };
}
