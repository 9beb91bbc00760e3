import { formatUsd } from '../../kernel/money.ts';
import type { Price } from '../../pricing/price.ts';
import { ratedKinds } from '../../pricing/token-classes.ts';
import { usageUnits } from '../../pricing/usage-units.ts';
import { renderTable } from '../../terminal/text-table.ts';

/* A price as the commands show it. */

/** The price as a JSON object. */
export function priceDocument(price: Price, bookVersion: string): Record<string, unknown> {
  const { reference, catalogue, rates, usdPerRequest, units = {}, steps = [] } = price;
  const classes = ratedKinds.flatMap((name) => {
    const rate = rates[name];
    if (rate === undefined) return [];
    const tiers = rate.tiers.map(({ aboveInputTokens, usdPerMillion }) => ({
      aboveInputTokens,
      usdPerMillion: formatUsd(usdPerMillion),
    }));
    return [{ class: name, usdPerMillion: formatUsd(rate.usdPerMillion), tiers }];
  });
  return {
    reference,
    catalogue,
    bookVersion,
    rules: steps,
    classes,
    units: usageUnits.flatMap((unit) => {
      const usdPerUse = units[unit];
      return usdPerUse === undefined ? [] : [{ unit, usdPerUse: formatUsd(usdPerUse) }];
    }),
    ...(usdPerRequest === undefined ? {} : { usdPerRequest: formatUsd(usdPerRequest) }),
  };
}

/** The price as text: its rates, and the rules that made it. */
export function priceText(price: Price, bookVersion: string): string {
  const { reference, catalogue, rates, usdPerRequest, units = {}, steps = [] } = price;
  const rows = ratedKinds.flatMap((name) => {
    const rate = rates[name];
    if (rate === undefined) return [];
    return [
      [name, formatUsd(rate.usdPerMillion), 'any'],
      ...rate.tiers.map((tier) => [name, formatUsd(tier.usdPerMillion), `above ${tier.aboveInputTokens}`]),
    ];
  });
  const used = usageUnits.flatMap((unit) => {
    const usdPerUse = units[unit];
    return usdPerUse === undefined ? [] : [`${unit}: ${formatUsd(usdPerUse)} USD a use`];
  });
  return [
    reference,
    `from ${catalogue}, price book ${bookVersion}`,
    '',
    renderTable(
      [{ title: 'token class' }, { title: 'USD per million', align: 'right' }, { title: 'input tokens' }],
      rows,
    ),
    ...(usdPerRequest === undefined ? [] : ['', `and ${formatUsd(usdPerRequest)} USD a request`]),
    ...(used.length === 0 ? [] : ['', ...used]),
    '',
    renderTable(
      [{ title: 'rule' }, { title: 'factor', align: 'right' }, { title: 'source' }],
      steps.map(({ kind, multiplier, source }) => [kind, multiplier ?? '', source ?? '']),
    ),
  ].join('\n');
}
