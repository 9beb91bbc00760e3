import { BatchEstimates } from '../../src/capabilities/batches/intake/batch-estimates.ts';
import { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import { BatchUploads } from '../../src/capabilities/batches/intake/batch-uploads.ts';
import type { InputBounds } from '../../src/capabilities/batches/intake/input/input-records.ts';
import { IntakeLedger } from '../../src/capabilities/batches/intake/intake-ledger.ts';
import { itemTypeOf } from '../../src/capabilities/batches/intake/pipeline-types.ts';
import { modelsOfPipeline } from '../../src/engine/pipeline/pipeline-types.ts';
import { ProviderBatchOperations } from '../../src/capabilities/batches/mode/provider-batch-operations.ts';
import { BatchFiles } from '../../src/capabilities/batches/run/batch-files.ts';
import { BatchOperations } from '../../src/capabilities/batches/run/batch-operations.ts';
import { BatchService } from '../../src/capabilities/batches/run/batch-service.ts';
import { BatchStore } from '../../src/capabilities/batches/run/batch-store.ts';
import type { Provided } from '../../src/capabilities/capability.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { checkMessageData } from '../../src/engine/pipeline/checked-data.ts';
import { type NamedWebhooks, WebhookNames } from '../../src/engine/ledger/webhook-names.ts';
import type { StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';

export const intakeBounds: InputBounds = {
  maxItems: 5000,
  uploadBytes: 10_000_000,
  decodedBytes: 10_000_000,
  rowGroupBytes: 10_000_000,
  readTimeoutMs: 600_000,
  maxDataBytes: 2000,
  maxDepth: 16,
};

const someWebhooks: NamedWebhooks = { endpoints: { ops: {}, others: { teams: ['others'] } } };

export interface IntakeOptions {
  readonly bounds?: Partial<InputBounds>;
  readonly clock?: Clock;
  readonly webhooks?: NamedWebhooks;
}

/** The way in for batches over a ledger, for the stages of a registry. */
export function batchIntakeOver(
  database: SqlDatabase,
  registry: StageRegistry,
  { bounds = {}, clock = systemClock, webhooks = someWebhooks }: IntakeOptions = {},
): BatchIntake {
  const ledger = new IntakeLedger(database);
  return new BatchIntake({
    ledger,
    uploads: new BatchUploads({
      ledger,
      checkData: (sent) => checkMessageData(registry, sent, intakeBounds.maxDepth),
      bounds: { ...intakeBounds, ...bounds },
      clock,
    }),
    estimates: new BatchEstimates({
      database,
      modelsOf: (pipeline) => modelsOfPipeline(registry, pipeline),
      pricer: packagedPriceBook(),
      priceProviderOf: (provider) => provider,
      clock,
    }),
    itemTypeOf: (asked) => itemTypeOf(registry, asked),
    webhooks: new WebhookNames(database, webhooks),
    validators: { names: ['labels'] },
    clock,
  });
}

/** What the API has of batches. */
export function batchServices(database: SqlDatabase, registry: StageRegistry): readonly Provided[] {
  const service = new BatchService({
    store: new BatchStore(database),
    operations: new BatchOperations(database, systemClock),
    clock: systemClock,
  });
  return [
    [BatchIntake, batchIntakeOver(database, registry)],
    [BatchService, service],
    [BatchFiles, new BatchFiles(service, systemClock)],
    [ProviderBatchOperations, new ProviderBatchOperations({ database, clock: systemClock })],
  ];
}
