import { formatCount, renderTable } from '../../../terminal/text-table.ts';
import type { RepriceReport } from './reprice-document.ts';

const reasons: Readonly<Record<keyof RepriceReport['kept'], string>> = {
  free: 'cost nothing',
  charged: 'cost what the provider said it charged',
  billed: 'cost what an operator said was billed',
  erased: 'are erased',
  no_price: 'have no price today',
};

/** The report for the terminal: what changes, by provider, model and team, to the last digit. */
export function repriceText(report: RepriceReport): string {
  const { dryRun, corrections, newlyPriced, calls, kept, prunedCalls, prunedMonths, changedMeanwhile } =
    report;
  const changed = report.groups.filter((group) => group.corrections > 0);
  const keptWords = Object.entries(kept).flatMap(([reason, count]) =>
    count === 0 ? [] : [`${formatCount(count)} ${reasons[reason as keyof RepriceReport['kept']]}`],
  );
  const row = (
    figures: Pick<RepriceReport, 'calls' | 'corrections' | 'beforeUsd' | 'afterUsd' | 'changeUsd'>,
  ) => [
    formatCount(figures.calls),
    formatCount(figures.corrections),
    figures.beforeUsd,
    figures.afterUsd,
    figures.changeUsd,
  ];
  return [
    `${dryRun ? 'Would correct' : 'Corrected'} ${formatCount(corrections)} of ${formatCount(calls)} calls by price book ${report.priceBook}` +
      `${newlyPriced === 0 ? '' : `, ${formatCount(newlyPriced)} of them without a price before`}.`,
    ...(changed.length === 0
      ? []
      : [
          '',
          renderTable(
            [
              { title: 'provider' },
              { title: 'model' },
              { title: 'team' },
              { title: 'calls', align: 'right' },
              { title: 'corrected', align: 'right' },
              { title: 'old USD', align: 'right' },
              { title: 'new USD', align: 'right' },
              { title: 'change', align: 'right' },
            ],
            [
              ...changed.map((group) => [group.provider, group.model, group.team, ...row(group)]),
              ['all', '', '', ...row(report)],
            ],
          ),
          ...(report.otherGroups ? ['There are more groups; all are in the sums.'] : []),
          '',
        ]),
    ...(keptWords.length === 0 ? [] : [`Not priced again: ${keptWords.join(', ')}.`]),
    ...(prunedCalls === 0
      ? []
      : [
          `${formatCount(prunedCalls)} calls of about this period have left the ledger and keep their cost: ${prunedMonths.map((pruned) => `${formatCount(pruned.calls)} of ${pruned.month}`).join(', ')}.`,
        ]),
    ...(changedMeanwhile === 0
      ? []
      : [`${formatCount(changedMeanwhile)} calls changed at the same moment: run it again for them.`]),
  ].join('\n');
}
