import type { ClosedNames } from '../capability.ts';

export const costNames = {
  jobs: ['spend_baseline', 'reconciliations'],
  bounds: ['cost_reports', 'focus_exports', 'reconciliations'],
} as const satisfies Partial<ClosedNames>;
