import type { Capability } from '../capability.ts';
import { triggerErrors } from './trigger-errors.ts';
import { triggerMetrics } from './trigger-metrics.ts';
import { triggerNames } from './trigger-names.ts';
import { triggersSettings } from './trigger-settings.ts';

/** Events of other systems that become messages: from brokers, from tables, from this process. */
export const triggers = {
  name: 'triggers',
  configuration: { triggers: triggersSettings },
  errors: triggerErrors,
  metrics: triggerMetrics,
  names: triggerNames,
  open: async () => (await import('./open-triggers.ts')).openTriggers,
} as const satisfies Capability;
