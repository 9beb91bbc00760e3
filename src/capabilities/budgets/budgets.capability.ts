import type { Capability } from '../capability.ts';
import { budgetErrors } from './budget-errors.ts';
import { budgetMetrics } from './budget-metrics.ts';
import { budgetNames } from './budget-names.ts';
import { budgetSettings } from './budget-settings.ts';

/** Limits of what teams, customers and features spend in a window. */
export const budgets = {
  name: 'budgets',
  configuration: { budgets: budgetSettings },
  errors: budgetErrors,
  metrics: budgetMetrics,
  names: budgetNames,
  http: async () => (await import('./budgets.http.ts')).httpPart,
  status: async () => (await import('./budget-status.ts')).budgetStatus,
  startupCheck: async () => (await import('./check-budgets.ts')).checkBudgets,
  open: async () => (await import('./open-budgets.ts')).openBudgets,
} as const satisfies Capability;
