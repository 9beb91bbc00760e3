import { presentPriceBook } from '../../../engine/ledger/present-price-book.ts';
import { WebhookNames } from '../../../engine/ledger/webhook-names.ts';
import { checkMessageData } from '../../../engine/pipeline/checked-data.ts';
import type { StageDefinition } from '../../../engine/pipeline/stage-definition.ts';
import { StageRegistry } from '../../../engine/pipeline/stage-registry.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { storedForm } from '../../../messages/message-type.ts';
import type { Installation, LedgerAccess } from '../../../terminal/installation.ts';
import { batchErrors } from '../batch-errors.ts';
import { BatchEstimates } from './batch-estimates.ts';
import { BatchIntake, type BatchIntakeOptions } from './batch-intake.ts';
import { BatchUploads, type BatchUploadsOptions } from './batch-uploads.ts';
import { IntakeLedger } from './intake-ledger.ts';
import type { BatchIntakeSettings } from './open-intake.ts';
import { modelsOfPipeline } from '../../../engine/pipeline/pipeline-types.ts';
import { itemTypeOf } from './pipeline-types.ts';

/** What it reads of the configuration. */
export interface IntakeCommandSettings extends BatchIntakeSettings {
  readonly models: {
    readonly priceOverlay?: string | undefined;
    readonly providers: Readonly<Record<string, { readonly priceProvider?: string | undefined }>>;
  };
}

/**
 * The way in for batches in an operator's command. With the stages the data of every item is checked as they check it; without them the
 * type has to be named, and what does not fit it fails when it is run. Throws what opening the ledger throws.
 */
export async function withBatchIntake<Result>(
  { settings, withLedger }: Installation<IntakeCommandSettings>,
  definitions: readonly StageDefinition[] | undefined,
  work: (intake: BatchIntake, access: LedgerAccess) => Promise<Result>,
): Promise<Result> {
  const { batches, messages, models, webhooks } = settings;
  const { priceOverlay: overlay, providers } = models;
  const checks =
    definitions === undefined ? unchecked(messages.maxDepth) : checkedBy(definitions, messages.maxDepth);
  return withLedger(async (access) => {
    const { database, clock } = access;
    const pricer = await presentPriceBook(database, overlay);
    const ledger = new IntakeLedger(database);
    const { checkData, itemTypeOf: typeOf, modelsOf } = checks;
    const intake = new BatchIntake({
      ledger,
      uploads: new BatchUploads({
        ledger,
        checkData,
        bounds: { ...batches, maxDataBytes: messages.maxBytes, maxDepth: messages.maxDepth },
        clock,
      }),
      estimates: new BatchEstimates({
        database,
        modelsOf,
        pricer,
        priceProviderOf: (provider) => providers[provider]?.priceProvider ?? provider,
        clock,
      }),
      itemTypeOf: typeOf,
      webhooks: new WebhookNames(database, webhooks),
      clock,
    });
    return await work(intake, access);
  });
}

interface Checks {
  readonly checkData: BatchUploadsOptions['checkData'];
  readonly itemTypeOf: BatchIntakeOptions['itemTypeOf'];
  readonly modelsOf: (pipeline: string) => readonly string[];
}

function checkedBy(definitions: readonly StageDefinition[], maxDepth: number): Checks {
  const registry = new StageRegistry();
  // Nothing is run here.
  const handler = { handle: () => Promise.reject(new Error('A command runs no stages.')) };
  registry.register(definitions.map((definition) => ({ definition, handler })));
  return {
    checkData: (sent) => checkMessageData(registry, sent, maxDepth),
    itemTypeOf: (asked) => itemTypeOf(registry, asked),
    modelsOf: (pipeline) => modelsOfPipeline(registry, pipeline),
  };
}

function unchecked(maxDepth: number): Checks {
  return {
    checkData: ({ typeName, data }) => storedForm(typeName, data, maxDepth),
    itemTypeOf: ({ type, version = 1 }) => {
      if (type !== undefined) return { type, version };
      throw new AppError(
        batchErrors.MILLRACE_BATCH_TYPE_UNCLEAR,
        'Give the stages with --stages, which also checks the items against their schemas, or name the type of the messages with --type.',
      );
    },
    modelsOf: () => [],
  };
}
