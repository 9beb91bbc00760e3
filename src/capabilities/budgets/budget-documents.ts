import { z } from 'zod';
import { amountSchema } from '../../http/document-parts.ts';
import { type Amount, formatUsd } from '../../kernel/money.ts';
import { forecastOf } from './budget-forecast.ts';
import type { BudgetState } from './budget-ledger.ts';
import type { RecordedChange } from './budget-operations.ts';
import { roomOf } from './budget-room.ts';
import { contains } from './budget-scope.ts';

/* Budgets as API and command line show them. */

const anyScope = (): z.ZodOptional<z.ZodString> => z.string().optional().describe('Absent: any.');

const forecastSchema = z.object({
  spent: amountSchema.describe('What the window will have used, if it goes on as until now.'),
  exhaustedAt: z.iso.datetime().optional().describe('When the limit is reached. Absent: not in this window.'),
});

export const budgetSchema = z.object({
  name: z.string(),
  source: z
    .enum(['configuration', 'operator'])
    .describe('Whether the configuration names it, or it was set while everything runs.'),
  team: anyScope(),
  customer: anyScope(),
  feature: anyScope(),
  batch: anyScope(),
  pipeline: anyScope(),
  model: z.string().optional().describe('"provider/model", or "provider/*". Absent: any.'),
  parents: z
    .array(z.string())
    .describe(
      'The budgets next above it: whatever counts in it counts in them, too, as far as their models say.',
    ),
  window: z
    .string()
    .describe(
      '"hour", "day", "week" (from Monday) or "month" by the calendar; or rolling: the last "24h", "7d".',
    ),
  timeZone: z.string().describe('Whose calendar the windows are of.'),
  windowStart: z.iso.datetime().describe('Of a rolling window: since when calls count.'),
  windowEndsAt: z.iso
    .datetime()
    .describe('Of a rolling window: when the oldest of what is spent counts no longer.'),
  unit: z.enum(['usd', 'tokens']).describe('What all amounts of the budget are in.'),
  limit: amountSchema,
  configuredLimit: amountSchema
    .optional()
    .describe('What the configuration says, where an operator has set another limit.'),
  spent: amountSchema.describe('What settled calls used, and the upper bounds of unsettled ones.'),
  reserved: amountSchema.describe('The upper bounds of calls under way.'),
  remaining: amountSchema.describe('What may still be reserved; below 0 when the limit was lowered.'),
  forecast: forecastSchema
    .optional()
    .describe('Absent for rolling windows, and at the beginning of a window.'),
  atLimit: z
    .union([z.enum(['park', 'refuse', 'alert']), z.object({ switchTo: z.string() })])
    .describe(
      'What happens when it is used up: calls wait, messages are refused, nothing, or another model is asked.',
    ),
  unpriced: z.enum(['refuse', 'allow']).describe('What happens to calls without a known price.'),
  alertAt: z.array(z.int()).describe('Percents of the limit that are told of.'),
  waitingMessages: z.int().describe('Messages that wait for room in it.'),
});

export const budgetReportSchema = z.object({ budgets: z.array(budgetSchema).describe('By name.') });

const changeSchema = z.object({
  at: z.iso.datetime(),
  actor: z.string().describe('Who.'),
  action: z.string(),
  change: z.enum(['added', 'changed', 'removed']),
  fields: z
    .record(z.string(), z.object({ from: z.string().optional(), to: z.string().optional() }))
    .describe('What was and what is since, by field.'),
  reason: z.string(),
});

export const budgetDetailSchema = budgetSchema.extend({
  changes: z.array(changeSchema).describe('What operators did to it, the latest first, 50 at most.'),
});

export type BudgetDocument = z.output<typeof budgetSchema>;
export type BudgetReport = z.output<typeof budgetReportSchema>;
export type BudgetDetail = z.output<typeof budgetDetailSchema>;

/** A budget among all that hold. */
export function budgetDocument(
  state: BudgetState,
  all: readonly BudgetState[],
  waitingMessages: number,
): BudgetDocument {
  const { name, source, window, timeZone, unit, unpriced, atLimit, switchTo, alertAt } = state;
  const forecast = forecastOf(state);
  return {
    name,
    source,
    ...scopeDocument(state),
    parents: [...parentsOf(state, all)],
    window,
    timeZone,
    windowStart: state.windowStart.toISOString(),
    windowEndsAt: state.windowEndsAt.toISOString(),
    unit,
    limit: formatUsd(state.limit),
    ...optional('configuredLimit', state.configuredLimit),
    spent: formatUsd(state.spent),
    reserved: formatUsd(state.reserved),
    remaining: formatUsd(roomOf(state)),
    ...(forecast === undefined ? {} : { forecast: forecastDocument(forecast) }),
    atLimit: atLimit === 'switch' ? { switchTo: switchTo ?? '' } : atLimit,
    unpriced,
    alertAt: [...alertAt],
    waitingMessages,
  };
}

/** A change as the audit has it. */
export function changeDocument({
  at,
  actor,
  action,
  reason,
  change,
}: RecordedChange): BudgetDetail['changes'][number] {
  return { at: at.toISOString(), actor, action, reason, change: change.change, fields: change.fields };
}

/** The budgets whose scopes contain this one's, with none between, by name. */
function parentsOf(state: BudgetState, all: readonly BudgetState[]): readonly string[] {
  const above = all.filter((other) => contains(other, state));
  return above
    .filter((one) => !above.some((other) => contains(one, other)))
    .map(({ name }) => name)
    .toSorted();
}

function scopeDocument({
  team,
  customer,
  feature,
  batch,
  pipeline,
  model,
}: BudgetState): Partial<BudgetDocument> {
  return {
    ...(team === undefined ? {} : { team }),
    ...(customer === undefined ? {} : { customer }),
    ...(feature === undefined ? {} : { feature }),
    ...(batch === undefined ? {} : { batch }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(model === undefined ? {} : { model }),
  };
}

function forecastDocument({
  spent,
  exhaustedAt,
}: NonNullable<ReturnType<typeof forecastOf>>): z.output<typeof forecastSchema> {
  return {
    spent: formatUsd(spent),
    ...(exhaustedAt === undefined ? {} : { exhaustedAt: exhaustedAt.toISOString() }),
  };
}

function optional<Key extends string>(key: Key, value: Amount | undefined): Partial<Record<Key, string>> {
  const parts: Partial<Record<Key, string>> = {};
  if (value !== undefined) parts[key] = formatUsd(value);
  return parts;
}
