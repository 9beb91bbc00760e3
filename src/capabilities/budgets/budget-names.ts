import type { ClosedNames } from '../capability.ts';

export const budgetNames = {
  jobs: ['release_budgets', 'budgets', 'budget_alerts'],
  vitalJobs: ['release_budgets'],
  parkReasons: ['budget'],
  findings: ['budget_switch_unknown'],
} as const satisfies Partial<ClosedNames>;
