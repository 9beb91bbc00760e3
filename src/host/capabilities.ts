import { access } from '../capabilities/access/access.capability.ts';
import { batches } from '../capabilities/batches/batches.capability.ts';
import { budgets } from '../capabilities/budgets/budgets.capability.ts';
import { corrections } from '../capabilities/corrections/corrections.capability.ts';
import { costs } from '../capabilities/costs/costs.capability.ts';
import { deadLetters } from '../capabilities/dead-letters/dead-letters.capability.ts';
import { erasure } from '../capabilities/erasure/erasure.capability.ts';
import { ingest } from '../capabilities/ingest/ingest.capability.ts';
import { limits } from '../capabilities/limits/limits.capability.ts';
import { messageOperations } from '../capabilities/message-operations/message-operations.capability.ts';
import { pauses } from '../capabilities/pauses/pauses.capability.ts';
import { pipelines } from '../capabilities/pipelines/pipelines.capability.ts';
import { waits } from '../capabilities/waits/waits.capability.ts';
import { prices } from '../capabilities/prices/prices.capability.ts';
import { requests } from '../capabilities/requests/requests.capability.ts';
import { schedules } from '../capabilities/schedules/schedules.capability.ts';
import { triggers } from '../capabilities/triggers/triggers.capability.ts';
import { webhooks } from '../capabilities/webhooks/webhooks.capability.ts';

/**
 * What the host can do beside its engine. Hooks and gates are asked in this order, parts are closed in reverse. Metrics, names
 * and documents are computed from this list, exactly in their types too.
 */
export const capabilities = [
  access,
  pauses,
  budgets,
  limits,
  costs,
  deadLetters,
  messageOperations,
  ingest,
  pipelines,
  waits,
  batches,
  requests,
  schedules,
  triggers,
  corrections,
  prices,
  webhooks,
  erasure,
] as const;

/** Any one of them. */
export type OwnCapability = (typeof capabilities)[number];
