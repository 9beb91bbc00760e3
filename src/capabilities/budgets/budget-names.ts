import type { ClosedNames } from '../capability.ts';

export const budgetNames = {
  jobs: ['release_budgets', 'budgets', 'budget_alerts'],
  vitalJobs: ['release_budgets'],
  parkReasons: ['budget'],
} as const satisfies Partial<ClosedNames>;
