import { z } from 'zod';
import { AppError } from '../../../kernel/app-error.ts';
import { type Clock, within } from '../../../kernel/clock.ts';
import type { MessageBodies } from '../../../engine/pipeline/message-bodies.ts';
import type { Logger } from '../../../telemetry/logger.ts';
import type { Batch } from '../batch.ts';
import type { BatchMetrics } from '../batch-metrics.ts';
import type { ItemValidator } from './batch-validator.ts';
import type { BatchValidators } from './batch-validators.ts';
import type { EndedCheck, OpenCheck, QualityLedger } from './quality-ledger.ts';

/*
 * The quality gate of batches, in the process that has the maintenance role:
 *
 *   all items have ended, enough succeeded ─► a sample is drawn, once ─► its checks are made, some at a time, each recorded once
 *     ─► the batch ends as `BatchRunner` ends batches: succeeded, or failed below its minimum
 *
 * A process that dies leaves checks open; the next one makes those. Nothing of a turn that the host's stop cuts off is recorded.
 */

/** Checks at the same time, each with an output of some megabytes at most. */
const checksAtOnce = 8;
const maxBatches = 50;
const checkTimeoutMs = 60_000;
const maxReasonCharacters = 500;

export interface QualityGateOptions {
  readonly ledger: QualityLedger;
  readonly validators: BatchValidators;
  readonly bodies: Pick<MessageBodies, 'read'>;
  readonly metrics: BatchMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

const answerSchema = z.object({ ok: z.boolean(), reason: z.string().optional() });

export class QualityGate {
  readonly #options: QualityGateOptions;

  constructor(options: QualityGateOptions) {
    this.#options = options;
  }

  /** One turn; true when there is more to do at once. */
  async turn(signal: AbortSignal): Promise<boolean> {
    const { ledger, validators, logger } = this.#options;
    const { names } = validators;
    for (const { id, origin, cause } of await ledger.haltUncheckable(names))
      logger.warn({ batch: id, name: origin.batch, cause }, 'a batch halts: nothing can check its quality');
    let worked = false;
    for (const batch of await ledger.listUnchecked(names, maxBatches)) {
      if (signal.aborted) return false;
      worked = (await this.#check(batch, signal)) || worked;
    }
    return worked;
  }

  /** The next checks of one batch. */
  async #check(batch: Batch, signal: AbortSignal): Promise<boolean> {
    const { ledger, validators, metrics } = this.#options;
    const { quality } = batch.settings;
    const validator = quality && validators.find(quality.validator);
    if (quality === undefined || validator === undefined) return false;
    if (batch.checks === undefined) await ledger.draw(batch.id, quality);
    const open = await ledger.listOpen(batch.id, checksAtOnce);
    if (open.length === 0) return false;
    const ended = await Promise.all(open.map((check) => this.#ask(validator, batch, check, signal)));
    // What was cut off says nothing about the items.
    if (signal.aborted) return false;
    const { passed, failed } = await ledger.record(batch.id, ended);
    metrics.increment('batch_quality_checks_total', { result: 'passed' }, passed);
    metrics.increment('batch_quality_checks_total', { result: 'failed' }, failed);
    return passed + failed > 0;
  }

  async #ask(
    validator: ItemValidator,
    batch: Batch,
    check: OpenCheck,
    stopping: AbortSignal,
  ): Promise<EndedCheck> {
    const { clock, logger } = this.#options;
    const { position, itemId: id, team, customer, labels, outputs } = check;
    if (outputs === undefined) return badCheck(position, 'Its output was erased before it was checked.');
    const data = await this.#dataOf(check);
    const ending = new AbortController();
    // A validator that does not heed its signal must not hold up the host's stop.
    const stopped = Promise.withResolvers<never>();
    const stop = (): void => {
      stopped.reject(stopping.reason as Error);
    };
    stopping.addEventListener('abort', stop);
    try {
      stopping.throwIfAborted();
      const item = { batch: batch.origin.batch, id, position, team, customer, labels, data };
      const asked = (async (): Promise<unknown> =>
        await validator.validate(item, JSON.parse(outputs) as readonly unknown[], ending.signal))();
      const answer = await within(
        clock,
        checkTimeoutMs,
        Promise.race([asked, stopped.promise]),
        () => new Error(`It did not answer within ${checkTimeoutMs / 1000} seconds.`),
      );
      const { ok, reason } = answerSchema.parse(answer);
      return ok ? { position, state: 'passed', reason: undefined } : badCheck(position, reason ?? '');
    } catch (error) {
      const problem = error instanceof z.ZodError ? 'It did not answer { ok, reason }.' : messageOf(error);
      if (!stopping.aborted)
        logger.warn(
          { batch: batch.id, position, error },
          'a validator of a batch failed: the check has failed',
        );
      return badCheck(position, `The validator failed: ${problem}`);
    } finally {
      stopping.removeEventListener('abort', stop);
      ending.abort();
    }
  }

  async #dataOf({ body }: OpenCheck): Promise<unknown> {
    if (body === undefined) return undefined;
    try {
      return body.kind === 'inline'
        ? (JSON.parse(body.json) as unknown)
        : await this.#options.bodies.read(body);
    } catch (error) {
      // What is lost is lost; a store that is away fails the turn, and the checks stay open.
      if (error instanceof AppError && error.code === 'MILLRACE_PAYLOAD_MISSING') return undefined;
      throw error;
    }
  }
}

function badCheck(position: number, reason: string): EndedCheck {
  const text = reason.slice(0, maxReasonCharacters).toWellFormed().replaceAll('\u0000', '\uFFFD');
  return { position, state: 'failed', reason: text === '' ? undefined : text };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
