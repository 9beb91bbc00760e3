import type { ClosedNames } from '../capability.ts';

export const costNames = {
  jobs: ['spend_baseline'],
  bounds: ['cost_reports', 'focus_exports'],
} as const satisfies Partial<ClosedNames>;
