import type { CapabilityContext, CapabilityParts, NameOf } from '../../capability.ts';
import type { batchMetrics } from '../batch-metrics.ts';
import type { batchNames } from '../batch-names.ts';
import { keepSecret } from '../../../telemetry/known-secrets.ts';
import { BatchNotices } from './batch-notices.ts';
import { type ItemValidator, validatorMetadata } from './batch-validator.ts';
import { BatchValidators } from './batch-validators.ts';
import { QualityGate } from './quality-gate.ts';
import { QualityLedger } from './quality-ledger.ts';
import type { WebhooksSettings } from './webhook-settings.ts';

/** What it reads of the configuration. */
export interface BatchDoneSettings {
  readonly batches: WebhooksSettings;
}

const checkMs = 1000;
const noticeMs = 1000;

/** Composes what comes when the items of a batch have ended. */
export function openDone(
  {
    settings: { batches },
    database,
    metrics,
    clock,
    logger,
    engine: { bodies },
  }: CapabilityContext<BatchDoneSettings, typeof batchMetrics>,
  validators: BatchValidators,
): CapabilityParts<NameOf<typeof batchNames, 'jobs'>> {
  const gate = new QualityGate({
    ledger: new QualityLedger(database),
    validators,
    bodies,
    metrics,
    clock,
    logger,
  });
  for (const { secret } of Object.values(batches.webhooks)) keepSecret(secret.text);
  const notices = new BatchNotices({ database, settings: batches, metrics, clock, logger });
  return {
    services: [[BatchValidators, validators]],
    marked: [
      {
        metadata: validatorMetadata,
        // @BatchValidator is typed so that only a validator can carry a name.
        take: (found) => {
          validators.register(
            found.map(({ value, instance }) => ({
              name: value as string,
              validator: instance as ItemValidator,
            })),
          );
        },
      },
    ],
    jobs: [
      {
        name: 'batch_quality',
        intervalMs: checkMs,
        runsIn: 'maintenance',
        turn: (signal) => gate.turn(signal),
      },
      {
        name: 'batch_notices',
        intervalMs: noticeMs,
        runsIn: 'maintenance',
        turn: (signal) => notices.turn(signal),
      },
    ],
    readGauges: () => notices.showGauges(),
  };
}
