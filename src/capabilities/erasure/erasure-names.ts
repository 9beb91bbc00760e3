import type { ClosedNames } from '../capability.ts';

export const erasureNames = {
  jobs: ['erasures'],
} as const satisfies Partial<ClosedNames>;
