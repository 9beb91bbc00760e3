import { formatUsd, ratioText, type Usd, usdEach } from '../../kernel/money.ts';
import type { CostFigures } from './cost-figures.ts';
import type {
  CostFiguresDocument,
  CostReportDocument,
  PeriodFiguresDocument,
} from './cost-report-document.ts';
import type { CostGroup, PeriodFigures } from './usage-queries.ts';

/* Figures as documents have them. */

/** A group's figures, with its share of the total cost. */
export function groupFigures(
  group: CostGroup,
  totalUsd: Usd,
): Omit<CostReportDocument['groups'][number], 'key'> {
  const share = ratioText(group.costUsd, totalUsd);
  return { ...periodFigures(group), ...(share === undefined ? {} : { share }) };
}

/** The figures with what else was asked for. */
export function periodFigures(figures: PeriodFigures): PeriodFiguresDocument {
  return { ...plainFigures(figures), ...comparison(figures), ...completion(figures) };
}

function comparison({ costUsd, previous }: PeriodFigures): Partial<PeriodFiguresDocument> {
  if (previous === undefined) return {};
  const changeUsd = costUsd.minus(previous.costUsd);
  const changeRatio = ratioText(changeUsd, previous.costUsd);
  return {
    previous: plainFigures(previous),
    changeUsd: formatUsd(changeUsd),
    ...(changeRatio === undefined ? {} : { changeRatio }),
  };
}

function completion({ costUsd, completedMessages }: PeriodFigures): Partial<PeriodFiguresDocument> {
  if (completedMessages === undefined) return {};
  const each = usdEach(costUsd, completedMessages);
  return { completedMessages, ...(each === undefined ? {} : { costPerCompletedUsd: formatUsd(each) }) };
}

/** The figures of spend alone. */
export function plainFigures(figures: CostFigures): CostFiguresDocument {
  return {
    costUsd: formatUsd(figures.costUsd),
    calls: figures.calls,
    ...(figures.messages === undefined ? {} : { messages: figures.messages }),
    inputTokens: countOf(figures.inputTokens),
    outputTokens: countOf(figures.outputTokens),
    wasteUsd: formatUsd(figures.wasteUsd),
    unpricedCalls: figures.unpricedCalls,
    unsettledCalls: figures.unsettledCalls,
    estimatedCalls: figures.estimatedCalls,
    suspectCalls: figures.suspectCalls,
    openUpperBoundUsd: formatUsd(figures.upperBoundUsd),
  };
}

function countOf(tokens: bigint): number | string {
  const count = Number(tokens);
  return Number.isSafeInteger(count) ? count : tokens.toString();
}
