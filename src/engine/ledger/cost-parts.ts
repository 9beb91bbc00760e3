import { type Usd, sumUsd, usd, zeroUsd } from '../../kernel/money.ts';
import type { Cost } from '../../pricing/price.ts';
import { type TokenClass, tokenClasses } from '../../pricing/token-classes.ts';
import { type UnitCounts, usageUnits } from '../../pricing/usage-units.ts';

/*
 * What a call cost, in the parts that its records have columns for. They always add up to the call's cost: what no class, tool or fee
 * explains (a bill without classes) is the adjustment.
 */

/** The parts of a cost, or of a difference between two. */
export interface CostParts {
  readonly byClass: Readonly<Partial<Record<TokenClass, Usd>>>;
  readonly request: Usd;
  readonly units: Usd;
  /** What is of no class. */
  readonly adjustment: Usd;
}

const noParts: CostParts = { byClass: {}, request: zeroUsd, units: zeroUsd, adjustment: zeroUsd };

/** The parts of a priced cost; what the total has beyond them is the adjustment. */
export function partsOfCost({ byClass, request, units = zeroUsd }: Cost, total: Usd): CostParts {
  const explained = sumUsd([...Object.values(byClass), request, units]);
  return { byClass, request, units, adjustment: total.minus(explained) };
}

/** All of an amount that has no classes. */
export function unexplained(total: Usd): CostParts {
  return { ...noParts, adjustment: total };
}

/** The parts of a call as its row tells them; undefined where the row has a cost and not of which parts, as before migration 0038. */
export function partsOfRow(costDetail: string | null, costUsd: Usd | undefined): CostParts | undefined {
  if (costUsd === undefined || costUsd.isZero()) {
    if (costDetail === null) return noParts;
  } else if (costDetail === null) return undefined;
  const fields = JSON.parse(`{${costDetail}}`) as Readonly<Record<string, unknown>>;
  const amountOf = (name: string): Usd => {
    const value = fields[`cost_${name}`];
    return typeof value === 'string' ? usd(value) : zeroUsd;
  };
  const byClass = Object.fromEntries(
    tokenClasses.map((name) => [name, amountOf(name)] as const).filter(([, amount]) => !amount.isZero()),
  );
  const total = costUsd ?? zeroUsd;
  return partsOfCost({ total, byClass, request: amountOf('request'), units: amountOf('units') }, total);
}

/** The uses of tools that the row counts. */
export function usesOfRow(costDetail: string | null): UnitCounts {
  if (costDetail === null) return {};
  const { units } = JSON.parse(`{${costDetail}}`) as { readonly units?: Readonly<Record<string, number>> };
  return Object.fromEntries(
    usageUnits.flatMap((unit) => {
      const count = units?.[unit];
      return count === undefined ? [] : [[unit, count] as const];
    }),
  );
}

/** What the parts are now, less what they were. */
export function partsDifference(now: CostParts, before: CostParts): CostParts {
  const differences = tokenClasses
    .map((name) => [name, (now.byClass[name] ?? zeroUsd).minus(before.byClass[name] ?? zeroUsd)] as const)
    .filter(([, amount]) => !amount.isZero());
  return {
    byClass: Object.fromEntries(differences),
    request: now.request.minus(before.request),
    units: now.units.minus(before.units),
    adjustment: now.adjustment.minus(before.adjustment),
  };
}

/** The parts that take these back. */
export function negatedParts(parts: CostParts): CostParts {
  return partsDifference(noParts, parts);
}

/** Whether nothing is in any part. */
export function isNoPart({ byClass, request, units, adjustment }: CostParts): boolean {
  return [...Object.values(byClass), request, units, adjustment].every((amount) => amount.isZero());
}
