import { type NamedWebhooks, WebhookNames } from '../../../engine/ledger/webhook-names.ts';
import { checkMessageData } from '../../../engine/pipeline/checked-data.ts';
import type { MessageBodyLimits } from '../../../engine/pipeline/message-bodies.ts';
import type { CapabilityContext, CapabilityParts } from '../../capability.ts';
import type { BatchValidators } from '../done/batch-validators.ts';
import { BatchEstimates } from './batch-estimates.ts';
import { BatchIntake } from './batch-intake.ts';
import { BatchUploads } from './batch-uploads.ts';
import { IntakeLedger } from './intake-ledger.ts';
import type { IntakeSettings } from './intake-settings.ts';
import { modelsOfPipeline } from '../../../engine/pipeline/pipeline-types.ts';
import { itemTypeOf } from './pipeline-types.ts';

/** What the intake of batches reads of the configuration. */
export interface BatchIntakeSettings {
  readonly batches: IntakeSettings;
  readonly webhooks: NamedWebhooks;
  readonly messages: Pick<MessageBodyLimits, 'maxBytes'> & { readonly maxDepth: number };
}

/** Composes the way in for batches. */
export function openIntake(
  {
    settings: { batches, messages, webhooks },
    database,
    clock,
    engine: { registry, pricer, providers },
  }: CapabilityContext<BatchIntakeSettings>,
  validators: Pick<BatchValidators, 'names'>,
): CapabilityParts {
  const ledger = new IntakeLedger(database);
  const intake = new BatchIntake({
    ledger,
    uploads: new BatchUploads({
      ledger,
      checkData: (sent) => checkMessageData(registry, sent, messages.maxDepth),
      bounds: { ...batches, maxDataBytes: messages.maxBytes, maxDepth: messages.maxDepth },
      clock,
    }),
    estimates: new BatchEstimates({
      database,
      modelsOf: (pipeline) => modelsOfPipeline(registry, pipeline),
      pricer,
      priceProviderOf: (provider) => providers.priceProviderOf(provider),
      clock,
    }),
    itemTypeOf: (asked) => itemTypeOf(registry, asked),
    validators,
    webhooks: new WebhookNames(database, webhooks),
    clock,
  });
  return { services: [[BatchIntake, intake]] };
}
