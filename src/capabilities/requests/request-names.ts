import type { ClosedNames } from '../capability.ts';

/** What requests add to the closed lists of names. */
export const requestNames = {
  jobs: ['request_ends', 'prune_requests', 'prolong_listeners', 'cancel_left_requests'],
  bounds: ['request_writes', 'request_waits', 'event_writes', 'request_streams', 'request_results'],
} as const satisfies Partial<ClosedNames>;
