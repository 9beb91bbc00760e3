import { shownDuration, shownPercent } from '../../../http/pages/shown-numbers.ts';
import { usd } from '../../../kernel/money.ts';
import { formatCount, formatCounted, renderTable, roundedUsd } from '../../../terminal/text-table.ts';
import { hasCascades } from '../../../pricing/cascade-savings.ts';
import type { BatchReportDocument } from './report-document.ts';

/* The report of a batch at the terminal: what fits on a screen. The page and the JSON have all of it. */

const rounded = (amount: string | undefined): string =>
  amount === undefined ? '–' : roundedUsd(usd(amount));
const share = (ratio: string | undefined): string => (ratio === undefined ? '–' : shownPercent(ratio));
const numbers = (...titles: readonly string[]) => titles.map((title) => ({ title, align: 'right' as const }));

function qualityText({ quality }: BatchReportDocument['batch']): readonly string[] {
  if (quality === undefined) return [];
  const { passed, drawn, validator, minimum } = quality;
  return [
    `Quality     ${formatCount(passed)} of ${formatCounted(drawn, 'checked item')} passed ${validator}; ${minimum} % are needed`,
  ];
}

/** The report as text. */
export function reportText(report: BatchReportDocument): string {
  const { batch, items, cost, time, tokens, concentration, savings } = report;
  const { perItem } = cost;
  return [
    `${batch.name} of ${batch.team}, pipeline ${batch.pipeline}: ${batch.state}${report.isFinal ? '' : ', so far'}${batch.cause === undefined ? '' : ` (${batch.cause.code}: ${batch.cause.detail})`}`,
    '',
    `Items       ${formatCount(items.succeeded)} of ${formatCount(items.total)} succeeded (${share(items.successShare)}); ${formatCount(items.failed)} failed, ${formatCount(items.expired)} expired, ${formatCount(items.cancelled)} cancelled, ${formatCount(items.skipped)} skipped, ${formatCount(items.running + items.waiting)} open; ${formatCount(items.retried)} retried`,
    ...qualityText(batch),
    `Time        ${time.seconds === undefined ? '–' : shownDuration(time.seconds)}`,
    `Cost        ${cost.totalUsd} USD in ${formatCounted(cost.calls, 'call')}; waste ${rounded(cost.wasteUsd)} (${share(cost.wasteShare)})`,
    `Per item    mean ${rounded(perItem.meanUsd)}, p50 ${rounded(perItem.p50Usd)}, p95 ${rounded(perItem.p95Usd)}, most ${rounded(perItem.maxUsd)} USD; per succeeded one ${rounded(cost.perSucceededUsd)}`,
    `Saved       ${rounded(savings.caching.savedUsd)} USD by caching${savings.tiers.map(({ tier, savedUsd }) => `, ${rounded(savedUsd)} by ${tier}`).join('')}${hasCascades(savings.cascade) ? `, ${rounded(savings.cascade.savedUsd)} by cascades` : ''}${savings.sharing.answers === 0 ? '' : `, ${rounded(savings.sharing.savedUsd)} by sharing ${formatCounted(savings.sharing.answers, 'answer')}`}; ${share(tokens.cacheHitRate)} of the input was read from a cache`,
    `Spread      the most expensive tenth of the items makes ${share(concentration.topTenthShare)} of the cost; Gini ${concentration.gini ?? '–'}`,
    ...comparison(report),
    ...open(report),
    '',
    renderTable(
      [{ title: 'stage' }, ...numbers('messages', 'p50', 'p95', 'longest', 'first to last')],
      time.stages.map(({ stage, messages, p50Ms, p95Ms, maxMs, seconds }) => [
        stage,
        formatCount(messages),
        ...[p50Ms, p95Ms, maxMs].map((ms) => (ms === undefined ? '–' : shownDuration(ms / 1000))),
        seconds === undefined ? '–' : shownDuration(seconds),
      ]),
    ),
    '',
    renderTable(
      [{ title: 'model' }, { title: 'tier' }, ...numbers('calls', 'USD', 'share')],
      cost.models.map(({ provider, model, tier, calls, costUsd, share: part }) => [
        `${provider}/${model}`,
        tier,
        formatCount(calls),
        rounded(costUsd),
        share(part),
      ]),
    ),
    ...(report.reasons.length === 0
      ? []
      : [
          '',
          renderTable(
            [{ title: 'not succeeded' }, { title: 'end' }, ...numbers('items')],
            report.reasons.map(({ code, end, items: count }) => [
              code === '' ? '(none recorded)' : code,
              end,
              formatCount(count),
            ]),
          ),
        ]),
  ].join('\n');
}

function comparison({ previous }: BatchReportDocument): string[] {
  if (previous === undefined) return [];
  const { batch, figures, costPerSucceededChange: change } = previous;
  return [
    `Before      ${batch.name}: ${formatCount(figures.succeeded)} of ${formatCounted(figures.items, 'item')}, ${rounded(figures.costUsd)} USD, ${rounded(figures.costPerSucceededUsd)} per succeeded one${change === undefined ? '' : ` (now ${shownPercent(change, true)})`}`,
  ];
}

/** What the amounts do not have. */
function open({ cost, goneItems }: BatchReportDocument): string[] {
  const parts = [
    [cost.unsettledCalls, 'call', 'of unknown outcome'],
    [cost.openCalls, 'call', 'under way'],
    [cost.unpricedCalls, 'call', 'without a price'],
    [goneItems, 'item', 'whose messages are no longer in the ledger'],
  ] as const;
  const named = parts
    .filter(([count]) => count > 0)
    .map(([count, what, which]) => `${formatCounted(count, what)} ${which}`);
  return named.length === 0
    ? []
    : [
        `Not in it   ${named.join(', ')}; at most ${rounded(cost.openUpperBoundUsd)} USD as far as prices are known`,
      ];
}
