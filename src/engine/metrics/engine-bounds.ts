import type { BoundRegistry } from '../../telemetry/bounds.ts';

/** What the engine bounds; docs/bounds.md says where each limit is set and what happens at it. */
export const engineBounds = [
  'ledger_admit',
  'ledger_claim',
  'ledger_finish',
  'ledger_fail',
  'ledger_reserve',
  'ledger_settle',
  'micro_batches',
  'export_batch',
  'worker_slots',
] as const;

/** Where the engine tells how near its bounds are. */
export type EngineBounds = BoundRegistry<(typeof engineBounds)[number]>;
