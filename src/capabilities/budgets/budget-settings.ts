import { z } from 'zod';
import { setting } from '../../kernel/setting.ts';
import { originName } from '../../messages/origin.ts';

const limitProblem = 'must be an amount above 0 as text, such as "50.00"';

/** One budget of money. */
const budgetSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9._-]{0,62}$/,
      'must be 1 to 63 lower-case letters, digits, dots, dashes, underscores',
    ),
  team: originName.optional(),
  customer: originName.optional(),
  feature: originName.optional(),
  window: z.enum(['hour', 'day', 'week', 'month']),
  limitUsd: z.string(limitProblem).regex(/^(?=.*[1-9])\d{1,15}(\.\d{1,18})?$/, limitProblem),
  atLimit: z.enum(['park', 'refuse']).default('park'),
  unpriced: z.enum(['refuse', 'allow']).default('refuse'),
});

export type BudgetSetting = z.output<typeof budgetSchema>;

function namesDiffer(budgets: readonly BudgetSetting[], context: z.RefinementCtx): void {
  for (const [index, { name }] of budgets.entries()) {
    if (budgets.findIndex((other) => other.name === name) === index) continue;
    const message = `"${name}" is the name of another budget`;
    context.addIssue({ code: 'custom', path: [index, 'name'], message });
  }
}

/** The budgets of a configuration. */
export const budgetSettings = setting(z.array(budgetSchema).max(200).superRefine(namesDiffer).default([]), {
  help: 'Limits in US dollars over what teams, customers, features or any combination of them spend in a calendar window (UTC): `{name, team?, customer?, feature?, window: hour | day | week | month, limitUsd: "50.00", atLimit: park | refuse, unpriced: refuse | allow}` (docs/budgets.md). Give all processes the same: those of the process that started last hold, or of the last `millrace budgets apply`.',
});
