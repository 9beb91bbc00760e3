import { AppError } from '../../../kernel/app-error.ts';
import { batchErrors } from '../batch-errors.ts';
import { type BatchSettings, batchSettingsSchema } from '../batch-settings.ts';
import type { IncomingBatch } from './intake-ledger.ts';
import type { CreateBatchRequest } from './intake-requests.ts';

/* Whether a request under a name that is taken is the one that made its batch, and what is different where it is not. */

/** The batch, which the same request has made. Throws MILLRACE_BATCH_EXISTS, with what differs, for any other. */
export function sameAs(
  batch: IncomingBatch,
  request: CreateBatchRequest,
  requestDigest: string,
): IncomingBatch {
  if (batch.requestDigest === requestDigest) return batch;
  throw otherBatch(batch, `was asked for differently: ${differencesOf(batch, request).join(', ')}`);
}

/** The refusal of what is asked for under the name of a batch that it is not. */
export function otherBatch({ origin, state }: IncomingBatch, how: string): AppError {
  return new AppError(
    batchErrors.MILLRACE_BATCH_EXISTS,
    `The team "${origin.team}" has a batch "${origin.batch}" already (${state}), which ${how}.`,
  );
}

/** What of a request is not as the batch has it. What an operator may have changed since is not told apart. */
function differencesOf(batch: IncomingBatch, request: CreateBatchRequest): readonly string[] {
  const { origin, settings } = batch;
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['customer', origin.customer, request.customer],
    ['feature', origin.feature, request.feature],
    ['labels', sorted(origin.labels), sorted(request.labels)],
    ['pipeline', batch.pipeline, request.pipeline],
    ['type', batch.type, request.type ?? batch.type],
    ['version', batch.version, request.version ?? batch.version],
    ...settingNames.map((name) => [wordOf[name] ?? name, settings[name], request.settings[name]] as const),
  ];
  const found = pairs
    .filter(([, had, asked]) => JSON.stringify(had) !== JSON.stringify(asked))
    .map(([name]) => name);
  return found.length > 0 ? found : ['its deadline, its priority, or whether type and version were named'];
}

const settingNames = batchSettingsSchema.keyof().options;

/** Where a setting's own name does not say what it is. */
const wordOf: Partial<Record<keyof BatchSettings, string>> = {
  success: 'threshold',
  onInvalid: 'whether invalid items are skipped',
};

function sorted(labels: Readonly<Record<string, string>> = {}): readonly (readonly [string, string])[] {
  return Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1));
}
