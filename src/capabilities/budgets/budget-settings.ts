import { z } from 'zod';
import { modelReference, setting } from '../../kernel/setting.ts';
import { isPrintableName, notPrintable } from '../../kernel/printable-name.ts';
import { isTimeZone } from '../../kernel/time-zone.ts';
import { originName } from '../../messages/origin.ts';
import { budgetWindow } from './budget-window.ts';

const usdProblem = 'must be an amount above 0 as text, such as "50.00"';
const tokensProblem = 'must be a whole number above 0 as text, such as "2000000"';
const percentProblem = 'must be whole percents from 1 to 1000, rising, ten at most';

/** A model as budgets name it. */
const budgetModel = z
  .string()
  .max(512, 'has at most 512 characters')
  .refine(isPrintableName, notPrintable)
  .pipe(modelReference);

/** The name of a budget. */
export const budgetName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'must be 1 to 63 lower-case letters, digits, dots, dashes, underscores',
  );
/** A limit in dollars. */
export const limitUsd = z.string(usdProblem).regex(/^(?=.*[1-9])\d{1,15}(\.\d{1,18})?$/, usdProblem);
/** A limit in tokens. */
export const limitTokens = z.string(tokensProblem).regex(/^(?=.*[1-9])\d{1,18}$/, tokensProblem);

/** What a budget says beside its name, as configuration and API have it. */
export const budgetFields = {
  team: originName.optional(),
  customer: originName.optional(),
  feature: originName.optional(),
  batch: originName.optional(),
  pipeline: originName.optional(),
  model: budgetModel.optional().describe('"provider/model", or "provider/*".'),
  window: budgetWindow.describe('hour, day, week, month; or rolling: "24h", "7d".'),
  timeZone: z
    .string()
    .max(64)
    .refine(isTimeZone, 'must be a time zone, such as Europe/Berlin')
    .default('UTC')
    .describe('Whose calendar the windows are of.'),
  limitUsd: limitUsd.optional(),
  limitTokens: limitTokens.optional(),
  atLimit: z
    .union([
      z.enum(['park', 'refuse', 'alert']),
      z.strictObject({ switchTo: budgetModel.describe('"provider/model"') }),
    ])
    .default('park'),
  unpriced: z.enum(['refuse', 'allow']).optional(),
  alertAt: z
    .array(z.int(percentProblem).min(1, percentProblem).max(1000, percentProblem))
    .max(10, percentProblem)
    .refine(
      (percents) => percents.every((percent, index) => percent > (percents[index - 1] ?? 0)),
      percentProblem,
    )
    .default([])
    .describe('Percents of the limit that are told of when they are reached.'),
};

interface JoinedFields {
  readonly model?: string | undefined;
  readonly limitUsd?: string | undefined;
  readonly limitTokens?: string | undefined;
  readonly atLimit: 'park' | 'refuse' | 'alert' | { readonly switchTo: string };
}

/** What fields must say together. */
export function fieldsFit(
  { model, limitUsd: dollars, limitTokens: tokens, atLimit }: JoinedFields,
  context: z.RefinementCtx,
): void {
  const fault = (path: string, message: string): void => {
    context.addIssue({ code: 'custom', path: [path], message });
  };
  if (dollars === undefined && tokens === undefined)
    fault('limitUsd', 'one of limitUsd and limitTokens is needed');
  if (dollars !== undefined && tokens !== undefined) {
    fault('limitTokens', 'a budget has limitUsd or limitTokens: for both, make two');
  }
  if (atLimit === 'refuse' && model !== undefined) {
    fault(
      'atLimit',
      'a budget of a model cannot refuse messages, whose models are not known yet: use park or switchTo',
    );
  }
  if (typeof atLimit === 'object' && atLimit.switchTo.endsWith('/*')) {
    fault('atLimit', 'switchTo names one model');
  }
  if (typeof atLimit === 'object' && atLimit.switchTo === model) {
    fault('atLimit', 'switchTo names another model than the budget is for');
  }
}

/** One budget of a configuration. */
const budgetSchema = z.strictObject({ name: budgetName, ...budgetFields }).superRefine(fieldsFit);

export type BudgetSetting = z.output<typeof budgetSchema>;

/** The most budgets that hold at once, of the configuration and of operators together. */
export const maxBudgets = 200;

function namesDiffer(budgets: readonly BudgetSetting[], context: z.RefinementCtx): void {
  for (const [index, { name }] of budgets.entries()) {
    if (budgets.findIndex((other) => other.name === name) === index) continue;
    const message = `"${name}" is the name of another budget`;
    context.addIssue({ code: 'custom', path: [index, 'name'], message });
  }
}

/** The budgets of a configuration. */
export const budgetSettings = setting(
  z.array(budgetSchema).max(maxBudgets).superRefine(namesDiffer).default([]),
  {
    help: 'Limits in US dollars or tokens over what teams, customers, features, batches, pipelines, models or any combination of them use in a window: `{name, team?, customer?, feature?, batch?, pipeline?, model?, window: hour | day | week | month | "24h" | "7d", timeZone: "UTC", limitUsd: "50.00" or limitTokens: "2000000", atLimit: park | refuse | alert | {switchTo: "provider/model"}, unpriced: refuse | allow, alertAt: [50, 80, 100]}` (docs/budgets.md). Give all processes the same: those of the process that started last hold, or of the last `millrace budgets apply`.',
  },
);
