import {
  markSent,
  releaseSettled,
  takeGroup,
} from '../../src/capabilities/batches/mode/deferred-call-sql.ts';
import {
  claimBatch,
  markSettled,
  moveBatch,
  planBatch,
  recordOutcomes,
} from '../../src/capabilities/batches/provider/provider-batch-sql.ts';
import { finishBatches } from '../../src/capabilities/batches/run/batch-ends-sql.ts';
import { claimChunks, markAdmitted } from '../../src/capabilities/batches/run/chunk-sql.ts';
import { recordEnds } from '../../src/capabilities/batches/run/ends-sql.ts';
import type { BatchRuleInput } from '../../src/simulator/batches/batch-config.ts';
import type { FaultRuleInput } from '../../src/simulator/simulator-config.ts';
import { refusedWord } from './batch-workload.ts';
import type { StoresKind } from './chaos-settings.ts';
import type { PlannedFault } from './fault-plan.ts';
import { SeededRandom } from './seeded-random.ts';

/* What goes wrong with batches, beside all that befalls every message of a run. */

/** What the provider refuses on good days as well. */
export const refusedAlways: readonly FaultRuleInput[] = [
  { fault: 'content_policy', match: { contains: refusedWord } },
];

/** A bad day of the providers' batches. */
export const providerBatchFaults: readonly BatchRuleInput[] = [
  { fault: 'upload_refused', probability: 0.06 },
  { fault: 'upload_error_after', probability: 0.06 },
  { fault: 'upload_cut_after', probability: 0.06 },
  { fault: 'create_refused', probability: 0.06 },
  { fault: 'create_error_after', probability: 0.08 },
  { fault: 'create_cut_after', probability: 0.08 },
  { fault: 'slow', probability: 0.1, delayMs: 4000 },
  { fault: 'fail_late', probability: 0.04 },
  { fault: 'lie_counts', probability: 0.08 },
  { fault: 'lie_usage', probability: 0.08 },
  { fault: 'output_null', probability: 0.03 },
  { fault: 'output_absent', probability: 0.03 },
  { fault: 'output_blank', probability: 0.03 },
  { fault: 'output_lost', probability: 0.03 },
  { fault: 'output_empty', probability: 0.03 },
  { fault: 'fail_items', probability: 0.15, share: 0.2 },
  { fault: 'status_zero', probability: 0.08, share: 0.2 },
  { fault: 'lose_lines', probability: 0.08, share: 0.2 },
  { fault: 'repeat_lines', probability: 0.08, share: 0.3 },
  { fault: 'break_lines', probability: 0.05, share: 0.2 },
  { fault: 'foreign_line', probability: 0.08 },
  { fault: 'poll_error', probability: 0.1 },
  { fault: 'cut_download', probability: 0.1 },
];

/** How long a batch takes at a provider. */
export const providerBatchMs = 400;

/** Where the process dies that makes batches go on. */
const points: readonly [string, ...string[]] = [
  recordEnds.name,
  finishBatches.name,
  claimChunks.name,
  markAdmitted.name,
  takeGroup.name,
  markSent.name,
  releaseSettled.name,
  planBatch.name,
  claimBatch.name,
  moveBatch.name,
  recordOutcomes.name,
  markSettled.name,
  'request',
];
const whens = ['before', 'during', 'after'] as const;
const deaths = 3;

/** The plan with some deaths in the middle of batches' and providers' batches' steps. */
export function withBatchFaults(
  plan: readonly PlannedFault[],
  { seed, stores }: { readonly seed: number; readonly stores: StoresKind },
): readonly PlannedFault[] {
  const random = new SeededRandom(`plan/batches/${stores}/${seed}`);
  const target = stores === 'embedded' ? 'host' : 'maintenance';
  const added = Array.from({ length: deaths }, (): PlannedFault => ({
    atShare: random.whole(80, 850) / 1000,
    fault: {
      kind: 'kill_at',
      target,
      point: {
        name: random.pick(points),
        when: random.pick(whens),
        nth: random.whole(1, 4),
        delayMs: random.whole(0, 10),
      },
      awayMs: random.whole(0, 500),
    },
  }));
  return [...plan, ...added].toSorted((left, right) => left.atShare - right.atShare);
}
