import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from '../../../kernel/money.ts';
import { extraCauses } from './difference.ts';
import type { DifferenceDocument } from './reconciliation-document.ts';

/** A bill as what both have, what one has alone, and what differs; from the sums of its differences by cause. */
export function partsOf(
  ledgerUsd: Usd,
  differences: readonly DifferenceDocument[],
): { capturedUsd: string; missingUsd: string; extraUsd: string; changedUsd: string } {
  const sumOf = (isPart: (cause: DifferenceDocument['cause']) => boolean): Usd =>
    sumUsd(differences.filter(({ cause }) => isPart(cause)).map((one) => usd(one.usd)));
  const notBilled = sumOf((cause) => cause === 'not_billed');
  return {
    capturedUsd: formatUsd(ledgerUsd.plus(notBilled)),
    missingUsd: formatUsd(zeroUsd.minus(notBilled)),
    extraUsd: formatUsd(sumOf((cause) => extraCauses.has(cause))),
    changedUsd: formatUsd(sumOf((cause) => cause !== 'not_billed' && !extraCauses.has(cause))),
  };
}
