import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { BatchIntake } from '../../src/capabilities/batches/intake/batch-intake.ts';
import {
  createBatchSchema,
  uploadQuerySchema,
} from '../../src/capabilities/batches/intake/intake-requests.ts';
import { BatchReports } from '../../src/capabilities/batches/report/batch-reports.ts';
import { BatchFiles } from '../../src/capabilities/batches/run/batch-files.ts';
import { BatchService } from '../../src/capabilities/batches/run/batch-service.ts';
import type { Host } from '../../src/host/host.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import type { BatchAccount, BatchAnswers, BatchOrder } from './batch-answers.ts';
import {
  batchActor,
  linesOf,
  type PlannedBatch,
  plannedBatches,
  settingsOf,
  type Steering,
} from './batch-workload.ts';

/* What a host process does with batches when the run asks for it: as a client and as an operator, each step as often as it is asked for. */

/** Whose batches: of which run, and on which host. */
export interface BatchSite {
  readonly host: Host;
  readonly seed: number;
  readonly messages: number;
}

const operator = { actor: batchActor };
const reason = 'the plan says so';

export async function carryOutBatch(
  order: BatchOrder,
  site: BatchSite,
): Promise<BatchAnswers[BatchOrder['kind']]> {
  const planned = plannedBatches(site.seed, site.messages)[order.batch];
  if (planned === undefined) throw new Error(`The run has no batch ${order.batch}`);
  const { name } = planned;
  switch (order.kind) {
    case 'batch_submit':
      await submit(planned, site.host);
      return true;
    case 'batch_steer':
      return await steer(name, order.what, site.host);
    case 'batch_output': {
      const { stream } = await site.host.service(BatchFiles).output(name, {}, { isPartial: false });
      return await text(stream);
    }
    case 'batch_accounts':
      return await accountOf(name, site.host);
  }
}

async function submit(planned: PlannedBatch, host: Host): Promise<void> {
  const intake = host.service(BatchIntake);
  const { team, customer, feature } = planned.origin;
  const request = createBatchSchema.parse({
    name: planned.name,
    team,
    customer,
    feature,
    pipeline: 'letters',
    settings: settingsOf(planned),
  });
  const { batch } = await intake.create(request, operator);
  if (batch.uploadState !== 'complete') {
    const query = uploadQuerySchema.parse({});
    const bytes = Readable.from([Buffer.from(linesOf(planned))]);
    await intake.upload(batch.id, { format: 'jsonl', encoding: 'identity', query, bytes }, {});
  }
  // A budget that is too small until it is raised is among what its items are to meet.
  await intake.start(batch.id, reason, operator, { force: true });
}

async function steer(name: string, what: Steering, host: Host): Promise<BatchAnswers['batch_steer']> {
  const service = host.service(BatchService);
  try {
    await service[what](name, reason, operator);
    return { isDone: true };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'MILLRACE_BATCH_STATE') throw error;
    return { isDone: false, why: error.message };
  }
}

async function accountOf(name: string, host: Host): Promise<BatchAccount> {
  const { state, items, costUsd, unpriced } = await host.service(BatchService).show(name, {});
  const report = await host.service(BatchReports).read({ kind: 'name', name }, {});
  const { isFinal, isComplete, cost } = report;
  return {
    state,
    items,
    costUsd,
    unpriced,
    report: {
      isFinal,
      isComplete,
      items: report.items,
      totalUsd: cost.totalUsd,
      wasteUsd: cost.wasteUsd,
      calls: cost.calls,
      unsettledCalls: cost.unsettledCalls,
      estimatedCalls: cost.estimatedCalls,
      openCalls: cost.openCalls,
      openUpperBoundUsd: cost.openUpperBoundUsd,
    },
  };
}
