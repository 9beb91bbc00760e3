import { z } from 'zod';
import { type Amount, readAmount, formatUsd } from '../../kernel/money.ts';
import type { BudgetDefinition, BudgetUnit } from './budget-definition.ts';
import { scopeOf } from './budget-scope.ts';
import { windowColumns, windowText } from './budget-window.ts';

/** A budget that holds, with the figures of its present window in its unit. */
export interface BudgetState extends BudgetDefinition {
  /** Whether it is the configuration's, or was set by an operator. */
  readonly source: 'configuration' | 'operator';
  /** What the configuration says, where an operator has set another limit. */
  readonly configuredLimit: Amount | undefined;
  /** Of a rolling window: since when calls count. */
  readonly windowStart: Date;
  /** Of the calendar window, or of the present slice of a rolling one: where calls are counted now. */
  readonly latestStart: Date;
  /** Of a rolling window: when the oldest of what is spent counts no longer. */
  readonly windowEndsAt: Date;
  readonly endsInMs: number;
  /** What settled calls used, and the upper bounds of unsettled ones. */
  readonly spent: Amount;
  /** The upper bounds of calls under way. */
  readonly reserved: Amount;
  /** The smallest upper bound that was asked for in this window. */
  readonly leastAsked: Amount | undefined;
  /** The smallest upper bound that did not fit since messages were last released. */
  readonly leastRefused: Amount | undefined;
}

/** A budget as its statement reads it. */
export interface BudgetRow {
  readonly name: string;
  readonly unit: BudgetUnit;
  readonly team: string | null;
  readonly customer: string | null;
  readonly feature: string | null;
  readonly batch: string | null;
  readonly pipeline: string | null;
  readonly model: string | null;
  readonly window_unit: ReturnType<typeof windowColumns>['window_unit'];
  readonly window_hours: number | null;
  readonly time_zone: string;
  readonly limit_amount: string;
  readonly configured_amount: string | null;
  readonly source: 'configuration' | 'operator';
  readonly at_limit: BudgetDefinition['atLimit'];
  readonly switch_to: string | null;
  readonly unpriced: 'refuse' | 'allow';
  readonly alert_at: string;
  readonly window_start: Date;
  readonly latest_start: Date;
  readonly window_ends_at: Date;
  readonly ends_in_ms: number;
  readonly spent: string;
  readonly reserved: string;
  readonly least_asked: string | null;
  readonly least_refused: string | null;
}

/** A budget, from its row. */
export function stateOf(row: BudgetRow): BudgetState {
  return {
    name: row.name,
    team: row.team ?? undefined,
    customer: row.customer ?? undefined,
    feature: row.feature ?? undefined,
    batch: row.batch ?? undefined,
    pipeline: row.pipeline ?? undefined,
    model: row.model ?? undefined,
    window: windowText(row.window_unit, row.window_hours),
    timeZone: row.time_zone,
    unit: row.unit,
    limit: readAmount(row.limit_amount),
    atLimit: row.at_limit,
    switchTo: row.switch_to ?? undefined,
    unpriced: row.unpriced,
    alertAt: percentsOf(row.alert_at),
    source: row.source,
    configuredLimit: optional(row.configured_amount),
    windowStart: row.window_start,
    latestStart: row.latest_start,
    windowEndsAt: row.window_ends_at,
    endsInMs: row.ends_in_ms,
    spent: readAmount(row.spent),
    reserved: readAmount(row.reserved),
    leastAsked: optional(row.least_asked),
    leastRefused: optional(row.least_refused),
  };
}

/** Definitions, as the statements take them. */
export function definitionRows(budgets: readonly BudgetDefinition[]): string {
  return JSON.stringify(
    budgets.map((budget) => ({
      name: budget.name,
      unit: budget.unit,
      ...scopeOf(budget),
      ...windowColumns(budget.window),
      time_zone: budget.timeZone,
      limit_amount: formatUsd(budget.limit),
      at_limit: budget.atLimit,
      switch_to: budget.switchTo,
      unpriced: budget.unpriced,
      alert_at: budget.alertAt,
    })),
  );
}

/** What the configuration says of a budget that holds. */
export function configuredOf({ configuredLimit, ...budget }: BudgetState): BudgetDefinition {
  return { ...budget, limit: configuredLimit ?? budget.limit };
}

function optional(text: string | null): Amount | undefined {
  return text === null ? undefined : readAmount(text);
}

function percentsOf(json: string): readonly number[] {
  return z.array(z.number()).parse(JSON.parse(json));
}
