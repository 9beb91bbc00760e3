import { formatUsd } from '../../kernel/money.ts';
import type { Price, Pricing } from '../../pricing/price.ts';
import { classOf, inputTokenClasses, type RatedKind, ratedKinds } from '../../pricing/token-classes.ts';
import { type UsageUnit, usageUnits } from '../../pricing/usage-units.ts';
import { renderTable } from '../../terminal/text-table.ts';

/** Tokens of a kind, or uses of a tool, to be priced. */
export interface UsedKind {
  readonly kind: RatedKind | UsageUnit;
  readonly count: number;
  readonly isUnit: boolean;
}

/** "text_output=1200"; what is wrong with it otherwise. */
export function usedKindOf(text: string): UsedKind | string {
  const [name = '', number = ''] = text.split('=');
  const kind = ratedKinds.find((known) => known === name);
  const unit = usageUnits.find((known) => known === name);
  if (!/^\d{1,12}$/.test(number)) return 'Write it as kind=count, such as text_output=1200.';
  if (kind !== undefined) return { kind, count: Number(number), isUnit: false };
  if (unit !== undefined) return { kind: unit, count: Number(number), isUnit: true };
  return `"${name}" is no kind of tokens or uses; there are ${[...ratedKinds, ...usageUnits].join(', ')}.`;
}

/** The arithmetic of a cost, a line a kind, and its sum. */
export function costText(pricing: Pricing, price: Price, used: readonly UsedKind[]): string {
  if (pricing.kind === 'unpriced') return `Unpriced: ${pricing.reason}.`;
  const inputTokens = used
    .filter(({ kind, isUnit }) => !isUnit && inputTokenClasses.includes(classOf(kind as RatedKind)))
    .reduce((sum, { count }) => sum + count, 0);
  const rows = used.map(({ kind, count, isUnit }) => {
    const rate = isUnit ? price.units?.[kind as UsageUnit] : rateOf(price, kind as RatedKind, inputTokens);
    if (rate === undefined) return [kind, String(count), 'unknown', ''];
    const amount = isUnit ? rate.times(count) : rate.times(count).div(1_000_000);
    return [kind, String(count), `${formatUsd(rate)}${isUnit ? '' : ' / million'}`, formatUsd(amount)];
  });
  const { total, request } = pricing.cost;
  return renderTable(
    [
      { title: 'kind' },
      { title: 'count', align: 'right' },
      { title: 'USD', align: 'right' },
      { title: 'amount', align: 'right' },
    ],
    [
      ...rows,
      ...(request.isZero() ? [] : [['request', '1', formatUsd(request), formatUsd(request)]]),
      ['total', '', '', formatUsd(total)],
    ],
  );
}

function rateOf(price: Price, kind: RatedKind, inputTokens: number) {
  const rate = price.rates[kind];
  return (
    rate?.tiers.findLast((tier) => inputTokens > tier.aboveInputTokens)?.usdPerMillion ?? rate?.usdPerMillion
  );
}
