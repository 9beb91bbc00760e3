import { formatUsd, type Usd, zeroUsd } from '../../../kernel/money.ts';
import type { UsageOfRow } from '../../../engine/calls/price-of-stored-call.ts';
import { type CostParts, usesOfRow } from '../../../engine/ledger/cost-parts.ts';
import type { SettledRow } from '../../../engine/ledger/reprice-ledger.ts';
import type { Price } from '../../../pricing/price.ts';
import { countTokens, inputTokenClasses, ratedKinds, tokenClasses } from '../../../pricing/token-classes.ts';
import { usageUnits } from '../../../pricing/usage-units.ts';
import type { CallPriceLine } from './call-price-document.ts';

/* The arithmetic of a call: each line is a count times a rate, and the lines add up to the cost. */

/** The lines by the price that made the cost, with its rates and bands. */
export function linesOfPrice(usage: UsageOfRow, price: Price, parts: CostParts): readonly CallPriceLine[] {
  const input = countTokens(usage.tokens, inputTokenClasses);
  const tokens = ratedKinds.flatMap((kind): CallPriceLine[] => {
    const count = usage.tokens[kind] ?? 0;
    const rate = price.rates[kind];
    if (count === 0 || rate === undefined) return [];
    const band = rate.tiers.findLast((tier) => input > tier.aboveInputTokens);
    const usdPerMillion = band?.usdPerMillion ?? rate.usdPerMillion;
    return [
      {
        kind,
        count,
        usdPerMillion: formatUsd(usdPerMillion),
        ...(band === undefined ? {} : { aboveInputTokens: band.aboveInputTokens }),
        amountUsd: formatUsd(usdPerMillion.times(count).div(million)),
      },
    ];
  });
  const units = usageUnits.flatMap((unit): CallPriceLine[] => {
    const count = usage.beside.units?.[unit] ?? 0;
    if (count === 0) return [];
    const rate = price.units?.[unit];
    if (rate === undefined) return [{ kind: unit, count }];
    return [{ kind: unit, count, usdPerUse: formatUsd(rate), amountUsd: formatUsd(rate.times(count)) }];
  });
  return [...tokens, ...units, ...restLines(parts)];
}

/** The lines of what is recorded, where no present price made it. */
export function linesOfRow(call: SettledRow, parts: CostParts): readonly CallPriceLine[] {
  const tokens = tokenClasses.flatMap((kind): CallPriceLine[] => {
    const count = call.tokens[kind] ?? 0;
    const amount = parts.byClass[kind] ?? zeroUsd;
    return count === 0 && amount.isZero() ? [] : [{ kind, count, amountUsd: formatUsd(amount) }];
  });
  const uses = Object.entries(usesOfRow(call.costDetail)).map(([kind, count]): CallPriceLine => ({
    kind,
    count,
  }));
  const tools = parts.units.isZero() ? [] : [{ kind: 'tools', amountUsd: formatUsd(parts.units) }];
  return [...tokens, ...uses, ...tools, ...restLines(parts)];
}

function restLines({ request, adjustment }: CostParts): readonly CallPriceLine[] {
  const rest: readonly (readonly [string, Usd])[] = [
    ['request', request],
    ['adjustment', adjustment],
  ];
  return rest.flatMap(([kind, amount]) => (amount.isZero() ? [] : [{ kind, amountUsd: formatUsd(amount) }]));
}

const million = 1_000_000;
