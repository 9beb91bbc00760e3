import type { Capability } from '../capability.ts';
import { costErrors } from './cost-errors.ts';
import { costMetrics } from './cost-metrics.ts';
import { costNames } from './cost-names.ts';
import { costSettings } from './cost-settings.ts';

/** What work cost and who caused it: reports, and spend over its own baseline. */
export const costs = {
  name: 'costs',
  configuration: { costs: costSettings },
  errors: costErrors,
  metrics: costMetrics,
  names: costNames,
  http: async () => (await import('./costs.http.ts')).httpPart,
  open: async () => (await import('./open-costs.ts')).openCosts,
} as const satisfies Capability;
