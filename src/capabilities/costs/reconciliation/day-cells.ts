import { maxUsd, sumUsd, type Usd, zeroUsd } from '../../../kernel/money.ts';
import { tokenClasses } from '../../../pricing/token-classes.ts';
import type { BillMeter, BillProvider, CostLine, UsageLine } from './bill.ts';
import { summedMeters, usageMeterOf } from './day-meters.ts';
import type { ComparedRow, DifferenceCause } from './difference.ts';
import type { LedgerCall, LedgerGroup } from './ledger-usage.ts';
import { isCancelled, type TierUsage } from './usage-moves.ts';

/* One model on one day: what bill and ledger say of it, as rows with both amounts. */

/** What both sides say of a model on a day. */
export interface Cell {
  readonly day: string;
  readonly model: string;
  readonly costs: readonly CostLine[];
  readonly usage: readonly UsageLine[];
  readonly groups: readonly LedgerGroup[];
  readonly doubtful: readonly LedgerCall[];
}

/** How the rows of a bill are told apart. */
export interface RowForm {
  readonly provider: BillProvider;
  /** Whether its amounts are by kind of token. */
  readonly hasClasses: boolean;
  /** The tier of a line; absent where the bill does not tell tiers apart. */
  readonly tierOf?: (tier: string | undefined) => string;
}

/** A row before it is known what its difference comes from. */
export type PlainRow = Omit<ComparedRow, 'differences' | 'tokens'> & { readonly lines: number };

/** What the bill says was used; undefined where it bills something in the cell and does not say. */
export function usageOf({ usage, costs }: Cell): readonly UsageLine[] | undefined {
  if (usage.length > 0) return usage;
  if (costs.length === 0) return [];
  const counted = costs.filter(
    ({ quantity, meter }) => quantity !== undefined && meter !== 'all' && meter !== 'tools',
  );
  if (counted.length !== costs.length) return undefined;
  return counted.map(({ quantity = 0, meter, ...line }) => ({ ...line, tokens: { [meter]: quantity } }));
}

/** What both sides count in the tokens of a row. */
export function tokensOf(row: PlainRow, tiers: readonly TierUsage[]): Pick<ComparedRow, 'tokens'> {
  const own = tiers.filter(({ tier }) => row.tier === undefined || tier === row.tier);
  if (own.length === 0 || row.meter === 'unknown' || row.meter === 'tools' || row.meter === 'requests')
    return {};
  const sum = (side: 'bill' | 'ledger'): number => {
    const counts = summedMeters(own.map((tier) => tier[side].tokens));
    return row.meter === 'all'
      ? Object.values(counts).reduce((all, count) => all + count, 0)
      : (counts[row.meter] ?? 0);
  };
  return { tokens: { ledger: sum('ledger'), bill: sum('bill') } };
}

/** The cause that the amounts of a cell allow, where the bill does not say what was used. */
export function causeByAmount({ costs, groups, doubtful }: Cell, difference: Usd): DifferenceCause {
  const isMore = difference.isPositive();
  if (costs.length === 0) return 'not_billed';
  const open = doubtful.filter(({ status }) => status === 'unsettled');
  const bound = sumUsd(open.map(({ boundUsd }) => boundUsd));
  if (isMore && open.length > 0) {
    if (difference.greaterThan(bound)) return 'several';
    return open.every((call) => isCancelled(call)) ? 'cancelled_but_billed' : 'unsettled';
  }
  if (isMore && groups.some(({ status }) => status === 'unpriced')) return 'unpriced';
  if (groups.every(({ status }) => status === 'free')) return 'not_through_millrace';
  const estimated = doubtful.filter(({ status }) => status === 'estimated');
  const mostOff = sumUsd(estimated.map(({ boundUsd, costUsd }) => maxUsd(boundUsd, costUsd)));
  if (estimated.length > 0 && difference.abs().lessThanOrEqualTo(mostOff)) return 'estimated';
  return 'unexplained';
}

/** The calls that such a cause can be about. */
export function callsOfCause({ doubtful }: Cell, cause: DifferenceCause): readonly LedgerCall[] {
  if (cause === 'unsettled' || cause === 'cancelled_but_billed')
    return doubtful.filter(({ status }) => status === 'unsettled');
  return cause === 'estimated' ? doubtful.filter(({ status }) => status === 'estimated') : [];
}

/** The rows of a cell with the amounts of both sides, not yet their differences. */
export function plainRowsOf(
  cell: Cell,
  { provider, hasClasses: isByClass, tierOf }: RowForm,
): readonly PlainRow[] {
  const { model } = cell;
  const hasClasses = isByClass && cell.costs.every(({ meter }) => meter !== 'all');
  const explained = cell.groups.every((group) => unexplainedCost(group).isZero());
  // What no class explains, as an operator's correction, can only be compared as a whole.
  const isWhole = !hasClasses || !explained;
  const hasTiers = tierOf !== undefined && cell.costs.some(({ tier }) => tier !== undefined);
  const rows = new Map<string, { -readonly [Key in keyof PlainRow]: PlainRow[Key] }>();
  const rowOf = (
    meter: BillMeter,
    tier: string | undefined,
    name?: string,
  ): PlainRow & { ledgerUsd: Usd; billUsd: Usd; lines: number } => {
    const at = isWhole && meter !== 'unknown' ? 'all' : meter;
    const ofTier = hasTiers ? tierOf(tier) : undefined;
    const key = JSON.stringify([ofTier ?? '', at, name ?? '']);
    const row = rows.get(key) ?? {
      model,
      ...(ofTier === undefined ? {} : { tier: ofTier }),
      meter: at,
      ...(name === undefined ? {} : { name }),
      ledgerUsd: zeroUsd,
      billUsd: zeroUsd,
      lines: 0,
    };
    rows.set(key, row);
    return row;
  };
  for (const { meter, tier, name, amountUsd } of cell.costs) {
    const row = rowOf(meter, tier, name);
    row.billUsd = row.billUsd.plus(amountUsd);
    row.lines += 1;
  }
  for (const group of cell.groups) {
    const add = (meter: BillMeter, amount: Usd): void => {
      if (amount.isZero() && group.status !== 'unsettled') return;
      const row = rowOf(meter, group.tier);
      row.ledgerUsd = row.ledgerUsd.plus(amount);
    };
    if (isWhole) {
      add('all', group.costUsd);
      continue;
    }
    for (const name of tokenClasses) {
      const amount = group.costByClass[name] ?? zeroUsd;
      if (!amount.isZero()) add(usageMeterOf(provider, name), amount);
    }
    if (!group.toolsUsd.isZero()) add('tools', group.toolsUsd);
    if (!group.requestsUsd.isZero()) add('requests', group.requestsUsd);
  }
  return [...rows.entries()].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row);
}

function unexplainedCost({ costUsd, costByClass, toolsUsd, requestsUsd }: LedgerGroup): Usd {
  return costUsd
    .minus(sumUsd(Object.values(costByClass)))
    .minus(toolsUsd)
    .minus(requestsUsd);
}
