import type { CapabilityContext, CapabilityParts, NameOf } from '../../capability.ts';
import type { batchMetrics } from '../batch-metrics.ts';
import type { batchNames } from '../batch-names.ts';
import { type ItemValidator, validatorMetadata } from './batch-validator.ts';
import { BatchValidators } from './batch-validators.ts';
import { QualityGate } from './quality-gate.ts';
import { QualityLedger } from './quality-ledger.ts';

const checkMs = 1000;

/** Composes what comes when the items of a batch have ended. */
export function openDone(
  { database, metrics, clock, logger, engine: { bodies } }: CapabilityContext<unknown, typeof batchMetrics>,
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
    ],
  };
}
