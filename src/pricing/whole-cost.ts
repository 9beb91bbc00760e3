import { addUsd, moneyScale, sumUsd, type Usd, zeroUsd } from '../kernel/money.ts';
import type { Cost, ModelPart, PricedPart, Pricing } from './price.ts';
import { type TokenClass, tokenClasses } from './token-classes.ts';

/*
 * What a call cost as a whole: its own tokens and uses, the parts that other models took, and what the provider says
 * that it charged. The sum of the classes, the units and the request fee stays the total.
 */

/** The call's price with the parts of other models in its cost; unpriced when one of them is. */
export function withParts(
  own: Pricing,
  parts: readonly { readonly part: ModelPart; readonly pricing: Pricing }[],
): Pricing {
  if (parts.length === 0 || own.kind === 'unpriced') return own;
  const priced: PricedPart[] = [];
  for (const { part, pricing } of parts) {
    if (pricing.kind === 'unpriced')
      return { kind: 'unpriced', reason: `${pricing.reason}, which took part` };
    priced.push({ ...part, price: pricing.price, cost: pricing.cost });
  }
  return { ...own, cost: addCosts(own.cost, priced), parts: priced };
}

function addCosts(own: Cost, parts: readonly PricedPart[]): Cost {
  const byClass: Partial<Record<TokenClass, Usd>> = { ...own.byClass };
  let { total } = own;
  let { request } = own;
  for (const { cost } of parts) {
    for (const name of tokenClasses) {
      const amount = cost.byClass[name];
      if (amount !== undefined) byClass[name] = addUsd(byClass[name] ?? zeroUsd, amount);
    }
    total = addUsd(total, cost.total);
    request = addUsd(request, cost.request);
  }
  return { ...own, total, byClass, request };
}

/** Whether the name says that the model is free of charge, as OpenRouter writes it. */
export function isFreeModel(model: string): boolean {
  return model.endsWith(':free');
}

/** The call at what was charged for it. The difference to the list price stands where a fee does, and may be negative. */
export function pricedCharge(list: Pricing, charged: Usd, provider: string): Pricing {
  const chargedUsd = charged.toDecimalPlaces(moneyScale);
  if (list.kind === 'unpriced') {
    return {
      kind: 'priced',
      price: { reference: `charged by ${provider}`, catalogue: 'charged', rates: {} },
      cost: { total: chargedUsd, byClass: {}, request: chargedUsd },
    };
  }
  const { price, cost, parts } = list;
  const inClasses = sumUsd(Object.values(cost.byClass));
  const request = chargedUsd.minus(inClasses).minus(cost.units ?? zeroUsd);
  return {
    kind: 'priced',
    price: { ...price, reference: `charged by ${provider}; list ${price.reference}` },
    cost: { ...cost, total: chargedUsd, request, list: cost.total },
    ...(parts === undefined ? {} : { parts }),
  };
}
