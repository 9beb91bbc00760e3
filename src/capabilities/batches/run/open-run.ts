import { AnswerWaste } from '../../../engine/calls/answer-waste.ts';
import { MessageCancellations } from '../../../engine/ledger/message-cancellations.ts';
import { MessageReplays } from '../../../engine/ledger/message-replays.ts';
import { UnusedAnswers } from '../../../engine/ledger/unused-answers.ts';
import { MessageCanceller } from '../../../engine/pipeline/message-canceller.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../../capability.ts';
import type { batchMetrics } from '../batch-metrics.ts';
import type { batchNames } from '../batch-names.ts';
import { BatchFiles } from './batch-files.ts';
import { BatchOperations } from './batch-operations.ts';
import { BatchRetention } from './batch-retention.ts';
import { BatchRunner } from './batch-runner.ts';
import { BatchService } from './batch-service.ts';
import { BatchStore } from './batch-store.ts';
import { ChunkAdmission } from './chunk-admission.ts';
import { ChunkLedger } from './chunk-ledger.ts';
import { EndComposer } from './end-composer.ts';
import { EndLedger } from './end-ledger.ts';
import { WindDown } from './wind-down.ts';

/** What running batches reads of the configuration. */
export interface BatchRunSettings {
  readonly retention: { readonly finishedDays: number };
}

const turnMs = 250;
const pruneMs = 60_000;

/** Composes what makes batches go on. */
export function openRun(
  context: CapabilityContext<BatchRunSettings, typeof batchMetrics>,
): CapabilityParts<NameOf<typeof batchNames, 'jobs'>> {
  const { database, clock, settings } = context;
  const runner = batchRunnerOf(context);
  const retention = new BatchRetention(database, settings.retention);
  const service = new BatchService({
    store: new BatchStore(database),
    operations: new BatchOperations(database, clock),
    clock,
  });
  return {
    services: [
      [BatchService, service],
      [BatchFiles, new BatchFiles(service, clock)],
    ],
    jobs: [
      { name: 'batches', intervalMs: turnMs, runsIn: 'maintenance', turn: () => runner.turn() },
      { name: 'prune_batches', intervalMs: pruneMs, runsIn: 'maintenance', turn: () => retention.prune() },
    ],
  };
}

/** What makes batches go on, over open stores. */
export function batchRunnerOf({
  database,
  metrics,
  clock,
  logger,
  engine: { admissions, bodies, publisher, registry },
}: Pick<CapabilityContext<unknown, typeof batchMetrics>, 'database' | 'metrics' | 'clock' | 'logger'> & {
  readonly engine: Pick<
    CapabilityContext<unknown>['engine'],
    'admissions' | 'bodies' | 'publisher' | 'registry'
  >;
}): BatchRunner {
  const chunks = new ChunkLedger(database);
  const ends = new EndLedger(database, metrics);
  const waste = new AnswerWaste(new UnusedAnswers(database), clock);
  const composer = new EndComposer(ends, bodies, waste, registry);
  const canceller = new MessageCanceller({
    ledger: new MessageCancellations(database),
    publisher,
    metrics,
    clock,
  });
  const replays = new MessageReplays(database);
  return new BatchRunner({
    database,
    chunks,
    ends,
    composer,
    admission: new ChunkAdmission({ ledger: chunks, ends, admissions, replays, canceller, publisher, waste }),
    windDown: new WindDown({ database, ends, composer, canceller }),
    logger,
  });
}
