import type { ClosedNames } from '../capability.ts';

export const budgetNames = {
  jobs: ['budget_releases', 'budgets'],
  vitalJobs: ['budget_releases'],
  parkReasons: ['budget'],
} as const satisfies Partial<ClosedNames>;
