import { formatUsd, type Usd, zeroUsd } from '../kernel/money.ts';

/*
 * What cascades saved: what the last model would have cost for the answers of smaller ones that were taken, less everything that the
 * smaller ones cost, answers that were not taken and calls that failed among it. It is negative where too little was taken.
 */

/** Calls of models before the last that had one end. */
export interface CascadeSums {
  readonly verdict: 'accepted' | 'escalated' | 'none';
  readonly calls: number;
  /** Of these, those of which a cost is not known: their own, or, of an accepted answer, that of the last model. They are in no amount. */
  readonly unvaluedCalls: number;
  readonly costUsd: Usd;
  readonly lastModelUsd: Usd;
}

/** The same as documents tell it: amounts are exact decimal texts. */
export interface CascadeSavings {
  readonly acceptedCalls: number;
  readonly escalatedCalls: number;
  readonly otherCalls: number;
  readonly paidUsd: string;
  readonly unacceptedUsd: string;
  readonly lastModelUsd: string;
  readonly savedUsd: string;
  readonly unvaluedCalls: number;
}

/** What cascades saved over all sums. */
export function savedByCascades(all: readonly CascadeSums[]): CascadeSavings {
  let paid = zeroUsd;
  let unaccepted = zeroUsd;
  let last = zeroUsd;
  let unvaluedCalls = 0;
  const calls = { accepted: 0, escalated: 0, none: 0 };
  for (const sums of all) {
    calls[sums.verdict] += sums.calls;
    unvaluedCalls += sums.unvaluedCalls;
    paid = paid.plus(sums.costUsd);
    if (sums.verdict !== 'accepted') unaccepted = unaccepted.plus(sums.costUsd);
    last = last.plus(sums.lastModelUsd);
  }
  return {
    acceptedCalls: calls.accepted,
    escalatedCalls: calls.escalated,
    otherCalls: calls.none,
    paidUsd: formatUsd(paid),
    unacceptedUsd: formatUsd(unaccepted),
    lastModelUsd: formatUsd(last),
    savedUsd: formatUsd(last.minus(paid)),
    unvaluedCalls,
  };
}

/** The same in a sentence, for people. */
export function cascadeText(
  { acceptedCalls, escalatedCalls, unacceptedUsd, unvaluedCalls }: CascadeSavings,
  rounded: (amount: string) => string,
): string {
  const asked = acceptedCalls + escalatedCalls;
  const unvalued = unvaluedCalls === 0 ? '' : `; calls without a known price, in no amount: ${unvaluedCalls}`;
  return `Answers of smaller models in cascades that were taken: ${acceptedCalls} of ${asked}; the others cost ${rounded(unacceptedUsd)} USD${unvalued}.`;
}

/** Whether there was any cascade to tell of. */
export function hasCascades({ acceptedCalls, escalatedCalls, otherCalls }: CascadeSavings): boolean {
  return acceptedCalls + escalatedCalls + otherCalls > 0;
}
