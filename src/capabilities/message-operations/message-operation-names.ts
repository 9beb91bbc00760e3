import type { ClosedNames } from '../capability.ts';

export const messageOperationNames = {
  jobs: ['watch_cancels'],
} as const satisfies Partial<ClosedNames>;
