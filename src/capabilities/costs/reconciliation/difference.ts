import { z } from 'zod';
import type { Uuid } from '../../../kernel/ids.ts';
import type { Usd } from '../../../kernel/money.ts';
import type { TokenCounts } from '../../../pricing/token-classes.ts';
import type { BillMeter } from './bill.ts';
import type { LedgerCall } from './ledger-usage.ts';

/*
 * What a difference between bill and ledger comes from. docs/reconciliation.md has the rule by which each is decided, in the
 * order in which they are tried.
 */

/** Every cause that a difference can have. */
export const differenceCauses = [
  'tier',
  'unsettled',
  'cancelled_but_billed',
  'billed_twice',
  'retry',
  'not_through_millrace',
  'not_billed',
  'estimated',
  'usage',
  'unpriced',
  'rounding',
  'price',
  'unknown_kind',
  'several',
  'unexplained',
] as const;
export type DifferenceCause = (typeof differenceCauses)[number];

/** Those that explain nothing: their amounts are the residual. */
export const openCauses: ReadonlySet<DifferenceCause> = new Set(['unknown_kind', 'several', 'unexplained']);

/** Those of requests that the ledger has no cost of. */
export const extraCauses: ReadonlySet<DifferenceCause> = new Set([
  'unsettled',
  'cancelled_but_billed',
  'billed_twice',
  'retry',
  'not_through_millrace',
  'unknown_kind',
]);

/** The most calls that one difference names. */
export const maxNamedCalls = 100;

/** A part of a difference, with its cause. */
export interface Difference {
  readonly cause: DifferenceCause;
  /** What the bill has more than the ledger; negative where it has less. */
  readonly usd: Usd;
  /** How many requests it is about, where that is known. */
  readonly requests?: number;
  /** Calls of the ledger that it is about, or that it can be about; at most 100. */
  readonly callIds?: readonly Uuid[];
}

/** One line of the comparison: the ledger plus all differences is the bill. */
export interface ComparedRow {
  readonly model: string;
  /** Absent where the bill does not say. */
  readonly tier?: string;
  readonly meter: BillMeter;
  /** The bill's own word for a kind of usage that is not known. */
  readonly name?: string;
  /** The key that was billed, when it is none of Millrace's. */
  readonly key?: string;
  readonly ledgerUsd: Usd;
  readonly billUsd: Usd;
  /** Absent where the bill does not count them. */
  readonly tokens?: { readonly ledger: number; readonly bill: number };
  readonly differences: readonly Difference[];
}

/** An unsettled call of which the bill says exactly what it used and cost. */
export interface ProvenCall {
  readonly call: LedgerCall;
  readonly tokens: TokenCounts;
  readonly costUsd: Usd;
  readonly requestId?: string;
  readonly answeredModel?: string;
  readonly tier?: string;
}

/** A day of one provider, compared. */
export interface ComparedDay {
  readonly day: string;
  readonly rows: readonly ComparedRow[];
  /** Unsettled calls that the bill settles. */
  readonly proven: readonly ProvenCall[];
  /** How many calls of the day are unsettled. */
  readonly unsettledCalls: number;
}

/** Bill and ledger are equal but for rounding; every difference has a cause; or some has none. */
export const dayStates = ['reconciled', 'explained', 'open'] as const;
export type DayState = (typeof dayStates)[number];

export const dayStateSchema = z.enum(dayStates);

/** Whether the row's bill and ledger are equal but for rounding. */
export function isReconciled({ differences }: Pick<ComparedRow, 'differences'>): boolean {
  return differences.every(({ cause }) => cause === 'rounding');
}

/** The state of a day, from its rows. */
export function stateOf(rows: readonly ComparedRow[]): DayState {
  if (rows.every((row) => isReconciled(row))) return 'reconciled';
  const isOpen = rows.some(({ differences }) => differences.some(({ cause }) => openCauses.has(cause)));
  return isOpen ? 'open' : 'explained';
}
