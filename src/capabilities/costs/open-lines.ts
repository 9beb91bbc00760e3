import { formatCount, formatCounted } from '../../terminal/text-table.ts';
import type { CostReportDocument } from './cost-report-document.ts';

type OpenFigures = Pick<
  CostReportDocument['totals'],
  'unpricedCalls' | 'unsettledCalls' | 'estimatedCalls' | 'suspectCalls' | 'openUpperBoundUsd'
>;

/** What the total of a report does not say, a line each: nothing where every call is settled and priced. */
export function openLines(totals: OpenFigures): string[] {
  const { unpricedCalls, suspectCalls } = totals;
  return [
    ...(unpricedCalls === 0
      ? []
      : [
          `${formatCounted(unpricedCalls, 'call has no price and is', 'calls have no price and are')} not in the sums.`,
        ]),
    ...boundLines(totals),
    ...(suspectCalls === 0
      ? []
      : [
          `${formatCount(suspectCalls)} of the estimated calls ${suspectCalls === 1 ? 'is' : 'are'} suspect: their providers reported more tokens than the requests can have caused.`,
        ]),
  ];
}

/** The bound is of all calls of unknown or estimated usage, and only the latter are in the total. */
function boundLines({ unsettledCalls, estimatedCalls, openUpperBoundUsd }: OpenFigures): string[] {
  const unsettled = formatCounted(unsettledCalls, 'call is', 'calls are');
  const estimated = formatCounted(estimatedCalls, 'call is', 'calls are');
  if (unsettledCalls === 0) {
    return estimatedCalls === 0
      ? []
      : [`${estimated} in the total as estimated, and can have cost at most ${openUpperBoundUsd} USD.`];
  }
  if (estimatedCalls === 0)
    return [`${unsettled} unsettled and not in the total: at most ${openUpperBoundUsd} USD more.`];
  return [
    `${unsettled} unsettled and not in the total, and ${estimated} in it as estimated: together these calls can have cost at most ${openUpperBoundUsd} USD.`,
  ];
}
