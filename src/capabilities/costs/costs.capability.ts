import type { Capability } from '../capability.ts';
import { costErrors } from './cost-errors.ts';
import { costMetrics } from './cost-metrics.ts';
import { costNames } from './cost-names.ts';
import { costSettings } from './cost-settings.ts';
import { reconciliationErrors } from './reconciliation/bill-errors.ts';
import { reconciliationMetrics } from './reconciliation/reconciliation-metrics.ts';

/** What work cost and who caused it: reports, spend over its own baseline, and bills of providers. */
export const costs = {
  name: 'costs',
  configuration: { costs: costSettings },
  errors: { ...costErrors, ...reconciliationErrors },
  metrics: { ...costMetrics, ...reconciliationMetrics },
  names: costNames,
  http: async () => (await import('./costs.http.ts')).httpPart,
  open: async () => (await import('./open-costs.ts')).openCosts,
} as const satisfies Capability;
